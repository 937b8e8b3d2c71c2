"""The decision: where an event leads the shopper in the tree, and what the page shall show.

The worker calls `decide` after `apply`. The outcome is one `Decided` record; `adopt` turns it into state, so that a
partition's next owner reaches the same state from the log without any tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from msgspec import structs

from domain.arbitration import Arbiter, Bid, Market, Won
from domain.campaigns_in_force import Offer
from domain.conditions import Facts, explain
from domain.drawing import Drawn, draw_rights, taken_back
from domain.events import ConsentWithdrawn, ShopperErased, ShopperSuppressed
from domain.experiences import Experience, Kind, Withdrawal
from domain.fold import Applied, was_seen
from domain.ids import experience_id, idle_event_id
from domain.promises import after_decision
from domain.records import SCHEMA_VERSION, Against, Decided, Decision, Record, Reserved, Why
from domain.shopper import SLOTS_MAX, Shopper, Slot, Timer
from domain.terms import Terms
from domain.told import decisions_after, losers_after
from domain.tree import Node, Tree
from domain.walk import Walk, find_start, take_walk, why_taken

TENSION: Kind = "basket_tension"


class Entered(NamedTuple):
    """What the nodes that an event entered bring.

    Attributes:
        emitted: for the page.
        held_out: kept from it.
        against: campaigns that lost.
        reservations: what is promised.
    """

    emitted: tuple[Decision, ...] = ()
    held_out: tuple[Decision, ...] = ()
    against: tuple[Against, ...] = ()
    reservations: tuple[Reserved, ...] = ()


_NOTHING = Entered()


def decide(
    applied: Applied, record: Record, tree: Tree | None, token: int, market: Market | None = None, now_ms: int = 0
) -> tuple[Shopper, Decided | None]:
    """Places the shopper in the tree and decides what to show.

    Args:
        applied: what `apply` made of the record; no repeat.
        record: the event.
        tree: the shopper's newest tree, else the retailer's default, else None.
        token: of the owner that speaks.
        market: campaigns, and what may be promised; None = campaigns are not asked, and every proposal stands.
        now_ms: the worker's time: nothing depends on it, and only who looks back reads it; 0 = not said.

    Returns:
        The state afterwards, and the record for the experience log; None where the event neither emitted, withdrew,
        dismissed, settled nor moved, and no campaign lost or was held out. Whoever takes the record down folds it into
        the market's purse.
    """
    state = applied.state
    drawn = draw_rights(applied, record, market)
    if applied.stays or state.is_withdrawn or state.is_suppressed:
        return _stays(applied, record, token, drawn, now_ms)
    entered = _NOTHING
    generation, walked_from, node_id = 0, "", ""
    last: Node | None = None
    if tree is not None:
        start = tree.node(find_start(applied, tree))
        walk = take_walk(tree, start, Facts(state, record), idle=applied.idle)
        last = walk.nodes[-1]
        generation, walked_from, node_id = tree.generation, start.node_id, last.node_id
        entered = _entered(state, record, tree, walk, market, drawn.slots) if len(walk.nodes) > 1 else _NOTHING
    again: tuple[Decision, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    if state.slots and (applied.total_changed or applied.paid or applied.settlements):
        again, withdrawals = _tensions(applied, record, _slots_of(entered.emitted) | drawn.slots)
    decisions = drawn.decisions + entered.emitted + again
    withdrawals += _gone(applied, drawn, decisions)
    moved = node_id != state.node_id or generation != state.generation
    told = decisions or withdrawals or entered.held_out or entered.against
    if not (moved or told or applied.dismissed or applied.settlements or drawn.settlements):
        # The node is the same, so a timer that the event re-armed stands; one that elapsed without a move is gone.
        return state, None
    decided = Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=state.position,
        trigger_event_id=record.event.event_id,
        retailer_id=state.retailer_id,
        shopper=state.shopper,
        received_at_ms=record.received_at_ms,
        generation=generation,
        node_id=node_id,
        walked_from=walked_from,
        idle_s=_timer_s(state, last),
        decisions=decisions,
        withdrawals=withdrawals,
        dismissals=applied.dismissed,
        held_out=entered.held_out,
        against=entered.against,
        reservations=entered.reservations,
        settlements=applied.settlements + drawn.settlements,
        plays=drawn.plays,
        processed_at_ms=now_ms,
    )
    return adopt(state, decided), decided


def _stays(applied: Applied, record: Record, token: int, drawn: Drawn, now_ms: int) -> tuple[Shopper, Decided | None]:
    """Decides what moves nobody: where the shopper stands, and the timer there, stay as they are."""
    state = applied.state
    withdrawals: tuple[Withdrawal, ...] = ()
    if isinstance(record.event, ConsentWithdrawn | ShopperSuppressed | ShopperErased):
        slots = applied.forgotten or state.slots
        shown = (slot.experience for slot in slots if slot.state == "open")
        withdrawals = tuple(Withdrawal(experience_id=one.experience_id, slot=one.slot) for one in shown)
    if not (applied.settlements or drawn.plays or withdrawals):
        return state, None
    decided = Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=state.position,
        trigger_event_id=record.event.event_id,
        retailer_id=state.retailer_id,
        shopper=state.shopper,
        received_at_ms=record.received_at_ms,
        generation=state.generation,
        node_id=state.node_id,
        walked_from=state.walked_from,
        decisions=drawn.decisions,
        withdrawals=withdrawals,
        settlements=applied.settlements + drawn.settlements,
        plays=drawn.plays,
        stays=True,
        processed_at_ms=now_ms,
    )
    return adopt(state, decided), decided


def _slots_of(decisions: Iterable[Decision]) -> set[str]:
    return {decision.experience.slot for decision in decisions}


def _gone(applied: Applied, drawn: Drawn, decisions: Iterable[Decision]) -> tuple[Withdrawal, ...]:
    """Gives the rights and rewards that are over, but for those that something else replaces anyway."""
    over = drawn.withdrawals + taken_back(applied.state, applied.settlements)
    return tuple(one for one in over if one.slot not in _slots_of(decisions)) if over else ()


def _timer_s(state: Shopper, node: Node | None) -> int:
    """Gives the seconds of the timer that a node arms, 0 for none.

    A timer has one id for an event and a node: one that has elapsed already, in a tree before this one, would be
    absorbed as a repeat whenever it fired, for ever.
    """
    if node is None or node.after is None or state.last_event_id is None:
        return 0
    elapsed = was_seen(state.seen, idle_event_id(state.last_event_id, node.node_id).bytes)
    return 0 if elapsed else node.after[0]


def adopt(state: Shopper, decided: Decided) -> Shopper:
    """Gives the state after a decision, from the decision alone.

    Args:
        state: after `apply` of the same event.
        decided: the event's record in the experience log.
    """
    slots = _slots_after(state.slots, decided) if decided.decisions or decided.withdrawals else state.slots
    state = after_decision(state, decided)
    told, losers = decisions_after(state.decisions, decided), losers_after(state.losers, decided)
    if decided.stays:
        return structs.replace(state, slots=slots, decisions=told, losers=losers)
    timer = None
    if decided.idle_s and state.last_event_id is not None:
        timer = Timer(
            after_event_id=state.last_event_id,
            node_id=decided.node_id,
            idle_s=decided.idle_s,
            armed_at_ms=decided.received_at_ms,
        )
    return structs.replace(
        state,
        generation=decided.generation,
        node_id=decided.node_id,
        walked_from=decided.walked_from,
        slots=slots,
        decisions=told,
        losers=losers,
        timer=timer,
    )


def _entered(
    state: Shopper, record: Record, tree: Tree, walk: Walk, market: Market | None, taken: AbstractSet[str]
) -> Entered:
    """Gives what the nodes entered bring: in each slot the last one's proposal, as far as campaigns agree.

    What a draw has given stands in its slot, whatever is proposed for it: the shopper has to see it.
    """
    bids: dict[str, list[Bid]] = {}
    asks = False
    for moves, node in enumerate(walk.nodes[1:], start=1):
        for proposed in tree.experiences_of(node):
            if proposed.slot in taken:
                continue
            bids.setdefault(proposed.slot, []).append(Bid(moves, node.node_id, proposed))
            asks = asks or proposed.campaign_id is not None
    if not bids:
        return _NOTHING
    facts = Facts(state, record)
    if not asks or market is None:
        winners = {slot: won for slot, of_slot in bids.items() if (won := _last(state, of_slot)) is not None}
        return Entered(tuple(_decision(won, facts, tree, walk) for won in winners.values()))
    arbiter = Arbiter(market, facts)
    winners = arbiter.fill(bids)
    emitted: list[Decision] = []
    held_out: list[Decision] = []
    reservations: list[Reserved] = []
    for won in winners.values():
        decision = _decision(won, facts, tree, walk)
        (held_out if won.is_held_out else emitted).append(decision)
        if won.offer is not None and won.terms is not None and not won.is_held_out:
            reservations += _reserved(won.offer, won.terms, decision)
    return Entered(tuple(emitted), tuple(held_out), tuple(arbiter.against), tuple(reservations))


def _last(state: Shopper, bids: Sequence[Bid]) -> Won | None:
    """Gives the winner of a slot for which no campaign is asked: the last that can be shown."""
    for bid in reversed(bids):
        proposed = bid.proposed
        if proposed.kind != TENSION or state.basket.total_minor < proposed.content["threshold_minor"]:
            return Won(bid)
    return None


def _decision(won: Won, facts: Facts, tree: Tree, walk: Walk) -> Decision:
    """Gives the experience of a slot's winner with its reasons."""
    bid = won.bid
    why = why_taken(walk, bid.moves, facts)
    content: dict[str, Any] = bid.proposed.content
    campaign_id = bid.proposed.campaign_id
    is_clamped = False
    if won.offer is not None and won.terms is not None:
        content, campaign_id, is_clamped = won.terms.content, won.offer.key.campaign_id, won.terms.is_clamped
        if won.offer.definition.audience is not None:
            why = (*why, *explain(won.offer.definition.audience, facts))
    return Decision(
        experience=_experience(facts, bid, content, campaign_id, tree.generation, _until_ms(won, facts)),
        path=tuple(node.node_id for node in walk.nodes[: bid.moves + 1]),
        why=why,
        is_clamped=is_clamped,
    )


