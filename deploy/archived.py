"""What the event store still has of decisions, for commands that look back: some days, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from adapters.wiring import Ports
from domain.records import Decided
from domain.timestamps import from_unix_ms

DAY_MS = 86_400_000


async def decisions(ports: Ports, retailer_id: str, from_ms: int, until_ms: int) -> AsyncIterator[Decided]:
    """Gives the decisions about a retailer's events received from a moment on, in no order; some before it come too.

    Args:
        ports: opened.
        retailer_id: whose.
        from_ms, until_ms: Unix milliseconds.

    Raises:
        PortError: the store can't be read now.
    """
    partitions = await ports.archive.watermarks()
    day, last = from_unix_ms(from_ms).date(), from_unix_ms(until_ms).date()
    while day <= last:
        for partition in partitions:
            async for page in ports.archive.decided(retailer_id, day, partition):
                for decided in page:
                    yield decided
        day += timedelta(days=1)
