"""A killed process loses nothing that it acknowledged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import embedded
from domain.records import Progress, Record
from monitoring.metrics import Metrics
from tests.contract.consumer import events, polled, start
from tests.unit.sqlite_appender import NUMBERS_APART

CHECKOUT = Path(__file__).resolve().parents[2]
KILLS = 5
LINES_EACH = 400


@pytest.mark.slow
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Killed again and again while it appends, the log has every acknowledged record at its place, and no gap."""
    acknowledged = [line for _ in range(KILLS) for line in _acknowledged_until_killed(tmp_path / "data")]
    ports = embedded(tmp_path / "data", load_settings(), Metrics(), SystemClock())
    try:
        # One more than was there: whatever stood in the log when the process died, it is found before it.
        (place,) = await ports.events.append(events(1, first=NUMBERS_APART - 1))
        await start(ports.events)
        stored = await polled(ports.events, place.position.offset + 1)
        entries = await ports.experiences.read(0, after=-1, records_max=10**6)
    finally:
        await ports.close()
    assert list(range(len(stored))) == [found.position.offset for found, _ in stored]
    numbers = [record.event.event_id.int - 1 for _, record in stored if isinstance(record, Record)]
    said = {entry.offset: entry.record for entry in entries}
    assert list(range(len(said))) == list(said)
    for log, offset, count, number in acknowledged:
        if log == "events":
            assert list(range(number, number + count)) == numbers[offset : offset + count]
        else:
            record = said[offset]
            assert isinstance(record, Progress)
            assert number == record.through.offset
    # Numbers begin anew with every process: an offset that was given twice would show as a record of another.
    assert len({(log, offset) for log, offset, _, _ in acknowledged}) == len(acknowledged)


def _acknowledged_until_killed(data: Path) -> list[tuple[str, int, int, int]]:
    """Starts the process, kills it in the middle of its work, and gives what it had acknowledged."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTBASKET_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.unit.sqlite_appender", str(data)],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(LINES_EACH)]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    assert lines[0], "the process ended before it appended anything"
    fields = [line.split() for line in lines if line.endswith(b"\n")]
    return [(log.decode(), int(offset), int(count), int(number)) for log, offset, count, number in fields]
