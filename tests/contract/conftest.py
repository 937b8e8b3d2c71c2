"""The adapters that the contract suites run against, and the shell in which a test opens them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from adapters import wiring
from adapters.settings import load_settings
from adapters.wiring import Ports
from monitoring.metrics import Metrics
from tests.conftest import SERVERS
from tests.contract.production import Stores
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
async def sqlite(place: Path, clock: StoppedClock, _: Stores) -> AsyncIterator[System]:
    """The embedded adapters over the files of one directory."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ports]:
        ports = wiring.embedded(place, load_settings(log_queue_events_max=QUEUE_EVENTS_MAX), Metrics(), clock)
        try:
            yield ports
        finally:
            await ports.close()

    yield opened


@asynccontextmanager
async def production(_: Path, clock: StoppedClock, stores: Stores) -> AsyncIterator[System]:
    """The adapters of Kafka, ScyllaDB and Postgres over empty stores on real servers."""
    async with stores.fresh(log_queue_events_max=QUEUE_EVENTS_MAX) as settings:
        running = 0

        @asynccontextmanager
        async def opened() -> AsyncIterator[Ports]:
            nonlocal running
            # Who comes after another has its name and takes its place; who comes beside it is somebody else.
            ports = await wiring.production(settings, Metrics(), clock, role="all", member=f"contract-{running}")
            running += 1
            try:
                yield ports
            finally:
                running -= 1
                await ports.close()

        yield opened


ADAPTERS = (production,) if SERVERS.are_complete else (sqlite,)
"""The adapter family that is held to all contracts: `make test` gives no servers, `make integration` gives all."""


@pytest.fixture
def clock() -> StoppedClock:
    """The clock of the ports under test."""
    return StoppedClock()


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """What this process makes on the servers, when a test asks for it."""
    made = Stores(SERVERS)
    yield made
    made.close()


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
async def system(
    request: pytest.FixtureRequest, tmp_path: Path, clock: StoppedClock, stores: Stores
) -> AsyncIterator[System]:
    """A way to open the same stores again and again."""
    async with request.param(tmp_path / "data", clock, stores) as opened:
        yield opened


@pytest.fixture
async def ports(system: System) -> AsyncIterator[Ports]:
    """The ports, over empty stores."""
    async with system() as opened:
        yield opened
