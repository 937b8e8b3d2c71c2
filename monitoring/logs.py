"""Logs of every process: one canonical line a request, batch or job, JSON off a terminal, never a payload.

Long-running processes log to stdout, commands to stderr. The libraries' own warnings take the same way.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Literal

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

OWN = "hotbasket"
"""Every logger of ours is named below it."""
SECRET_FIELDS = frozenset(
    {"payload", "body", "query", "shopper_id", "raw", "key", "write_key", "secret_key", "subscription", "authorization"}
)
"""Fields that a log line may not show, whoever wrote it: payloads, raw ids and keys."""


def configure(stream: Literal["stdout", "stderr"], *, level: int = logging.INFO) -> None:
    """Sets where and how this process logs; called once, by its entry point.

    Args:
        stream: `stdout` for what runs long, `stderr` for commands.
        level: of the `logging` module; what is below stays silent.
    """
    out = sys.stdout if stream == "stdout" else sys.stderr
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor
    last = _on_a_terminal() if out.isatty() else structlog.processors.JSONRenderer()
    written: list[Processor] = [structlog.processors.StackInfoRenderer()]
    if not out.isatty():
        written.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*first, _hide, *written, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), _hide],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # A library that says how it goes would drown the canonical lines.
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(OWN).setLevel(level)


def _on_a_terminal() -> Processor:
    """Gives lines for people; tracebacks are plain, for variables may hold what no log may show."""
    return structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)


def _hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces the values of secret fields."""
    for name in SECRET_FIELDS & event.keys():
        event[name] = "[hidden]"
    return event
