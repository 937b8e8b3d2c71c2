"""The decision: where an event leads the shopper in the tree, and what the page shall show.

The worker calls `decide` after `apply`. The outcome is one `Decided` record; `adopt` turns it into state, so that a
partition's next owner reaches the same state from the log without any tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from domain.conditions import Condition, Facts, explain
from domain.experiences import Experience, Kind, Withdrawal
from domain.fold import Applied, was_seen
from domain.ids import experience_id, idle_event_id
from domain.records import SCHEMA_VERSION, Decided, Decision, Record, Why
from domain.shopper import DECISIONS_KEPT, SLOTS_MAX, Shopper, Slot, Timer
from domain.tree import Node, NodeExperience, Tree

MOVES_MAX = 8
"""Moves of one event through the tree."""
TENSION: Kind = "basket_tension"


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """A decision as a lookup tells it; kept encoded in the shopper's state."""

    experience_id: str
    kind: Kind
    trigger_event_id: UUID
    path: tuple[str, ...]
    why: tuple[Why, ...]


class Refusal(NamedTuple):
    """An edge that was tried and did not hold."""

    node_id: str
    when: Condition


class Walk(NamedTuple):
    """An event's way through a tree.

    Attributes:
        nodes: from where the event found the shopper to where it left, at least one.
        idle: whether the first move was the node's `after`.
        taken: the conditions of the edges taken, one a move (a move by `after` has none).
    """

    nodes: tuple[Node, ...]
    idle: bool = False
    taken: tuple[Condition, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_told_decoder = msgspec.msgpack.Decoder(Told)


def decide(applied: Applied, record: Record, tree: Tree | None, token: int) -> tuple[Shopper, Decided | None]:
    """Places the shopper in the tree and decides what to show.

    Args:
        applied: what `apply` made of the record; no repeat.
        record: the event.
        tree: the shopper's newest tree, else the retailer's default, else None.
        token: of the owner that speaks.

    Returns:
        The state afterwards, and the record for the experience log; None where the event neither emitted, withdrew,
        dismissed nor moved.
    """
    state = applied.state
    emitted: tuple[Decision, ...] = ()
    generation, walked_from, node_id = 0, "", ""
    last: Node | None = None
    if tree is not None:
        start = tree.node(find_start(applied, tree))
        walk = take_walk(tree, start, Facts(state, record), idle=applied.idle)
        last = walk.nodes[-1]
        generation, walked_from, node_id = tree.generation, start.node_id, last.node_id
        if len(walk.nodes) > 1:
            emitted = _entered(state, record, tree, walk)
    again: tuple[Decision, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    if state.slots and (applied.total_changed or applied.paid):
        again, withdrawals = _tensions(applied, record, {decision.experience.slot for decision in emitted})
    decisions = emitted + again
    moved = node_id != state.node_id or generation != state.generation
    if not (moved or decisions or withdrawals or applied.dismissed):
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
    )
    return adopt(state, decided), decided


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
    timer = None
    if decided.idle_s and state.last_event_id is not None:
        timer = Timer(
            after_event_id=state.last_event_id,
            node_id=decided.node_id,
            idle_s=decided.idle_s,
            armed_at_ms=decided.received_at_ms,
        )
    slots = state.slots
    told = state.decisions
    if decided.decisions or decided.withdrawals:
        slots = _slots_after(slots, decided)
        told = (*(_tell(decision) for decision in reversed(decided.decisions)), *told)[:DECISIONS_KEPT]
    return structs.replace(
        state,
        generation=decided.generation,
        node_id=decided.node_id,
        walked_from=decided.walked_from,
        slots=slots,
        decisions=told,
        timer=timer,
    )


def read_told(payload: bytes) -> Told:
    """Reads one of `Shopper.decisions`."""
    return _told_decoder.decode(payload)


def find_start(applied: Applied, tree: Tree) -> int:
    """Gives the node where the event finds the shopper: in a new generation the same id if it exists, else the root."""
    if applied.to_root or not applied.state.node_id:
        return tree.root
    index = tree.index_of(applied.state.node_id)
    return tree.root if index is None else index


def take_walk(tree: Tree, start: Node, facts: Facts, *, idle: bool, refused: list[Refusal] | None = None) -> Walk:
    """Moves the shopper: a timer by the node's `after`, then by the first edge that holds, again and again.

    Args:
        tree: of the node.
        start: where the event finds the shopper.
        facts: the state after the event, and the event.
        idle: the event is a timer; where the node has none, nothing moves.
        refused: if given, gets the edges that did not hold, in the order in which they were tried.
    """
    node = start
    nodes: tuple[Node, ...] = (start,)
    taken: tuple[Condition, ...] = ()
    if idle:
        if start.after is None:
            return Walk(nodes)
        node = tree.node(start.after[1])
        nodes = (start, node)
    while len(nodes) <= MOVES_MAX:
        for edge in node.edges:
            if edge.when.holds(facts):
                taken = (*taken, edge.when)
                node = tree.node(edge.to)
                nodes = (*nodes, node)
                break
            if refused is not None:
                refused.append(Refusal(node.node_id, edge.when))
        else:
            break
    return Walk(nodes, idle, taken)


def why_taken(walk: Walk, moves: int, facts: Facts) -> tuple[Why, ...]:
    """Gives the reasons for the first `moves` moves of a walk, evaluated again with recording."""
    why: list[Why] = []
    after = walk.nodes[0].after
    if walk.idle and after is not None:
        idle_s = after[0]
        why.append(Why(condition={"kind": "idle", "idle_s": idle_s}, seen=idle_s, held=True))
    for condition in walk.taken[: moves - walk.idle]:
        why.extend(explain(condition, facts))
    return tuple(why)


def _entered(state: Shopper, record: Record, tree: Tree, walk: Walk) -> tuple[Decision, ...]:
    """Gives the experiences of the nodes entered: the last one entered wins a slot."""
    winners: dict[str, tuple[int, NodeExperience]] = {}
    for moves, node in enumerate(walk.nodes[1:], start=1):
        for proposed in tree.experiences_of(node):
            if proposed.kind == TENSION and state.basket.total_minor >= proposed.content["threshold_minor"]:
                continue
            winners[proposed.slot] = (moves, proposed)
    if not winners:
        return ()
    facts = Facts(state, record)
    path = tuple(node.node_id for node in walk.nodes)
    return tuple(
        Decision(
            experience=_experience(state, record, proposed, tree.generation, path[moves]),
            path=path[: moves + 1],
            why=why_taken(walk, moves, facts),
        )
        for moves, proposed in winners.values()
    )


def _experience(state: Shopper, record: Record, proposed: NodeExperience, generation: int, node_id: str) -> Experience:
    """Gives the experience that a node proposes, as the page gets it."""
    content: dict[str, Any] = proposed.content
    if proposed.kind == TENSION:
        content = {**content, "missing_minor": content["threshold_minor"] - state.basket.total_minor}
    return Experience(
        experience_id=experience_id(state.retailer_id, state.shopper, record.event.event_id, proposed.slot),
        kind=proposed.kind,
        slot=proposed.slot,
        decided_at_ms=state.clock_ms,
        expires_at_ms=state.clock_ms + proposed.ttl_s * 1_000,
        trigger_event_id=record.event.event_id,
        tree_generation=generation,
        node_id=node_id,
        content=content,
        campaign_id=proposed.campaign_id,
    )


def _tensions(applied: Applied, record: Record, taken: set[str]) -> tuple[tuple[Decision, ...], tuple[Withdrawal, ...]]:
    """Gives what becomes of the open basket tensions whose slot the event did not fill otherwise."""
    state = applied.state
    again: list[Decision] = []
    withdrawn: list[Withdrawal] = []
    for slot in state.slots:
        shown = slot.experience
        if slot.state != "open" or shown.kind != TENSION or shown.slot in taken:
            continue
        if shown.expires_at_ms <= state.clock_ms:
            continue
        threshold_minor = shown.content["threshold_minor"]
        if applied.paid or state.basket.total_minor >= threshold_minor:
            withdrawn.append(Withdrawal(experience_id=shown.experience_id, slot=shown.slot))
        else:
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


def _tell(decision: Decision) -> bytes:
    """Gives the bytes of a decision as a lookup tells it."""
    shown = decision.experience
    return _encoder.encode(
        Told(
            experience_id=shown.experience_id,
            kind=shown.kind,
            trigger_event_id=shown.trigger_event_id,
            path=decision.path,
            why=decision.why,
        )
    )
