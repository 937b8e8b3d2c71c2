"""A process whose files may not grow: fills its log, fails, gets room again, and goes on; prints what happened as JSON.

`RLIMIT_FSIZE` stands for a full disk: both make a write fail that worked a moment ago.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from pathlib import Path

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from domain.errors import PortError
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Progress
from monitoring.metrics import Metrics
from tests.contract.consumer import WITHIN_S, events

FILE_BYTES_MAX = 1_000_000
AT_ONCE = 20
FAILURES = 5


async def fill(ports: Ports, stored: list[int]) -> list[PortError]:
    """Appends until a few appends have failed, and gives their errors; `stored` gets what was acknowledged."""
    failures: list[PortError] = []
    number = 0
    async with asyncio.timeout(WITHIN_S):
        while len(failures) < FAILURES:
            batch = [ports.events.append(events(20, first=number + 20 * index)) for index in range(AT_ONCE)]
            for index, outcome in enumerate(await asyncio.gather(*batch, return_exceptions=True)):
                if isinstance(outcome, PortError):
                    failures.append(outcome)
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    stored.append(number + 20 * index)
            number += 20 * AT_ONCE
    return failures


async def main() -> None:
    """Fills, fails, recovers."""
    ports = embedded(Path(sys.argv[1]), load_settings(), Metrics(), SystemClock())
    token = await ports.experiences.own(0, "w")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, hard))
    stored: list[int] = []
    failures = await fill(ports, stored)
    progress = Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, 0))
    worker_retriable = None
    try:
        await ports.experiences.append(0, token, [progress] * 20_000)
    except PortError as error:
        worker_retriable = error.retriable
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    accepts_again = await ports.events.accepts()
    (place,) = await ports.events.append(events(1, first=10**9))
    last = await ports.experiences.append(0, token, [progress])
    await ports.close()
    report = {
        "stored": stored,
        "retriable": sorted({failure.retriable for failure in failures}),
        "messages": sorted({str(failure) for failure in failures}),
        "worker_retriable": worker_retriable,
        "accepts_again": accepts_again,
        "next_offset": place.position.offset,
        "next_said": last,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
