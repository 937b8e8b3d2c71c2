"""What the operator's page of a process tells of it."""

from __future__ import annotations

import socket
from typing import Final, Literal, TypeAlias

from adapters.settings import Settings
from monitoring.wellness import Bounds, Part, Subject

_EMBEDDED: Final[frozenset[Part]] = frozenset({"gateway", "worker", "privacy"})
Process: TypeAlias = Literal["gateway", "worker", "archiver", "privacy"]
"""The long-running processes of production."""


def whole_system(settings: Settings) -> Subject:
    """Gives `hotbasket run`: everything but an archiver and a control plane on a server."""
    return Subject("hotbasket run", _EMBEDDED, _bounds(settings), settings.batch_textfiles)


def one_process(settings: Settings, role: Process, member: str | None) -> Subject:
    """Gives a process of the production system.

    Args:
        settings: of the process.
        role: what it does.
        member: its name among its kind; None where it has none: then its host's name stands there.
    """
    parts: frozenset[Part] = frozenset({role} if role == "archiver" else {role, "control"})
    name = f"hotbasket {role}, {member or socket.gethostname()}"
    return Subject(name, parts, _bounds(settings), settings.batch_textfiles)


def _bounds(settings: Settings) -> Bounds:
    return Bounds(settings.log_queue_events_max, settings.streams_max, settings.residents_max)
