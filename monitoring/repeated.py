"""Keeps log lines few that would come many times a second while a server is away: libraries' and our own."""

from __future__ import annotations

import logging
import time
from typing import Final

EVERY_S: Final = 10.0
_TEMPLATES_MAX: Final = 1_000


class Repeated(logging.Filter):
    """Lets one line of each message template through every `EVERY_S`; its `held_back` counts those since the last one.

    Args:
        events: templates that are told so, while every other line is written; none = all are.
    """

    def __init__(self, *events: str) -> None:
        super().__init__()
        self._events = frozenset(events)
        self._told: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
        if self._events and record.msg not in self._events:
            return True
        key = (record.name, record.msg)
        now_s = time.monotonic()
        told_s, held = self._told.get(key, (-EVERY_S, 0))
        if now_s - told_s < EVERY_S:
            self._told[key] = (told_s, held + 1)
            return False
        if len(self._told) >= _TEMPLATES_MAX:
            self._told.clear()
        self._told[key] = (now_s, 0)
        if held:
            record.held_back = held
        return True
