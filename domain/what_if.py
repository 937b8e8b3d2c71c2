"""What if: a shopper's events folded through another tree or other campaigns, beside what was decided in reality.

What the shopper did stays what it was, whatever would have been shown. The worker's own events (timers, and the ends of
promises) are made anew where they would have been due. Budgets are without limit: what other shoppers were promised
is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple
from uuid import UUID

from msgspec import Struct, structs

from domain.arbitration import Market
from domain.decide import decide
from domain.events import IdleElapsed, InsideEvent, ReservationExpired
from domain.experiences import Kind
from domain.fold import apply
from domain.ids import Position, ShopperKey, idle_event_id, reservation_expired_id
from domain.purse import Amounts, CampaignKey, Purse
from domain.records import Decided, Decision, Record, inside_record
from domain.reservations import Reservation
from domain.shopper import Shopper, Timer
from domain.timestamps import from_unix_ms
from domain.tree import Tree

_PLENTY = Amounts(1 << 62, 1 << 62)
_EPOCH = 1
_TOKEN = 0


class Bottomless(Purse):
    """A purse that never runs out."""

    def left(self, key: CampaignKey) -> Amounts:
        """Gives more than anybody promises."""
        return _PLENTY

    def has(self, key: CampaignKey, minor: int, promises: int) -> bool:
        """Has whatever is asked for, of money and of prizes."""
        return True


class World(NamedTuple):
    """What would have decided.

    Attributes:
        tree: of the shopper; None = none.
        market: the campaigns; its purse is `Bottomless`.
    """

    tree: Tree | None
    market: Market


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event did to one slot.

    Attributes:
        became: shown, kept from a shopper who is held out, or taken off the page.
        kind, campaign_id, node_id, content: of the experience; none of what was taken off.
    """

    slot: str
    became: Literal["shown", "held_out", "withdrawn"]
    kind: Kind | None = None
    campaign_id: str | None = None
    node_id: str | None = None
    content: dict[str, Any] | None = None


class Row(Struct, frozen=True, kw_only=True):
    """One event, and what came of it.

    Attributes:
        at_ms: when it was received, or would have been.
        event_id, type: of the event.
        actual: what was decided in reality.
        would_be: what would have been decided.
    """

    at_ms: int
    event_id: UUID
    type: str
    actual: tuple[Outcome, ...] = ()
    would_be: tuple[Outcome, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether the page would have been told the same, from whichever node."""
        actual, would_be = (
            sorted((structs.replace(one, node_id=None) for one in side), key=lambda one: one.slot)
            for side in (self.actual, self.would_be)
        )
        return actual == would_be


def compare(
    key: ShopperKey, records: Iterable[Record], decided: Mapping[UUID, Decided], world: World, until_ms: int
) -> list[Row]:
    """Gives every event of a shopper with both outcomes.

    Args:
        key: whose.
        records: of the shopper alone, in the log's order, from where they are kept.
        decided: in reality, by the id of the event.
        world: what would have decided.
        until_ms: up to when what is due after the last event still comes, Unix milliseconds.

    Returns:
        In the order of time. What only one of both workers made (a timer) has a row of its own.

    Raises:
        TreeUnreadable: a node of the tree is damaged.
    """
    rows: dict[UUID, Row] = {}

    def note(record: Record, imagined: Decided | None) -> None:
        event = record.event
        row = rows.get(event.event_id)
        if row is None:
            real = decided.get(event.event_id)
            row = Row(
                at_ms=record.received_at_ms,
                event_id=event.event_id,
                type=type(event).__name__,
                actual=_outcomes(real) if real is not None else (),
            )
        if imagined is not None:
            row = structs.replace(row, would_be=_outcomes(imagined))
        rows[event.event_id] = row

    imagination = _Imagination(key, world)
    for record in records:
        for fired, imagined in imagination.until(record.received_at_ms):
            note(fired, imagined)
        is_inside = isinstance(record.event, InsideEvent)
        note(record, None if is_inside else imagination.take(record))
    for fired, imagined in imagination.until(until_ms):
        note(fired, imagined)
    return list(rows.values())


class _Imagination:
    """The shopper as it would have been."""

    def __init__(self, key: ShopperKey, world: World) -> None:
        self._state = Shopper(retailer_id=key.retailer_id, shopper=key.shopper)
        self._world = world
        self._offset = 0
        self._is_stuck = False

    def take(self, record: Record) -> Decided | None:
        """Folds an event and gives what would have been decided."""
        applied = apply(self._state, record, Position(_EPOCH, self._offset))
        self._offset += 1
        self._state = applied.state
        self._is_stuck = applied.repeat
        if applied.repeat:
            return None
        self._state, decided = decide(applied, record, self._world.tree, _TOKEN, self._world.market)
        return decided

    def until(self, at_ms: int) -> Iterator[tuple[Record, Decided | None]]:
        """Folds what is due up to a moment, in its order."""
        self._is_stuck = False
        while not self._is_stuck and (record := self._due(at_ms)) is not None:
            yield record, self.take(record)

    def _due(self, at_ms: int) -> Record | None:
        state = self._state
        timer = state.timer
        ending = min((one for one in state.reservations if one.is_open), key=_due_of, default=None)
        if timer is not None and (ending is None or timer.due_at_ms <= ending.due_at_ms):
            return _idle(state, timer) if timer.due_at_ms <= at_ms else None
        if ending is not None and ending.due_at_ms <= at_ms:
            return _expired(state, ending)
        return None


def _due_of(one: Reservation) -> int:
    return one.due_at_ms


def _idle(state: Shopper, timer: Timer) -> Record:
    event_time_ms = state.clock_ms + timer.idle_s * 1_000
    event = IdleElapsed(
        event_id=idle_event_id(timer.after_event_id, timer.node_id),
        occurred_at=from_unix_ms(event_time_ms),
        shopper_id=state.shopper,
        after_event_id=timer.after_event_id,
        node_id=timer.node_id,
    )
    return inside_record(state.retailer_id, event, timer.due_at_ms, event_time_ms)


def _expired(state: Shopper, one: Reservation) -> Record:
    event = ReservationExpired(
        event_id=reservation_expired_id(one.experience_id),
        occurred_at=from_unix_ms(one.due_at_ms),
        shopper_id=state.shopper,
        experience_id=one.experience_id,
    )
    return inside_record(state.retailer_id, event, one.due_at_ms)


def _outcomes(decided: Decided) -> tuple[Outcome, ...]:
    gone = (Outcome(slot=one.slot, became="withdrawn") for one in decided.withdrawals)
    shown = (_outcome(one, "shown") for one in decided.decisions)
    kept = (_outcome(one, "held_out") for one in decided.held_out)
    return (*gone, *shown, *kept)


def _outcome(decision: Decision, became: Literal["shown", "held_out"]) -> Outcome:
    experience = decision.experience
    return Outcome(
        slot=experience.slot,
        became=became,
        kind=experience.kind,
        campaign_id=experience.campaign_id,
        node_id=experience.node_id,
        content=experience.content,
    )
