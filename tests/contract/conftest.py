"""The adapters that the contract suites run against, and the shell in which a test opens them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from monitoring.metrics import Metrics
from tests.story import NOON_MS

QUEUE_EVENTS_MAX = 1_000


class StoppedClock:
    """A clock that stands at noon until a test moves it."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def now_ms(self) -> int:
        """The time that the test has set."""
        return self.ms

    def monotonic_s(self) -> float:
        """The same, in seconds."""
        return self.ms / 1_000


System = Callable[[], AbstractAsyncContextManager[Ports]]
"""Opens the ports; what was stored through an earlier opening is there again."""


@asynccontextmanager
async def sqlite(place: Path, clock: StoppedClock) -> AsyncIterator[Ports]:
    """The embedded adapters over the files of one directory."""
    ports = embedded(place, load_settings(log_queue_events_max=QUEUE_EVENTS_MAX), Metrics(), clock)
    try:
        yield ports
    finally:
        await ports.close()


ADAPTERS = (sqlite,)
"""Every adapter family; one more line here, and it is held to all contracts."""


@pytest.fixture
def clock() -> StoppedClock:
    """The clock of the ports under test."""
    return StoppedClock()


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def system(request: pytest.FixtureRequest, tmp_path: Path, clock: StoppedClock) -> System:
    """A way to open the same stores again and again."""
    return lambda: request.param(tmp_path / "data", clock)


@pytest.fixture
async def ports(system: System) -> AsyncIterator[Ports]:
    """The ports, over empty stores."""
    async with system() as opened:
        yield opened
