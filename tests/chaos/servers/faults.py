"""The faults: what is broken, for how long, and how it is mended where it does not mend itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Literal, NamedTuple

from tests.chaos.servers.experiment import Fault
from tests.chaos.servers.place import SESSION_S, Place
from tests.services.server import Server
from tests.services.system import Process

OUTAGE_S, LONG_OUTAGE_S = 3.0, 60.0
HALF_SLOW_MS = 250
"""Each way: half a second for an answer."""
HALTED_WITHIN_S = 30.0
Name = Literal["kafka", "scylla", "postgres"]
Way = Literal["cut", "slow", "black hole"]
_SAID = {"kafka": "Kafka", "scylla": "the CQL server", "postgres": "Postgres"}


class Case(NamedTuple):
    """One row of the table.

    Attributes:
        name: as the report has it.
        fault: what is done.
        stops_log: gateways can't append meanwhile, and must say so.
        spares_log: nothing that gateways append with is touched, so that they go on.
        moves: partitions are taken anew.
    """

    name: str
    fault: Fault
    stops_log: bool = False
    spares_log: bool = False
    moves: bool = False

    def __str__(self) -> str:
        """The name, for a test's id."""
        return self.name.replace(" ", "-")


def cases(*, is_whole: bool) -> list[Case]:
    """Gives every fault, some as long as an outage that somebody has to mend; else those that a soak does not deal."""
    return list(_cases(is_whole))


def _cases(is_whole: bool) -> Iterator[Case]:
    yield Case("kill -9 a worker", kill_worker, moves=True)
    yield Case("kill -9 a gateway", kill_gateway)
    yield Case("kill -9 the archiver", kill_archiver, spares_log=True)
    yield Case("pause a worker beyond its session", pause_worker, moves=True)
    yield Case("add and remove a worker", add_and_remove_worker, moves=True)
    yield Case("restart everything, one after the other", roll, moves=True)
    yield Case("kill -9 Kafka", partial(_kill_server, "kafka"), stops_log=True)
    yield Case("kill -9 the CQL server", partial(_kill_server, "scylla"))
    for name in ("kafka", "scylla", "postgres"):
        said, of_log = _SAID[name], name == "kafka"
        down_s = LONG_OUTAGE_S if is_whole and name == "scylla" else OUTAGE_S
        cut, slow, hole = (
            partial(misbehave, name, "cut", down_s),
            partial(misbehave, name, "slow", OUTAGE_S),
            partial(misbehave, name, "black hole", OUTAGE_S),
        )
        yield Case(f"{said} cut off for {down_s:.0f} s", cut, stops_log=of_log, spares_log=not of_log)
        if is_whole:
            yield Case(f"{said} answers {2 * HALF_SLOW_MS} ms later", slow, spares_log=not of_log)
            yield Case(f"{said} in a black hole for {OUTAGE_S:.0f} s", hole, stops_log=of_log, spares_log=not of_log)
    yield Case("kill -9 a worker while CQL is cut off", kill_worker_without_scylla, spares_log=True, moves=True)
    yield Case("disk full under Kafka", fill_disk, stops_log=True)


async def kill_worker(place: Place, draw: random.Random) -> None:
    """Its supervisor starts it again under the same name."""
    await kill_child(draw.choice(place.system.of("worker")))


async def kill_worker_without_scylla(place: Place, draw: random.Random) -> None:
    """It can't be started again before the store is back, which holds less than the worker had in memory."""
    worker = draw.choice(place.system.of("worker"))
    ready, proxy = len(worker.readiness()), place.proxies["scylla"]
    await asyncio.to_thread(proxy.cut)
    try:
        await asyncio.sleep(OUTAGE_S / 2)
        os.kill(worker.pid, signal.SIGKILL)
        await asyncio.sleep(OUTAGE_S / 2)
    finally:
        await asyncio.to_thread(proxy.forward)
    await asyncio.to_thread(worker.wait_ready, ready + 1)


async def kill_archiver(place: Place, _: random.Random) -> None:
    """Its supervisor starts it again."""
    await kill_child(place.system.of("archiver")[0])


async def kill_gateway(place: Place, draw: random.Random) -> None:
    """Another takes its place a moment later, at another address."""
    await start_again(draw.choice(place.system.of("gateway")))


async def pause_worker(place: Place, draw: random.Random) -> None:
    """It stands still until others have its partitions, and then goes on as if nothing had happened."""
    await pause(draw.choice(place.system.of("worker")))


async def add_and_remove_worker(place: Place, _: random.Random) -> None:
    """A third one comes, takes its share, and goes."""
    worker = place.system.add("worker", "worker-more")
    # Its namesake of an earlier run wrote into the same log.
    ready = len(worker.readiness())
    try:
        worker.start()
        await asyncio.to_thread(worker.wait_ready, ready + 1)
        await asyncio.sleep(1)
        code = await asyncio.to_thread(worker.stop)
        assert code == 0, worker.log_tail()
    finally:
        worker.kill()
        del place.system.processes[worker.name]


async def roll(place: Place, _: random.Random) -> None:
    """An upgrade: every gateway and every worker is asked to end, and the next waits until it is back."""
    for process in (*place.system.of("gateway"), *place.system.of("worker")):
        ready = len(process.readiness())
        code = await asyncio.to_thread(process.stop)
        assert code == 0, process.log_tail()
        process.start()
        await asyncio.to_thread(process.wait_ready, ready + 1)
        place.moved()


async def fill_disk(place: Place, _: random.Random) -> None:
    """Kafka halts, since its only folder failed; an operator makes room and starts it again."""
    place.disk.fill(place.kafka.pid)
    deadline_s = time.monotonic() + HALTED_WITHIN_S
    while place.kafka.pid:
        assert time.monotonic() < deadline_s, f"Kafka goes on: {place.kafka.log_tail()}"
        await asyncio.sleep(0.1)
    place.disk.free()
    await asyncio.to_thread(place.kafka.start)


async def _kill_server(name: Name, place: Place, _: random.Random) -> None:
    server: Server = {"kafka": place.kafka, "scylla": place.scylla, "postgres": place.postgres}[name]
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def misbehave(name: Name, way: Way, for_s: float, place: Place, _: random.Random) -> None:
    """What passes between the processes and a server is cut, delayed or swallowed for a while."""
    proxy = place.proxies[name]
    match way:
        case "cut":
            await asyncio.to_thread(proxy.cut)
        case "slow":
            await asyncio.to_thread(proxy.forward, HALF_SLOW_MS)
        case "black hole":
            await asyncio.to_thread(proxy.swallow)
    try:
        await asyncio.sleep(for_s)
    finally:
        await asyncio.to_thread(proxy.forward)


async def pause(process: Process) -> None:
    """Lets it stand still for longer than its session."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(SESSION_S * 2)
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def start_again(process: Process) -> None:
    """Kills it and starts another under its name."""
    ready = len(process.readiness())
    process.kill()
    process.start()
    await asyncio.to_thread(process.wait_ready, ready + 1)


async def kill_child(process: Process) -> None:
    """Kills who does the work; its supervisor starts another."""
    ready = len(process.readiness())
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait_ready, ready + 1)
