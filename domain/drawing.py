"""Draws: what an event makes of the rights that the shopper has, once campaigns with their seeds are asked.

A click plays a game; where its prize has a stock that the partition holds none of, the worker's timer draws it again
until the ledger has answered. A verified order draws for the price of the basket. What a draw gives is decided here,
once, and stands in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from msgspec import structs

from domain.arbitration import Market
from domain.campaigns import Prize
from domain.contents import product_of
from domain.events import DrawRetried, ExperienceClicked, OrderPaid
from domain.experiences import Experience, Withdrawal
from domain.fold import Applied
from domain.games import BASKET, Game, label_of
from domain.ids import experience_id, stock_id
from domain.packing import named
from domain.plays import right_of
from domain.purse import Balance, CampaignKey
from domain.records import Decision, Played, Record, Settlement
from domain.reservations import Reservation, redeemable
from domain.shopper import Shopper

BASKET_SHOWN_MS = 7 * 86_400_000
"""For so long a page is told of a basket that was won: its winner has to leave an address."""
_IN_MONEY = ("percent", "amount")
_DRAWING = frozenset({ExperienceClicked, DrawRetried, OrderPaid})
_EMPTY = Balance()


class Drawn(NamedTuple):
    """What an event's draws bring.

    Attributes:
        plays: what was drawn.
        decisions: for the page, each in the slot of its right.
        settlements: what becomes of the rights' reservations.
        withdrawals: rights that are over and still stand on the page.
    """

    plays: tuple[Played, ...] = ()
    decisions: tuple[Decision, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()

    @property
    def slots(self) -> AbstractSet[str]:
        """Those that are filled."""
        return {decision.experience.slot for decision in self.decisions}

    def plus(self, other: Drawn) -> Drawn:
        """Gives both."""
        return Drawn(
            self.plays + other.plays,
            self.decisions + other.decisions,
            self.settlements + other.settlements,
            self.withdrawals + other.withdrawals,
        )


_NOTHING = Drawn()


class _Stage(NamedTuple):
    """The state after an event, the event, and what decisions ask."""

    state: Shopper
    record: Record
    market: Market


def draw_rights(applied: Applied, record: Record, market: Market | None) -> Drawn:
    """Draws the rights that an event plays.

    Args:
        applied: what `apply` made of the record; no repeat.
        record: the event.
        market: campaigns with their games, and the partition's purse; None = nothing is drawn.
    """
    state = applied.state
    if type(record.event) not in _DRAWING or market is None or not state.reservations:
        return _NOTHING
    in_force = market.in_force.get(state.retailer_id)
    if in_force is None or not in_force.games:
        return _NOTHING
    stage, games = _Stage(state, record, market), in_force.games
    match record.event:
        case ExperienceClicked(experience_id=clicked):
            return _played(stage, games, clicked)
        case DrawRetried(experience_id=right_id):
            return _drawn_again(stage, games, right_id)
        case OrderPaid() as order if applied.redeems:
            return _ordered(stage, games, order)
        case _:
            return _NOTHING


def taken_back(state: Shopper, settlements: Sequence[Settlement]) -> tuple[Withdrawal, ...]:
    """Gives the baskets won that stand on the page and whose orders came back: nobody shall claim them any more."""
    back = {end.experience_id for end in settlements if end.committed_count < 0}
    return tuple(
        Withdrawal(experience_id=slot.experience.experience_id, slot=slot.experience.slot)
        for slot in state.slots
        if slot.state == "open"
        and slot.experience.experience_id in back
        and "value_minor" in (slot.experience.content.get("outcome") or {})
    )


def _played(stage: _Stage, games: Mapping[str, Game], clicked: str) -> Drawn:
    """Gives what a click plays: a game of the shopper's own that nobody has played, in time."""
    state, record, market = stage
    right = next((one for one in state.reservations if one.is_open and one.experience_id == clicked), None)
    if right is None or right.drawing is not None or "outcome" in right.content:
        return _NOTHING
    game = games.get(right.campaign_id)
    if game is None or not game.prizes or record.event_time_ms > right.honoured_until_ms:
        return _NOTHING
    if not game.schedule.takes_plays(record.received_at_ms):
        return _NOTHING
    epoch = game.schedule.epoch_at(record.received_at_ms)
    wanted = game.draw(right.experience_id, epoch).wanted
    play = Played(experience_id=clicked, campaign_id=right.campaign_id, epoch=epoch, wanted=wanted)
    if wanted is None:
        return _lost(stage, right, play)
    prize = game.prizes[wanted]
    if prize.stock is None:
        return _won(stage, right, prize, _with(play, prize_id=wanted))
    key = _stock_key(state, right, wanted)
    if market.purse.has(key, 0, 1):
        return _won(stage, right, prize, _with(play, prize_id=wanted, taken=1))
    if market.purse.is_spent(key):
        return _lost(stage, right, play)
    content = {**right.content, "state": "drawing"}
    return Drawn((_with(play, state="drawing", waiting=1),), (_told(stage, right, content, right.honoured_until_ms),))


