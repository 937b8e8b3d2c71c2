"""Keeps the driver's log lines few and short: while a node is away it would write a traceback many times a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 10.0
_TEMPLATES_MAX = 1_000
_QUOTE = " for query "


class Seldom(logging.Filter):
    """Lets one line of each message template through every `EVERY_S`, an error's text in place of its traceback.

    While a connection is opened nothing is let through: what is wrong becomes the error of whoever opens it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.opening = 0
        self._told_s: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
        if self.opening:
            return False
        key = (record.name, record.msg)
        now_s = time.monotonic()
        if now_s - self._told_s.get(key, -EVERY_S) < EVERY_S:
            return False
        if len(self._told_s) >= _TEMPLATES_MAX:
            self._told_s.clear()
        self._told_s[key] = now_s
        # A server's warning quotes the statement with its values.
        record.msg, record.args = record.getMessage().partition(_QUOTE)[0], ()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            record.msg = f"{record.msg} {type(error).__name__}: {error}"
            record.exc_info = None
        return True


_seldom = Seldom()


@contextmanager
def quiet() -> Iterator[None]:
    """Lets the driver say nothing within the block, and little afterwards."""
    # A filter of a parent does not see what its children log.
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "cassandra"]:
        logging.getLogger(name).addFilter(_seldom)
    _seldom.opening += 1
    try:
        yield
    finally:
        _seldom.opening -= 1
