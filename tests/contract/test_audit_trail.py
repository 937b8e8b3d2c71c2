"""The contract of `domain.ports.audit_trail.AuditTrail`."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest
from msgspec import structs

from adapters.sqlite.audit_trail import SqliteAuditTrail
from adapters.wiring import Ports
from domain.errors import PortError
from domain.ports.audit_trail import AuditEntry
from tests.contract.conftest import System
from tests.story import NOON_MS


def entry(at_ms: int, target: str | None = None, **fields: Any) -> AuditEntry:
    """Gives an entry of retailer r-1."""
    said = {"retailer_id": "r-1", "who": "key 1a2b3c4d", "action": "lookup", "outcome": "done"} | fields
    return AuditEntry(at_ms=at_ms, target=target, **said)


async def run(ports: Ports, statement: LiteralString) -> None:
    """Runs a statement behind the adapter's back."""
    trail: Any = ports.audit
    if isinstance(trail, SqliteAuditTrail):
        await trail._file.database.write(lambda connection: connection.execute(statement))
        return
    async with trail._database.session() as session:
        await session.rows(statement)


async def test_what_was_appended_is_read(ports: Ports) -> None:
    """Every field of every outcome comes back as it was, with and without a target."""
    entries = [
        entry(NOON_MS, "0" * 64),
        entry(NOON_MS + 1, "pâtes/1", action="campaigns.create", who="command line", outcome="refused"),
        entry(NOON_MS + 2, outcome="failed"),
    ]
    for one in entries:
        await ports.audit.append(one)
    assert entries == list(await ports.audit.read("r-1", 0, 10))


async def test_entries_are_read_since_a_moment_oldest_first(ports: Ports) -> None:
    """By their times, that moment included, and of one moment as they were appended; at most so many."""
    for at_ms, target in ((NOON_MS + 2, "d"), (NOON_MS, "b"), (NOON_MS + 1, "c"), (NOON_MS - 1, "a"), (NOON_MS, "b2")):
        await ports.audit.append(entry(at_ms, target))
    read = ports.audit.read
    assert ["b", "b2", "c", "d"] == [one.target for one in await read("r-1", NOON_MS, 10)]
    assert ["a", "b", "b2"] == [one.target for one in await read("r-1", 0, 3)]
    assert [] == list(await read("r-1", NOON_MS + 3, 10))


async def test_a_retailer_has_its_own_trail(ports: Ports) -> None:
    """Nobody reads another retailer's entries."""
    await ports.audit.append(entry(NOON_MS, "ours"))
    await ports.audit.append(entry(NOON_MS, "theirs", retailer_id="r-2"))
    assert ["theirs"] == [one.target for one in await ports.audit.read("r-2", 0, 10)]
    assert [] == list(await ports.audit.read("r-3", 0, 10))


async def test_the_same_entry_twice_is_two(ports: Ports) -> None:
    """Who looks twice is seen twice."""
    for _ in range(2):
        await ports.audit.append(entry(NOON_MS))
    assert [entry(NOON_MS)] * 2 == list(await ports.audit.read("r-1", 0, 10))


async def test_entries_are_there_after_reopening(system: System) -> None:
    """The trail lasts, and another process reads it while this one runs."""
    async with system() as running:
        await running.audit.append(entry(NOON_MS))
        async with system() as command:
            await command.audit.append(entry(NOON_MS + 1))
        assert 2 == len(await running.audit.read("r-1", 0, 10))
    async with system() as ports:
        assert [entry(NOON_MS), entry(NOON_MS + 1)] == list(await ports.audit.read("r-1", 0, 10))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'nobody'",
        "UPDATE audit SET outcome = 'done' WHERE number = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE retailer_id = 'r-1'",
    ],
)
async def test_it_is_append_only(ports: Ports, statement: LiteralString) -> None:
    """The store itself refuses to change or delete an entry, and takes the next one all the same."""
    entries = [entry(NOON_MS, outcome="refused"), entry(NOON_MS + 1)]
    await ports.audit.append(entries[0])
    with pytest.raises(PortError, match="append-only"):
        await run(ports, statement)
    await ports.audit.append(entries[1])
    assert entries == list(await ports.audit.read("r-1", 0, 10))


async def test_nothing_takes_the_place_of_an_entry(ports: Ports) -> None:
    """Neither replacing a row nor emptying the table goes around that."""
    is_embedded = isinstance(ports.audit, SqliteAuditTrail)
    await ports.audit.append(entry(NOON_MS))
    replaced: LiteralString = "INSERT OR REPLACE INTO audit VALUES (1, 'r-1', 0, 'nobody', 'lookup', NULL, 'done')"
    with pytest.raises(PortError, match="append-only"):
        await run(ports, replaced if is_embedded else "TRUNCATE audit")
    assert [entry(NOON_MS)] == list(await ports.audit.read("r-1", 0, 10))


async def test_it_disturbs_no_control_data(ports: Ports) -> None:
    """An entry makes nobody read the retailers again."""
    before = ports.retailers.current()
    await ports.audit.append(structs.replace(entry(NOON_MS), action="explain"))
    assert before is ports.retailers.current()
