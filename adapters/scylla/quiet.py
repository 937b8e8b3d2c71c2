"""Keeps the driver's log lines few and short: while a node is away it would write a traceback many times a second."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from monitoring.repeated import Repeated

_QUOTE = " for query "


class Seldom(Repeated):
    """Lets one line of each message template through every ten seconds, an error's text in place of its traceback.

    While a connection is opened nothing is let through: what is wrong becomes the error of whoever opens it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.opening = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
        if self.opening or not super().filter(record):
            return False
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
