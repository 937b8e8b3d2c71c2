"""How one event's story is told: as JSON, or as lines for a person, each with its milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.explain import because, reasons
from domain.story import Evidence, Step, received_at_ms, story
from domain.timestamps import rfc3339
from domain.traces import is_sampled, trace_id

_WIDTH = 12
_UNKNOWN = "not known"
_PAGE = {
    "shown": "was shown",
    "clicked": "was clicked",
    "dismissed": "was dismissed",
    "withdrawn": "was withdrawn",
    "replaced": "was replaced",
}


def told(evidence: Evidence) -> dict[str, Any]:
    """Gives the story as JSON; what is not known is null."""
    record, received_ms = evidence.record, received_at_ms(evidence)
    return {
        "event_id": str(record.event.event_id),
        "type": type(record.event).__name__,
        "retailer_id": record.retailer_id,
        "shopper": record.event.shopper_id,
        "experience_id": getattr(record.event, "experience_id", None),
        "trace_id": trace_id(record.trace) or None,
        "sampled": is_sampled(record.trace),
        "received_at": rfc3339(received_ms),
        "steps": [_step(step, received_ms) for step in story(evidence)],
    }


def _step(step: Step, received_ms: int) -> dict[str, Any]:
    about = dict(step.about)
    if "occurred_at_ms" in about:
        about["occurred_at"] = rfc3339(about.pop("occurred_at_ms"))
    at_ms = step.at_ms
    known = {"at": None, "ms": None} if at_ms is None else {"at": rfc3339(at_ms), "ms": at_ms - received_ms}
    if step.by_ms is not None:
        about["ms_at_most"] = step.by_ms - received_ms
    return {"what": step.what, **known, **about}


def lines(evidence: Evidence, now_ms: int) -> Iterator[str]:
    """Gives the story as lines for a person.

    Args:
        evidence: what was found.
        now_ms: Unix milliseconds: what is over by now is told so.
    """
    record, received_ms = evidence.record, received_at_ms(evidence)
    yield f"{type(record.event).__name__} {record.event.event_id} of shopper {record.event.shopper_id[:12]}…"
    if (reported := getattr(record.event, "experience_id", None)) is not None:
        yield f"About experience {reported}"
    if record.trace:
        yield f"Trace {trace_id(record.trace)}, {'' if is_sampled(record.trace) else 'not '}sampled"
    steps = story(evidence)
    for step in steps:
        first, *more = _sentences(step, now_ms)
        yield f"{_when(step, received_ms):>{_WIDTH}}  {first}"
        for line in more:
            yield f"{'':{_WIDTH}}  {line}"
    if any(step.what == "processed" for step in steps) and not any(step.what == "decided" for step in steps):
        yield f"{'':{_WIDTH}}  {_why_nothing(steps)}"


def _when(step: Step, received_ms: int) -> str:
    if step.at_ms is not None:
        return f"{step.at_ms - received_ms:+,} ms"
    return _UNKNOWN if step.by_ms is None else f"≤ {step.by_ms - received_ms:+,} ms"


def _why_nothing(steps: list[Step]) -> str:
    """Gives why no experience was decided, as far as it is still known."""
    found = {step.what for step in steps}
    if found & {"held_out", "lost", "considered"}:
        return "nothing was shown: see above"
    return "nothing was decided; hotbasket replay-shopper tells what another tree would have decided"


def _sentences(step: Step, now_ms: int) -> list[str]:
    """Gives the sentences of a step, the first one beside its time."""
    about = step.about
    match step.what:
        case "created" | "received" | "repeated" | "stored":
            return [_arrived(step)]
        case "processed" | "not_processed" | "failed" | "saved" | "archived" | "not_archived":
            return [_worked(step)]
        case "decided" | "held_out" | "lost" | "considered" | "withdrew":
            return list(_outcome(step))
        case "settled":
            by = f" by order {about['order_id']}" if about["order_id"] else ""
            return [f"the promise of {about['experience_id']} was settled ({about['cause']}){by}"]
        case "idle":
            led = "moved nobody" if about["to"] in (None, about["from"]) else f"led to {about['to']!r}"
            return [f"the timer of node {about['from']!r} elapsed and {led}, event {about['event_id']}"]
        case "expires":
            is_over = step.at_ms is not None and step.at_ms <= now_ms
            return [f"{about['experience_id']} {'is over' if is_over else 'ends'} at {rfc3339(step.at_ms or 0)}"]
        case _:
            return [f"{about['experience_id']} {_PAGE[step.what]}, event {about['event_id']}"]


def _arrived(step: Step) -> str:
    about = step.about
    match step.what:
        case "created":
            return f"created by the client at {rfc3339(about['occurred_at_ms'])}; {_clock(about['clock_error_ms'])}"
        case "received":
            return f"received at {rfc3339(step.at_ms or 0)}{', verified' if about['verified'] else ''}"
        case "repeated":
            return f"sent again, as offset {about['offset']}; a repeat changes nothing"
        case _:
            place = f"partition {about['partition']}, epoch {about['epoch']}, offset {about['offset']}"
            return f"stored in {place}; found in the {about['found_in']}"


def _worked(step: Step) -> str:
    about = step.about
    match step.what:
        case "failed":
            return f"failed: {about['reason']} at {about['path']}: {about['detail']}; failed event {about['failed_id']}"
        case "saved":
            return "saved: the shopper's snapshot reaches beyond it"
        case "archived":
            return "archived: the event store has it"
        case "not_archived":
            return "not archived yet"
        case "not_processed":
            return "not processed yet, as far as the last checkpoint and what is archived say"
        case _ if "to" not in about:
            return "processed: the shopper stayed where they were"
        case _ if about["from"] == about["to"]:
            return f"processed: at node {about['to']!r} of generation {about['generation']}"
        case _:
            return f"processed: from node {about['from']!r} to {about['to']!r} of generation {about['generation']}"


def _outcome(step: Step) -> Iterator[str]:
    about = step.about
    match step.what:
        case "withdrew":
            yield f"withdrew {about['experience_id']} from slot {about['slot']!r}"
        case "lost":
            yield f"campaign {about['campaign_id']} lost slot {about['slot']!r}: {because(about['reason'])}"
        case "considered":
            yield f"an edge of node {about['node_id']!r} was not taken"
            yield from reasons(about["why"])
        case _:
            of = f" of {about['campaign_id']}" if about["campaign_id"] else ""
            kept = ", held out: nothing was shown" if step.what == "held_out" else ""
            yield f"decided {about['kind'].replace('_', ' ')} {about['experience_id']}{of}{kept}"
            yield f"  slot {about['slot']!r}, way: {' → '.join(about['path'])}"
            yield from reasons(about["why"])


def _clock(error_ms: int | None) -> str:
    if error_ms is None:
        return "its clock's error is not known"
    return f"its clock was {abs(error_ms):,} ms {'ahead' if error_ms > 0 else 'behind'}"
