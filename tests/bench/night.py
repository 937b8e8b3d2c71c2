"""The night, step by step, at one size and at ten times that: events and trees a CPU second, and what grows."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from adapters.settings import Settings
from batch.jobs import Job
from batch.nightly import STEPS
from batch.spark import session
from batch.warehouse import Warehouse
from deploy.demo.goods import catalogue_items, read_goods
from deploy.demo.past import DAYS, SEED, trips
from domain.events import OutsideEvent
from domain.ports.retailers import Retailer
from domain.records import SCHEMA_VERSION, Record
from domain.timestamps import unix_ms
from monitoring.metrics import BatchMetrics
from tests.integration.batch.filled_store import fill

SHOPPERS = 50
TIMES = (1, 10)
TRAIN_SHOPPERS = 500
"""What is learned from, at either size: the bound is what keeps training from growing."""
_RETAILER = Retailer(retailer_id="r-bench", name="bench")
_TICKS_S = os.sysconf("SC_CLK_TCK")


def night() -> dict[str, Any]:
    """Gives for each size the events, the shoppers, and each step's wall and CPU seconds; Spark is warm by then."""
    spark = session(master="local[2]")
    with tempfile.TemporaryDirectory() as folder:
        # One that is not kept: the first actions of a session compile Java.
        _measured(Path(folder) / "warm", spark, SHOPPERS // 5)
        sizes = [_measured(Path(folder) / str(times), spark, SHOPPERS * times) for times in TIMES]
    spark.stop()
    return {"sizes": sizes}


def _measured(folder: Path, spark: Any, shoppers: int) -> dict[str, Any]:  # Any: the session
    folder.mkdir()
    end = datetime.now(UTC)
    count = 0

    def records() -> Iterator[Record]:
        nonlocal count
        for record in _records(shoppers, end):
            count += 1
            yield record

    data = folder / "data"
    fill(data, records())
    job = Job(
        spark=spark,
        warehouse=Warehouse(str(folder / "warehouse"), spark),
        retailer=_RETAILER,
        catalogue=tuple(catalogue_items(read_goods().products)),
        run_id=end.date().isoformat(),
        as_of=end.date(),
        data=data,
        settings=Settings(batch_shoppers_max=TRAIN_SHOPPERS, hot_days=DAYS + 1),
        report=lambda _step, _done, _of: None,
        metrics=BatchMetrics(),
    )
    steps = {name: _step(lambda work=work: work(job)) for name, work in STEPS.items()}  # type: ignore[misc]
    return {"shoppers": shoppers, "events": count, "steps": steps}


def _step(work: Callable[[], Any]) -> dict[str, Any]:
    started_s, cpu_s = time.monotonic(), _tree_cpu_s()
    try:
        said = msgspec.to_builtins(work())
    except Exception as error:  # noqa: BLE001 - a gate that refuses has been measured all the same
        said = {"refused": str(error)[:200]}
    return {"wall_s": time.monotonic() - started_s, "cpu_s": _tree_cpu_s() - cpu_s, "said": said}


def _records(shoppers: int, end: datetime) -> Iterator[Record]:
    """Gives the demo's kind of shopping, by as many shoppers as wanted."""
    names = [f"bench-{number:06}" for number in range(shoppers)]
    decoder = msgspec.json.Decoder(OutsideEvent)
    for event in trips(read_goods(), names, DAYS, end, SEED):
        found = decoder.decode(msgspec.json.encode(event))
        hashed = hashlib.sha256(found.shopper_id.encode()).hexdigest()
        at_ms = unix_ms(found.occurred_at)
        yield Record(
            schema_version=SCHEMA_VERSION,
            retailer_id=_RETAILER.retailer_id,
            received_at_ms=at_ms,
            event_time_ms=at_ms,
            event=msgspec.structs.replace(found, shopper_id=hashed),
            verified=True,
        )


def _tree_cpu_s() -> float:
    """Gives the CPU seconds of this process and all that came of it: Java, Spark's Python workers, ended ones too."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15])) / _TICKS_S
    family = {os.getpid()}
    grew = True
    while grew:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grew = bool(more)
    return sum(used.get(pid, 0.0) for pid in family)
