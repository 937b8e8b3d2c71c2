"""Archived rows a second, adapter and bare driver in turns: python -m tests.integration.scylla.throughput HOST:PORT.

Rows of 1 KB, as the archiver polls them: a few hundred of one log partition at a time. The driver alone writes the same
bytes in the same batches and does nothing else: no encoding, no grouping, no metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType
from cassandra.util import Date
from msgspec.structs import replace

from adapters.clock import SystemClock
from adapters.scylla.connection import connect
from adapters.scylla.event_store import STATEMENTS
from adapters.scylla.open import ScyllaStores, open_stores
from adapters.scylla.schema import apply
from adapters.settings import Settings, load_settings
from domain.ids import Position
from domain.ports.event_store import StoredEvent
from domain.records import encode
from monitoring.metrics import Metrics
from tests.integration.scylla.control_plane import MemoryGenerations, MemoryRequests
from tests.story import NOON_MS, RETAILER, record

SCHEMA = Path(__file__).resolve().parents[3] / "deploy" / "scylla" / "schema.cql"
ROW_BYTES = 1_024
PARTITIONS = 4
POLLED = 2_000
_DAY_MS = 86_400_000


def polled(first: int, count: int = POLLED) -> list[StoredEvent]:
    """Events of one log partition, padded to 1 KB."""
    padding = "x" * 200
    lines = [{"product_id": f"{number:03}{padding[:120]}", "quantity": 1, "price_minor": 1} for number in range(4)]
    model = record("OrderPaid", 0, 0, order_id="o-1", lines=lines, total_minor=0, currency="EUR")
    stored = []
    for number in range(first, first + count):
        event = replace(model.event, shopper_id=f"{number % 500:064x}", event_id=UUID(int=number))
        stored.append(StoredEvent(Position(1, number), replace(model, event=event)))
    return stored


def rows_of(events: Sequence[StoredEvent], partition: int) -> list[tuple[Any, ...]]:
    """The same rows as the adapter's, ready to be sent."""
    day = Date(NOON_MS // _DAY_MS)
    return [
        (
            RETAILER,
            day,
            partition,
            one.record.event.shopper_id,
            one.record.event.event_id.bytes,
            msgspec.msgpack.encode((*one.position, encode(one.record))),
            one.record.received_at_ms * 1_000,
        )
        for one in events
    ]


def bare(session: Any, prepared: Any, rows: Sequence[tuple[Any, ...]], batch_rows: int, requests_max: int) -> None:
    """Writes rows with the driver's own means."""

    def batches() -> Any:
        for start in range(0, len(rows), batch_rows):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            for row in rows[start : start + batch_rows]:
                batch.add(prepared, row)
            yield batch, None

    for done, _ in execute_concurrent(session, batches(), concurrency=requests_max):
        assert done


async def measure(settings: Settings, *, rounds: int) -> None:
    """Takes turns and prints the medians."""
    stores: ScyllaStores = await open_stores(
        settings,
        Metrics(),
        SystemClock(),
        MemoryGenerations(),
        MemoryRequests(),
        lambda _: 1_095,
        partitions=PARTITIONS,
    )
    session = await asyncio.to_thread(connect, settings)
    prepared = session.prepare(STATEMENTS["put_event"].format(keyspace=settings.scylla_keyspace))
    adapter_s, bare_s = [], []
    adapter_cpu_s, bare_cpu_s = 0.0, 0.0
    size_bytes = statistics.mean(len(row[5]) for row in rows_of(polled(0, 100), 0))
    for turn in range(rounds):
        work = [(number, polled((turn * PARTITIONS + number) * POLLED)) for number in range(PARTITIONS)]
        ready = [rows_of(events, number) for number, events in work]
        started_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(stores.archive.put(number, events) for number, events in work))
        adapter_s.append(time.perf_counter() - started_s)
        adapter_cpu_s += time.process_time() - cpu_s
        started_s, cpu_s = time.perf_counter(), time.process_time()
        for rows in ready:
            await asyncio.to_thread(
                bare, session, prepared, rows, settings.archive_batch_events, settings.scylla_requests_max
            )
        bare_s.append(time.perf_counter() - started_s)
        bare_cpu_s += time.process_time() - cpu_s
    count = POLLED * PARTITIONS
    adapter, driver = (count / statistics.median(taken) for taken in (adapter_s, bare_s))
    print(
        f"rows of {size_bytes:.0f} B, batches of {settings.archive_batch_events}: adapter {adapter:,.0f} rows/s,"
        f" driver alone {driver:,.0f} rows/s, ratio {adapter / driver:.2f};"
        f" CPU a row {adapter_cpu_s / count / rounds * 1e6:.1f} and {bare_cpu_s / count / rounds * 1e6:.1f} µs"
    )
    session.cluster.shutdown()
    await stores.close()


async def main(scylla: str, batch_events: Sequence[int], rounds: int) -> None:
    """Makes a keyspace, measures each batch size, and drops it."""
    keyspace = f"throughput_{secrets.token_hex(4)}"
    settings = load_settings(scylla=scylla, scylla_keyspace=keyspace, scylla_timeout_s=10)
    await apply(settings, SCHEMA.read_text(encoding="utf-8"), replication=1)
    try:
        for size in batch_events:
            await measure(settings.model_copy(update={"archive_batch_events": size}), rounds=rounds)
    finally:
        session = await asyncio.to_thread(connect, settings)
        session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)
        session.cluster.shutdown()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scylla", help="host:port")
    parser.add_argument("--batch-events", type=int, nargs="*", default=[50])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    asyncio.run(main(given.scylla, given.batch_events, given.rounds))
