"""A full disk stops the log for as long as it is full, and costs nothing that was acknowledged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import embedded
from domain.records import Record
from monitoring.metrics import Metrics
from tests.contract.consumer import polled, start

CHECKOUT = Path(__file__).resolve().parents[2]


async def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    """Appends fail as retriable while the disk is full, the same process goes on when it has room, nothing is lost."""
    report = _report_of_a_full_disk(tmp_path / "data")
    assert report["stored"], "the first appends found room"
    assert [True] == report["retriable"]
    assert all("log.db" in message for message in report["messages"])
    assert (True, True) == (report["worker_retriable"], report["accepts_again"])
    ports = embedded(tmp_path / "data", load_settings(), Metrics(), SystemClock())
    try:
        await start(ports.events)
        stored = await polled(ports.events, report["next_offset"] + 1)
        said = await ports.experiences.end(0)
    finally:
        await ports.close()
    numbers = [record.event.event_id.int - 1 for _, record in stored if isinstance(record, Record)]
    assert list(range(len(stored))) == [place.position.offset for place, _ in stored]
    acknowledged = {first + index for first in report["stored"] for index in range(20)}
    assert set() == acknowledged - set(numbers)
    assert (10**9, report["next_said"]) == (numbers[-1], said)


def _report_of_a_full_disk(data: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTBASKET_")}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.unit.sqlite_on_a_full_disk", str(data)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    return report
