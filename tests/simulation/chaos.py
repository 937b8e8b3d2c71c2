"""Blows that fall on the system between its steps, and people who push trees and ask for replays meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import partial

from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT
from tests.simulation.clock import SimulatedClock
from tests.simulation.loop import Process
from tests.simulation.shop import RETAILERS, damage, draw_tree
from tests.simulation.system import SILENT_S, System

_HOUR_MS = 3_600_000
_STEPS_MAX = 60
_YOUNG_STEPS_MAX = 300
_PEOPLE_S = 1.0


class Chaos:
    """What happens to a system besides its work.

    Args:
        devices: the processes of clients and pages that live; they can be killed, too.
        poison: whether damaged trees and unreadable records turn up.
        jumps: whether wall clocks jump.
    """

    def __init__(
        self,
        system: System,
        devices: Sequence[Process],
        keys: Sequence[ShopperKey],
        draw: random.Random,
        *,
        poison: bool,
        jumps: bool,
    ) -> None:
        self._devices = devices
        self._system = system
        self._keys = keys
        self._draw = draw
        self._poison = poison
        self._jumps = jumps
        self.garbage = 0
        self.is_over = False
        self._crash_loops = draw.random() < 0.3
        system.on_worker = self._meet_worker

    async def strike(self) -> None:
        """Strikes at random until the sky clears."""
        chaos_s = self._system.sky.weather.chaos_s
        blows = [self._kill_worker, self._pause_worker, self._expel] * 2
        if self._draw.random() < 0.7:
            blows += [self._kill_gateway, self._pause_gateway, self._crash_broker, self._kill_device]
            if self._jumps:
                blows += [self._jump, self._leap]
        while chaos_s and not self.is_over:
            await asyncio.sleep(self._draw.expovariate(1 / chaos_s))
            if not self.is_over:
                self._draw.choice(blows)()

    async def govern(self) -> None:
        """Does what people do: pushes trees, asks for replays; now and then the log takes in something unreadable."""
        self._open_shops()
        while not self.is_over:
            await asyncio.sleep(self._draw.expovariate(1 / _PEOPLE_S))
            if self.is_over:
                return
            match self._draw.randrange(4):
                case 0 | 1:
                    self.push(damaged=self._poison and self._draw.random() < 0.3)
                case 2:
                    self.request_replays()
                case _ if self._poison:
                    self._litter()
                case _:
                    pass

    def push(self, *, damaged: bool) -> None:
        """Pushes a retailer's default tree, or one shopper's own."""
        retailer_id = self._draw.choice(RETAILERS)
        theirs = [key.shopper for key in self._keys if key.retailer_id == retailer_id]
        whose = self._draw.choice([DEFAULT, *theirs])
        tree = draw_tree(self._draw)
        generation = self._system.push(retailer_id, [(whose, damage(self._draw, tree) if damaged else tree)])
        self._trace(f"push {'a damaged' if damaged else 'a'} tree of {retailer_id}/{whose[:8]}, {generation}")

    def _open_shops(self) -> None:
        """Pushes a first tree; mostly there is one for everybody."""
        self.push(damaged=False)
        if self._draw.random() < 0.8:
            for retailer_id in RETAILERS:
                self._system.push(retailer_id, [(DEFAULT, draw_tree(self._draw))])

    def _push_to_all(self) -> None:
        if not self.is_over:
            self.mend()

    def mend(self) -> None:
        """Pushes whole trees for everybody."""
        for retailer_id in RETAILERS:
            owners = [DEFAULT, *(key.shopper for key in self._keys if key.retailer_id == retailer_id)]
            self._system.push(retailer_id, [(whose, draw_tree(self._draw)) for whose in owners])

    def request_replays(self) -> None:
        """Asks for a replay of everything that failed."""
        shelf = self._system.shelf
        shelf.requests |= set(shelf.failures)

    def _meet_worker(self, process: Process) -> None:
        """Kills some workers young: while they take partitions, or adopt what the last owner left."""
        if self._crash_loops and not self.is_over and self._draw.random() < 0.6:
            process.after_steps(self._draw.randrange(_YOUNG_STEPS_MAX), process.kill)

    def _kill_worker(self) -> None:
        process = self._any_worker()
        if process is not None:
            self._soon(process, "killed", process.kill)

    def _kill_gateway(self) -> None:
        if self._system.gateways:
            process = self._draw.choice(self._system.gateways).process
            self._soon(process, "killed", process.kill)

    def _kill_device(self) -> None:
        if self._devices:
            process = self._draw.choice(self._devices)
            self._soon(process, "killed", process.kill)

    def _pause_worker(self) -> None:
        process = self._any_worker()
        if process is None:
            return
        pause_s = self._draw.choice((0.2, 1.0, 2.0, 4.0))

        def silent() -> None:
            if process.state == "paused":
                self._trace(f"{process.name} is given up")
                self._system.broker.group.leave(process.name)
                if len(self._system.workers) < 4:
                    self._system.start_worker()

        def pause() -> None:
            process.pause()
            self._system.loop.outside(SILENT_S, silent)
            self._system.loop.outside(pause_s, self._wake, process)

        self._soon(process, f"paused for {pause_s} s", pause)
        self._push_in_between()

    def _push_in_between(self) -> None:
        """Lets two owners of a partition see different trees."""
        if self._draw.random() < 0.5:
            self._system.loop.outside(self._draw.uniform(0.0, 0.5), self._push_to_all)

    def _pause_gateway(self) -> None:
        if self._system.gateways:
            process = self._draw.choice(self._system.gateways).process
            process.pause()
            self._trace(f"{process.name} paused")
            self._system.loop.outside(self._draw.uniform(0.1, 5.0), self._wake, process)

    def _crash_broker(self) -> None:
        if not self._system.broker.is_down:
            self._trace("the broker goes down")
            self._system.broker.crash()
            self._system.loop.outside(self._draw.uniform(0.05, 1.5), self._system.broker.recover)

    def _expel(self) -> None:
        members = self._system.broker.group.members
        if members:
            member = self._draw.choice(members)
            found = self._system.workers.get(member)
            if found is not None:
                leave = partial(self._system.broker.group.leave, member)
                self._soon(found[0], "put out of the group", leave)
            self._push_in_between()

    def _jump(self) -> None:
        clock: SimulatedClock = self._draw.choice(tuple(self._system.clocks.values()))
        clock.skew_ms = self._draw.choice((-5, -1, 0, 1, 5)) * _HOUR_MS

    def _leap(self) -> None:
        self._system.world.leapt_ms += self._draw.choice((1, 20, 31, 300)) * 60_000
        self._trace("the clocks leap ahead")

    def _litter(self) -> None:
        topic = self._draw.choice(self._system.broker.events)
        topic.write([self._draw.choice((b"", b"\xc1", b"\x81\xa4type", b"{}"))])
        _ = self._system.broker.flushing()
        self.garbage += 1

    def _any_worker(self) -> Process | None:
        processes = [process for process, _ in self._system.workers.values() if process.state == "running"]
        return self._draw.choice(processes) if processes else None

    def _soon(self, process: Process, what: str, blow: object) -> None:
        """Strikes between two steps that the process takes from now on."""
        assert callable(blow)

        def strike() -> None:
            self._trace(f"{process.name} is {what}")
            blow()

        process.after_steps(self._draw.randrange(_STEPS_MAX), strike)

    def _wake(self, process: Process) -> None:
        if process.state == "paused":
            self._trace(f"{process.name} wakes up")
            process.resume()

    def _trace(self, text: str) -> None:
        self._system.sky.trace(text)
