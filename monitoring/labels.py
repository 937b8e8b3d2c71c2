"""The values that labels of metrics have: closed sets, so that no client and no shopper adds a series.

A counter is born with all of them at 0: Prometheus sees no growth in a series that begins with its first fault. What
lets a label be open has to be made by an operator: a retailer, or a statement of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final, get_args

from domain.events import OUTSIDE_TYPES, AnyEvent
from domain.experiences import Kind
from domain.fates import Fate
from domain.personal_data import Kind as Redacted
from domain.ports.privacy_requests import Stage
from domain.records import Cause, Reason


def _each(*values: Iterable[str]) -> Sequence[tuple[str, ...]]:
    """Gives every combination of labels' values."""
    return tuple(product(*values))


KINDS: Final[tuple[str, ...]] = get_args(Kind)
REDACTED: Final[tuple[str, ...]] = get_args(Redacted)
LOST: Final[tuple[str, ...]] = get_args(Reason)
SETTLED: Final[tuple[str, ...]] = get_args(Cause)
STAGES: Final = tuple(stage for stage in get_args(Stage) if stage != "done")
"""What an open privacy request waits for."""
TYPES: Final = tuple(kind.__name__ for kind in get_args(AnyEvent))
NO_TYPE: Final = "unknown"
"""Of an event that was refused before its type counted: what a client calls it is no label."""
ANSWERED: Final = (
    *product((*OUTSIDE_TYPES, "ConsentWithdrawn"), ("stored", "retry")),
    (NO_TYPE, "dropped"),
    (NO_TYPE, "rejected"),
)
"""Types and outcomes of events."""

CLOSED: Final = ("disconnected", "slow", "superseded", "token_expired", "drained")
PASSIVATED: Final = ("idle", "bound")
BEGUN: Final = ("begun", "failed")
ARCHIVED: Final = ("event", "decided", "failed")
FAILED: Final = ("undecodable", "snapshot_unreadable", "tree_unreadable", "not_processed")
MEANING: Final = (
    "suppressed",
    "erased",
    "basket_before_order",
    "basket_full",
    "removed_absent",
    "repeated_order",
    "order_before_order",
    "order_for_empty_basket",
    "not_the_last_order",
    "unknown_experience",
)
GATEWAY_WORK: Final = ("request", "stream", "snapshot", "follow", "words", "vault", "withdrawals", "audit")
WORKER_WORK: Final = ("poll", "take", "append", "trees", "snapshots", "leases", "timers", "housekeeping", "budgets")
ARCHIVER_WORK: Final = ("poll", "take", "events", "decided", "failed", "follow", "commit")
"""What may fail at the edge of a loop."""

BORN: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "events": ANSWERED,
    "redacted": _each(REDACTED),
    "streams_dropped": _each(CLOSED),
    "delivered": _each(KINDS),
    "erased_on_withdrawal": _each(BEGUN),
    "gateway_errors": _each(GATEWAY_WORK),
    "processed": _each(TYPES),
    "meaning_faults": _each(MEANING),
    "decided": _each(KINDS),
    "failed": _each(FAILED),
    "passivations": _each(PASSIVATED),
    "worker_errors": _each(WORKER_WORK),
    "fates": _each(KINDS, get_args(Fate)),
    "held_out": _each(KINDS),
    "campaigns_lost": _each(LOST),
    "settlements": _each(SETTLED),
    "archived": _each(ARCHIVED),
    "archive_errors": _each(ARCHIVER_WORK),
}
"""The series that a process begins with, at 0, by the attribute of `Metrics`: the values of their labels."""
