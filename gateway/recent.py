"""What shoppers' pages were told lately: bounded memory that answers waiting requests and bridges resumes.

Between the follower of the experience log and the routes. A snapshot is as old as the last checkpoint; this memory
holds what came since, so that both together know every slot's latest state and every open promise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from uuid import UUID

from adapters.settings import Settings
from domain.ids import BEGINNING, Position, ShopperKey, bucket
from domain.ports.clock import Clock
from domain.quotes import concerns_promises, open_promises
from domain.records import Decided
from domain.reservations import Reservation
from domain.shopper import Shopper
from gateway.wire import Delivery, Place, deliveries_of
from monitoring.metrics import GatewayMetrics


class Page:
    """What one shopper's page was told lately.

    Attributes:
        slots: latest delivery of each slot.
        triggered: by event id, what the event brought.
        closed: experiences that were dismissed or withdrawn, and by the event at which position.
        promised: what made, renewed or ended promises, in the log's order.
    """

    __slots__ = ("closed", "promised", "slots", "triggered")

    def __init__(self) -> None:
        self.slots: dict[str, Delivery] = {}
        self.triggered: dict[UUID, list[Delivery]] = {}
        self.closed: dict[str, Position] = {}
        self.promised: deque[Decided] = deque()


class _Kept(NamedTuple):
    """One event's effects in memory, and when they leave it."""

    until_s: float
    decided: Decided
    size: int


class Recent:
    """The last `recent_s` of all pages, at most `recent_max` effects; the oldest leave first.

    Args:
        settings: the bounds.
        clock: monotonic; the memory's age is this process's own affair.
        metrics: counts what the bound pushed out early.
    """

    def __init__(self, settings: Settings, clock: Clock, metrics: GatewayMetrics) -> None:
        self._kept_s = settings.recent_s
        self._size_max = settings.recent_max
        self._clock = clock
        self._evicted = metrics.recent_evicted
        self._pages: dict[ShopperKey, Page] = {}
        self._kept: deque[_Kept] = deque()
        self._forgotten: dict[int, Position] = {}
        self.size = 0

    def add(self, decided: Decided) -> list[Delivery]:
        """Remembers what an event did and gives what its shopper's page is told, in order."""
        told = deliveries_of(decided)
        promises = concerns_promises(decided)
        size = len(told) + len(decided.dismissals) + promises
        now_s = self._clock.monotonic_s()
        if size:
            page = self._pages.setdefault(ShopperKey(decided.retailer_id, decided.shopper), Page())
            for delivery in told:
                page.slots[delivery.slot] = delivery
                if delivery.experience is None:
                    page.closed[delivery.experience_id] = decided.position
            for experience_id in decided.dismissals:
                page.closed[experience_id] = decided.position
            if told:
                page.triggered[decided.trigger_event_id] = told
            if promises:
                page.promised.append(decided)
            self._kept.append(_Kept(now_s + self._kept_s, decided, size))
            self.size += size
        self._shrink(now_s)
        return told

    def page(self, key: ShopperKey) -> Page | None:
        """Gives what a shopper's page was told lately, None if nothing."""
        return self._pages.get(key)

    def forgotten(self, shopper: str) -> Position:
        """Gives up to where promises of the shoppers of this one's bucket may be missing here.

        What a snapshot saved behind this position lacks is all in memory.
        """
        return self._forgotten.get(bucket(shopper), BEGINNING)

    def triggered(self, key: ShopperKey, event_ids: Iterable[UUID], now_ms: int) -> list[Delivery]:
        """Gives the experiences that these events of a shopper brought and that may be shown, in order.

        What expired, was dismissed or withdrawn since is left out; what was replaced in its slot is not: the later
        one follows.
        """
        page = self._pages.get(key)
        if page is None:
            return []
        found = [
            delivery
            for event_id in dict.fromkeys(event_ids)
            for delivery in page.triggered.get(event_id, ())
            if delivery.experience is not None
            and not delivery.is_over(now_ms)
            and delivery.experience_id not in page.closed
        ]
        return sorted(found, key=_place)

    def _shrink(self, now_s: float) -> None:
        kept = self._kept
        while kept and (kept[0].until_s <= now_s or self.size > self._size_max):
            oldest = kept.popleft()
            if oldest.until_s > now_s:
                self._evicted.inc(oldest.size)
            self.size -= oldest.size
            self._forget(oldest.decided)

    def _forget(self, decided: Decided) -> None:
        """Takes an event's effects out of its page, where no later event replaced them."""
        key = ShopperKey(decided.retailer_id, decided.shopper)
        page = self._pages[key]
        for slot in [slot for slot, told in page.slots.items() if told.place[0] == decided.position]:
            del page.slots[slot]
        for closed in [one for one, position in page.closed.items() if position == decided.position]:
            del page.closed[closed]
        told = page.triggered.get(decided.trigger_event_id)
        if told is not None and told[0].place[0] == decided.position:
            del page.triggered[decided.trigger_event_id]
        if page.promised and page.promised[0] is decided:
            page.promised.popleft()
            self._forgotten[bucket(decided.shopper)] = decided.position
        if not (page.slots or page.closed or page.triggered or page.promised):
            del self._pages[key]


def reservations_of(state: Shopper | None, page: Page | None) -> tuple[Reservation, ...]:
    """Gives the open promises of a shopper: the snapshot's and those made since, without those that ended since.

    Args:
        state: from the shopper's snapshot, if there is one.
        page: what this gateway remembers, looked up after the snapshot was read.
    """
    return open_promises(state, page.promised if page is not None else ())


def catch_up(
    state: Shopper | None, page: Page | None, waiting: Iterable[Delivery], after: Place | None, now_ms: int
) -> list[Delivery]:
    """Gives what a page that was away has to be told, in order.

    Args:
        state: from the shopper's snapshot, if there is one.
        page: what this gateway remembers.
        waiting: what came while the snapshot was read.
        after: the last thing that the page was told; None = it knows nothing.
        now_ms: the gateway's time.

    Returns:
        For each slot its latest state, if the page does not know it and has to: an experience that is neither expired
        nor dismissed, or, for a page that was told something before, a withdrawal.
    """
    latest: dict[str, Delivery] = {}
    closed: set[str] = set(page.closed) if page is not None else set()
    if state is not None:
        for slot in state.slots:
            shown = slot.experience
            experience = None if slot.state == "withdrawn" else shown
            place = (slot.position, slot.number)
            latest[shown.slot] = Delivery(state.key, place, shown.slot, shown.experience_id, experience)
            if slot.state == "dismissed":
                closed.add(shown.experience_id)
    for told in (page.slots.values() if page is not None else (), waiting):
        for delivery in told:
            known = latest.get(delivery.slot)
            if known is None or known.place < delivery.place:
                latest[delivery.slot] = delivery
    due = [
        delivery
        for delivery in latest.values()
        if (after is None or delivery.place > after) and _is_wanted(delivery, closed, after, now_ms)
    ]
    return sorted(due, key=_place)


def _is_wanted(delivery: Delivery, closed: AbstractSet[str], after: Place | None, now_ms: int) -> bool:
    if delivery.experience is None:
        return after is not None
    return not delivery.is_over(now_ms) and delivery.experience_id not in closed


def _place(delivery: Delivery) -> Place:
    return delivery.place
