"""The fold: what one event changes in a shopper by itself, whatever tree the shopper stands in.

The worker calls `apply`, then `domain.decide`; a new owner of a partition calls `apply`, then adopts what the
experience log says was decided. No clock is read: time is in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import structs

from domain import basket as baskets
from domain.basket import Basket
from domain.events import (
    AddedToBasket,
    ConsentWithdrawn,
    DrawRetried,
    ExperienceClicked,
    ExperienceDismissed,
    ExperienceShown,
    IdleElapsed,
    OrderPaid,
    OrderStatusChanged,
    PageViewed,
    ProductsSearched,
    RemovedFromBasket,
    ReservationExpired,
    ShopperErased,
    ShopperSuppressed,
    ShopperUnsuppressed,
)
from domain.ids import Position
from domain.records import Record, Settlement
from domain.reservations import asked_again, released_all, settle
from domain.shopper import SEEN_IDS, SESSION_GAP_MS, Order, Session, Shopper, Slot, Timer

_SEEN_BYTES = SEEN_IDS * 16


class Applied(NamedTuple):
    """A shopper after an event, and what the decision needs to know of the change.

    Attributes:
        state: after the event; its place in the tree is the one before.
        repeat: the event was seen before, or is a timer that came too late: nothing changed but the position.
        to_root: a new session, a paid order or consent given again: the shopper returns to the root.
        idle: the event is a timer that elapsed in time.
        paid: the event paid an order.
        total_changed: the basket's total is another one now.
        dismissed: ids of experiences that the event closed.
        settlements: what became of reservations.
        redeems: the event is a verified order that is seen for the first time.
        stays: the event is no activity of the shopper's: no edge is tried.
        forgotten: what an erased shopper's page may still show.
        faults: faults of meaning, by short stable name; they are counted, never an error.
    """

    state: Shopper
    repeat: bool = False
    to_root: bool = False
    idle: bool = False
    paid: bool = False
    total_changed: bool = False
    dismissed: tuple[str, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    redeems: bool = False
    stays: bool = False
    forgotten: tuple[Slot, ...] = ()
    faults: tuple[str, ...] = ()


class _Change(NamedTuple):
    """What an event of a type changes beyond clock and session."""

    basket: Basket
    order: Order | None
    slots: tuple[Slot, ...]
    paid: bool = False
    dismissed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def apply(state: Shopper, record: Record, position: Position) -> Applied:
    """Folds one record into a shopper.

    Args:
        state: of the same shopper.
        record: the next record of the shopper's partition that is the shopper's.
        position: of the record; records at or below `state.position` change nothing.
    """
    if position <= state.position:
        return Applied(state, repeat=True)
    event = record.event
    event_id = event.event_id.bytes
    if was_seen(state.seen, event_id):
        return Applied(structs.replace(state, position=position), repeat=True)
    inside = _INSIDE.get(type(event))
    if inside is not None:
        return inside(state, record, event, position)
    if fault := passed_over(state, record):
        return Applied(structs.replace(state, position=position), repeat=True, faults=(fault,))
    clock_ms = max(state.clock_ms, record.event_time_ms)
    session, is_new = _session_after(state.session, clock_ms, record)
    change = _changed(state, record, position)
    after = structs.replace(
        state,
        position=position,
        clock_ms=clock_ms,
        basket=change.basket,
        session=session,
        order=change.order,
        seen=_seen_after(state, record),
        last=record,
        last_event_id=event.event_id,
        walked_from=state.node_id,
        slots=change.slots,
        timer=None if state.timer is None else _armed_again(state.timer, record),
        is_withdrawn=state.is_withdrawn and record.presumed,
    )
    settlements: tuple[Settlement, ...] = ()
    redeems = False
    if record.verified:
        settled = settle(state.reservations, state.verified_orders, record)
        settlements = settled.settlements
        redeems = isinstance(event, OrderPaid) and settled.orders is not state.verified_orders
        after = structs.replace(after, reservations=settled.reservations, verified_orders=settled.orders)
    return Applied(
        state=after,
        to_root=is_new or change.paid or (state.is_withdrawn and not record.presumed),
        paid=change.paid,
        total_changed=change.basket.total_minor != state.basket.total_minor,
        dismissed=change.dismissed,
        settlements=settlements,
        redeems=redeems,
        faults=change.faults,
    )


def passed_over(state: Shopper, record: Record) -> str:
    """Gives why an event from outside changes nothing, whatever it says; empty where it counts.

    A gateway that had not heard of a suppression yet took it, or it was received before the shopper was erased and
    comes behind that: a failed event whose replay was under way.
    """
    if state.is_suppressed:
        return "suppressed"
    return "erased" if record.received_at_ms <= state.erased_at_ms else ""


def _armed_again(timer: Timer, record: Record) -> Timer:
    """Gives the pending timer as an event from outside starts it anew."""
    return Timer(
        after_event_id=record.event.event_id,
        node_id=timer.node_id,
        idle_s=timer.idle_s,
        armed_at_ms=record.received_at_ms,
    )


def _seen_after(state: Shopper, record: Record) -> bytes:
    """Gives the remembered event ids with this one's, without the oldest where there are too many."""
    return (state.seen + record.event.event_id.bytes)[-_SEEN_BYTES:]


