"""What one shopper was promised, computed a second time from the design: nothing of `domain.reservations`.

From a shopper's events and what the experience log says of each to the promises that are open and those redeemed, with
every fault on the way: promised or settled twice, too early, to somebody held out, or not at all.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from domain.campaigns import Campaign
from domain.events import OrderPaid, OrderStatusChanged, ReservationExpired, ShopperErased
from domain.ids import ShopperKey
from domain.purse import CampaignKey
from domain.records import Cause, Decided, Decision, Record, Reserved, Settlement

_DAY_MS = 86_400_000
_REDEEMED_KEPT = 16
_ORDERS_KEPT = 8
_CAUSES: Mapping[str, Cause] = {"cancelled": "cancelled", "returned": "returned", "partially_returned": "returned"}
"""Of a settlement, by the status of the order."""


@dataclass(frozen=True)
class Promise:
    """One promise, and what became of it: `order_id` is empty while it is open."""

    experience_id: str
    campaign_id: str
    slot: str
    kind: str
    content: Mapping[str, Any]
    cost_minor: int
    group: str | None
    decided_at_ms: int
    honoured_until_ms: int
    order_id: str = ""
    committed_minor: int = 0

    def is_met_by(self, event: OrderPaid) -> bool:
        """Tells whether an order has what the promise asks for; nobody plays games here, so nobody wins one."""
        total_minor = sum(line.quantity * line.price_minor for line in event.lines)
        if self.kind == "gamified_promotion" or total_minor < self.content.get("threshold_minor", 0):
            return False
        asked = {item if isinstance(item, str) else item["product_id"] for item in self.content.get("products", ())}
        return self.kind == "basket_tension" or any(line.product_id in asked for line in event.lines)


@dataclass
class Promised:
    """One shopper's promises.

    Attributes:
        campaigns: every campaign that ever was; only their budgets and states change.
        promises: open ones and those redeemed, oldest first.
        faults: what no correct system does.
    """

    key: ShopperKey
    campaigns: Mapping[CampaignKey, Campaign]
    grace_ms: int
    promises: list[Promise] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    orders: deque[str] = field(default_factory=lambda: deque(maxlen=_ORDERS_KEPT))
    exposed_ms: dict[str, list[int]] = field(default_factory=dict)

    @property
    def open(self) -> list[Promise]:
        """What nothing has redeemed or ended yet."""
        return [one for one in self.promises if not one.order_id]

    def fold(self, record: Record, said: Decided | None) -> None:
        """Takes one event that is no repeat, and what the experience log says of it."""
        due, may_be = self._due(record)
        redeemed: list[Promise] = []
        for settlement in said.settlements if said is not None else ():
            one = due.pop(settlement.experience_id, None) or may_be.pop(settlement.experience_id, None)
            if one is None:
                self._complain(record, f"not to be settled, or twice: {settlement}")
                continue
            after = self._settle(record, one, settlement)
            at = self.promises.index(one)
            self.promises[at : at + 1] = [] if after is None else [after]
            if after is not None and not one.order_id:
                redeemed.append(after)
        for one in due.values():
            self._complain(record, f"not settled: {one}")
        # The last redeemed stand last: the oldest are forgotten.
        self.promises.sort(key=redeemed.__contains__)
        while len(self.promises) - len(self.open) > _REDEEMED_KEPT:
            self.promises.remove(next(one for one in self.promises if one.order_id))
        if said is not None:
            self._promise(record, said)

    def _due(self, record: Record) -> tuple[dict[str, Promise], dict[str, Promise]]:
        """Gives what the event must settle, and what it may."""
        event = record.event
        due: list[Promise] = []
        if isinstance(event, ReservationExpired):
            over_ms = record.received_at_ms - self.grace_ms
            those = [one for one in self.open if one.experience_id == event.experience_id]
            due = [one for one in those if one.honoured_until_ms <= over_ms]
        elif isinstance(event, ShopperErased):
            due = list(self.open)
        elif record.verified and isinstance(event, OrderPaid) and not self._knows(event.order_id):
            self.orders.append(event.order_id)
            at_ms = record.event_time_ms
            in_time = [one for one in self.open if one.decided_at_ms <= at_ms <= one.honoured_until_ms]
            due = [one for one in in_time if one.is_met_by(event)]
        elif record.verified and isinstance(event, OrderStatusChanged) and event.status in _CAUSES:
            due = [one for one in self.promises if one.order_id == event.order_id]
            if event.status == "partially_returned":
                return {}, {one.experience_id: one for one in due}
            if event.order_id not in self.orders:
                # What comes back before it is paid redeems nothing.
                self.orders.append(event.order_id)
        return {one.experience_id: one for one in due}, {}

    def _knows(self, order_id: str) -> bool:
        return order_id in self.orders or any(one.order_id == order_id for one in self.promises)

    def _settle(self, record: Record, one: Promise, said: Settlement) -> Promise | None:
        """Gives what stays of a promise, and compares what is said of it with what can be."""
        event = record.event
        after: Promise | None = None
        if isinstance(event, OrderPaid):
            after = replace(one, order_id=event.order_id, committed_minor=said.committed_minor)
            is_possible = 0 <= said.committed_minor <= one.cost_minor
            wanted = _ended(one, "order", event.order_id, committed_minor=said.committed_minor, committed_count=1)
        elif isinstance(event, OrderStatusChanged):
            is_whole = event.status != "partially_returned" or said.committed_count == -1
            back_minor = one.committed_minor if is_whole else -said.committed_minor
            after = None if is_whole else replace(one, committed_minor=one.committed_minor - back_minor)
            is_possible = is_whole or 0 < back_minor <= one.committed_minor
            wanted = Settlement(
                experience_id=one.experience_id,
                campaign_id=one.campaign_id,
                cause=_CAUSES[event.status],
                order_id=event.order_id,
                committed_minor=-back_minor,
                committed_count=-1 if is_whole else 0,
            )
        else:
            is_possible = True
            wanted = _ended(one, "erased" if isinstance(event, ShopperErased) else "expired")
        if wanted != said or not is_possible:
            self._complain(record, f"can't be settled so: {one}\n    {said}")
        return after

    def _promise(self, record: Record, said: Decided) -> None:
        """Takes what is promised, and to whom."""
        costs = {made.experience_id: made for made in said.reservations}
        for decision in said.decisions:
            shown = decision.experience
            if shown.campaign_id is None:
                continue
            if _is_held_out(shown.campaign_id, self.key.shopper, self._campaign(shown.campaign_id)):
                self._complain(record, f"shown to somebody who is held out: {shown}")
            made = costs.pop(shown.experience_id, None)
            if made is None:
                self._tell_again(decision)
                continue
            definition = self._campaign(shown.campaign_id).definition
            if made.campaign_id != shown.campaign_id or made.group != definition.exclusivity_group:
                self._complain(record, f"reserved for somebody else: {made} for {shown}")
            for other in self.open:
                if other.campaign_id == made.campaign_id or (made.group is not None and other.group == made.group):
                    self._complain(record, f"promised beside {other}: {made}")
            self.promises.append(_promise_of(decision, made))
        for made in costs.values():
            self._complain(record, f"reserved for nothing: {made}")
        for decision in said.held_out:
            campaign_id = decision.experience.campaign_id or ""
            if not _is_held_out(campaign_id, self.key.shopper, self._campaign(campaign_id)):
                self._complain(record, f"held out without a reason: {decision.experience}")
        for decision in (*said.decisions, *said.held_out):
            self._expose(record, decision)

    def _tell_again(self, decision: Decision) -> None:
        """Takes an open basket tension under the experience that tells it now."""
        shown = decision.experience
        for at, one in enumerate(self.promises):
            if not one.order_id and (one.campaign_id, one.slot) == (shown.campaign_id, shown.slot):
                self.promises[at] = replace(one, experience_id=shown.experience_id)

    def _expose(self, record: Record, decision: Decision) -> None:
        """Counts what a cap counts: decisions at nodes that were entered."""
        campaign_id = decision.experience.campaign_id
        if campaign_id is None or len(decision.path) < 2:
            return
        cap = self._campaign(campaign_id).definition.cap
        at_ms = self.exposed_ms.setdefault(campaign_id, [])
        if cap is not None:
            since_ms = record.received_at_ms - cap.days * _DAY_MS
            if sum(before_ms > since_ms for before_ms in at_ms) >= cap.times:
                self._complain(record, f"more often than {cap}: {decision.experience}")
        at_ms.append(record.received_at_ms)

    def _campaign(self, campaign_id: str) -> Campaign:
        return self.campaigns[CampaignKey(self.key.retailer_id, campaign_id)]

    def _complain(self, record: Record, text: str) -> None:
        self.faults.append(f"{self.key.shopper[:8]}, {type(record.event).__name__} {record.event.event_id}: {text}")


def _promise_of(decision: Decision, made: Reserved) -> Promise:
    shown = decision.experience
    return Promise(
        experience_id=shown.experience_id,
        campaign_id=made.campaign_id,
        slot=shown.slot,
        kind=shown.kind,
        content=shown.content,
        cost_minor=made.cost_minor,
        group=made.group,
        decided_at_ms=shown.decided_at_ms,
        honoured_until_ms=shown.expires_at_ms,
    )


def _ended(
    one: Promise, cause: Cause, order_id: str | None = None, committed_minor: int = 0, committed_count: int = 0
) -> Settlement:
    return Settlement(
        experience_id=one.experience_id,
        campaign_id=one.campaign_id,
        cause=cause,
        order_id=order_id,
        reserved_minor=-one.cost_minor,
        reserved_count=-1,
        committed_minor=committed_minor,
        committed_count=committed_count,
    )


def _is_held_out(campaign_id: str, shopper: str, campaign: Campaign) -> bool:
    """Tells whether a shopper's number among 2^64 is below the campaign's share of it."""
    digest = hashlib.blake2b(f"holdout\x1f{campaign_id}\x1f{shopper}".encode(), digest_size=8).hexdigest()
    return int(digest, 16) / 2**64 < campaign.definition.holdout_ppm / 1_000_000