def _drawn_again(stage: _Stage, games: Mapping[str, Game], right_id: str) -> Drawn:
    """Gives what a play has won that waited for its prize's stock; nothing while the ledger has not answered.

    For as long as that took, the promise lasts longer.
    """
    state, record, market = stage
    right = next((one for one in state.reservations if one.drawing is not None and right_of(one) == right_id), None)
    game = None if right is None else games.get(right.campaign_id)
    if right is None or right.drawing is None or game is None:
        return _NOTHING
    drawing = right.drawing
    play = Played(
        experience_id=right_id, campaign_id=right.campaign_id, epoch=drawing.epoch, wanted=drawing.wanted, waiting=-1
    )
    late_ms = max(0, record.received_at_ms - drawing.played_at_ms)
    key = _stock_key(state, right, drawing.wanted)
    balance = market.purse.balances.get(key, _EMPTY)
    if balance.leased.promises - balance.returned.promises > balance.committed.promises:
        prize = game.prizes[drawing.wanted]
        return _won(stage, right, prize, _with(play, prize_id=drawing.wanted, taken=1), late_ms)
    return _lost(stage, right, play, late_ms) if market.purse.is_spent(key) else _NOTHING


def _ordered(stage: _Stage, games: Mapping[str, Game], order: OrderPaid) -> Drawn:
    """Gives what a verified order draws for: in each slot the first right, in the till's order, to one of its products.

    An order that costs nothing draws for nothing.
    """
    state, record, _ = stage
    drawn = _NOTHING
    bought = {line.product_id for line in order.lines}
    seen: set[str] = set()
    if not order.total_minor:
        return drawn
    for right in redeemable(state.reservations, record.event_time_ms):
        game = games.get(right.campaign_id)
        if game is None or game.reward is None or right.slot in seen:
            continue
        if not game.schedule.takes_plays(record.received_at_ms):
            continue
        if bought.isdisjoint(product_of(item) for item in right.content.get("products", ())):
            continue
        seen.add(right.slot)
        at_most_minor = min(game.reward.at_most_minor, right.cost_minor)
        drawn = drawn.plus(_basket(stage, right, game, order, at_most_minor))
    return drawn


