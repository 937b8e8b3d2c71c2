"""The table of a chaos run: what each fault cost at worst, as people read it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.chaos.servers.experiment import Outcome
from tests.chaos.servers.load import EVENTS_PER_S, SHOPPERS

_HEAD = (
    "fault",
    "runs",
    "events",
    "acknowledged, lost",
    "shown twice",
    "longest without an acknowledgement",
    "longest without an experience",
    "p99 during",
    "slowest answer",
)


_BUDGET = """
**A budget under kill -9.** {takers:,} shoppers took from a campaign of {budget:,} rewards, 50 times as many, while a
worker was killed twice, once while the budget was being spent. Rewarded: {rewarded:,} verified orders.
"""


def table(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Gives the table in Markdown: sums of what is counted, the worst run of what is measured."""
    rows = [_HEAD, tuple(["---"] + ["---:"] * (len(_HEAD) - 1))]
    for name, runs in outcomes.items():
        rows.append(
            (
                name,
                str(len(runs)),
                f"{sum(run.events for run in runs):,}",
                str(sum(run.lost for run in runs)),
                str(sum(run.twice for run in runs)),
                f"{max(run.without_ack_s for run in runs):.1f} s",
                f"{max(run.without_experience_s for run in runs):.1f} s",
                f"{max(run.p99_s for run in runs):.2f} s",
                f"{max(run.slowest_s for run in runs):.2f} s",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(outcomes: Mapping[str, Sequence[Outcome]], rewarded: Mapping[str, int], seed: int) -> str:
    """Gives docs/reliability.md; without the paragraph on budgets where they were not tried."""
    budget = _BUDGET.format_map(rewarded) if rewarded else ""
    events = sum(run.events for runs in outcomes.values() for run in runs)
    count = sum(map(len, outcomes.values()))
    return f"""\
# What happens when something breaks

This page is written by `make chaos`. The last run: {datetime.now(UTC):%-d %B %Y}, {count} experiments, {events:,}
events, seed {seed}, {os.cpu_count()} cores ({platform.machine()}) for everything: servers, system, and load.

{table(outcomes)}
{budget}
## How it is done

A production system runs as real processes on loopback: two gateways, two workers, an archiver, one Kafka broker, one
Cassandra node, and Postgres, each server behind a proxy that can cut, delay or swallow what passes. {SHOPPERS} shoppers
send {EVENTS_PER_S} single events a second between them in an open loop: an event is due at its time whatever became of
those before it, and its latency counts from then. A shopper's tracker has one event in flight and sends it again, to
any gateway, until it is answered. Each shopper's page holds a stream open, leaves for any gateway every few seconds,
and resumes where it left off. In the middle of this one thing breaks.

When all is quiet again, both topics are read raw and folded by code that shares nothing with the system's own. Every
acknowledged event must stand in the log, in the archive and in its shopper's snapshot, in the shopper's order; no page
may have been told an experience twice, or one that nobody decided; each page must show the latest state of its slots.

The times are the worst of all runs, on a machine whose cores are shared by all of it: restarts of the servers
themselves, a Java process each, are the largest part of most. *Longest without* counts over all shoppers from the fault
to the end of the load; *p99 during* is of the events that were due between the fault and its repair, retries and
waiting included; *slowest answer* is the longest that any single request waited, whatever it was answered. Where the
log can't be written to, that is 503 with `Retry-After`; a gateway gives up after a second.

Not tried here: what more than one broker and one node add. Replication is Kafka's and ScyllaDB's own; here each server
is the only one of its kind, so that its absence is felt.
"""
