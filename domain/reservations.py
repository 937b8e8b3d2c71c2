"""Reservations: what experiences promised a shopper, from the decision to the till, and back where an order comes back.

A reservation is made by a decision and lives until it is redeemed by a verified order, or until its time is over. All
of it is a fold over the shopper's records: no clock is read, and whatever changes a campaign's balance is said as a
`Settlement`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, structs

from domain.basket import TOTAL_MINOR_MAX
from domain.contents import product_of
from domain.discounts import Redemption, Till
from domain.events import (
    AnyEvent,
    DrawRetried,
    OrderLine,
    OrderPaid,
    OrderStatusChanged,
    ReservationExpired,
    StatusLine,
)
from domain.experiences import Kind
from domain.records import Cause, Record, Settlement

OPEN_MAX = 16
"""Promises of one shopper that are open at a time."""
REDEEMED_KEPT = OPEN_MAX
"""Redeemed ones remembered for what may come back, at least those of the last order; of an order before them nothing is
given back."""
ORDERS_KEPT = 8
LINES_KEPT = 100
"""Lines of an order that a reservation remembers; the others only count as a sum."""
GRACE_MS = 15 * 60 * 1_000
"""After the promise's end, for orders on their way."""


RETRY_S_MAX = 60
"""Seconds between two asks for a prize of which the ledger says nothing: 1, 2, 4 and so on up to these."""


