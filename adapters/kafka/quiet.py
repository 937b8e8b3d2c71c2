"""Keeps the client library's log lines few: while a broker is away it would write dozens a second."""

from __future__ import annotations

import logging
import time

EVERY_S = 10.0
_TEMPLATES_MAX = 1_000


class Seldom(logging.Filter):
    """Lets one line of each message template through every `EVERY_S`, with the number of those held back."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
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
            record.msg = f"{record.msg} ({held} more like this were held back)"
        return True


_seldom = Seldom()


def quieten() -> None:
    """Puts the filter on every logger that the library has by now; may be repeated."""
    # A filter of a parent does not see what its children log.
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]:
        logging.getLogger(name).addFilter(_seldom)