def was_seen(seen: bytes, event_id: bytes) -> bool:
    """Tells whether the id is among the remembered ones, which stand 16 bytes apart."""
    at = seen.find(event_id)
    while at != -1 and at % 16:
        at = seen.find(event_id, at + 1)
    return at != -1


def _apply_idle(state: Shopper, record: Record, event: IdleElapsed, position: Position) -> Applied:
    """Folds a timer: it counts only if its event is still the last from outside and the shopper still stands there."""
    timer = state.timer
    if timer is None or event.after_event_id != state.last_event_id or event.node_id != state.node_id:
        return Applied(structs.replace(state, position=position), repeat=True)
    after = structs.replace(
        state,
        position=position,
        clock_ms=max(state.clock_ms, record.event_time_ms),
        seen=_seen_after(state, record),
        last=record,
        walked_from=state.node_id,
        timer=None,
    )
    return Applied(after, idle=True)


def _apply_expiry(state: Shopper, record: Record, _event: ReservationExpired, position: Position) -> Applied:
    """Folds the end of a promise: it gives back what was reserved, and is no activity of the shopper's."""
    settled = settle(state.reservations, state.verified_orders, record)
    if not settled.settlements:
        # Its id is not remembered: one that came too early comes again, with the same id, when it is due.
        return Applied(structs.replace(state, position=position), repeat=True)
    after = structs.replace(
        state,
        position=position,
        seen=_seen_after(state, record),
        reservations=settled.reservations,
    )
    return Applied(after, settlements=settled.settlements, stays=True)


def _apply_retry(state: Shopper, record: Record, event: DrawRetried, position: Position) -> Applied:
    """Folds that a play is drawn again: only the decision can tell whether its prize is there by now."""
    reservations = asked_again(state.reservations, event, record.received_at_ms)
    if reservations is None:
        return Applied(structs.replace(state, position=position), repeat=True)
    # Its id is not remembered, or a play that waits for long would push out the shopper's own: each try counts once.
    return Applied(structs.replace(state, position=position, reservations=reservations), stays=True)


def _session_after(session: Session, clock_ms: int, record: Record) -> tuple[Session, bool]:
    """Gives the session with this event in it, and whether the event started it."""
    is_new = session.visits == 0 or clock_ms - session.last_at_ms >= SESSION_GAP_MS
    if is_new:
        session = Session(started_at_ms=clock_ms, visits=session.visits + 1)
    kind = type(record.event)
    return (
        Session(
            started_at_ms=session.started_at_ms,
            last_at_ms=clock_ms,
            events=session.events + 1,
            visits=session.visits,
            page_views=session.page_views + (kind is PageViewed),
            searches=session.searches + (kind is ProductsSearched),
            added=session.added + (kind is AddedToBasket),
            removed=session.removed + (kind is RemovedFromBasket),
        ),
        is_new,
    )


def _changed(state: Shopper, record: Record, position: Position) -> _Change:
    """Gives basket, order and slots after an event from outside."""
    same = _Change(state.basket, state.order, state.slots)
    change = _CHANGES.get(type(record.event))
    return same if change is None else change(same, record, record.event, position)


def _basket_changed(
    same: _Change, record: Record, event: AddedToBasket | RemovedFromBasket, _position: Position
) -> _Change:
    """Gives the change by an addition or a removal; what is older than the last paid order never touches the basket."""
    if same.order is not None and record.event_time_ms < same.order.paid_at_ms:
        return same._replace(faults=("basket_before_order",))
    known = record.known.get(event.product.product_id)
    if isinstance(event, AddedToBasket):
        basket = baskets.add(same.basket, event.product, event.quantity, known)
        return same._replace(faults=("basket_full",)) if basket is None else same._replace(basket=basket)
    basket = baskets.remove(same.basket, event.product, event.quantity, known)
    return same._replace(faults=("removed_absent",)) if basket is None else same._replace(basket=basket)


def _order_paid(same: _Change, record: Record, event: OrderPaid, _position: Position) -> _Change:
    """Gives the change by a paid order: it empties the basket, once, unless a later order was paid before it came."""
    order, paid_at_ms = same.order, record.event_time_ms
    status = "paid"
    if order is not None:
        if order.order_id == event.order_id:
            if order.paid_at_ms:
                return same._replace(faults=("repeated_order",))
            status = order.status
        elif paid_at_ms < order.paid_at_ms:
            return same._replace(faults=("order_before_order",))
    paid = Order(order_id=event.order_id, status=status, paid_at_ms=paid_at_ms)
    faults = () if same.basket.lines else ("order_for_empty_basket",)
    return _Change(baskets.EMPTY, paid, same.slots, paid=True, faults=faults)