class Drawing(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A play whose prize has a stock, until it is known whether any is left.

    Attributes:
        right_id: the experience that gave the right; the reservation goes by the one that says that it is being drawn.
        epoch, wanted: of the play.
        played_at_ms, asked_at_ms: when it was played and last asked for, Unix milliseconds of the receiving clock.
        tries: how often it was asked for again.
    """

    right_id: str
    epoch: int
    wanted: str
    played_at_ms: int
    asked_at_ms: int
    tries: int = 0

    @property
    def due_at_ms(self) -> int:
        """When it is asked for again."""
        return self.asked_at_ms + min(1 << min(self.tries, 16), RETRY_S_MAX) * 1_000


class Reservation(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One promise of one shopper.

    Attributes:
        experience_id: that promised it; of a basket tension the latest, since each change of the basket makes another.
        campaign_id: whose budget.
        kind, slot, content: of the experience.
        cost_minor: reserved, at most.
        decided_at_ms, honoured_until_ms: in the shopper's time; an order paid in between redeems it.
        group, priority: of the campaign.
        order_id: that redeemed it, None while it is open.
        committed_minor: what that cost, less what came back.
        lines: of that order, as far as they are needed to know what comes back; all that it redeemed have the same.
        others_minor: what the order's other lines came to.
        drawing: of a game that was played and whose prize is not known yet.
    """

    experience_id: str
    campaign_id: str
    kind: Kind
    slot: str
    content: dict[str, Any]
    cost_minor: int
    decided_at_ms: int
    honoured_until_ms: int
    group: str | None = None
    priority: int = 0
    order_id: str | None = None
    committed_minor: int = 0
    lines: tuple[OrderLine, ...] = ()
    others_minor: int = 0
    drawing: Drawing | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing has redeemed it yet."""
        return self.order_id is None

    @property
    def due_at_ms(self) -> int:
        """When it ends unless it is redeemed, Unix milliseconds of the receiving clock; or when it is drawn again."""
        return self.honoured_until_ms + GRACE_MS if self.drawing is None else self.drawing.due_at_ms


class Settled(NamedTuple):
    """A shopper's reservations after an event, and what that changes in budgets.

    Attributes:
        reservations: open ones and the redeemed ones remembered.
        orders: ids of the verified orders seen last, oldest first: an order redeems once, and not after it came back.
        settlements: what is to be said.
    """

    reservations: tuple[Reservation, ...]
    orders: tuple[str, ...]
    settlements: tuple[Settlement, ...] = ()


def settle(reservations: tuple[Reservation, ...], orders: tuple[str, ...], record: Record) -> Settled:
    """Gives what an event makes of a shopper's reservations. Only what the retailer's server said counts (`verified`).

    Args:
        reservations: before it.
        orders: ids of the verified orders seen last.
        record: of the shopper; not seen before.
    """
    event: AnyEvent = record.event
    if isinstance(event, ReservationExpired):
        return _expired(reservations, orders, event, record.received_at_ms)
    if not record.verified:
        return Settled(reservations, orders)
    if isinstance(event, OrderPaid):
        return _paid(reservations, orders, event, record.event_time_ms)
    if isinstance(event, OrderStatusChanged):
        return _came_back(reservations, orders, event)
    return Settled(reservations, orders)


def asked_again(
    reservations: tuple[Reservation, ...], event: DrawRetried, at_ms: int
) -> tuple[Reservation, ...] | None:
    """Gives the reservations with a play asked for once more; None where nothing waits for this, or not yet.

    Args:
        reservations: before it.
        event: of the worker's timer.
        at_ms: when it was received.
    """
    for number, one in enumerate(reservations):
        drawing = one.drawing
        if drawing is not None and (drawing.right_id, drawing.tries) == (event.experience_id, event.tries):
            if drawing.due_at_ms > at_ms:
                return None
            again = structs.replace(one, drawing=structs.replace(drawing, tries=drawing.tries + 1, asked_at_ms=at_ms))
            return (*reservations[:number], again, *reservations[number + 1 :])
    return None


def released_all(reservations: Sequence[Reservation]) -> tuple[Settlement, ...]:
    """Gives back every promise that is open, of a shopper who is erased; what is redeemed stays spent."""
    return tuple(_released(one, "erased") for one in reservations if one.is_open)


def redeemable(reservations: Sequence[Reservation], at_ms: int) -> list[Reservation]:
    """Gives the promises that an order paid at a moment of the shopper's time may redeem, in the till's order."""
    found = [one for one in reservations if one.is_open and one.decided_at_ms <= at_ms <= one.honoured_until_ms]
    return sorted(found, key=_turn)


def _turn(one: Reservation) -> tuple[int, int, str]:
    """Gives what sorts promises for the till."""
    return -one.priority, one.decided_at_ms, one.experience_id


def _expired(
    reservations: tuple[Reservation, ...], orders: tuple[str, ...], event: ReservationExpired, at_ms: int
) -> Settled:
    """Ends a promise whose time is over; before that it stands, whoever says otherwise."""
    for one in reservations:
        is_it = one.is_open and one.drawing is None and one.experience_id == event.experience_id
        if is_it and one.due_at_ms <= at_ms:
            rest = tuple(other for other in reservations if other is not one)
            return Settled(rest, orders, (_released(one, "expired"),))
    return Settled(reservations, orders)


def _paid(reservations: tuple[Reservation, ...], orders: tuple[str, ...], event: OrderPaid, at_ms: int) -> Settled:
    if event.order_id in orders or any(one.order_id == event.order_id for one in reservations):
        return Settled(reservations, orders)
    orders = _with_order(orders, event.order_id)
    till = Till(event.lines)
    redeemed: dict[str, Redemption] = {}
    for one in redeemable(reservations, at_ms):
        redemption = till.redeem(one)
        if redemption is not None:
            redeemed[one.experience_id] = redemption
    if not redeemed:
        return Settled(reservations, orders)
    others = [one for one in reservations if not (one.is_open and one.experience_id in redeemed)]
    those = [one for one in reservations if one.is_open and one.experience_id in redeemed]
    # The last redeemed stand last: the bound forgets those of the oldest order first.
    after = (*others, *redeem_all(those, event, redeemed))
    settlements = tuple(
        _committed(one, event.order_id, redeemed[one.experience_id]) for one in sorted(those, key=_turn)
    )
    return Settled(bounded(after), orders, settlements)


def redeem_all(
    those: Sequence[Reservation], event: OrderPaid, redeemed: Mapping[str, Redemption]
) -> Iterator[Reservation]:
    """Gives the reservations with what must be known when the order, or a part of it, comes back."""
    wanted = {product_of(item) for one in those for item in one.content.get("products", ())}
    lines = event.lines
    first = sorted(range(len(lines)), key=lambda at: lines[at].product_id not in wanted)[:LINES_KEPT]
    # In their order: the till deducts from one line after the other.
    kept = tuple(lines[at] for at in sorted(first))
    others_minor = Till(lines).total_minor - Till(kept).total_minor
    for one in those:
        yield structs.replace(
            one,
            order_id=event.order_id,
            committed_minor=redeemed[one.experience_id].cost_minor,
            lines=kept,
            others_minor=min(others_minor, TOTAL_MINOR_MAX),
        )


def _came_back(reservations: tuple[Reservation, ...], orders: tuple[str, ...], event: OrderStatusChanged) -> Settled:
    if event.status not in ("cancelled", "returned", "partially_returned"):
        return Settled(reservations, orders)
    is_whole = event.status != "partially_returned"
    if is_whole and event.order_id not in orders:
        # It may come before what says that the order was paid.
        orders = _with_order(orders, event.order_id)
    those = [one for one in reservations if one.order_id == event.order_id]
    left = {} if is_whole or not those else _left_of(those, event.lines)
    after: list[Reservation] = []
    settlements: list[Settlement] = []
    for one in reservations:
        stays = left.get(one.experience_id) if one.order_id == event.order_id else one
        if stays is not None:
            after.append(stays)
        given_back = one.committed_minor - (0 if stays is None else stays.committed_minor)
        if given_back or stays is None:
            settlements.append(
                Settlement(
                    experience_id=one.experience_id,
                    campaign_id=one.campaign_id,
                    cause="cancelled" if event.status == "cancelled" else "returned",
                    order_id=event.order_id,
                    committed_minor=-given_back,
                    committed_count=-1 if stays is None else 0,
                )
            )
    return Settled(tuple(after), orders, tuple(settlements))


def _left_of(those: Sequence[Reservation], returned: Sequence[StatusLine]) -> dict[str, Reservation]:
    """Gives, by experience, what stays of an order's redeemed reservations when lines come back.

    The till deducts from what stays anew, in the same order, and never more than it did.
    """
    back: dict[str, int] = {}
    for line in returned:
        back[line.product_id] = back.get(line.product_id, 0) + line.quantity
    kept: list[OrderLine] = []
    for kept_line in those[0].lines:
        gone = min(back.get(kept_line.product_id, 0), kept_line.quantity)
        if gone:
            back[kept_line.product_id] -= gone
        if gone < kept_line.quantity:
            kept.append(structs.replace(kept_line, quantity=kept_line.quantity - gone))
    till = Till(kept, others_minor=those[0].others_minor)
    left: dict[str, Reservation] = {}
    for one in sorted(those, key=_turn):
        redemption = till.redeem(one)
        if redemption is not None:
            committed_minor = min(one.committed_minor, redemption.cost_minor)
            left[one.experience_id] = structs.replace(one, lines=tuple(kept), committed_minor=committed_minor)
    return left


def _with_order(orders: tuple[str, ...], order_id: str) -> tuple[str, ...]:
    return (*orders, order_id)[-ORDERS_KEPT:]


def _committed(one: Reservation, order_id: str, redemption: Redemption) -> Settlement:
    return Settlement(
        experience_id=one.experience_id,
        campaign_id=one.campaign_id,
        cause="order",
        order_id=order_id,
        reserved_minor=-one.cost_minor,
        reserved_count=-1,
        committed_minor=redemption.cost_minor,
        committed_count=1,
    )


def _released(one: Reservation, cause: Cause) -> Settlement:
    return Settlement(
        experience_id=one.experience_id,
        campaign_id=one.campaign_id,
        cause=cause,
        reserved_minor=-one.cost_minor,
        reserved_count=-1,
    )


def bounded(reservations: tuple[Reservation, ...]) -> tuple[Reservation, ...]:
    """Forgets the oldest redeemed ones beyond the bound; what they cost stays committed."""
    over = sum(not one.is_open for one in reservations) - REDEEMED_KEPT
    kept: list[Reservation] = []
    for one in reservations:
        if over > 0 and not one.is_open:
            over -= 1
        else:
            kept.append(one)
    return tuple(kept)
