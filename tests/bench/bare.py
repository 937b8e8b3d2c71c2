"""The servers' yardsticks: what the bare producer and the bare driver do with the same records, on one core."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer
from cassandra.query import BatchStatement, BatchType
from cassandra.util import Date

from adapters.scylla.connection import connect
from adapters.settings import Settings, load_settings
from domain.records import encode
from tests.bench.fill import records
from tests.bench.measured import Usage

_CLIENTS = 64
_BATCH_ROWS = 200
_WARM_SHARE = 0.2
_DAY_MS = 86_400_000
_STATEMENT = (
    "INSERT INTO {}.events (retailer_id, day, partition, shopper, event_id, event) VALUES (?, ?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?"
)


async def producer(topic: str, partitions: int, kind: str, seconds: float) -> dict[str, float]:
    """Gives records a second, and in each CPU second, that a producer appends with 64 appends in flight.

    Args:
        kind: `send`: each record alone, as `await send_and_wait` does; `batch`: 200 records of a partition at once.
    """
    settings = load_settings()
    made = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=2 * settings.kafka_batch_bytes,
    )
    await made.start()
    values = [encode(one) for one in records("r-0123456789abcdef", 1_000, 0, 2_000)]
    sent, stopping = 0, False

    async def send(client: int) -> None:
        nonlocal sent
        number = client
        while not stopping:
            await made.send_and_wait(topic, values[number % len(values)], partition=number % partitions)
            number += _CLIENTS + 1
            sent += 1

    async def batch(client: int) -> None:
        nonlocal sent
        while not stopping:
            one = made.create_batch()
            for value in values[:_BATCH_ROWS]:
                one.append(key=None, value=value, timestamp=None)
            one.close()
            await (await made.send_batch(one, topic, partition=client % partitions))
            sent += _BATCH_ROWS

    kinds: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {"send": send, "batch": batch}
    tasks = [asyncio.create_task(kinds[kind](client)) for client in range(_CLIENTS)]
    await asyncio.sleep(seconds * _WARM_SHARE)
    before = sent
    with Usage({"producer": os.getpid()}) as used:
        await asyncio.sleep(seconds)
    count = sent - before
    stopping = True
    await asyncio.gather(*tasks)
    await made.stop()
    return {"per_s": count / used.wall_s, "per_cpu_s": count / used.cpu_s["producer"]}


def driver(count: int, partitions: int, settings: Settings) -> dict[str, float]:
    """Gives rows a second, and in each CPU second, that the driver writes: unlogged batches of one table partition."""
    session = connect(settings)
    prepared = session.prepare(_STATEMENT.format(settings.scylla_keyspace))
    rows_by_partition: list[list[tuple[Any, ...]]] = [[] for _ in range(partitions)]  # Any: columns of many types
    # A retailer of its own: the archiver's rows are elsewhere.
    for number, one in enumerate(records("r-bare", 20_000, 0, count)):
        partition = number % partitions
        row = (
            one.retailer_id,
            Date(one.received_at_ms // _DAY_MS),
            partition,
            one.event.shopper_id,
            one.event.event_id.bytes,
            encode(one),
            one.received_at_ms * 1_000,
        )
        rows_by_partition[partition].append(row)
    room = threading.Semaphore(settings.scylla_requests_max)
    failures: list[BaseException] = []

    def done(_: object) -> None:
        room.release()

    def failed(error: BaseException) -> None:
        failures.append(error)
        room.release()

    rows_max = settings.archive_batch_events
    with Usage({"driver": os.getpid()}) as used:
        for rows in rows_by_partition:
            for first in range(0, len(rows), rows_max):
                batch = BatchStatement(BatchType.UNLOGGED)
                for row in rows[first : first + rows_max]:
                    batch.add(prepared, row)
                room.acquire()
                session.execute_async(batch).add_callbacks(done, failed)
        for _ in range(settings.scylla_requests_max):
            room.acquire()
    session.cluster.shutdown()
    if failures:
        raise SystemExit(f"{len(failures)} batches failed, the first with {failures[0]}")
    return {"per_s": count / used.wall_s, "per_cpu_s": count / used.cpu_s["driver"]}


def main() -> None:
    """`python -m tests.bench.bare producer TOPIC PARTITIONS send|batch SECONDS` or `... driver COUNT PARTITIONS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    one = kinds.add_parser("producer")
    one.add_argument("topic")
    one.add_argument("partitions", type=int)
    one.add_argument("kind", choices=("send", "batch"))
    one.add_argument("seconds", type=float)
    one = kinds.add_parser("driver")
    one.add_argument("count", type=int)
    one.add_argument("partitions", type=int)
    options = parser.parse_args()
    if options.what == "driver":
        print(json.dumps(driver(options.count, options.partitions, load_settings())))
    else:
        run = producer(options.topic, options.partitions, options.kind, options.seconds)
        print(json.dumps(uvloop.run(run)))


if __name__ == "__main__":
    main()
