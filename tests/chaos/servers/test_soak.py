"""Load for as long as SOAK_S says, one fault after the other: nothing is lost, memory stays flat, logs stay short.

The first gateway, the first worker and the archiver live through all of it, so that a leak of theirs has time to show;
whatever else there is dies, stalls, or is cut off.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from functools import partial

import pytest

from tests.chaos.servers.conftest import SEED, SOAK_S
from tests.chaos.servers.experiment import Fault, experiment
from tests.chaos.servers.faults import add_and_remove_worker, kill_child, misbehave, pause, start_again
from tests.chaos.servers.place import Place
from tests.chaos.servers.watch import Watch

pytestmark = [
    pytest.mark.timeout(SOAK_S + 900),
    # A connection to what was killed, ours or of Kafka's library, may be closed only when it is collected.
    pytest.mark.filterwarnings("ignore:.*StreamWriter.__del__:pytest.PytestUnraisableExceptionWarning"),
]

FOR_S = 3.0
CALM_MAX_S = 12.0
SURVIVORS = {"gateway-0", "worker-0", "archiver-0"}
LONG_S = 600.0
"""From then on a slope says something of memory; before, only its size does."""
GROWTH_MAX, GROWTH_MAX_OF_SHORT = 0.10, 0.50
LINES_A_MINUTE_MAX = 60.0
"""Of whoever lives through all of it: the others' starts and ends are lines too."""


async def test_a_long_time_under_load_and_faults(place: Place) -> None:
    """Prints memory and lines of every process; the survivors' memory does not grow, and nobody floods a log."""
    watch = Watch(place)
    done: list[str] = []
    outcome, faults = await experiment(place, partial(_one_after_the_other, watch, done), random.Random(f"{SEED} soak"))
    memory, lines = watch.memory(), watch.lines_a_minute()
    print(f"\nsoak: {len(done)} faults in {SOAK_S:.0f} s: {outcome}")
    for one in memory:
        print(f"  {one}, {lines.get(one.name, 0):.1f} lines a minute")
    assert [] == faults[:20], f"seed {SEED}, {len(faults)} faults, after {done}"
    assert (0, 0) == (outcome.lost, outcome.twice)
    survivors = [one for one in memory if one.name in SURVIVORS]
    assert SURVIVORS == {one.name for one in survivors if one.seconds >= SOAK_S * 0.9}
    most = GROWTH_MAX if SOAK_S >= LONG_S else GROWTH_MAX_OF_SHORT
    assert [] == [str(one) for one in survivors if one.growth > most]
    assert {} == {name: lines[name] for name in SURVIVORS if lines[name] > LINES_A_MINUTE_MAX}


async def _one_after_the_other(watch: Watch, done: list[str], place: Place, draw: random.Random) -> None:
    """Deals the faults like cards: each has its turn before any comes again."""
    watching = asyncio.create_task(watch.live())
    end_s = time.monotonic() + SOAK_S
    deck: list[tuple[str, Fault]] = []
    try:
        while time.monotonic() < end_s:
            deck = deck or draw.sample(_FAULTS, len(_FAULTS))
            name, fault = deck.pop()
            await fault(place, draw)
            done.append(name)
            place.moved()
            await asyncio.sleep(draw.uniform(0.0, min(CALM_MAX_S, max(0.0, end_s - time.monotonic()))))
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _kill_last_worker(place: Place, _: random.Random) -> None:
    await kill_child(place.system.of("worker")[-1])


async def _kill_last_gateway(place: Place, _: random.Random) -> None:
    await start_again(place.system.of("gateway")[-1])


async def _pause_last_worker(place: Place, _: random.Random) -> None:
    await pause(place.system.of("worker")[-1])


_FAULTS: list[tuple[str, Fault]] = [
    ("kill -9 a worker", _kill_last_worker),
    ("kill -9 a gateway", _kill_last_gateway),
    ("pause a worker", _pause_last_worker),
    ("add and remove a worker", add_and_remove_worker),
    *(
        (f"{name}: {way}", partial(misbehave, name, way, FOR_S))
        for name in ("kafka", "scylla", "postgres")
        for way in ("cut", "slow", "black hole")
    ),
]