def _reserved(offer: Offer, promised: Terms, decision: Decision) -> list[Reserved]:
    """Gives what a decision reserves: nothing where it costs nothing and nobody counts."""
    if not offer.is_kept(promised.cost_minor):
        return []
    definition = offer.definition
    return [
        Reserved(
            experience_id=decision.experience.experience_id,
            campaign_id=offer.key.campaign_id,
            cost_minor=promised.cost_minor,
            group=definition.exclusivity_group,
            priority=definition.priority,
        )
    ]


def _experience(
    facts: Facts, bid: Bid, content: dict[str, Any], campaign_id: str | None, generation: int, until_ms: int
) -> Experience:
    """Gives what a node proposes, as the page gets it."""
    state, trigger, proposed = facts.state, facts.record.event.event_id, bid.proposed
    if proposed.kind == TENSION:
        content = {**content, "missing_minor": content["threshold_minor"] - state.basket.total_minor}
    return Experience(
        experience_id=experience_id(state.retailer_id, state.shopper, trigger, proposed.slot),
        kind=proposed.kind,
        slot=proposed.slot,
        decided_at_ms=state.clock_ms,
        expires_at_ms=until_ms,
        trigger_event_id=trigger,
        tree_generation=generation,
        node_id=bid.node_id,
        content=content,
        campaign_id=campaign_id,
        trace=facts.record.trace,
    )


