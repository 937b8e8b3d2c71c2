"""Statements on the way of an event never read a whole table, however many shoppers there are."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from adapters.settings import load_settings
from adapters.sqlite.database import Database
from adapters.wiring import Ports, embedded
from domain.campaigns import Budget
from domain.ids import Position, ShopperKey
from domain.ports.budget_ledger import Ask
from domain.ports.event_log import Committed
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_store import DEFAULT
from domain.purse import Amounts, Balance, CampaignKey
from monitoring.metrics import Metrics
from tests.contract.campaigning import scheduled, with_shops
from tests.contract.conftest import StoppedClock
from tests.contract.consumer import events
from tests.contract.test_audit_trail import entry
from tests.contract.test_failed_events import failed
from tests.story import NOON_MS
from tests.unit.log_writer_of import writer_of

KEYS = [ShopperKey(retailer_id, f"{number:064x}") for retailer_id in ("r-1", "r-2") for number in range(300)]
SNAPSHOTS = [Snapshot(key, Position(1, number), b"state", NOON_MS, NOON_MS) for number, key in enumerate(KEYS)]

ASKS = [Ask(CampaignKey("r-1", f"c-{number}"), Balance(), Amounts(5, 1)) for number in range(20)]


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """The embedded stores, with something in every table."""
    opened = embedded(tmp_path / "data", load_settings(), Metrics(), StoppedClock())
    await opened.snapshots.save(0, SNAPSHOTS)
    await opened.trees.push("r-1", [(DEFAULT, b"default"), *((key.shopper, b"own") for key in KEYS[:100])])
    for generation in [await opened.releases.begin("r-1") for _ in range(3)]:
        await opened.releases.put("r-1", generation, [(key.shopper, b"next") for key in KEYS[:100]])
    await opened.releases.show("r-1", 3, trees=100)
    await with_shops(opened)
    for number in range(20):
        await scheduled(opened, f"c-{number}", budget=Budget(money_minor=100))
    await opened.ledger.settle(0, 1, ASKS, partitions=4)
    await opened.failed.put([failed(number) for number in range(50)])
    await opened.failed.request_replay(["0-1-7"])
    await opened.events.append(events(50))
    await opened.experiences.own(0, "w")
    yield opened
    await opened.close()


CALLS: dict[str, Callable[[Ports], Awaitable[object]]] = {
    "load snapshots": lambda ports: ports.snapshots.load(KEYS),
    "save snapshots": lambda ports: ports.snapshots.save(0, SNAPSHOTS),
    "newest snapshot": lambda ports: ports.snapshots.newest(0),
    "expire snapshots": lambda ports: ports.snapshots.expire("r-1", NOON_MS),
    "load trees": lambda ports: ports.trees.load(KEYS),
    "get a tree": lambda ports: ports.trees.get(KEYS[0], 1),
    "push trees": lambda ports: ports.trees.push("r-1", [(KEYS[0].shopper, b"new")]),
    "put trees": lambda ports: ports.releases.put("r-1", 4, [(key.shopper, b"newer") for key in KEYS[:300]]),
    "show trees": lambda ports: ports.releases.show("r-1", 4, trees=100),
    "roll trees back": lambda ports: ports.releases.rollback("r-1"),
    "list releases": lambda ports: ports.releases.released("r-1"),
    "forget trees": lambda ports: ports.releases.forget("r-1"),
    "put a campaign": lambda ports: scheduled(ports, "new"),
    "get a campaign": lambda ports: ports.campaigns.get("r-1", "c-7"),
    "history of a campaign": lambda ports: ports.campaigns.history("r-1", "c-7"),
    "list campaigns": lambda ports: ports.campaigns.listed("r-1"),
    "settle": lambda ports: ports.ledger.settle(1, 1, ASKS, partitions=4),
    "totals": lambda ports: ports.ledger.totals("r-1"),
    "append to the audit trail": lambda ports: ports.audit.append(entry(NOON_MS)),
    "read the audit trail": lambda ports: ports.audit.read("r-1", NOON_MS, 10),
    "requested replays": lambda ports: ports.failed.requested(0, events_max=10),
    "replayed": lambda ports: ports.failed.replayed(["0-1-7"]),
    "append events": lambda ports: ports.events.append(events(1)),
    "commit": lambda ports: ports.events.commit(0, Committed(Position(1, 1), 1, 1)),
    "committed": lambda ports: ports.events.committed(0),
}
SMALL = ("versions", "replays", "generations", "releases", "retailers", "owners", "commits")
"""Tables of a handful of rows, which may be read whole."""
END_OF_LOG = "ORDER BY first_offset DESC LIMIT 1"
"""Reads one row by the key, which SQLite calls a scan too."""


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_no_table_of_shoppers_is_read_whole(
    ports: Ports, call: Callable[[Ports], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of every statement that the call makes searches by an index."""
    made: list[tuple[sqlite3.Connection, str]] = []
    run = Database._run

    async def traced(database: Database, work: Callable[[sqlite3.Connection], object], kind: str) -> object:
        def with_trace(connection: sqlite3.Connection) -> object:
            connection.set_trace_callback(lambda statement: made.append((connection, statement)))
            try:
                return work(connection)
            finally:
                connection.set_trace_callback(None)

        return await run(database, with_trace, kind)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "_run", traced)
    writing = writer_of(ports)._connection
    assert writing is not None
    writing.set_trace_callback(lambda statement: made.append((writing, statement)))
    await call(ports)
    writing.set_trace_callback(None)
    statements = {(connection, text) for connection, text in made if text.split()[0] in {"SELECT", "DELETE", "UPDATE"}}
    assert made
    plans = [
        (step, text[:100])
        for connection, text in statements
        if not text.endswith(END_OF_LOG)
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {text}")
    ]
    assert [] == [(step, text) for step, text in plans if _reads_whole(step)]


def _reads_whole(step: str) -> bool:
    words = step.split()
    return words[0] == "SCAN" and words[1] not in {*SMALL, "CONSTANT"} and "USING" not in words
