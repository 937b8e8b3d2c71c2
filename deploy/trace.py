"""`hotbasket trace`: tells what became of one event, step by step, with the milliseconds since it was received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from adapters.clock import SystemClock
from adapters.log_tail import LogTail, open_tail
from adapters.settings import Settings, load_settings
from adapters.wiring import Ports
from deploy.audited import audited, note, target_of
from deploy.event_search import BEHIND_MS, IN_STORE, Sighting, Wanted, days_of, find
from deploy.explain import known_of
from deploy.options import Json, RetailerName, Where, document, progress, say, tell
from deploy.shopper_history import History, read_history
from deploy.stores import chosen, hash_of, in_stores, meant
from deploy.trace_told import lines, told
from domain import shopper as shoppers
from domain.audit import outcome_of
from domain.errors import HotbasketError, PortError, Refused
from domain.ids import ShopperKey, bucket
from domain.ports.failed_events import FailedEvent
from domain.ports.retailers import Retailer
from domain.records import Decided, Record
from domain.shopper import Shopper
from domain.story import Evidence
from domain.timestamps import from_unix_ms

FAILED_MAX = 10_000


def trace(
    event_id: Annotated[str, typer.Argument(help="The event's id, as its sender made it.")],
    shopper: Annotated[
        str | None, typer.Option("--shopper", help="The retailer's shopper id, if you know it: less has to be read.")
    ] = None,
    days: Annotated[
        int, typer.Option("--days", min=0, max=49, help="Days around the time in the id to search; the id may be late.")
    ] = 1,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Tell the story of one event: created, received, stored, decided and why, and what became of the experiences.

    Each step has its milliseconds since the event was received, or says that nobody wrote its time down. An id of
    version 7 says about when to search; any other is looked for in all that is kept.

    Example: hotbasket trace 01981f5c-7e0a-7c3e-9d1b-2f4a6c8e0b12 --retailer "Fresh & Co"
    """
    wanted = _event_id(event_id)
    settings = load_settings()

    async def work(ports: Ports) -> Evidence:
        is_embedded = meant(data, settings) is not None
        tail = None if is_embedded else await _tail(settings)
        try:
            search = _Search(ports, tail, chosen(ports, retailer), settings, is_embedded=is_embedded)
            return await search.look(wanted, shopper, days)
        finally:
            if tail is not None:
                await tail.close()

    evidence = in_stores(data, work)
    if as_json:
        document(told(evidence))
    else:
        for line in lines(evidence, SystemClock().now_ms()):
            say(line)


async def _tail(settings: Settings) -> LogTail | None:
    """Opens the logs' ends; what the event store has is told without them too."""
    try:
        return await open_tail(settings)
    except HotbasketError as error:
        tell(f"the event log is not asked, only what is archived: {error}")
        return None


