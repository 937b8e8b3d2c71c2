"""One experiment: a retailer's shoppers under load, one fault, and what must hold when all is quiet again."""

from __future__ import annotations

import asyncio
import json
import math
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from adapters.clock import SystemClock
from adapters.wiring import Ports, production
from deploy.retailer_keys import key_digest
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.records import Record
from domain.shopper import decode
from domain.tree_faults import read_trees
from monitoring.metrics import Metrics
from tests.chaos.checks import Checks
from tests.chaos.load import TREE, Page, Shop
from tests.chaos.servers.load import MOVES_S, SHOPPERS, Paced, Probe
from tests.chaos.servers.place import Place
from tests.chaos.stored import Stored
from tests.identity import KEYS, wrapped

KNOWN_WITHIN_S = 30.0
CALM_S = 2.0
"""Of load before the fault and after it."""
ANSWERED_WITHIN_S = 60.0
REST_WITHIN_S = 90.0
_LOOK_S = 0.3
_RETRY_S = 0.1

Fault = Callable[[Place, random.Random], Awaitable[None]]
"""Breaks something and mends it; what recovers by itself is not waited for."""


class Outcome(NamedTuple):
    """What one fault cost.

    Attributes:
        events: that trackers made.
        lost: acknowledged, and not in the log.
        twice: experiences that a page was told again.
        repeated: events that had to be sent more than once.
        without_ack_s, without_experience_s: the longest time in which nobody was acknowledged, or told anything.
        p99_s: of the latency of events that were due while something was broken.
        slowest_s: the longest that any request or probe waited for its answer since the fault.
        slowest_before_s: the same in the calm before it: what the machine takes anyway.
        late_s: the longest that the load's own process woke up too late since the fault.
        refusals: requests that were answered with 503.
        owners: how often partitions were taken; the first of each was before.
        ignored: records of owners that were not the newest any more: what a zombie said.
        unready: probes that were answered with 503.
    """

    events: int
    lost: int
    twice: int
    repeated: int
    without_ack_s: float
    without_experience_s: float
    p99_s: float
    slowest_s: float
    slowest_before_s: float
    late_s: float
    refusals: int
    owners: int
    ignored: int
    unready: int


class Shoppers:
    """A new retailer's shoppers, each with a page and a tracker, and the probe beside them."""

    def __init__(self, place: Place, retailer_id: str, secret_key: str, draw: random.Random) -> None:
        self.shop = Shop(secret_key, retry_s=_RETRY_S)
        self.shop.urls = place.system.urls
        self.pages = [
            Page(self.shop, f"c-{number}", random.Random(draw.random()), moves_s=MOVES_S) for number in range(SHOPPERS)
        ]
        self.trackers = [Paced(self.shop, page, random.Random(draw.random())) for page in self.pages]
        self.probe = Probe(self.shop)
        self.checks = Checks(retailer_id, KEYS.shopper, self.trackers)

    def slowest_s(self) -> float:
        """Gives the longest that a request or probe waited for its answer."""
        return max(self.shop.slowest_s, self.probe.slowest_s)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Lets them live; gives the trackers' tasks."""
        beside = [asyncio.create_task(page.live()) for page in self.pages]
        beside.append(asyncio.create_task(self.probe.live()))
        sending = [asyncio.create_task(tracker.live()) for tracker in self.trackers]
        try:
            yield sending
        finally:
            for task in (*beside, *sending):
                task.cancel()
            ended = await asyncio.gather(*beside, *sending, return_exceptions=True)
            self.shop.close()
        failed = [one for one in ended if isinstance(one, Exception)]
        assert not failed, failed[:5]


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Ports]:
    """Opens the stores, not through the proxies."""
    ports = await production(place.system.settings(), Metrics(), SystemClock(), role="command")
    try:
        yield ports
    finally:
        await ports.close()


async def add_retailer(ports: Ports) -> tuple[str, str]:
    """Makes a retailer whose default tree answers most events, and gives its id and secret key."""
    retailer_id, secret_key = f"r-{secrets.token_hex(8)}", secrets.token_hex(16)
    retailer = Retailer(retailer_id=retailer_id, name=retailer_id)
    keys = wrapped(ports, retailer_id)
    await ports.retailers.add(retailer, key_digest(secrets.token_hex(16)), key_digest(secret_key), keys)
    ((_, blob),) = read_trees(json.dumps(TREE).encode())
    await ports.trees.push(retailer_id, [(DEFAULT, blob)])
    return retailer_id, secret_key


async def known_everywhere(shop: Shop) -> None:
    """Returns when every gateway knows the retailer."""
    deadline_s = time.monotonic() + KNOWN_WITHIN_S
    for url in shop.urls:
        while True:
            answer = await shop.post_once(url, "/v1/subscriptions", b'{"shopper_id":"nobody"}')
            if answer.status == 200:
                break
            assert time.monotonic() < deadline_s, f"{url}: {answer.body!r}"
            await asyncio.sleep(_LOOK_S)


