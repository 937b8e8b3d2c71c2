"""What must come out, computed a second time from the design: plain code over plain values, nothing of `domain.fold`.

From the records of both logs to the shoppers that snapshots must show. Only the records' forms are shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.campaigns import Campaign
from domain.events import (
    AddedToBasket,
    ConsentWithdrawn,
    IdleElapsed,
    OrderPaid,
    OrderStatusChanged,
    RemovedFromBasket,
    ReservationExpired,
    ShopperErased,
    ShopperSuppressed,
    ShopperUnsuppressed,
)
from domain.ids import BEGINNING, Position
from domain.purse import CampaignKey
from domain.records import Decided, ExperienceRecord, Failed, Owner, Progress, Record
from tests.simulation.promised import Promised

_HALF_AN_HOUR_MS = 30 * 60 * 1_000


@dataclass
class Line:
    """A product in the basket."""

    quantity: int
    price_minor: int = 0
    currency: str | None = None
    price_seen: bool = False


@dataclass
class Expected:
    """One shopper, as the design says."""

    promised: Promised
    lines: dict[str, Line] = field(default_factory=dict)
    clock_ms: int = 0
    started_at_ms: int = 0
    last_at_ms: int = 0
    events: int = 0
    visits: int = 0
    order: tuple[str, str] | None = None
    paid_at_ms: int = 0
    generation: int = 0
    node_id: str = ""
    slots: dict[str, tuple[str, str, Position]] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    seen: deque[Any] = field(default_factory=lambda: deque(maxlen=128))
    last_outside: Any = None
    waits: bool = False
    refuses: bool = False
    is_suppressed: bool = False
    erased_at_ms: int = 0

    def fold(self, record: Record, said: Decided | None) -> None:
        """Takes one event, and what the experience log says of it."""
        event = record.event
        if event.event_id in self.seen:
            return
        if isinstance(event, ReservationExpired):
            self.promised.fold(record, said)
            if said is not None:
                self.seen.append(event.event_id)
            return
        if isinstance(event, ConsentWithdrawn):
            self._refuse(event, said)
            return
        if isinstance(event, ShopperSuppressed | ShopperErased | ShopperUnsuppressed):
            self._obey(record, event, said)
            return
        is_late = record.received_at_ms <= self.erased_at_ms
        if (self.is_suppressed or is_late) and not isinstance(event, IdleElapsed):
            if said is not None:
                who = "is suppressed" if self.is_suppressed else "was erased since it came"
                self.promised.faults.append(f"{event.event_id}: decided for who {who}")
            return
        if isinstance(event, IdleElapsed):
            if event.after_event_id != self.last_outside or event.node_id != self.node_id or not self.waits:
                return
            self.waits = False
            self.clock_ms = max(self.clock_ms, record.event_time_ms)
        else:
            self.last_outside = event.event_id
            self.refuses = self.refuses and record.presumed
            self._pass_time(record.event_time_ms)
            self._change(record)
        self.seen.append(event.event_id)
        self.promised.fold(record, said)
        if said is not None:
            if self.refuses and said.decisions:
                self.promised.faults.append(f"{event.event_id}: decided for who took consent back")
            self._take_over(said)

    def _refuse(self, event: ConsentWithdrawn, said: Decided | None) -> None:
        if self.refuses or self.last_outside is None:
            return
        self.refuses, self.waits = True, False
        self.seen.append(event.event_id)
        if said is not None:
            self._take_over(said)
        if any(state == "open" for _, state, _ in self.slots.values()):
            self.promised.faults.append(f"{event.event_id}: left something on the page of who took consent back")

    def _obey(
        self, record: Record, event: ShopperSuppressed | ShopperErased | ShopperUnsuppressed, said: Decided | None
    ) -> None:
        """Does what a privacy request asks for."""
        if isinstance(event, ShopperErased):
            self.promised.fold(record, said)
            faults, shown = (
                self.promised.faults,
                {gone.slot for gone in said.withdrawals} if said is not None else set(),
            )
            if {slot for slot, (_, state, _) in self.slots.items() if state == "open"} != shown:
                faults.append(f"{event.event_id}: left something on the page of who is erased")
            stays = self.is_suppressed and event.stays_suppressed
            fresh = Promised(self.promised.key, self.promised.campaigns, self.promised.grace_ms, faults=faults)
            erased_at_ms = max(self.erased_at_ms, record.received_at_ms)
            now = Expected(fresh, seen=self.seen, is_suppressed=stays, erased_at_ms=erased_at_ms)
            vars(self).update(vars(now))
            self.seen.append(event.event_id)
            return
        is_on = isinstance(event, ShopperSuppressed)
        if is_on == self.is_suppressed:
            return
        self.is_suppressed = is_on
        self.seen.append(event.event_id)
        if not is_on:
            self.generation, self.node_id = 0, ""
            return
        self.waits = False
        if said is not None:
            self._take_over(said)
        if any(state == "open" for _, state, _ in self.slots.values()):
            self.promised.faults.append(f"{event.event_id}: left something on the page of who is suppressed")

    def basket(self) -> tuple[list[tuple[str, int, int]], int, str | None]:
        """Gives (product, quantity, unit price), the total, and the currency."""
        currency = next((line.currency for line in self.lines.values() if line.currency), None)
        total = sum(
            line.quantity * line.price_minor for line in self.lines.values() if line.currency in (None, currency)
        )
        return [(name, line.quantity, line.price_minor) for name, line in self.lines.items()], total, currency

    def _pass_time(self, event_time_ms: int) -> None:
        self.clock_ms = max(self.clock_ms, event_time_ms)
        if self.visits == 0 or self.clock_ms - self.last_at_ms >= _HALF_AN_HOUR_MS:
            self.visits += 1
            self.started_at_ms = self.clock_ms
            self.events = 0
        self.events += 1
        self.last_at_ms = self.clock_ms

    def _change(self, record: Record) -> None:
        event = record.event
        older_than_order = record.event_time_ms < self.paid_at_ms
        if isinstance(event, AddedToBasket | RemovedFromBasket) and not older_than_order:
            self._shop(record, event)
        elif isinstance(event, OrderPaid):
            again = self.order is not None and self.order[0] == event.order_id
            if not (again and self.paid_at_ms) and (again or not older_than_order):
                status = self.order[1] if again and self.order is not None else "paid"
                self.order = (event.order_id, status)
                self.paid_at_ms = record.event_time_ms
                self.lines.clear()
        elif isinstance(event, OrderStatusChanged) and (self.order is None or self.order[0] == event.order_id):
            self.order = (event.order_id, event.status)

    def _shop(self, record: Record, event: AddedToBasket | RemovedFromBasket) -> None:
        product = event.product
        line = self.lines.get(product.product_id)
        if isinstance(event, AddedToBasket):
            line = self.lines.setdefault(product.product_id, Line(0))
            line.quantity += event.quantity
        elif line is None:
            return
        else:
            line.quantity -= event.quantity
            if line.quantity <= 0:
                del self.lines[product.product_id]
                return
        known = record.known.get(product.product_id)
        if product.price_minor is not None:
            line.price_minor, line.currency, line.price_seen = product.price_minor, product.currency, True
        elif not line.price_seen and known is not None and known.price_minor is not None:
            line.price_minor, line.currency = known.price_minor, known.currency

    def _take_over(self, said: Decided) -> None:
        self.waits = said.idle_s > 0
        self.generation, self.node_id = said.generation, said.node_id
        for slot, (shown, _, _) in tuple(self.slots.items()):
            if shown in said.dismissals:
                self.slots[slot] = (shown, "dismissed", said.position)
        for gone in said.withdrawals:
            shown = self.slots[gone.slot][0] if gone.slot in self.slots else "what was never decided"
            self.slots[gone.slot] = (shown, "withdrawn", said.position)
        for decision in said.held_out:
            self.decisions.insert(0, decision.experience.experience_id)
        for decision in said.decisions:
            shown = decision.experience.experience_id
            self.slots[decision.experience.slot] = (shown, "open", said.position)
            self.decisions.insert(0, shown)
        del self.decisions[10:]


@dataclass
class Heard:
    """What a reader of one partition of the experience log acts upon.

    Attributes:
        records: by event position.
        through: events up to here are processed.
        faults: what no correct system writes.
        ignored: records of owners that were not the newest any more.
        closed: by position, the offset of the first `Progress` through it, in order.
    """

    records: dict[Position, Decided | Failed] = field(default_factory=dict)
    through: Position = BEGINNING
    faults: list[str] = field(default_factory=list)
    ignored: list[Decided | Failed] = field(default_factory=list)
    closed: dict[Position, int] = field(default_factory=dict)


def hear(rows: Sequence[tuple[int, ExperienceRecord]]) -> Heard:
    """Reads a partition of the experience log as the design tells its readers to."""
    heard = Heard()
    newest = -1
    waiting: list[Decided | Failed] = []
    for offset, record in rows:
        if isinstance(record, Owner):
            newest = offset
            heard.ignored += waiting
            waiting = []
        elif record.token < newest:
            if not isinstance(record, Progress):
                heard.ignored.append(record)
        elif isinstance(record, Progress):
            for said in waiting:
                _count(heard, said)
            waiting = []
            if record.through > heard.through:
                heard.closed[record.through] = offset
            heard.through = max(heard.through, record.through)
        else:
            waiting.append(record)
    return heard


def _count(heard: Heard, said: Decided | Failed) -> None:
    before = heard.records.get(said.position)
    if before is None:
        if said.position <= heard.through:
            heard.faults.append(f"decided again after its Progress: {said}")
        heard.records[said.position] = said
    elif before != said:
        heard.faults.append(f"decided twice, differently:\n    {before}\n    {said}")


def expect(
    records: Mapping[Position, Record], heard: Heard, campaigns: Mapping[CampaignKey, Campaign], grace_ms: int
) -> dict[tuple[str, str], Expected]:
    """Folds one partition's events into its shoppers.

    Args:
        records: its events.
        heard: of its experience log.
        campaigns: every campaign that ever was.
        grace_ms: after which a promise may end that nothing has redeemed.
    """
    shoppers: dict[tuple[str, str], Expected] = {}
    for position in sorted(records):
        record = records[position]
        said = heard.records.get(position)
        if not isinstance(said, Failed):
            fresh = Expected(Promised(record.key, campaigns, grace_ms))
            shoppers.setdefault(record.key, fresh).fold(record, said)
    return shoppers
