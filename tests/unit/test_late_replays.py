"""A failed event is replayed while its shopper is erased: the owner has read it, and appends it behind the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from actors.housekeeping import Housekeeping
from actors.partition import Partition, Stores, take
from adapters.sqlite.failed_events import SqliteFailedEvents
from domain.ids import BEGINNING, Position
from domain.ports.event_log import Place
from domain.ports.failed_events import FailedEvent, failed_event
from domain.ports.shopper_data import Erased, Visit
from domain.records import Failed, Record, encode
from monitoring.metrics import Metrics
from tests.contract.consumer import polled
from tests.story import NOON_MS, RETAILER
from tests.unit.erasing import Embedded, event, failed, key, opened

PASTA: dict[str, Any] = {"product": {"product_id": "penne", "price_minor": 200, "currency": "EUR"}, "quantity": 1}
ERASED_S = 10
NOTHING = Visit(0, 0, 0)


class Late:
    """Failed events whose reader is held up before it does anything with them."""

    def __init__(self, failures: SqliteFailedEvents, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._failures = failures
        self._meanwhile = meanwhile

    async def requested(self, partition: int, *, events_max: int) -> Sequence[FailedEvent]:
        """Reads them, and lets time pass."""
        found = await self._failures.requested(partition, events_max=events_max)
        await self._meanwhile()
        return found

    async def replayed(self, failed_ids: Sequence[str]) -> None:
        """Forgets them."""
        await self._failures.replayed(failed_ids)


class Worker(NamedTuple):
    """The owner of the partition, over the stores."""

    stores: Embedded
    ports: Stores
    partition: Partition

    async def work(self) -> list[Failed]:
        """Processes what has come, saves it, and gives what failed."""
        failures: list[Failed] = []
        for batch in (await self.stores.events.poll(records_max=100, wait_s=0)).batches:
            results = await self.partition.process(batch)
            failures += [one for one in results.records if isinstance(one, Failed)]
        await self.partition.save(
            await self.partition.collect(),
            lambda number, one: failed_event(number, one, failed_at_ms=one.failed_at_ms, kept_ms=10**9),
        )
        return failures

    async def visit(self, place: Place) -> list[Visit]:
        """Visits every store, as an erasure does."""
        committed = await self.stores.events.committed(0)
        through = BEGINNING if committed is None else committed.through
        one = Erased(key("anna"), place, NOON_MS + ERASED_S * 1_000, through=through)
        return [await part.erase([one]) for part in self.stores.parts]


async def working(stores: Embedded) -> Worker:
    """Takes the partition."""
    await stores.events.poll(records_max=1, wait_s=0)
    ports = Stores(
        events=stores.events,
        experiences=stores.experiences,
        snapshots=stores.snapshots,
        trees=stores.trees,
        failures=stores.failed,
        clock=stores.clock,
        metrics=Metrics(),
    )
    return Worker(stores, ports, await take(0, "w", ports))


@pytest.mark.parametrize("stays_suppressed", [False, True], ids=["erase", "erase and suppress"])
@pytest.mark.parametrize("is_damaged", [False, True], ids=["tree good", "tree damaged"])
async def test_a_replay_behind_the_end_leaves_nothing(tmp_path: Path, stays_suppressed: bool, is_damaged: bool) -> None:
    """It is no stranger's first event, it fails no second time, and the next visits take it out of log and state."""
    async with opened(tmp_path / "data") as stores:
        if is_damaged:
            await stores.trees.push(RETAILER, [("default", b"\xc1")])
        worker = await working(stores)
        replayed = event("anna", 0, "AddedToBasket", **PASTA)
        held = replace(failed("anna", 0, 0), payload=encode(replayed))
        await stores.failed.put([failed_event(0, held, failed_at_ms=NOON_MS, kept_ms=10**9)])
        await stores.failed.request_replay(["0-1-0"])
        ends: list[Place] = []

        async def erase() -> None:
            records = [
                event("anna", 1, "ShopperSuppressed"),
                event("anna", ERASED_S, "ShopperErased", stays_suppressed=stays_suppressed),
            ]
            ends.extend((await stores.events.append(records))[1:])
            assert [] == await worker.work()
            visits = await worker.visit(ends[0])
            assert [2, 0, 1, 0, 1] == [visit.found for visit in visits]

        late = worker.ports._replace(failures=Late(stores.failed, erase))  # type: ignore[arg-type]  # what it needs of them
        await Housekeeping(late, {0: worker.partition}).work()
        assert [] == await worker.work()
        first, second = await worker.visit(ends[0]), await worker.visit(ends[0])
        assert [1, 0, 1, 0, 0] == [visit.found for visit in first]
        assert [NOTHING] * len(second) == second
        assert {} == await stores.snapshots.load([key("anna")])
        await stores.events.seek(0, BEGINNING)
        found = [one for _, one in await polled(stores.events, 3)]
        assert [""] * 3 == [one.retailer_id for one in found if isinstance(one, Record)]


async def test_the_stranger_who_comes_back_stays(tmp_path: Path) -> None:
    """What is received after the last visit is of somebody new, and a visit of an old request leaves it alone."""
    async with opened(tmp_path / "data") as stores:
        worker = await working(stores)
        (end,) = await stores.events.append([event("anna", ERASED_S, "ShopperErased")])
        await worker.work()
        await worker.visit(end)
        at = Erased(key("anna"), end, NOON_MS + ERASED_S * 1_000, past_ms=NOON_MS + 20_000, through=Position(1, 0))
        await stores.events.append([event("anna", 21, "AddedToBasket", **PASTA)])
        await worker.work()
        assert [NOTHING] * 5 == [await part.erase([at]) for part in stores.parts]
        assert [key("anna")] == list(await stores.snapshots.load([key("anna")]))
