"""What the durable logs of `test_budgets` come to, counted anew: plain sums, and a till of its own.

Written apart from what it checks: no purse, no listener, no reservation is asked, only what stands in the logs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any

from domain.events import OrderPaid, OrderStatusChanged, ReservationExpired
from domain.ids import BEGINNING, Position
from domain.records import Decided, Decision, ExperienceRecord, Owner, Progress, Record
from domain.reservations import GRACE_MS, ORDERS_KEPT, REDEEMED_KEPT

FORGOTTEN = "-"
"""In place of an order's id: what it cost stays, whatever becomes of the order."""


class Sums:
    """One campaign's part of a partition: money and promises of each."""

    __slots__ = ("committed", "leased", "reserved", "returned")

    def __init__(self) -> None:
        self.leased = [0, 0]
        self.returned = [0, 0]
        self.reserved = [0, 0]
        self.committed = [0, 0]


class Recount:
    """One partition's experience log, read entry after entry.

    Attributes:
        sums: by campaign.
        decided: what counts, by event.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[str, Sums] = defaultdict(Sums)
        self.decided: dict[Position, Decided] = {}
        self._read = 0
        self._newest = -1
        self._open: list[Decided] = []
        self._through = BEGINNING

    def read(self, said: Sequence[ExperienceRecord]) -> None:
        """Reads on to the end of the log."""
        for at in range(self._read, len(said)):
            record = said[at]
            token = at if isinstance(record, Owner) else record.token
            if token != max(token, self._newest):
                continue
            if token != self._newest:
                self._newest, self._open = token, []
            if isinstance(record, Decided):
                self._open.append(record)
            elif isinstance(record, Progress):
                self._close(record)
        self._read = len(said)

    def _close(self, progress: Progress) -> None:
        for lease in progress.leases:
            part = self.sums[lease.campaign_id]
            part.leased = [max(part.leased[0], lease.leased_minor), max(part.leased[1], lease.leased_count)]
            gone = part.returned
            part.returned = [max(gone[0], lease.returned_minor), max(gone[1], lease.returned_count)]
        for record in self._open:
            if record.position > self._through and record.position not in self.decided:
                self.decided[record.position] = record
                self._count(record)
        self._open, self._through = [], max(self._through, progress.through)

    def _count(self, record: Decided) -> None:
        for made in record.reservations:
            reserved = self.sums[made.campaign_id].reserved
            reserved[0] += made.cost_minor
            reserved[1] += 1
        for end in record.settlements:
            part = self.sums[end.campaign_id]
            part.reserved[0] += end.reserved_minor
            part.reserved[1] += end.reserved_count
            part.committed[0] += end.committed_minor
            part.committed[1] += end.committed_count


class Shown:
    """A promise as the page showed it first, and what became of it."""

    def __init__(self, decision: Decision, cost_minor: int, priority: int) -> None:
        shown = decision.experience
        self.name = shown.experience_id
        self.campaign_id = shown.campaign_id or ""
        self.kind, self.slot, self.content = shown.kind, shown.slot, shown.content
        self.from_ms, self.until_ms = shown.decided_at_ms, shown.expires_at_ms
        self.cost_minor, self.priority = cost_minor, priority
        self.order_id: str | None = None
        self.committed_minor = 0

    @property
    def turn(self) -> tuple[int, int, str]:
        """What sorts promises at the till."""
        return -self.priority, self.from_ms, self.name


class Shopper:
    """One shopper's promises and verified orders, from the logs alone."""

    def __init__(self) -> None:
        self.promises: list[Shown] = []
        self._events: set[bytes] = set()
        self._orders: list[str] = []
        self._bought: dict[str, list[tuple[str, int, int]]] = {}
        self._redeemed: list[Shown] = []

    def hear(self, record: Record, decided: Decided | None) -> None:
        """Takes an event, and then what was decided at it."""
        event = record.event
        is_new = event.event_id.bytes not in self._events
        if not isinstance(event, ReservationExpired):
            self._events.add(event.event_id.bytes)
        if is_new and isinstance(event, ReservationExpired):
            self.promises = [one for one in self.promises if not _is_over(one, event, record.received_at_ms)]
        elif is_new and record.verified and isinstance(event, OrderPaid):
            self._pay(event, record.event_time_ms)
        elif is_new and record.verified and isinstance(event, OrderStatusChanged):
            self._come_back(event)
        if decided is not None:
            self._promise(decided)

    def open_at(self, at_ms: int) -> list[Shown]:
        """The promises that an order paid at a moment may redeem, in the till's order."""
        found = (one for one in self.promises if one.order_id is None and one.from_ms <= at_ms <= one.until_ms)
        return sorted(found, key=lambda one: one.turn)

    def _pay(self, event: OrderPaid, at_ms: int) -> None:
        if event.order_id in self._orders or any(one.order_id == event.order_id for one in self.promises):
            return
        self._note(event.order_id)
        lines = [(line.product_id, line.quantity, line.price_minor) for line in event.lines]
        for one, cost_minor in naive_till(self.open_at(at_ms), lines):
            one.order_id, one.committed_minor = event.order_id, cost_minor
            self._bought[event.order_id] = lines
        self._redeemed += [one for one in self.promises if one.order_id == event.order_id]
        self._redeemed = [one for one in self._redeemed if one in self.promises]
        for old in self._redeemed[:-REDEEMED_KEPT]:
            old.order_id = FORGOTTEN
        self._redeemed = self._redeemed[-REDEEMED_KEPT:]

    def _come_back(self, event: OrderStatusChanged) -> None:
        if event.status in ("cancelled", "returned"):
            if event.order_id not in self._orders:
                self._note(event.order_id)
            self.promises = [one for one in self.promises if one.order_id != event.order_id]
        elif event.status == "partially_returned" and event.order_id in self._bought:
            lines = self._bought[event.order_id]
            for back in event.lines:
                lines = list(_without(lines, back.product_id, back.quantity))
            self._bought[event.order_id] = lines
            those = sorted((one for one in self.promises if one.order_id == event.order_id), key=lambda one: one.turn)
            stays = {one.name: cost_minor for one, cost_minor in naive_till(those, lines)}
            self.promises = [one for one in self.promises if one not in those or one.name in stays]
            for one in those:
                one.committed_minor = min(one.committed_minor, stays.get(one.name, 0))

    def _note(self, order_id: str) -> None:
        self._orders = [*self._orders, order_id][-ORDERS_KEPT:]

    def _promise(self, decided: Decided) -> None:
        for decision in decided.decisions:
            shown = decision.experience
            for made in decided.reservations:
                if made.experience_id == shown.experience_id:
                    self.promises.append(Shown(decision, made.cost_minor, made.priority))
            if len(decision.path) == 1:
                for one in self.promises:
                    if one.order_id is None and (one.campaign_id, one.slot) == (shown.campaign_id, shown.slot):
                        one.name = shown.experience_id


