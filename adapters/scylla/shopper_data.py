"""What the hot store holds of shoppers (`domain.ports.shopper_data`), found and removed by the rows' own timestamps.

A row's timestamp is the place, the generation or the time of what it tells (docs/adr/0008). So one number says which
rows of a shopper are the erased one's, and a delete that carries it takes these and leaves what is newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cassandra.util import Date

from adapters.control_plane import GenerationRows, releases_of
from adapters.scylla.failed_events import ScyllaFailedEvents
from adapters.scylla.old_trees import OldTrees
from adapters.scylla.session import Row, Session
from adapters.scylla.slots import DEFAULT_SLOT, SHOPPERS_AT_ONCE, slot_of
from adapters.scylla.snapshot_store import old_snapshots
from adapters.scylla.timestamps import delete_timestamp
from domain.ids import ShopperKey
from domain.ports.failed_events import FailedEvent
from domain.ports.shopper_data import Erased, Visit

STATEMENTS = {
    "erase_trees": "DELETE FROM {keyspace}.trees USING TIMESTAMP ? WHERE retailer_id = ? AND slot = ? AND shopper = ?",
    "find_snapshots": "SELECT shopper, WRITETIME(snapshot) FROM {keyspace}.snapshots"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "find_timers": "SELECT shopper, WRITETIME(due_at_ms) FROM {keyspace}.timers"
    " WHERE partition = ? AND retailer_id = ? AND shopper IN ?",
    "erase_timer": "DELETE FROM {keyspace}.timers USING TIMESTAMP ?"
    " WHERE partition = ? AND retailer_id = ? AND shopper = ?",
    "find_events": "SELECT shopper, WRITETIME(event) FROM {keyspace}.events"
    " WHERE retailer_id = ? AND day = ? AND partition = ? AND shopper IN ?",
    "erase_events": "DELETE FROM {keyspace}.events USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND day = ? AND partition = ? AND shopper = ?",
    "look_for_events": "SELECT shopper FROM {keyspace}.events"
    " WHERE retailer_id = ? AND day = ? AND partition = ? LIMIT 1",
    "look_for_decided": "SELECT shopper FROM {keyspace}.decided"
    " WHERE retailer_id = ? AND day = ? AND partition = ? LIMIT 1",
    "find_decided": "SELECT shopper, WRITETIME(record) FROM {keyspace}.decided"
    " WHERE retailer_id = ? AND day = ? AND partition = ? AND shopper IN ?",
    "erase_decided": "DELETE FROM {keyspace}.decided USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND day = ? AND partition = ? AND shopper = ?",
}
_DAY_MS = 86_400_000
_ARCHIVED_LATE_DAYS = 8
"""A row's life begins when the archiver writes it, which may be as late as the log is kept: 7 days and a segment."""
_LOOK_BACK_DAYS = 49
"""As far as rows reach back that were written while `HOTBASKET_HOT_DAYS` was at its greatest."""
_READS_AT_ONCE = 32
_ROWS_MAX = 50
_AGAIN = "the next visit"

_Limits = Mapping[Row, Mapping[str, int]]
"""By the columns of a table partition its shoppers, each with the newest timestamp that is of the erased one."""


class _Table(NamedTuple):
    """How rows of shoppers are found and removed.

    Attributes:
        find: takes a table partition and shoppers; gives a row's shopper and what its timestamp is, or must be.
        remove: takes a timestamp, a table partition and a shopper.
        is_blind: whether also those are removed of whom nothing is found, so that nobody's late write comes back.
    """

    find: str
    remove: str
    is_blind: bool


_TREES = _Table("list_generations", "erase_trees", is_blind=True)
_SNAPSHOTS = _Table("find_snapshots", "forget_snapshot", is_blind=True)
_TIMERS = _Table("find_timers", "erase_timer", is_blind=True)
# Most shoppers did nothing on most days: a delete for each would leave far more traces than there are rows.
_EVENTS = _Table("find_events", "erase_events", is_blind=False)
_DECIDED = _Table("find_decided", "erase_decided", is_blind=False)


class ScyllaFailedData:
    """Failed events that say whose they are; bytes that nobody could read are nobody's, and expire."""

    name = "failed events"

    def __init__(self, failed: ScyllaFailedEvents) -> None:
        """Takes the store, which forgets requests for replays as well."""
        self._failed = failed

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Reads all failed events of the retailers concerned, twice.

        One that failed again when it was replayed stands behind the shopper's end and is older: it goes too.
        """
        found = await self._find(shoppers)
        await self._failed.forget(found)
        return _visit(len(found), len(await self._find(shoppers)))

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Looks through the days of a year, and reads the oldest on which something failed."""
        return await self._failed.oldest_ms(retailer_id, before_ms)

    async def _find(self, shoppers: Sequence[Erased]) -> list[str]:
        by_key = {one.key: one for one in shoppers}
        return [
            event.failed_id
            for retailer_id in sorted({key.retailer_id for key in by_key})
            async for event in self._failed.of_retailer(retailer_id)
            if _is_of(event, by_key.get(ShopperKey(retailer_id, event.shopper)))
        ]