async def experiment(place: Place, fault: Fault, draw: random.Random) -> tuple[Outcome, list[str]]:
    """Does it all; gives what it cost, and every fault of what is stored or was shown."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
        shoppers = Shoppers(place, retailer_id, secret_key, draw)
        shop = shoppers.shop
        place.moved = lambda: setattr(shop, "urls", place.system.urls)
        await known_everywhere(shop)
        async with shoppers.living() as sending:
            await asyncio.wait(sending, timeout=CALM_S)
            before_s = shoppers.slowest_s()
            shop.slowest_s = shoppers.probe.slowest_s = shoppers.probe.late_s = 0.0
            began_s = time.monotonic()
            await fault(place, draw)
            mended_s = time.monotonic()
            place.moved()
            await asyncio.wait(sending, timeout=CALM_S)
            shop.is_closing = True
            closed_s = time.monotonic()
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await asyncio.gather(*sending)
            logs = await rest(place, shoppers)
            faults = await _stored_faults(place, ports, retailer_id, shoppers, logs)
        return _outcome(shoppers, logs, (began_s, mended_s, closed_s), before_s), faults


async def rest(place: Place, shoppers: Shoppers) -> list[Stored]:
    """Gives the logs when every event is processed, no timer pending, and every page shows its slots' latest state."""
    deadline_s = time.monotonic() + REST_WITHIN_S
    while True:
        logs = await place.logs.read()
        unseen = shoppers.checks.unseen(logs)
        late = [number for number, stored in enumerate(logs) if not stored.is_at_rest]
        if not unseen and not late:
            return logs
        assert time.monotonic() < deadline_s, f"not at rest: partitions {late}\n" + "\n".join(unseen[:20])
        await asyncio.sleep(_LOOK_S)


async def _stored_faults(
    place: Place, ports: Ports, retailer_id: str, shoppers: Shoppers, logs: Sequence[Stored]
) -> list[str]:
    """Gives what is wrong in the stores once checkpoints and the archiver have had their time."""
    deadline_s = time.monotonic() + REST_WITHIN_S
    while True:
        payloads = await ports.snapshots.load(shoppers.checks.shoppers)
        faults = shoppers.checks.at_the_end(logs, {key: decode(payload) for key, payload in payloads.items()})
        faults += await _unarchived(ports, retailer_id, logs)
        if not faults or time.monotonic() > deadline_s:
            return faults
        await asyncio.sleep(_LOOK_S)


async def _unarchived(ports: Ports, retailer_id: str, logs: Sequence[Stored]) -> list[str]:
    """Gives each event that is in the log and not in the archive, or the other way round."""
    faults = []
    for partition, stored in enumerate(logs):
        logged: dict[object, list[object]] = {}
        for record in stored.records.values():
            logged.setdefault(record.event.event_id, []).append(record)
        days = {datetime.fromtimestamp(record.received_at_ms / 1_000, UTC).date() for record in stored.records.values()}
        archived = {
            one.record.event.event_id: one.record
            for day in days
            async for page in ports.archive.events(retailer_id, day, partition)
            for one in page
            if isinstance(one.record, Record)
        }
        faults += [f"[{partition}] {event_id} is not archived" for event_id in logged.keys() - archived.keys()]
        faults += [f"[{partition}] {event_id} is in no log" for event_id in archived.keys() - logged.keys()]
        faults += [
            f"[{partition}] {event_id} is archived as it was never logged"
            for event_id in archived.keys() & logged.keys()
            if archived[event_id] not in logged[event_id]
        ]
    return faults


def _outcome(shoppers: Shoppers, logs: Sequence[Stored], times: tuple[float, float, float], before_s: float) -> Outcome:
    began_s, mended_s, closed_s = times
    trackers, pages, shop = shoppers.trackers, shoppers.pages, shoppers.shop
    logged = {str(record.event.event_id) for stored in logs for record in stored.records.values()}
    acknowledged = {event_id: at_s for tracker in trackers for event_id, at_s in tracker.acknowledged.items()}
    told = [at_s for page in pages for at_s in page.told.values()]
    during = [took_s for tracker in trackers for due_s, took_s in tracker.latencies if began_s <= due_s <= mended_s]
    return Outcome(
        events=sum(len(tracker.made) for tracker in trackers),
        lost=len(acknowledged.keys() - logged),
        twice=sum(fault.startswith("shown twice") for page in pages for fault in page.faults),
        repeated=sum(tracker.repeated for tracker in trackers),
        without_ack_s=_longest_gap_s(acknowledged.values(), began_s, closed_s),
        without_experience_s=_longest_gap_s(told, began_s, closed_s),
        p99_s=sorted(during)[math.ceil(len(during) * 0.99) - 1] if during else 0.0,
        slowest_s=shoppers.slowest_s(),
        slowest_before_s=before_s,
        late_s=shoppers.probe.late_s,
        refusals=shop.refusals,
        owners=sum(stored.owners for stored in logs),
        ignored=sum(len(stored.heard.ignored) for stored in logs),
        unready=shoppers.probe.statuses["/health/ready", 503],
    )


def _longest_gap_s(moments_s: Iterable[float], began_s: float, closed_s: float) -> float:
    """Gives the longest time in which nothing happened, from the fault to the end of the load."""
    within = sorted(moment_s for moment_s in moments_s if began_s <= moment_s <= closed_s)
    return max(after - before for before, after in zip((began_s, *within), (*within, closed_s), strict=True))
