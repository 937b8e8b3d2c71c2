"""Keeps the client library's log lines few: while a broker is away it would write dozens a second."""

from __future__ import annotations

import logging

from monitoring.repeated import Repeated


class Seldom(Repeated):
    """Lets one line of each message template through every ten seconds, with the number of those held back."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether the line is written."""
        if not super().filter(record):
            return False
        if held := getattr(record, "held_back", 0):
            record.msg = f"{record.msg} ({held} more like this were held back)"
        return True


_seldom = Seldom()


def quieten() -> None:
    """Puts the filter on every logger that the library has by now; may be repeated."""
    # A filter of a parent does not see what its children log.
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "aiokafka"]:
        logging.getLogger(name).addFilter(_seldom)
