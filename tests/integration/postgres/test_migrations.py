"""The schema's files are applied once, in order, by one at a time."""

from __future__ import annotations

import asyncio

import pytest

from adapters.postgres.database import Database
from adapters.postgres.migrations import SCHEMA_VERSION, migrate, schema_version
from adapters.settings import Settings
from domain.errors import PortError, Refused
from tests.integration.postgres.conftest import Files, Open

NEXT = f"{SCHEMA_VERSION + 1:04}_next.sql"


async def test_a_file_is_applied_once(empty: Settings, files: Files) -> None:
    """A second run has nothing to do; a new file is all that a third applies."""
    assert [name for name, _ in files] == await migrate(empty, files)
    assert [] == await migrate(empty, files)
    assert [NEXT] == await migrate(empty, [*files, (NEXT, "CREATE TABLE more (one integer); DROP TABLE more;")])


async def test_two_who_migrate_at_once_take_turns(empty: Settings, files: Files) -> None:
    """Each file is applied by exactly one of them, and neither fails."""
    runs = await asyncio.gather(*(migrate(empty, files) for _ in range(4)))
    assert sorted(name for name, _ in files) == sorted(name for run in runs for name in run)


async def test_files_know_the_version_that_the_code_knows(empty: Settings, files: Files) -> None:
    """After all files the schema has the version that processes ask for."""
    await migrate(empty, files)
    async with Database(empty).session() as session:
        assert SCHEMA_VERSION == await schema_version(session)


async def test_a_failing_file_leaves_no_trace(empty: Settings, files: Files) -> None:
    """What stands before its fault is undone; files before it stay, and the corrected file is applied."""
    bad = (NEXT, "CREATE TABLE more (one integer); SELECT nothing FROM nowhere;")
    with pytest.raises(PortError, match=f"nothing of {NEXT} was applied.*nowhere"):
        await migrate(empty, [*files, bad])
    assert [NEXT] == await migrate(empty, [*files, (NEXT, "CREATE TABLE more (one integer);")])


async def test_a_changed_file_is_refused(settings: Settings, files: Files) -> None:
    """What was applied is history: a change belongs in a new file."""
    name, text = files[0]
    with pytest.raises(Refused, match=f"{name} has changed"):
        await migrate(settings, [(name, text + "\n"), *files[1:], (NEXT, "SELECT 1")])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ([("control.sql", "")], "no name of a migration"),
        ([("0001_a.sql", ""), ("0001_b.sql", "")], "one number"),
        ([(f"{SCHEMA_VERSION:04}_b.sql", "SELECT 1")], "is not here any more"),
    ],
)
async def test_files_out_of_order_are_refused(settings: Settings, wrong: Files, reason: str) -> None:
    """A wrong name, a number given twice and a missing file are told, and nothing is applied."""
    with pytest.raises(Refused, match=reason):
        await migrate(settings, wrong)


async def test_a_file_that_comes_too_late_is_refused(empty: Settings) -> None:
    """Numbers only grow: a file below the last one applied would run in another order elsewhere."""
    await migrate(empty, [("0002_b.sql", "SELECT 1")])
    with pytest.raises(Refused, match=r"0001_a.sql comes too late"):
        await migrate(empty, [("0001_a.sql", "SELECT 1"), ("0002_b.sql", "SELECT 1")])


async def test_a_newer_schema_is_refused(settings: Settings, files: Files, opened: Open) -> None:
    """Neither migration nor process touches what a newer hotbasket has made."""
    await migrate(settings, [*files, (NEXT, "SELECT 1")])
    with pytest.raises(PortError, match="run the newer hotbasket") as refused:
        await migrate(settings, files)
    assert refused.value.retriable is False
    with pytest.raises(PortError, match="run the newer hotbasket"):
        async with opened(settings):
            pass


async def test_a_database_without_tables_is_refused(empty: Settings, opened: Open) -> None:
    """A process says what to do before the first start."""
    with pytest.raises(PortError, match="run hotbasket migrate") as refused:
        async with opened(empty):
            pass
    assert refused.value.retriable is False