class _Search:
    """Looks one event up in the stores of one retailer.

    Args:
        ports: opened.
        tail: the logs behind the event store; None = there are none, or they can't be asked.
        retailer: whose event.
        settings: for how many days the event store keeps.
        is_embedded: whether the log itself is the event store.
    """

    def __init__(
        self, ports: Ports, tail: LogTail | None, retailer: Retailer, settings: Settings, *, is_embedded: bool
    ) -> None:
        self._ports = ports
        self._tail = tail
        self._retailer = retailer
        self._kept_days = settings.hot_days
        self._is_embedded = is_embedded
        self._now_ms = SystemClock().now_ms()
        self._watermarks: dict[int, int] = {}

    async def look(self, event_id: UUID, shopper: str | None, around_days: int) -> Evidence:
        """Gives all that is known of an event; the audit trail says who asked.

        Raises:
            Refused: it is not among what was searched.
            PortError: a store can't be read now, or the trail can't be written.
        """
        ports, retailer_id = self._ports, self._retailer.retailer_id
        try:
            found = await self._find(event_id, shopper, around_days)
        except Exception as error:
            await note(ports, retailer_id, "trace", None, outcome_of(error))
            raise
        async with audited(ports, retailer_id, "trace", target_of(ports, found.record.key)):
            return await self._gather(found)

    async def _find(self, event_id: UUID, shopper: str | None, around_days: int) -> Sighting:
        self._watermarks = dict(await self._ports.archive.watermarks())
        count = self._tail.partitions if self._tail is not None else max(self._watermarks, default=-1) + 1
        if not count:
            raise Refused("nothing was archived yet: start hotbasket archiver, or wait for its first minute")
        partitions: Sequence[int] = range(count)
        if shopper is not None:
            partitions = (bucket(hash_of(self._ports, self._retailer, shopper)) % count,)
        searched = days_of(event_id, now_ms=self._now_ms, kept_days=self._kept_days, around_days=around_days)
        wanted = Wanted(self._retailer.retailer_id, event_id, searched, partitions, self._watermarks)
        with progress("partitions") as bar:
            task = bar.add_task("search")
            found = await find(
                self._ports.archive,
                self._tail,
                wanted,
                lambda done, of: bar.update(task, completed=done, total=of),
            )
        if found is None:
            is_all = self._is_embedded or self._tail is not None
            why = "dropped or have expired" if is_all else "dropped, have expired or not be archived yet"
            raise Refused(
                f"{self._retailer.name} has no event {event_id} among those received from {min(searched)} to"
                f" {max(searched)}: it may have been {why}; see --days and --retailer too"
            )
        return found

    async def _gather(self, found: Sighting) -> Evidence:
        """Gives the event with all that refers to it."""
        key, event_id = found.record.key, found.record.event.event_id
        since = from_unix_ms(found.record.received_at_ms).date()
        # One more: what was found may be a repeat, of an event that was received and decided on the day before.
        days = max(0, (from_unix_ms(self._now_ms).date() - since).days) + 1
        with progress("days") as bar:
            task = bar.add_task("read", total=days + 1)
            history = await self._history(found, days, lambda done, _: bar.update(task, completed=done))
        decided = history.decided.get(event_id)
        received_ms = found.record.received_at_ms if decided is None else decided.received_at_ms
        position = found.position if decided is None else decided.position
        state, considered = await self._state(key, event_id)
        later = [one for one in history.records if one.received_at_ms >= received_ms and one.event.event_id != event_id]
        later_decided = [one for one in history.decided.values() if one.position > position]
        return Evidence(
            record=found.record,
            partition=found.partition,
            position=found.position,
            place=found.place,
            decided=decided,
            failed=await self._failed(event_id),
            later=sorted(later, key=lambda one: one.received_at_ms),
            later_decided=sorted(later_decided, key=lambda one: one.position),
            state=state,
            considered=considered,
            is_archived=None if self._is_embedded else self._is_archived(found),
        )

    def _is_archived(self, found: Sighting) -> bool:
        is_behind = found.record.received_at_ms < self._watermarks.get(found.partition, 0)
        return is_behind or found.place == IN_STORE

    async def _history(self, found: Sighting, days: int, report: Any) -> History:
        """Gives the shopper's events and decisions since the event's day, archived or not."""
        key = found.record.key
        records: list[Record] = []
        decided: dict[UUID, Decided] = {}
        if self._watermarks:
            archived = await read_history(self._ports.archive, key, self._now_ms, days, report)
            records, decided = list(archived.records), dict(archived.decided)
        if self._tail is not None:
            known = {record.event.event_id for record in records}
            since_ms = max(0, self._watermarks.get(found.partition, 0) - BEHIND_MS)
            async for page in self._tail.events(found.partition, since_ms):
                its = [one.record for one in page if isinstance(one.record, Record) and one.record.key == key]
                records += [record for record in its if record.event.event_id not in known]
            async for said in self._tail.decided(found.partition, since_ms):
                for one in said:
                    if (one.retailer_id, one.shopper) == key:
                        decided.setdefault(one.trigger_event_id, one)
        return History(records, decided, self._now_ms)

    async def _state(self, key: ShopperKey, event_id: UUID) -> tuple[Shopper | None, Sequence[dict[str, Any]]]:
        """Gives the shopper's state, and what the event considered in vain, if it was the shopper's last."""
        payload = (await self._ports.snapshots.load([key])).get(key)
        if payload is None:
            return None, ()
        try:
            state = shoppers.decode(payload)
        except msgspec.MsgspecError:
            raise PortError("the shopper's state is of another version: upgrade this process", retriable=True) from None
        considered: Sequence[dict[str, Any]] = ()
        if state.last is not None and state.last.event.event_id == event_id:
            considered = (await known_of(self._ports, key, payload))["considered"]
        return state, considered

    async def _failed(self, event_id: UUID) -> FailedEvent | None:
        listed = await self._ports.failed.list(self._retailer.retailer_id, events_max=FAILED_MAX)
        return next((one for one in listed if one.event_id == str(event_id)), None)


def _event_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no UUID, as every event's id is") from None
