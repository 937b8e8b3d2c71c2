"""One run: a system, its shoppers and its faults from one seed; then peace, recovery, and the checks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from thespian.actors import ActorSystem

from actors import lease_desk
from domain import reservations
from domain.ids import ShopperKey
from domain.shopper import decode
from tests.simulation.chaos import Chaos
from tests.simulation.check_budgets import check_budgets
from tests.simulation.check_pages import check_pages
from tests.simulation.checks import check
from tests.simulation.client import Client, draw_habits
from tests.simulation.clock import World
from tests.simulation.loop import Process, Stuck, VirtualLoop, current_process
from tests.simulation.marketing import Marketing
from tests.simulation.objections import SHARE, Objections
from tests.simulation.page import Page
from tests.simulation.periods import quickened
from tests.simulation.recount import Recount
from tests.simulation.shop import RETAILERS, hash_of
from tests.simulation.system import System
from tests.simulation.wire import Sky, draw_weather

_STORM_S = 8.0
_RECOVERY_S = 120.0
_QUIET_S = 3.0
"""Longer than any idle timer of a run's trees."""
_TELLS, _SETTLING_S = 3, 0.7
_LONG_S = 48 * 3_600.0
"""Longer than any promise is kept, by the most wrong of a run's clocks."""


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        faults: what should not be, empty where all is well.
        story: what the run was made of and how much happened.
    """

    faults: list[str]
    story: dict[str, Any]


def simulate(seed: int, trace: Callable[[str], None] | None = None) -> Outcome:
    """Runs the system once; equal seeds, equal runs."""
    loop = VirtualLoop(random.Random(f"{seed}/loop"))
    asyncio.set_event_loop(loop)

    def tell(text: str) -> None:
        if trace is not None:
            process = current_process()
            trace(f"{loop.time() - 1_000:9.4f} s  {process.name if process else '':<11} {text}")

    run = Run(seed, loop, tell)
    try:
        try:
            with quickened(random.Random(f"{seed}/periods")):
                faults = loop.run_until_complete(run.live())
        except Stuck as stuck:
            faults = [str(stuck)]
        finally:
            loop.bury(run.system.processes)
        faults += loop.failures
        return Outcome(faults, run.story)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        ActorSystem("simpleSystemBase", logDefs=False).shutdown()


class Run:
    """The parts of one run."""

    def __init__(self, seed: int, loop: VirtualLoop, trace: Callable[[str], None]) -> None:
        draw = random.Random(f"{seed}/run")
        self.loop = loop
        self.weather = draw_weather(draw)
        self.sky = Sky(random.Random(f"{seed}/faults"), self.weather, loop, trace)
        self.world = World(loop)
        self.jumps = draw.random() < 0.4
        self.system = System(
            self.sky, self.world, draw, partitions=draw.choice((1, 1, 2, 3)), workers=draw.randint(1, 2)
        )
        self.clients: list[Client] = []
        self.pages: list[Page] = []
        self.devices: list[Process] = []
        for number in range(draw.randint(2, 6)):
            self._add_client(draw.choice(RETAILERS), f"c-{draw.randint(1, 4)}", f"{seed}/client/{number}", draw)
        keys = sorted({ShopperKey(one.retailer_id, hash_of(one.retailer_id, one.shopper_id)) for one in self.clients})
        self.marketing = Marketing(self.system, random.Random(f"{seed}/marketing"))
        self.chaos = Chaos(self.system, self.devices, keys, draw, poison=draw.random() < 0.4, jumps=self.jumps)
        objecting = random.Random(f"{seed}/erasures")
        self.objections = Objections(self.system, keys, objecting) if objecting.random() < SHARE else None
        self.story: dict[str, Any] = {"weather": self.weather, "partitions": self.system.broker.partitions}

    def _add_client(self, retailer_id: str, shopper_id: str, seed: str, draw: random.Random) -> None:
        """Adds a device, and mostly a page that listens on it."""
        process = self.system.process("client")
        network = self.system.network
        clock = self.system.clocks[process.name]
        client = Client(retailer_id, shopper_id, draw_habits(draw), clock, network, random.Random(f"{seed}/device"))
        self.clients.append(client)
        self._keep_alive(process, client.live)
        if draw.random() < 0.8:
            page = Page(client, network, random.Random(f"{seed}/page"))
            self.pages.append(page)
            self._keep_alive(self.system.process("page"), page.live)

    def _keep_alive(self, process: Process, life: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts a device's or page's life, and starts it again whenever it dies."""
        self.devices.append(process)

        def died() -> None:
            self.devices.remove(process)
            again = self.system.process(process.name.partition("-")[0])
            self.loop.outside(1.0, self._keep_alive, again, life)

        process.on_death.append(died)
        _ = process.start(life())

    async def live(self) -> list[str]:
        """Storm, peace, recovery, stop; gives what was wrong."""
        lives = [self.chaos.strike(), self.chaos.govern(), self.marketing.govern()]
        if self.objections is not None:
            lives.append(self.objections.govern())
        storms = [asyncio.ensure_future(life) for life in lives]
        await asyncio.sleep(_STORM_S)
        self._calm_down()
        await asyncio.gather(*storms)
        late = await self._until(self._is_settled)
        if not late:
            late = await self._until_quiet()
            self.chaos.request_replays()
            late = late or await self._until(self._is_replayed) or await self._until_quiet()
        for page in self.pages:
            page.must_look_again, page.forgets = True, self.system.resumed_blindly
        late = late or await self._until(self._is_told)
        faults = [] if late else check_pages(self.system, self.pages, self.world.now_ms())
        late = late or await self._outlive_promises()
        await self.system.stop_workers()
        self.sky.trace("stopped")
        faults += check(
            self.system, self.clients, garbage=self.chaos.garbage, jumps=self.jumps, grace_ms=reservations.GRACE_MS
        )
        recount = Recount(self.system.broker, self.system.shelf, self.system.books)
        faults += check_budgets(self.system, recount, told=not (late or self.weather.late))
        self.story |= {
            "events": sum(topic.durable for topic in self.system.broker.events),
            "experience records": sum(topic.durable for topic in self.system.broker.experiences),
            "promises": dict(recount.ends),
            "processes": len(self.system.processes),
            "virtual seconds": round(self.loop.time() - 1_000),
            "steps": self.loop.steps,
        }
        return ([f"not recovered: {late}"] if late else []) + faults

    async def _outlive_promises(self) -> str:
        """Lets everybody leave, and time pass until every promise is over and every lease is where it belongs.

        Gives what never ended.
        """
        for process in tuple(self.devices):
            process.on_death.clear()
            process.kill()
        self.loop.leap(_LONG_S)
        late = await self._until(self._is_over) or await self._until_quiet()
        for _ in range(_TELLS):
            # What nobody has touched is said to go back, then the ledger is told, and tells what it has.
            self.loop.leap(lease_desk.TELL_S)
            await asyncio.sleep(_SETTLING_S)
        return late

    def _calm_down(self) -> None:
        """Ends every fault; whoever is paused wakes up."""
        self.sky.trace("the sky clears")
        self.chaos.is_over = self.marketing.is_over = True
        if self.objections is not None:
            self.objections.is_over = True
        self.sky.clear()
        for process in self.system.processes:
            process.after_steps(-1, lambda: None)
            process.resume()
        for clock in self.system.clocks.values():
            clock.skew_ms = 0
        self.chaos.mend()

    async def _until(self, condition: Callable[[], str]) -> str:
        """Waits until a condition has no complaint any more; gives its last complaint where it never came true."""
        deadline_s = self.loop.time() + _RECOVERY_S
        while (complaint := condition()) and self.loop.time() < deadline_s:
            await asyncio.sleep(0.5)
        return complaint

    async def _until_quiet(self) -> str:
        """Waits until nothing comes into the logs any more: the last timers elapse; complains of what never ends."""
        before = -1
        deadline_s = self.loop.time() + _RECOVERY_S
        while before != (now := sum(topic.durable for topic in self.system.broker.events)):
            if self.loop.time() > deadline_s:
                return f"something is appended to the event log for ever: {now} events"
            before = now
            await asyncio.sleep(_QUIET_S)
            await self._until(self._is_settled)
        return ""

    def _is_settled(self) -> str:
        """Complains while anything is unanswered, unprocessed or unsaved."""
        waiting = sum(len(client.queue) for client in self.clients)
        if waiting or not all(client.is_done for client in self.clients):
            return f"{waiting} events are unanswered"
        broker = self.system.broker
        for number, topic in enumerate(broker.events):
            commit = broker.commits.get(number)
            through = commit.through.offset if commit is not None else -1
            if topic.durable and through < topic.end:
                return f"partition {number} is saved through {through}, and ends at {topic.end}"
        return ""

    def _is_over(self) -> str:
        """Complains while a promise is open whose time is over."""
        states = [decode(one.payload) for one in self.system.shelf.snapshots.values() if one.due_at_ms is not None]
        left = [one for state in states for one in state.reservations if one.is_open]
        return f"promised for ever: {left}" if left else ""

    def _is_told(self) -> str:
        """Complains while a page has not looked again."""
        waiting = [page.client.shopper_id for page in self.pages if not page.is_fresh]
        return f"pages are told nothing: {waiting}" if waiting else ""

    def _is_replayed(self) -> str:
        """Complains while a replay is to be done."""
        failures = self.system.shelf.failures.values()
        waiting = [failure.failed_id for failure in failures if failure.reason != "undecodable"]
        return f"not replayed: {waiting}" if waiting else self._is_settled()
