"""What stands where the logs would, in a process that works while Kafka is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, NoReturn, cast

from domain.errors import PortError
from domain.ports.event_log import EventLog
from domain.ports.experience_log import ExperienceLog
from domain.ports.shopper_data import ShopperData


class NoLogs(NamedTuple):
    """Both logs, as a process has them that was not wired to any."""

    events: EventLog
    experiences: ExperienceLog
    shopper_data: tuple[ShopperData, ...]
    close: Callable[[], Awaitable[None]]


async def no_logs() -> NoLogs:
    """Gives logs that nobody may use: a command works while Kafka is away."""
    events, experiences = _NotOpened("event log"), _NotOpened("experience log")

    async def close() -> None:
        """There is nothing to close."""

    return NoLogs(cast(EventLog, events), cast(ExperienceLog, experiences), (), close)


class _NotOpened:
    """Stands where a port would, in a process that was not wired to it."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __getattr__(self, name: str) -> NoReturn:
        raise PortError(f"this command works without the {self._port}, and yet asked for {name}", retriable=False)
