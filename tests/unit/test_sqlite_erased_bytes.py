"""What was erased stands in no byte of a data directory: not in freed pages, not in split ones, not in a log beside."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.sqlite.database import Database, Schema, soil
from domain.ids import BEGINNING
from domain.ports.snapshot_store import Snapshot
from domain.records import Record, encode
from tests.contract.test_failed_events import failed as failed_event
from tests.story import NOON_MS, RETAILER
from tests.unit.erasing import Embedded, decided, erased, event, failed, key, opened, progress

SHOPPERS = 120
ROUNDS = 3
GONE = tuple(range(0, SHOPPERS, 2))
SCHEMA = Schema(version=1, statements=("CREATE TABLE t (name TEXT PRIMARY KEY, x TEXT)",), synchronous="NORMAL")


def word(number: int) -> str:
    """What a shopper searched for."""
    return f"quince paste no. {number:05}."


def product(number: int) -> str:
    """What a shopper bought."""
    return f"sku-{number:05}-rare"


def planted(number: int) -> list[bytes]:
    """What says something of a shopper, wherever it stands."""
    return [one.encode() for one in (key(str(number)).shopper, word(number), product(number))]


def events_of(number: int, lines: int) -> list[Record]:
    """A shopper searches, buys much or little, and is erased later."""
    name, line = str(number), {"product_id": product(number), "quantity": 1, "price_minor": 1}
    order: dict[str, Any] = {"order_id": f"o-{number}", "total_minor": 1, "currency": "EUR", "lines": [line] * lines}
    return [event(name, number, "ProductsSearched", query=word(number)), event(name, number, "OrderPaid", **order)]


async def fill(stores: Embedded) -> int:
    """Lets shoppers come again and again, in any order and with more or less to tell; gives the last offset."""
    lots = random.Random(7)
    token = await stores.experiences.own(0, "w")
    at = BEGINNING
    for _ in range(ROUNDS):
        numbers = list(range(SHOPPERS))
        lots.shuffle(numbers)
        for number in numbers:
            name, count = str(number), lots.choice((1, 3, 60, 200))
            _, (_, at) = await stores.events.append(events_of(number, lines=count))
            said = replace(decided(name, token, at.offset), node_id=word(number) * count, walked_from=product(number))
            failure = replace(failed(name, token, at.offset), payload=encode(events_of(number, lines=count)[1]))
            await stores.experiences.append(0, token, [said, failure, progress(token, at.offset)])
        much = [" ".join((word(number), product(number))).encode() * lots.randint(1, 60) for number in numbers]
        await stores.snapshots.save(
            0,
            [
                Snapshot(key(str(number)), at, blob, NOON_MS + number, NOON_MS)
                for number, blob in zip(numbers, much, strict=True)
            ],
        )
        trees = [(key(str(number)).shopper, blob) for number, blob in zip(numbers, much, strict=True)]
        await stores.trees.push(RETAILER, trees)
        await stores.failed.put(
            [
                replace(failed_event(at.offset - number), shopper=key(str(number)).shopper, payload=blob)
                for number, blob in zip(numbers, much, strict=True)
            ]
        )
    return at.offset


def seen(data: Path) -> dict[str, set[int]]:
    """Of whom there are bytes in which file of the directory."""
    found = {}
    for file in data.iterdir():
        content = file.read_bytes()
        found[file.name] = {number for number in range(SHOPPERS) if any(one in content for one in planted(number))}
    return found


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "running"])
async def test_no_byte_of_an_erased_shopper_is_left(tmp_path: Path, is_closed: bool) -> None:
    """Nor of what they bought and searched; the others' is all there."""
    data = tmp_path / "data"
    async with opened(data, log_queue_events_max=50) as stores:
        last = await fill(stores)
        everybody = set(range(SHOPPERS))
        assert everybody <= set().union(*(seen(data)[name] for name in ("log.db", "log.db-wal")))
        for part in stores.parts:
            visit = await part.erase([erased(str(number), last) for number in GONE])
            assert visit.found == visit.removed > 0 == visit.left
        if not is_closed:
            assert_gone(seen(data), everybody)
    assert_gone(seen(data), everybody)


def assert_gone(found: dict[str, set[int]], everybody: set[int]) -> None:
    """Nobody of those who are gone is in any file, and whoever stays is in the databases."""
    assert {} == {name: some for name, numbers in found.items() if (some := numbers & set(GONE))}
    assert everybody - set(GONE) == set().union(*found.values())
    assert {"log.db", "state.db", "control.db"} <= found.keys()


async def test_erasing_overwrites_a_log_on_the_spot(tmp_path: Path) -> None:
    """Rows keep their length, so the file keeps its pages and frees none."""
    data = tmp_path / "data"
    async with opened(data) as stores:
        last = await fill(stores)
        before = await pages(stores)
        for part in (stores.of_events, stores.of_experiences):
            await part.erase([erased(str(number), last) for number in GONE])
        assert before == await pages(stores)


async def pages(stores: Embedded) -> Sequence[int]:
    """How many pages the log's file has, and how many of them are free."""
    found: Sequence[int] = await stores.writer.submit(
        lambda connection: [
            connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count")
        ]
    )
    return found


async def test_a_reader_in_the_way_is_not_waited_for(tmp_path: Path) -> None:
    """The bytes beside the file go with the next visit, and a soiled file is written anew by it."""
    data = tmp_path / "data"
    async with opened(data) as stores:
        places = await stores.events.append(events_of(0, lines=1))
        await stores.snapshots.save(0, [Snapshot(key("0"), places[-1].position, word(0).encode(), 0, 0)])
        readers = [sqlite3.connect(data / name, isolation_level=None) for name in ("log.db", "state.db")]
        for reader, table in zip(readers, ("events", "snapshots"), strict=True):
            reader.execute("BEGIN")
            reader.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        async with asyncio.timeout(5):
            for part in (stores.of_events, stores.of_snapshots):
                assert 0 == (await part.erase([erased("0", 9)])).left
        assert {0} == set().union(*seen(data).values())
        for reader in readers:
            reader.close()
        for part in (stores.of_events, stores.of_snapshots):
            assert 0 == (await part.erase([erased("0", 9)])).found
        assert set() == set().union(*seen(data).values())


async def test_a_file_is_written_anew_once_it_is_soiled(tmp_path: Path) -> None:
    """A process that stopped between a deletion and the rest leaves a note of it in the file."""
    path = tmp_path / "a.db"
    first = Database(path, SCHEMA, busy_s=1)
    await first.write(lambda connection: connection.execute("INSERT INTO t VALUES ('a', ?)", ("x" * 100_000,)))
    await first.write(delete_and_note)
    first.close()
    big = path.stat().st_size
    again = Database(path, SCHEMA, busy_s=1)
    for _ in range(2):
        await again.scrub()
        assert big > 100_000 > path.stat().st_size
        assert (0,) == await again.read(lambda connection: connection.execute("PRAGMA application_id").fetchone())
    await again.write(lambda connection: connection.execute("INSERT INTO t VALUES ('b', ?)", ("x" * 100_000,)))
    await again.write(lambda connection: connection.execute("DELETE FROM t"))
    await again.scrub()
    assert 100_000 < path.stat().st_size, "not soiled, not written anew"
    assert 0 == (tmp_path / "a.db-wal").stat().st_size
    again.close()


def delete_and_note(connection: sqlite3.Connection) -> None:
    """Deletes as an erasure does."""
    connection.execute("DELETE FROM t")
    soil(connection)