class ScyllaTreeData:
    """Shoppers' own trees; the default tree is nobody's."""

    name = "trees"

    def __init__(self, session: Session, rows: GenerationRows) -> None:
        """Takes the session, and the control plane's rows."""
        self._session = session
        self._rows = rows
        self._old = OldTrees(session, rows)

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes the trees of all generations begun so far, those too that a job still brings.

        No tree says what it was grown from: one that was pushed after the shopper's end goes as well.
        """
        begun = {
            retailer_id: releases_of(await self._rows.rows(retailer_id)).begun
            for retailer_id in sorted({one.key.retailer_id for one in shoppers})
        }
        limits = _by_slot((one.key, begun[one.key.retailer_id]) for one in shoppers if begun[one.key.retailer_id])
        return await _erase(self._session, [(_TREES, limits)])

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Looks for old trees of shoppers without a snapshot: those of the active are replaced."""
        return await self._old.oldest_ms(retailer_id, before_ms)

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """Removes what `oldest_ms` looks for, and gives how many.

        Raises:
            PortError: some may be removed.
        """
        return await self._old.expire(retailer_id, before_ms)


class ScyllaSnapshotData:
    """Snapshots and timers as of the shopper's end or before; what is later is of a shopper who came again."""

    name = "snapshots"

    def __init__(self, session: Session) -> None:
        """Takes the session."""
        self._session = session

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes both also where nothing is found: a worker that was paused brings nothing back."""
        timers: dict[Row, dict[str, int]] = {}
        for one in shoppers:
            newest = delete_timestamp(one.state_until)
            timers.setdefault((one.place.partition, one.key.retailer_id), {})[one.key.shopper] = newest
        snapshots = _by_slot((one.key, delete_timestamp(one.state_until)) for one in shoppers)
        return await _erase(self._session, [(_TIMERS, timers), (_SNAPSHOTS, snapshots)])

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the retailer's snapshots page by page up to the first page with one that is too old."""
        async for old in old_snapshots(self._session, retailer_id, before_ms):
            return min(one.touched_at_ms for one in old)
        return None


class ScyllaEventData:
    """Events and decisions received until the shopper's end; unreadable at once, on disk until their days are over."""

    name = "event store"

    def __init__(self, session: Session, *, hot_days: int, partitions: int) -> None:
        """Takes the session, for how many days rows live, and the log's partitions."""
        self._session = session
        self._days = hot_days + _ARCHIVED_LATE_DAYS
        self._partitions = partitions

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Looks through all days whose rows may live, and deletes only where something is found."""
        dates: dict[int, Date] = {}
        limits: dict[Row, dict[str, int]] = {}
        for one in shoppers:
            last = one.until_ms // _DAY_MS
            for number in range(last - self._days, last + 1):
                day = dates.setdefault(number, Date(number))
                place = (one.key.retailer_id, day, one.place.partition)
                limits.setdefault(place, {})[one.key.shopper] = one.until_ms * 1_000
        return await _erase(self._session, [(_EVENTS, limits), (_DECIDED, limits)])

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Asks each day that lies wholly before the moment for a first row, as far back as no row can have lived."""
        last = before_ms // _DAY_MS - 1
        for day in range(last - self._days - _LOOK_BACK_DAYS, last + 1):
            places = [(retailer_id, Date(day), partition) for partition in range(self._partitions)]
            for start in range(0, len(places), _READS_AT_ONCE):
                part = places[start : start + _READS_AT_ONCE]
                for statement in ("look_for_events", "look_for_decided"):
                    if any(await self._session.read(statement, part)):
                        return day * _DAY_MS
        return None


async def _erase(session: Session, work: Sequence[tuple[_Table, _Limits]]) -> Visit:
    """Looks, removes and looks again, one table after the other."""
    found = left = 0
    for table, limits in work:
        before = await _seen(session, table.find, limits)
        rows = (
            [
                (newest, *place, shopper)
                for shopper, newest in shoppers.items()
                if table.is_blind or (place, shopper) in before
            ]
            for place, shoppers in limits.items()
        )
        await session.write_batches(table.remove, rows, rows_max=_ROWS_MAX, blob_at=None)
        found += before.total()
        left += (await _seen(session, table.find, limits)).total()
    return _visit(found, left)


async def _seen(session: Session, find: str, limits: _Limits) -> Counter[tuple[Row, str]]:
    """Counts the erased ones' rows by table partition and shopper."""
    asked = list(_slices(limits))
    seen: Counter[tuple[Row, str]] = Counter()
    for start in range(0, len(asked), _READS_AT_ONCE):
        part = asked[start : start + _READS_AT_ONCE]
        answers = await session.read(find, ((*place, shoppers) for place, shoppers in part))
        for (place, _), rows in zip(part, answers, strict=True):
            newest = limits[place]
            seen.update((place, shopper) for shopper, written in rows if written <= newest[shopper])
    return seen


def _slices(limits: _Limits) -> Iterator[tuple[Row, list[str]]]:
    for place, newest in limits.items():
        shoppers = list(newest)
        for start in range(0, len(shoppers), SHOPPERS_AT_ONCE):
            yield place, shoppers[start : start + SHOPPERS_AT_ONCE]


def _by_slot(newest: Iterable[tuple[ShopperKey, int]]) -> _Limits:
    limits: dict[Row, dict[str, int]] = {}
    for (retailer_id, shopper), timestamp in newest:
        slot = slot_of(shopper)
        assert slot != DEFAULT_SLOT, "the default tree is nobody's"
        limits.setdefault((retailer_id, slot), {})[shopper] = timestamp
    return limits


def _is_of(event: FailedEvent, erased: Erased | None) -> bool:
    return erased is not None and (event.position <= erased.place.position or event.failed_at_ms <= erased.until_ms)


def _visit(found: int, left: int) -> Visit:
    return Visit(found, max(0, found - left), left, _AGAIN if left else "")
