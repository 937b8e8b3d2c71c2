"""What metrics cost: the gateway and the worker on the embedded log, with metrics and with none, in turns.

CPU time of the process, not the clock's: the disk, whoever else is on the machine, and waiting count for neither.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import uvloop

from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from monitoring.metrics import Metrics
from tests.bench.hot_path import EVENTS, driven
from tests.bench.servers import load, with_forty_nodes

ROUNDS: Final = 5
_LOOK_S = 0.05


class _Nothing:
    """A metric that is none."""

    __slots__ = ()

    def labels(self, *_: str) -> _Nothing:
        """Gives itself."""
        return self

    def inc(self, _: float = 1) -> None:
        """Counts nothing."""

    observe = set = set_function = show = dec = inc

    def time(self) -> AbstractContextManager[None]:
        """Measures nothing."""
        return nullcontext()


def silent() -> Metrics:
    """Gives metrics of which none counts."""
    metrics = Metrics()
    for name in [name for name in vars(metrics) if name != "registry"]:
        setattr(metrics, name, _Nothing())
    return metrics


def metrics_cost(rounds: int = ROUNDS) -> dict[str, Any]:
    """Gives the median CPU time of an event without metrics, and the median ratio of both, by part."""
    figures: dict[str, Any] = load("tests.bench.metrics_cost", str(rounds))
    return figures


async def _round(metrics: Metrics) -> tuple[float, float]:
    """Gives the CPU seconds of an event in the gateway and in the worker."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_key, _ = with_forty_nodes(data)
        settings, clock = load_settings(rate_events_per_s=10**6), SystemClock()
        ports = embedded(data, settings, metrics, clock)
        gc.collect()
        gc.freeze()
        began_s = time.process_time()
        await driven(ports, write_key, settings, metrics)
        gateway_s = time.process_time() - began_s
        stores = (ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics)
        worker = Worker(WorkerStores(*stores), settings, "bench")
        began_s = time.process_time()
        working = asyncio.create_task(worker.run())
        while not await _is_through(ports):
            await asyncio.sleep(_LOOK_S)
            if working.done():
                working.result()
        worker_s = time.process_time() - began_s
        worker.stop()
        await working
        await ports.close()
        gc.unfreeze()
    return gateway_s / EVENTS, worker_s / EVENTS


async def _is_through(ports: Ports) -> bool:
    committed = await ports.events.committed(0)
    return committed is not None and committed.through.offset >= EVENTS - 1


def main() -> None:
    """Prints the figures as JSON."""
    with_s: list[tuple[float, float]] = []
    without_s: list[tuple[float, float]] = []
    uvloop.run(_round(silent()))
    for number in range(int(sys.argv[1])):
        # Whoever comes second finds a warmer process: each does in every other round.
        for is_silent in (number % 2 == 0, number % 2 == 1):
            one = silent() if is_silent else Metrics()
            (without_s if is_silent else with_s).append(uvloop.run(_round(one)))
    figures = {}
    for part, name in enumerate(("gateway", "worker")):
        ratios = sorted(a[part] / b[part] for a, b in zip(with_s, without_s, strict=True))
        figures[name] = {
            "without_us": median(one[part] for one in without_s) * 1e6,
            "ratio": median(ratios),
            "ratios": cast(list[float], [ratios[0], ratios[-1]]),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
