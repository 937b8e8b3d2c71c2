"""The way to what stands behind an embedded log, for tests that put there what no port would."""

from __future__ import annotations

from adapters.sqlite.event_log import SqliteEventLog
from adapters.sqlite.log_writer import LogWriter
from adapters.wiring import Ports


def writer_of(ports: Ports) -> LogWriter:
    """The writer that both embedded logs share."""
    assert isinstance(ports.events, SqliteEventLog)
    return ports.events._writer
