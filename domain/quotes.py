"""Quotes: what a retailer's till may deduct now, by the promises that are open at this moment.

A snapshot is up to one checkpoint old, so a gateway adds what it followed of the experience log since. The verified
order that follows is settled by the same till, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import structs

from domain.discounts import PricedLine, Redemption, Till
from domain.promises import after_decision, is_entered
from domain.records import Decided
from domain.reservations import Reservation, redeemable
from domain.shopper import Shopper

_IN_MONEY = ("percent", "amount")


class Quoted(NamedTuple):
    """A promise that an order of these lines would redeem.

    Attributes:
        promise: as it was made.
        redemption: what it comes to.
        reward: what is handed out where it is no money off, as the experience's content has it.
    """

    promise: Reservation
    redemption: Redemption
    reward: dict[str, Any] | None


def quote(promises: Sequence[Reservation], lines: Iterable[PricedLine], at_ms: int) -> list[Quoted]:
    """Gives what an order of these lines would redeem, in the order in which the till deducts; it changes nothing.

    A recommendation is left out: it takes nothing off.

    Args:
        promises: of the shopper.
        lines: of the order.
        at_ms: when it would be paid, in the shopper's time.
    """
    till = Till(lines)
    found: list[Quoted] = []
    for promise in redeemable(promises, at_ms):
        redemption = till.redeem(promise)
        if redemption is not None and promise.kind != "recommendation":
            found.append(Quoted(promise, redemption, _in_kind(promise)))
    return found


def concerns_promises(decided: Decided) -> bool:
    """Tells whether a decision makes, renews, draws or ends a promise."""
    return bool(
        decided.reservations
        or decided.settlements
        or decided.plays
        or any(one.experience.campaign_id is not None and not is_entered(one) for one in decided.decisions)
    )


def open_promises(state: Shopper | None, later: Iterable[Decided]) -> tuple[Reservation, ...]:
    """Gives the promises of a shopper that are open after the last of some decisions.

    Args:
        state: from a snapshot, None where there is none yet.
        later: the shopper's decisions that `concerns_promises` and that the snapshot may lack, in the log's order;
            what it has already is passed over.
    """
    for decided in later:
        if state is None:
            state = Shopper(retailer_id=decided.retailer_id, shopper=decided.shopper)
        if decided.position > state.position:
            # A draw may give back a part of what was reserved: the promise goes on.
            ended = {end.experience_id for end in decided.settlements if end.reserved_count or end.committed_count}
            left = tuple(one for one in state.reservations if one.experience_id not in ended)
            state = after_decision(structs.replace(state, reservations=left), decided)
    return () if state is None else tuple(one for one in state.reservations if one.is_open)


def _in_kind(promise: Reservation) -> dict[str, Any] | None:
    """Gives the reward of a promise that is no money off."""
    content = promise.content
    reward: dict[str, Any] = content.get("prize") or content.get("reward") or content["generosity"]
    return None if reward["type"] in _IN_MONEY else reward
