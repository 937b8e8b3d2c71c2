"""Keeps our own lines few that every partition would write at every try while a server is away."""

from __future__ import annotations

import logging
import time
from typing import Final

EVERY_S: Final = 10.0


class Repeated(logging.Filter):
    """Lets one line of each of some events through every `EVERY_S`; its `held_back` counts those since the last one.

    Args:
        events: what is told so; every other line is written.
    """

    def __init__(self, *events: str) -> None:
        super().__init__()
        self._told = {event: (float("-inf"), 0) for event in events}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
        told = self._told.get(record.msg)
        if told is None:
            return True
        (told_s, held), now_s = told, time.monotonic()
        if now_s - told_s < EVERY_S:
            self._told[record.msg] = (told_s, held + 1)
            return False
        self._told[record.msg] = (now_s, 0)
        if held:
            record.held_back = held
        return True
