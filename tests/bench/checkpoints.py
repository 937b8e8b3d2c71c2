"""What checkpoints cost a worker: CPU time with them less that without, at the same pace with the same shoppers."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.measured import Usage
from tests.bench.production import Place, metric
from tests.bench.servers import command, cores, stop
from tests.services.system import Process

_PARTITIONS = 64
_RATE = 1_000
_EVERY_S, _NEVER_S = 5, 60
_WARM_WITHIN_S = 45.0
_LOOK_S = 1.0


def checkpoints(place: Place, seconds: float) -> dict[str, Any]:
    """1,000 events/s of 5,000 shoppers in turns: each checkpoint, every 5 s, saves all of them.

    Args:
        seconds: a multiple of a checkpoint's period, so that equally many fall into it whenever it begins.
    """
    with_them = _run(place, _EVERY_S, seconds)
    without = _run(place, _NEVER_S, seconds)
    return {
        "rate": _RATE,
        "shoppers": _RATE * _EVERY_S,
        "every_s": _EVERY_S,
        "duration_s": with_them["duration_s"],
        "us_with": with_them["us"],
        "us_without": without["us"],
        "share": (with_them["us"] - without["us"]) * _RATE / 1e6,
    }


def _run(place: Place, every_s: int, seconds: float) -> dict[str, float]:
    """Gives CPU microseconds an event, and the mean duration of a checkpoint."""
    production = place.production(_PARTITIONS)
    shoppers = _RATE * _EVERY_S
    with production.running(workers=1, KAFKA_CHECKPOINT_S=str(every_s)) as system:
        (worker,) = system.of("worker")
        arguments = (production.trees["retailer_id"], "--shoppers", str(shoppers), "--rate", str(_RATE))
        whole_s = str(_WARM_WITHIN_S + seconds + 5)
        filling = command(
            "tests.bench.fill", *arguments, "--seconds", whole_s, core=cores()[1], variables=production.variables()
        )
        try:
            _wait_residents(worker, shoppers)
            before = metric(worker, "hotbasket_processed_events_total")
            with Usage({"worker": worker.pid}) as used:
                time.sleep(seconds)
            processed = metric(worker, "hotbasket_processed_events_total") - before
            name = "hotbasket_checkpoint_seconds"
            count, total_s = metric(worker, f"{name}_count"), metric(worker, f"{name}_sum")
        finally:
            stop(filling)
    us = used.cpu_s["worker"] / processed * 1e6
    place.console.print(f"    a checkpoint every {every_s} s: {us:.0f} us of CPU time an event")
    return {"us": us, "duration_s": total_s / count if count else float("nan")}


def _wait_residents(worker: Process, shoppers: int) -> None:
    """Waits until every shopper is in memory: bringing them there is no part of what is measured."""
    deadline_s = time.monotonic() + _WARM_WITHIN_S
    while (residents := metric(worker, "hotbasket_residents")) < shoppers:
        assert time.monotonic() < deadline_s, f"{residents:,.0f} of {shoppers:,} shoppers are in memory"
        time.sleep(_LOOK_S)
