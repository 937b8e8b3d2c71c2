"""The clocks of simulated processes: wall clocks that jump, monotonic ones that never go back."""

from __future__ import annotations

from tests.simulation.loop import Process, VirtualLoop

BASE_MS = 1_780_000_000_000
"""Unix milliseconds at virtual second 0."""


class World:
    """The time that would be right: it may leap ahead, as when nobody does anything for an hour."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.leapt_ms = 0

    def now_ms(self) -> int:
        """True Unix milliseconds."""
        return BASE_MS + self.leapt_ms + int(self._loop.time() * 1_000)


class SimulatedClock:
    """One machine's clocks (`domain.ports.clock.Clock`).

    Attributes:
        skew_ms: by how much its wall clock is wrong.
    """

    def __init__(self, world: World, process: Process, loop: VirtualLoop) -> None:
        self._world = world
        self._loop = loop
        self._born_s = process.born_s - len(process.name) * 17.0
        self.skew_ms = 0

    def now_ms(self) -> int:
        """Unix milliseconds, wrong by `skew_ms`."""
        return self._world.now_ms() + self.skew_ms

    def monotonic_s(self) -> float:
        """Seconds since some time before the process's start."""
        return self._loop.time() - self._born_s
