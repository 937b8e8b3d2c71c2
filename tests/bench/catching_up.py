"""A log that waits: how fast an archiver, and a worker, catch up with it, in events a second of their own CPU time."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.measured import Usage, pinned, resident_bytes
from tests.bench.production import Place, Production, metric
from tests.bench.servers import cores, load
from tests.services.system import Process

_WITHIN_S = 120.0
_LOOK_S, _LOOK_MAX_S = 0.2, 5.0
_PARTITIONS = 64


def archive(place: Place, events: int) -> dict[str, Any]:
    """Archiver against bare driver, on the same rows in batches of the same size."""
    production = place.production(_PARTITIONS)
    topics = production.more_topics(_PARTITIONS)
    variables = production.variables(topics)
    own, other = cores()
    with pinned(place.pids, other):
        place.console.print(f"  {events:,} events into the log")
        filled = _fill(production, production.trees, events, events, topics)
        # First the driver, so that the server is as warm for the archiver.
        place.console.print("  bare driver")
        bare = load("tests.bench.bare", "driver", str(events), str(_PARTITIONS), core=own, variables=variables)
        place.console.print("  archiver")
        with production.running(archivers=1, topics=topics) as system:
            (archiver,) = system.of("archiver")
            with pinned({"archiver": archiver.pid}, own):
                figures = _caught_up(place, archiver, "hotbasket_archived_records_total", events)
    return {
        "events": events,
        "record_bytes": filled["record_bytes"],
        "driver": bare,
        "archiver": figures,
        "of_driver": figures["per_cpu_s"] / bare["per_cpu_s"],
    }


def worker(place: Place, events: int) -> dict[str, Any]:
    """A worker, and a gateway that follows what it decides: with a tree of 40 nodes, then with a decision an event."""
    production = place.production(_PARTITIONS)
    own, other = cores()
    shoppers = events // 2
    found: dict[str, Any] = {"events": events, "shoppers": shoppers}
    with pinned(place.pids, other):
        for name, retailer in (("trees", production.trees), ("tension", production.tension)):
            place.console.print(f"  {events:,} events of {shoppers:,} shoppers into the log")
            found |= _fill(production, retailer, events, shoppers)
            place.console.print(f"  worker: {name}")
            with production.running(workers=1, gateways=1) as system:
                (one,), (gateway,) = system.of("worker"), system.of("gateway")
                before = resident_bytes(one.pid)
                with pinned({"worker": one.pid}, own):
                    figures = _caught_up(place, one, "hotbasket_processed_events_total", events, gateway=gateway.pid)
                residents = metric(one, "hotbasket_residents")
                after = resident_bytes(one.pid)
                decided = metric(one, "hotbasket_decided_experiences_total")
            found[name] = {
                **figures,
                "residents": residents,
                "resident_mib": after / 2**20,
                "bytes_each": (after - before) / max(1.0, residents),
                "decided": decided,
            }
    return found


def _fill(
    production: Production, retailer: dict[str, str], count: int, shoppers: int, topics: str | None = None
) -> dict[str, Any]:
    arguments = (retailer["retailer_id"], "--count", str(count), "--shoppers", str(shoppers))
    return load("tests.bench.fill", *arguments, variables=production.variables(topics))


def _caught_up(place: Place, process: Process, counter: str, events: int, **others: int) -> dict[str, float]:
    """Gives the rate between the first look that sees something done and the one that sees all of it done.

    Args:
        others: pids of whose CPU time an event costs too, by name; the servers' are among them.
    """
    watched = place.pids | others
    deadline_s = time.monotonic() + _WITHIN_S
    first = _until(process, counter, 1, deadline_s)
    with Usage({"self": process.pid} | watched) as used:
        last = _until(process, counter, events, deadline_s)
    done = last - first
    return {
        "counted": done,
        "per_s": done / used.wall_s,
        "per_cpu_s": done / used.cpu_s["self"],
        **{f"{name}_us": used.cpu_s[name] / done * 1e6 for name in watched},
    }


def _until(process: Process, counter: str, count: float, deadline_s: float) -> float:
    """Waits until a counter has reached a count, with few looks: each costs the process 20 ms of its CPU time."""
    begun_s, begun = time.monotonic(), 0.0
    while (done := metric(process, counter)) < count:
        now_s = time.monotonic()
        assert now_s < deadline_s, f"{process.name} has done {done:,.0f} of {count:,.0f}"
        if done > begun > 0:
            left_s = (count - done) * (now_s - begun_s) / (done - begun)
        else:
            begun_s, begun, left_s = now_s, done, 0.0
        time.sleep(min(max(left_s, _LOOK_S), _LOOK_MAX_S))
    return done
