"""What the driver may write into our logs: little, on one line, and nothing that is in a row."""

from __future__ import annotations

import logging

from adapters.scylla.quiet import Seldom


def line(message: str, *args: object, error: Exception | None = None) -> logging.LogRecord:
    """A line of the driver's."""
    raised = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("cassandra.cluster", logging.WARNING, __file__, 1, message, args, raised)


def test_a_template_is_written_once_in_ten_seconds() -> None:
    """A second line of the same kind is held back, one of another kind is not."""
    seldom = Seldom()
    told = [line("retry in %s", 1), line("retry in %s", 2), line("marked down")]
    assert [True, False, True] == [seldom.filter(one) for one in told]


def test_an_error_is_told_without_its_traceback() -> None:
    """The error's text stands behind the message, whatever signs are in it."""
    told = line("Error connecting to %s:", "node", error=OSError("100 % refused"))
    assert Seldom().filter(told)
    assert ("Error connecting to node: OSError: 100 % refused", None) == (told.getMessage(), told.exc_info)


def test_a_servers_warning_does_not_quote_the_statement() -> None:
    """The values of a statement name shoppers: they stay out of the log."""
    told = line(
        "Server warning: %s", "Read 9 tombstone cells for query SELECT * FROM t WHERE shopper = '0a0a'; token 1"
    )
    assert Seldom().filter(told)
    assert "Server warning: Read 9 tombstone cells" == told.getMessage()


def test_nothing_is_written_while_a_connection_is_opened() -> None:
    """Whoever opens it says in one sentence what is wrong."""
    seldom = Seldom()
    seldom.opening = 1
    assert not seldom.filter(line("Control connection failed to connect, shutting down Cluster:"))