def naive_till(promises: Sequence[Shown], lines: Sequence[tuple[str, int, int]]) -> Iterator[tuple[Shown, int]]:
    """What each of the promises comes to on an order of lines (product, quantity, price), where it is redeemed."""
    total = sum(quantity * price for _, quantity, price in lines)
    purse = {product: Fraction(0) for product, _, _ in lines}
    for product, quantity, price in lines:
        purse[product] += quantity * price
    for one in promises:
        content: Mapping[str, Any] = one.content
        if total < content.get("threshold_minor", 0):
            continue
        names = list(purse)
        if "products" in content:
            wanted = [item if isinstance(item, str) else item["product_id"] for item in content["products"]]
            names = [name for name in dict.fromkeys(wanted) if name in purse]
            if not names:
                continue
        if one.kind == "recommendation":
            yield one, 0
        if one.kind in ("recommendation", "gamified_promotion"):
            continue
        worth = content["generosity"] if "generosity" in content else content["reward"]
        eligible = sum(purse[name] for name in names)
        if worth["type"] not in ("percent", "amount"):
            yield one, one.cost_minor
            continue
        wish = eligible * Fraction(str(worth["value"])) / 100 if worth["type"] == "percent" else worth["value_minor"]
        discount = min(floor(wish), eligible, one.cost_minor)
        rest = Fraction(discount)
        for name in names:
            bite = min(rest, purse[name])
            purse[name], rest = purse[name] - bite, rest - bite
        assert not rest
        assert min(purse.values()) >= 0
        yield one, int(discount)


def told_sums(shoppers: Mapping[Any, Shopper]) -> dict[str, tuple[int, int, int, int]]:
    """By campaign: money and number of what is reserved and committed, as these shoppers were told and paid."""
    sums: dict[str, list[int]] = {}
    for shopper in shoppers.values():
        for one in shopper.promises:
            found = sums.setdefault(one.campaign_id, [0, 0, 0, 0])
            if one.order_id is None:
                found[0] += one.cost_minor
                found[1] += 1
            else:
                found[2] += one.committed_minor
                found[3] += 1
    return {campaign_id: (a, b, c, d) for campaign_id, (a, b, c, d) in sums.items()}


def _is_over(one: Shown, event: ReservationExpired, received_at_ms: int) -> bool:
    is_it = one.order_id is None and one.name == event.experience_id
    return is_it and received_at_ms >= one.until_ms + GRACE_MS


def _without(lines: Sequence[tuple[str, int, int]], product: str, count: int) -> Iterator[tuple[str, int, int]]:
    for name, quantity, price in lines:
        gone = min(count, quantity) if name == product else 0
        count -= gone
        if quantity > gone:
            yield name, quantity - gone, price