def _order_moved(same: _Change, _record: Record, event: OrderStatusChanged, _position: Position) -> _Change:
    """Gives the change by an order's new status: only the last order's is remembered."""
    order = same.order
    if order is None:
        return same._replace(order=Order(order_id=event.order_id, status=event.status))
    if order.order_id != event.order_id:
        return same._replace(faults=("not_the_last_order",))
    return same._replace(order=structs.replace(order, status=event.status))


def _answered(
    same: _Change, _record: Record, event: ExperienceShown | ExperienceClicked, _position: Position
) -> _Change:
    """Gives the change by an experience shown or clicked: none, but it should be the shopper's own."""
    known = any(slot.experience.experience_id == event.experience_id for slot in same.slots)
    return same if known else same._replace(faults=("unknown_experience",))


def _dismissed(same: _Change, _record: Record, event: ExperienceDismissed, position: Position) -> _Change:
    """Gives the change by a dismissal: its slot is closed until something else comes."""
    for slot in same.slots:
        if slot.experience.experience_id == event.experience_id:
            if slot.state != "open":
                return same
            closed = Slot(experience=slot.experience, state="dismissed", position=position)
            others = tuple(other for other in same.slots if other is not slot)
            return same._replace(slots=(*others, closed), dismissed=(event.experience_id,))
    return same._replace(faults=("unknown_experience",))


def _apply_withdrawal(state: Shopper, record: Record, event: ConsentWithdrawn, position: Position) -> Applied:
    """Folds that consent was taken back; of a shopper who never gave it there is nothing to remember."""
    if state.is_withdrawn or state.last_event_id is None:
        return Applied(structs.replace(state, position=position), repeat=True)
    after = structs.replace(
        state,
        position=position,
        seen=_seen_after(state, record),
        timer=None,
        is_withdrawn=True,
    )
    return Applied(after, stays=True)


def _apply_suppression(state: Shopper, record: Record, _event: ShopperSuppressed, position: Position) -> Applied:
    """Folds that nothing of the shopper is taken any more; also of strangers, whose first may follow."""
    if state.is_suppressed:
        return Applied(structs.replace(state, position=position), repeat=True)
    after = structs.replace(
        state,
        position=position,
        seen=_seen_after(state, record),
        timer=None,
        is_suppressed=True,
    )
    return Applied(after, stays=True)


def _apply_erasure(state: Shopper, record: Record, event: ShopperErased, position: Position) -> Applied:
    """Folds that everything is forgotten, consent that was taken back too; what was promised is given back.

    Ids of events that were seen stay for as long as the state does: what is sent once more must not be decided again.
    """
    after = Shopper(
        retailer_id=state.retailer_id,
        shopper=state.shopper,
        position=position,
        seen=_seen_after(state, record),
        is_suppressed=state.is_suppressed and event.stays_suppressed,
        erased_at_ms=max(state.erased_at_ms, record.received_at_ms),
    )
    return Applied(after, settlements=released_all(state.reservations), stays=True, forgotten=state.slots)


def _apply_unsuppression(state: Shopper, record: Record, _event: ShopperUnsuppressed, position: Position) -> Applied:
    """Folds that events of the shopper are taken again: the next one begins at the root, with the basket as it was."""
    if not state.is_suppressed:
        return Applied(structs.replace(state, position=position), repeat=True)
    after = structs.replace(
        state,
        position=position,
        seen=_seen_after(state, record),
        is_suppressed=False,
        generation=0,
        node_id="",
        walked_from="",
    )
    return Applied(after, stays=True)


_INSIDE: dict[type, Callable[[Shopper, Record, Any, Position], Applied]] = {
    IdleElapsed: _apply_idle,
    ReservationExpired: _apply_expiry,
    DrawRetried: _apply_retry,
    ConsentWithdrawn: _apply_withdrawal,
    ShopperSuppressed: _apply_suppression,
    ShopperErased: _apply_erasure,
    ShopperUnsuppressed: _apply_unsuppression,
}

# By type rather than by `match`, which would ask every event a dozen times what it is; views, clicks and searches
# change nothing beyond clock and session.
_CHANGES: dict[type, Callable[[_Change, Record, Any, Position], _Change]] = {
    AddedToBasket: _basket_changed,
    RemovedFromBasket: _basket_changed,
    OrderPaid: _order_paid,
    OrderStatusChanged: _order_moved,
    ExperienceShown: _answered,
    ExperienceClicked: _answered,
    ExperienceDismissed: _dismissed,
}
