"""One event's story: what became of it, step by step, from what the stores and logs say. Told by `hotbasket trace`.

A time that nobody wrote down is not known, and stays so: nothing here guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from domain.events import ExperienceClicked, ExperienceDismissed, ExperienceShown, IdleElapsed
from domain.ids import Position
from domain.ports.failed_events import FailedEvent
from domain.records import Decided, Decision, Record
from domain.shopper import Shopper
from domain.timestamps import unix_ms

What = Literal[
    "created",
    "received",
    "repeated",
    "stored",
    "processed",
    "not_processed",
    "failed",
    "decided",
    "held_out",
    "lost",
    "considered",
    "withdrew",
    "saved",
    "archived",
    "not_archived",
    "shown",
    "clicked",
    "dismissed",
    "withdrawn",
    "replaced",
    "settled",
    "idle",
    "expires",
]
_REACTIONS: dict[type, What] = {
    ExperienceShown: "shown",
    ExperienceClicked: "clicked",
    ExperienceDismissed: "dismissed",
}


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened to the event, or to what it led to.

    Attributes:
        what: happened.
        at_ms: when, Unix milliseconds; None = nobody wrote it down.
        about: fields of its own, as JSON has them.
        by_ms: where `at_ms` is not known: not later than then, since something happened that comes after it.
    """

    what: What
    at_ms: int | None
    about: dict[str, Any]  # Any: each kind of step has fields of its own
    by_ms: int | None = None


class Evidence(NamedTuple):
    """All that was found of one event.

    Attributes:
        record: the event; of one that was sent again perhaps the repeat.
        partition, position: where that stands in the event log.
        place: where it was found, in words.
        decided: what the worker said of it, None where it said nothing.
        failed: why it could not be processed, None where that did not happen.
        later: the shopper's other events received since.
        later_decided: what was decided about those.
        state: from the shopper's snapshot, None where there is none.
        considered: the edges that it tried in vain, as a lookup has them, where that is still known.
        is_archived: whether the event store has a copy; None where the log itself is the store.
    """

    record: Record
    partition: int
    position: Position
    place: str
    decided: Decided | None = None
    failed: FailedEvent | None = None
    later: Sequence[Record] = ()
    later_decided: Sequence[Decided] = ()
    state: Shopper | None = None
    considered: Sequence[dict[str, Any]] = ()
    is_archived: bool | None = None


def clock_error_ms(record: Record) -> int | None:
    """Gives by how much the client's clock was ahead, in milliseconds; behind where less than 0.

    None where it is not known: the request did not say when it was sent, or the correction would have put the event
    behind its own receipt.
    """
    moved_ms = record.event_time_ms - _occurred_ms(record)
    if moved_ms == 0 or record.event_time_ms >= record.received_at_ms:
        return None
    return -moved_ms


def story(evidence: Evidence) -> list[Step]:
    """Gives the steps: what became of the event, then what became of each experience in the order of time."""
    return [*_on_its_way(evidence), *_processed(evidence), *_outcome(evidence), *_saved(evidence), *_after(evidence)]


def received_at_ms(evidence: Evidence) -> int:
    """Gives when the event was received first, Unix milliseconds: the story counts from there."""
    return evidence.record.received_at_ms if evidence.decided is None else evidence.decided.received_at_ms


def _on_its_way(evidence: Evidence) -> Iterator[Step]:
    record, received_ms = evidence.record, received_at_ms(evidence)
    created = {"occurred_at_ms": _occurred_ms(record), "clock_error_ms": clock_error_ms(record)}
    yield Step(what="created", at_ms=min(record.event_time_ms, received_ms), about=created)
    yield Step(what="received", at_ms=received_ms, about={"verified": record.verified})
    epoch, offset = evidence.position if evidence.decided is None else evidence.decided.position
    place = {"partition": evidence.partition, "epoch": epoch, "offset": offset}
    by_ms = evidence.decided.processed_at_ms or None if evidence.decided is not None else None
    yield Step(what="stored", at_ms=None, about={**place, "found_in": evidence.place}, by_ms=by_ms)
    if record.received_at_ms != received_ms:
        yield Step(what="repeated", at_ms=record.received_at_ms, about={"offset": evidence.position.offset})


def _processed(evidence: Evidence) -> Iterator[Step]:
    decided, failed, state = evidence.decided, evidence.failed, evidence.state
    if failed is not None:
        about = {"reason": failed.reason, "detail": failed.detail, "path": failed.path, "failed_id": failed.failed_id}
        yield Step(what="failed", at_ms=None, about=about)
    elif decided is not None:
        moved = {"generation": decided.generation, "from": decided.walked_from, "to": decided.node_id}
        yield Step(what="processed", at_ms=decided.processed_at_ms or None, about=moved)
    elif state is not None and state.position >= evidence.position:
        yield Step(what="processed", at_ms=None, about={})
    else:
        yield Step(what="not_processed", at_ms=None, about={})


