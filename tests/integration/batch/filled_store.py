"""An embedded event store with records in it, written as the gateway and the worker write them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Decided, Progress, Record
from monitoring.metrics import Metrics

_AT_ONCE = 5_000


def opened(data: Path) -> Ports:
    """Opens the stores of a data directory, as a running system does."""
    return embedded(data, load_settings(), Metrics(), SystemClock())


def fill(data: Path, records: Iterable[Record], decided: Sequence[Decided] = ()) -> None:
    """Appends records to the log of a data directory, and decisions about them."""
    asyncio.run(_fill(data, records, decided))


async def _fill(data: Path, records: Iterable[Record], decided: Sequence[Decided]) -> None:
    ports = opened(data)
    try:
        await append(ports, records)
        if decided:
            token = await ports.experiences.own(0, "worker")
            progress = Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, 0))
            await ports.experiences.append(0, token, [*decided, progress])
    finally:
        await ports.close()


async def append(ports: Ports, records: Iterable[Record]) -> None:
    """Appends records, some thousands a flush."""
    remaining = iter(records)
    while page := list(islice(remaining, _AT_ONCE)):
        await ports.events.append(page)
