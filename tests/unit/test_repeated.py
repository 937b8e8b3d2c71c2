"""Lines that every partition would write at every try: one in ten seconds, with the number of those held back."""

from __future__ import annotations

import logging

import pytest

from monitoring.repeated import EVERY_S, Repeated


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock."""
    moment = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    return moment


def test_one_line_tells_of_those_held_back(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Each event by itself; what was not named is always written."""
    log = logging.getLogger("hotbasket.test_repeated")
    filtering = Repeated("it waits", "it failed")
    log.addFilter(filtering)
    try:
        for _ in range(64):
            log.warning("it waits", extra={"partition": 1})
        log.warning("it failed")
        log.warning("partition lost")
        log.warning("partition lost")
        now[0] += EVERY_S
        log.warning("it waits")
        now[0] += EVERY_S
        log.warning("it waits")
    finally:
        log.removeFilter(filtering)
    told = [(record.getMessage(), getattr(record, "held_back", 0)) for record in caplog.records]
    assert [
        ("it waits", 0),
        ("it failed", 0),
        ("partition lost", 0),
        ("partition lost", 0),
        ("it waits", 63),
        ("it waits", 0),
    ] == told