def _until_ms(won: Won, facts: Facts) -> int:
    """Gives when an experience ends; a right to a draw not after the last seed is used, since it could not be drawn."""
    until_ms = facts.state.clock_ms + won.bid.proposed.ttl_s * 1_000
    if won.offer is None or not won.offer.definition.has_draws:
        return until_ms
    return min(until_ms, won.offer.definition.draws_until_ms)


def _tensions(applied: Applied, record: Record, taken: set[str]) -> tuple[tuple[Decision, ...], tuple[Withdrawal, ...]]:
    """Gives what becomes of the open basket tensions whose slot the event did not fill otherwise."""
    state = applied.state
    again: list[Decision] = []
    withdrawn: list[Withdrawal] = []
    settled = {end.experience_id for end in applied.settlements}
    for slot in state.slots:
        shown = slot.experience
        if slot.state != "open" or shown.kind != TENSION or shown.slot in taken:
            continue
        if shown.expires_at_ms <= state.clock_ms:
            continue
        threshold_minor = shown.content["threshold_minor"]
        # What an order has redeemed can't be promised any longer, even where the order itself is no news.
        is_over = applied.paid or shown.experience_id in settled
        if is_over or state.basket.total_minor >= threshold_minor:
            withdrawn.append(Withdrawal(experience_id=shown.experience_id, slot=shown.slot))
        elif applied.total_changed:
            again.append(_still_missing(state, record, shown, threshold_minor))
    return tuple(again), tuple(withdrawn)


def _still_missing(state: Shopper, record: Record, shown: Experience, threshold_minor: int) -> Decision:
    """Gives an open basket tension again with what is missing now; its end stays what was promised first."""
    below = {"kind": "basket_total", "at_most_minor": threshold_minor - 1}
    fresh = structs.replace(
        shown,
        experience_id=experience_id(state.retailer_id, state.shopper, record.event.event_id, shown.slot),
        decided_at_ms=state.clock_ms,
        trigger_event_id=record.event.event_id,
        trace=record.trace,
        content={**shown.content, "missing_minor": threshold_minor - state.basket.total_minor},
    )
    why = (Why(condition=below, seen=state.basket.total_minor, held=True),)
    return Decision(experience=fresh, path=(shown.node_id,), why=why)


def _slots_after(slots: tuple[Slot, ...], decided: Decided) -> tuple[Slot, ...]:
    """Gives the slots with a decision in them, the most recently changed last, at most SLOTS_MAX."""
    latest = {slot.experience.slot: slot for slot in slots}
    number = 0
    for withdrawal in decided.withdrawals:
        gone = latest.pop(withdrawal.slot, None)
        if gone is not None:
            latest[withdrawal.slot] = Slot(
                experience=gone.experience, state="withdrawn", position=decided.position, number=number
            )
        number += 1
    for decision in decided.decisions:
        latest.pop(decision.experience.slot, None)
        latest[decision.experience.slot] = Slot(
            experience=decision.experience, position=decided.position, number=number
        )
        number += 1
    return tuple(latest.values())[-SLOTS_MAX:]
