"""A process to be killed: appends to the log of a directory for ever, and says what was acknowledged.

Each line on stdout is `log, first offset, records, number of the first`, written when the append was confirmed. Appends
of several tasks are always under way, and those of a worker among them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Progress
from monitoring.metrics import Metrics
from tests.contract.consumer import events

APPENDERS = 8
NUMBERS_APART = 10**9


async def append_for_ever(ports: Ports, appender: int) -> None:
    """Appends one to five records at a time."""
    number = appender * NUMBERS_APART
    while True:
        count = 1 + number % 5
        places = await ports.events.append(events(count, first=number))
        say(f"events {places[0].position.offset} {count} {number}")
        number += count


async def work_for_ever(ports: Ports) -> None:
    """Takes the partition and says how far it is, again and again."""
    token = await ports.experiences.own(0, "appender")
    offset = 0
    while True:
        progress = Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))
        last = await ports.experiences.append(0, token, [progress])
        say(f"experiences {last} 1 {offset}")
        offset += 1


def say(line: str) -> None:
    """Writes a line past every buffer: a killed process flushes nothing."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def main() -> None:
    """Appends until killed."""
    ports = embedded(Path(sys.argv[1]), load_settings(), Metrics(), SystemClock())
    async with asyncio.TaskGroup() as group:
        for appender in range(APPENDERS):
            group.create_task(append_for_ever(ports, appender))
        group.create_task(work_for_ever(ports))


if __name__ == "__main__":
    asyncio.run(main())