def _basket(stage: _Stage, right: Reservation, game: Game, order: OrderPaid, at_most_minor: int) -> Drawn:
    """Draws for the price of a basket."""
    epoch = game.schedule.epoch_at(stage.record.received_at_ms)
    outcome = game.draw(right.experience_id, epoch)
    play = Played(
        experience_id=right.experience_id,
        campaign_id=right.campaign_id,
        epoch=epoch,
        wanted=outcome.wanted,
        prize_id=outcome.prize_id,
    )
    if outcome.prize_id is None:
        end = _ended(right, order_id=order.order_id)
        shown = [slot for slot in stage.state.slots if slot.experience.experience_id == right.experience_id]
        gone = tuple(
            Withdrawal(experience_id=right.experience_id, slot=right.slot) for slot in shown if slot.state == "open"
        )
        return Drawn((play,), (), (end,), gone)
    value_minor = min(order.total_minor, at_most_minor)
    won = {"prize_id": BASKET, "value_minor": value_minor, "currency": order.currency}
    end = Settlement(
        experience_id=right.experience_id,
        campaign_id=right.campaign_id,
        cause="order",
        order_id=order.order_id,
        reserved_minor=-right.cost_minor,
        reserved_count=-1,
        committed_minor=value_minor,
        committed_count=1,
    )
    until_ms = max(right.honoured_until_ms, stage.state.clock_ms + BASKET_SHOWN_MS)
    return Drawn((play,), (_told(stage, right, {**right.content, "outcome": won}, until_ms),), (end,))


def _lost(stage: _Stage, right: Reservation, play: Played, late_ms: int = 0) -> Drawn:
    """Gives a play that won nothing: all that was reserved is given back."""
    content = {**_without_state(right), "outcome": {"prize_id": None}}
    told = _told(stage, right, content, right.honoured_until_ms + late_ms)
    return Drawn((play,), (told,), (_ended(right),))


def _won(stage: _Stage, right: Reservation, prize: Prize, play: Played, late_ms: int = 0) -> Drawn:
    """Gives a play that won: money off is redeemed at the till, anything else is handed over at once."""
    outcome = {"prize_id": prize.prize_id, "label": label_of(prize)}
    content = {**_without_state(right), "prize": named(prize.reward), "outcome": outcome}
    told = _told(stage, right, content, right.honoured_until_ms + late_ms)
    if prize.reward.type not in _IN_MONEY:
        end = _ended(right, committed_minor=min(prize.cost_minor, right.cost_minor), committed_count=1)
        return Drawn((play,), (told,), (end,))
    unused_minor = right.cost_minor - prize.cost_minor
    if unused_minor <= 0:
        return Drawn((play,), (told,))
    end = Settlement(
        experience_id=right.experience_id,
        campaign_id=right.campaign_id,
        cause="drawn",
        reserved_minor=-unused_minor,
    )
    return Drawn((play,), (told,), (end,))


def _ended(right: Reservation, **more: Any) -> Settlement:  # Any: further fields of a settlement
    return Settlement(
        experience_id=right.experience_id,
        campaign_id=right.campaign_id,
        cause="drawn",
        reserved_minor=-right.cost_minor,
        reserved_count=-1,
        **more,
    )


def _told(stage: _Stage, right: Reservation, content: dict[str, Any], until_ms: int) -> Decision:
    """Gives a right's experience again in its slot, with what became of it."""
    state, trigger = stage.state, stage.record.event.event_id
    shown = next(
        (slot.experience for slot in state.slots if slot.experience.experience_id == right.experience_id), None
    )
    node_id = state.node_id if shown is None else shown.node_id
    return Decision(
        experience=Experience(
            experience_id=experience_id(state.retailer_id, state.shopper, trigger, right.slot),
            kind=right.kind,
            slot=right.slot,
            decided_at_ms=state.clock_ms,
            expires_at_ms=until_ms,
            trigger_event_id=trigger,
            tree_generation=state.generation if shown is None else shown.tree_generation,
            node_id=node_id,
            content=content,
            campaign_id=right.campaign_id,
            trace=stage.record.trace,
        ),
        path=(node_id,),
        why=(),
    )


def _without_state(right: Reservation) -> dict[str, Any]:
    return {name: value for name, value in right.content.items() if name != "state"}


def _stock_key(state: Shopper, right: Reservation, prize_id: str) -> CampaignKey:
    return CampaignKey(state.retailer_id, stock_id(right.campaign_id, prize_id))


def _with(play: Played, **changes: Any) -> Played:  # Any: each field has a type of its own
    return structs.replace(play, **changes)
