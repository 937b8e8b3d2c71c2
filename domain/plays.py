"""What draws leave in a shopper's promises, from the decision's record alone: neither prizes nor seeds are asked.

`domain.drawing` decides what a draw gives; a partition's next owner folds the record and reaches the same state.
"""

from __future__ import annotations

from msgspec import structs

from domain.discounts import Redemption
from domain.events import OrderPaid
from domain.records import Decided, Decision, Played, Settlement
from domain.reservations import Drawing, Reservation, bounded, redeem_all
from domain.shopper import Shopper


def right_of(one: Reservation) -> str:
    """Gives the id of the right that a promise is, under whatever experience it goes by now."""
    return one.experience_id if one.drawing is None else one.drawing.right_id


def after_plays(state: Shopper, decided: Decided) -> tuple[Reservation, ...]:
    """Gives a shopper's promises after the draws of an event; a right that is not among them any more is passed over.

    A right whose prize is handed over by itself, or that won nothing, is over; one that won money off is a promise like
    any other from then on; one that won the basket was redeemed by the order that was paid.

    Args:
        state: after `apply` of the same event.
        decided: the event's record in the experience log.
    """
    reservations = state.reservations
    for play in decided.plays:
        one = next((each for each in reservations if each.is_open and right_of(each) == play.experience_id), None)
        if one is None:
            continue
        told = next((each for each in decided.decisions if _tells(each, one)), None)
        end = next((each for each in decided.settlements if each.experience_id == one.experience_id), None)
        rest = tuple(each for each in reservations if each is not one)
        if told is not None and end is not None and end.cause == "order":
            reservations = _with_basket(rest, one, told, end, state)
        elif told is not None and not (end is not None and end.reserved_count):
            reservations = (*rest, _goes_on(one, play, told, end, decided.received_at_ms))
        else:
            reservations = rest
    return reservations


def _tells(decision: Decision, one: Reservation) -> bool:
    """Tells whether a decision says what became of a right, in its slot; at a node entered, nothing is drawn."""
    shown = decision.experience
    return (shown.campaign_id, shown.slot, len(decision.path)) == (one.campaign_id, one.slot, 1)


def _goes_on(one: Reservation, play: Played, told: Decision, end: Settlement | None, at_ms: int) -> Reservation:
    """Gives a right that is being drawn, or what it has won."""
    shown = told.experience
    drawing: Drawing | None = None
    if play.state == "drawing":
        assert play.wanted is not None, "only for a prize one has to wait"
        drawing = Drawing(
            right_id=play.experience_id, epoch=play.epoch, wanted=play.wanted, played_at_ms=at_ms, asked_at_ms=at_ms
        )
    return structs.replace(
        one,
        experience_id=shown.experience_id,
        content=shown.content,
        cost_minor=one.cost_minor + (0 if end is None else end.reserved_minor),
        honoured_until_ms=shown.expires_at_ms,
        drawing=drawing,
    )


def _with_basket(
    rest: tuple[Reservation, ...], one: Reservation, told: Decision, end: Settlement, state: Shopper
) -> tuple[Reservation, ...]:
    """Gives the promises with a basket that was won, beside what else the same order has redeemed."""
    assert state.last is not None, "the order was applied"
    event = state.last.event
    assert isinstance(event, OrderPaid), "only a paid order draws for its basket"
    won = structs.replace(one, experience_id=told.experience.experience_id, content=told.experience.content)
    before = [each for each in rest if each.order_id == event.order_id]
    others = [each for each in rest if each.order_id != event.order_id]
    costs = {each.experience_id: Redemption(0, each.committed_minor) for each in before}
    costs[won.experience_id] = Redemption(0, end.committed_minor)
    return bounded((*others, *redeem_all([*before, won], event, costs)))
