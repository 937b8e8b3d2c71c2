"""Faults: what may go wrong on the way between a process and what it calls, drawn from the seed.

Every call of a port goes through a `Wire`: before or after its effect it may wait, fail, or take its process with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from domain.errors import PortError
from tests.simulation.loop import Process, VirtualLoop

T = TypeVar("T")


class Weather(NamedTuple):
    """What goes wrong in a run, and how often; each run has its own mixture, and some have none at all.

    Attributes:
        slow: of calls, how many take long.
        error: of calls, how many fail; half of them after their effect.
        torn: of the failing writes, how many have half an effect.
        late: of the failing writes, how many have their effect later; of the saved snapshots, how many come twice.
        crash: of calls, how many kill the caller; half of them after their effect.
        chaos_s: mean seconds between blows (kill, pause, jump, push, broker crash), 0 = none.
        lost: of requests, how many lose their answer.
        repeated: of requests, how many arrive twice.
    """

    slow: float = 0.0
    error: float = 0.0
    torn: float = 0.0
    late: float = 0.0
    crash: float = 0.0
    chaos_s: float = 0.0
    lost: float = 0.0
    repeated: float = 0.0


CALM = Weather()


def draw_weather(draw: random.Random) -> Weather:
    """Gives one run's weather: each kind of fault is absent, rare or common."""

    def some(*values: float) -> float:
        return draw.choice(values)

    return Weather(
        slow=some(0.0, 0.02, 0.1, 0.2),
        error=some(0.0, 0.01, 0.05, 0.15),
        torn=some(0.0, 0.5, 0.9),
        late=some(0.0, 0.3),
        crash=some(0.0, 0.002, 0.01),
        chaos_s=some(0.0, 2.0, 0.7, 0.3),
        lost=some(0.0, 0.05, 0.2),
        repeated=some(0.0, 0.05, 0.2),
    )


class Sky:
    """The weather as it is now, and the lots that are drawn from it; it clears up once, for the end of a run."""

    def __init__(self, draw: random.Random, weather: Weather, loop: VirtualLoop, trace: Callable[[str], None]) -> None:
        self.draw = draw
        self.weather = weather
        self.loop = loop
        self.trace = trace

    def clear(self) -> None:
        """Stops every fault."""
        self.weather = CALM

    def strikes(self, chance: float) -> bool:
        """Draws whether something with this chance happens."""
        return chance > 0 and self.draw.random() < chance

    def delay_s(self) -> float:
        """Draws how long a message travels."""
        if self.strikes(self.weather.slow):
            return self.draw.uniform(0.05, 2.0)
        return self.draw.uniform(0.0002, 0.004)


class Wire:
    """The way from one process to everything it calls."""

    def __init__(self, sky: Sky, process: Process) -> None:
        self.sky = sky
        self.process = process

    async def call(self, what: str, effect: Callable[[], T], torn: Callable[[], object] | None = None) -> T:
        """Does something elsewhere.

        Args:
            what: for the trace.
            effect: what happens there, without awaiting.
            torn: a part of it, where it can be torn apart; such effects may also come late.

        Raises:
            PortError: retriable; the effect may have happened, in part, or may be still to come.
        """
        self.check()
        sky, weather = self.sky, self.sky.weather
        await asyncio.sleep(sky.delay_s())
        self.check()
        crashes, fails = sky.strikes(weather.crash), sky.strikes(weather.error)
        if (crashes or fails) and sky.draw.random() < 0.5:
            how = "before"
            if torn is not None and sky.strikes(weather.torn):
                how = "half way"
                torn()
            elif torn is not None and sky.strikes(weather.late):
                how = "before (it comes late)"
                sky.loop.outside(sky.draw.uniform(0.001, 1.5), _late, effect)
            await self._break(what, how, crashes=crashes)
        result = effect()
        if crashes or fails:
            await self._break(what, "after", crashes=crashes)
        if sky.draw.random() < 0.5:
            await asyncio.sleep(sky.delay_s())
        return result

    def check(self) -> None:
        """Stops whoever is dead (its coroutines run once more when they are buried)."""
        if self.process.state == "dead":
            raise asyncio.CancelledError

    async def _break(self, what: str, how: str, *, crashes: bool) -> None:
        self.sky.trace(f"{'CRASH' if crashes else 'error'} {how} {what}")
        if crashes:
            self.process.kill()
            await self.sky.loop.create_future()
        raise PortError(f"{what} failed {how} its effect", retriable=True)


def _late(effect: Callable[[], object]) -> None:
    """Has an effect that nobody waits for any more; where it fails by now, it never happened."""
    with contextlib.suppress(PortError):
        effect()