def _outcome(evidence: Evidence) -> Iterator[Step]:
    """Gives what was decided, why, and what was not."""
    decided = evidence.decided
    if decided is not None:
        at_ms = decided.processed_at_ms or None
        for decision in decided.decisions:
            yield Step(what="decided", at_ms=at_ms, about=_told(decision))
        for decision in decided.held_out:
            yield Step(what="held_out", at_ms=at_ms, about=_told(decision))
        for gone in decided.withdrawals:
            yield Step(what="withdrew", at_ms=at_ms, about=msgspec.to_builtins(gone))
        for loser in decided.against:
            yield Step(what="lost", at_ms=at_ms, about=msgspec.to_builtins(loser))
    for refused in evidence.considered:
        yield Step(what="considered", at_ms=None, about=dict(refused))


def _told(decision: Decision) -> dict[str, Any]:
    shown = decision.experience
    return {
        "experience_id": shown.experience_id,
        "kind": shown.kind,
        "slot": shown.slot,
        "campaign_id": shown.campaign_id,
        "path": list(decision.path),
        "why": msgspec.to_builtins(decision.why),
    }


def _saved(evidence: Evidence) -> Iterator[Step]:
    state = evidence.state
    if state is not None and state.position >= evidence.position:
        yield Step(what="saved", at_ms=None, about={"epoch": state.position.epoch, "offset": state.position.offset})
    if evidence.is_archived is not None:
        yield Step(what="archived" if evidence.is_archived else "not_archived", at_ms=None, about={})


def _after(evidence: Evidence) -> Iterator[Step]:
    """Gives what followed: the node's timer, what the shopper did with the experiences, and how those ended."""
    steps: list[Step] = list(_timers(evidence))
    for decision in evidence.decided.decisions if evidence.decided is not None else ():
        experience_id = decision.experience.experience_id
        steps += _reactions(experience_id, evidence.later)
        steps += _ends(decision, evidence.later_decided)
        about = {"experience_id": experience_id}
        steps.append(Step(what="expires", at_ms=decision.experience.expires_at_ms, about=about))
    yield from sorted(steps, key=lambda step: step.at_ms or 0)


def _timers(evidence: Evidence) -> Iterator[Step]:
    """Gives the timers that elapsed because nothing followed the event, with where they led, if anywhere."""
    led = {decided.trigger_event_id: decided.node_id for decided in evidence.later_decided}
    for record in evidence.later:
        event = record.event
        if isinstance(event, IdleElapsed) and event.after_event_id == evidence.record.event.event_id:
            about = {"event_id": str(event.event_id), "from": event.node_id, "to": led.get(event.event_id)}
            yield Step(what="idle", at_ms=record.received_at_ms, about=about)


def _reactions(experience_id: str, later: Sequence[Record]) -> Iterator[Step]:
    for record in later:
        event = record.event
        if not isinstance(event, ExperienceShown | ExperienceClicked | ExperienceDismissed):
            continue
        if event.experience_id == experience_id:
            about = {"experience_id": experience_id, "event_id": str(event.event_id)}
            yield Step(what=_REACTIONS[type(event)], at_ms=record.received_at_ms, about=about)


def _ends(decision: Decision, later: Sequence[Decided]) -> Iterator[Step]:
    """Gives what took an experience off the page: the first later event that withdrew it or filled its slot."""
    shown = decision.experience
    for decided in later:
        about = {"experience_id": shown.experience_id, "event_id": str(decided.trigger_event_id)}
        for end in decided.settlements:
            if end.experience_id == shown.experience_id:
                settled = {**about, "cause": end.cause, "order_id": end.order_id}
                yield Step(what="settled", at_ms=decided.received_at_ms, about=settled)
    for decided in later:
        about = {"experience_id": shown.experience_id, "event_id": str(decided.trigger_event_id)}
        at_ms = decided.processed_at_ms or decided.received_at_ms
        if any(gone.experience_id == shown.experience_id for gone in decided.withdrawals):
            yield Step(what="withdrawn", at_ms=at_ms, about=about)
            return
        if any(other.experience.slot == shown.slot for other in decided.decisions):
            yield Step(what="replaced", at_ms=at_ms, about=about)
            return


def _occurred_ms(record: Record) -> int:
    return unix_ms(record.event.occurred_at)
