"""From a request's body to its events: the first step at the door, called by the gateway for each request.

A native event alone is the common case and decoded at once. Everything else is taken apart just far enough that each
event stands for itself: one that is bad never harms its neighbours.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from domain import ga4, segment
from domain.admission import admit
from domain.commerce import Translation
from domain.door import EVENT_BYTES_MAX, Accepted, Arrival, Door, Dropped, Outcome, Rejected
from domain.envelope import Envelope, is_ga4, open_body, open_payload, too_deep
from domain.events import OutsideEvent
from domain.faults import UNREADABLE, BadBody, Fault, is_too_deep, of_event, unreadable
from domain.foreign import Fields
from domain.personal_data import Kind
from domain.records import Record
from domain.timestamps import is_plausible
from domain.traces import NO_TRACE

__all__ = ["EVENT_BYTES_MAX", "Accepted", "BadBody", "Door", "Dropped", "Outcome", "Rejected", "read"]


class _WithId(Struct):
    event_id: UUID | None = None


_native: msgspec.json.Decoder[OutsideEvent] = msgspec.json.Decoder(OutsideEvent)
_loose = msgspec.json.Decoder(float_hook=Decimal)
_with_id = msgspec.json.Decoder(_WithId)


def read(
    body: bytes,
    door: Door,
    *,
    received_at_ms: int,
    verified: bool,
    is_refused: bool = False,
    trace: str = NO_TRACE,
) -> list[Outcome]:
    """Reads a request's body.

    Args:
        body: after inflating, of bounded size.
        door: the rules of the retailer whose key came with it.
        received_at_ms: by the gateway's clock, Unix milliseconds.
        verified: the key was the secret one.
        is_refused: the sender refuses personalisation (`Sec-GPC: 1`).
        trace: under which the request was sent (`domain.traces`).

    Returns:
        What becomes of each source event, in the order of the body; at least one. Equal bodies give equal event ids.

    Raises:
        BadBody: the body as a whole can't be read; nothing of it was taken.
    """
    arrival = Arrival(door, received_at_ms, verified, is_refused, trace)
    try:
        event = _native.decode(body)
    except (*UNREADABLE, RecursionError):
        try:
            return _read_envelope(body, arrival)
        except RecursionError:
            raise too_deep() from None
    return [_admitted(event, len(body), arrival, sent_at_ms=None, plain=_is_plain(body), path="$")]


def _read_envelope(body: bytes, arrival: Arrival) -> list[Outcome]:
    envelope = open_body(body, received_at_ms=arrival.received_at_ms)
    plain = _is_plain(body)
    outcomes: list[Outcome] = []
    for index, raw in enumerate(envelope.events):
        try:
            event = _native.decode(raw)
        except UNREADABLE as error:
            outcomes += _read_other(raw, error, index, envelope, arrival)
        else:
            path = envelope.path_of(index)
            sent_at_ms = envelope.sent_at_ms
            outcomes.append(_admitted(event, len(raw), arrival, sent_at_ms=sent_at_ms, plain=plain, path=path))
    return outcomes


def _is_plain(body: bytes) -> bool:
    """Tells whether all texts in the JSON are printable ASCII: a control character would need a backslash."""
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def _admitted(
    event: OutsideEvent, size: int, arrival: Arrival, *, sent_at_ms: int | None, plain: bool, path: str
) -> Outcome:
    try:
        if size > arrival.door.event_bytes_max:
            raise _too_large(arrival)
        return admit(event, arrival, sent_at_ms=sent_at_ms, plain=plain)
    except Fault as fault:
        return _rejected(event.event_id, fault, path)


def _read_other(raw: Raw, error: Exception, index: int, envelope: Envelope, arrival: Arrival) -> list[Outcome]:
    """Reads an event that is no native one, or a bad one; a GA4 payload within a batch has several."""
    path = envelope.path_of(index)
    payload = open_payload(raw, path) if envelope.path else None
    if payload is None:
        return [_read_one(raw, error, index, envelope, arrival)]
    if not payload.events:
        return [Rejected(None, "missing_field", "this payload has no events", payload.path)]
    inner = Envelope(payload.events, payload.path, envelope.sent_at_ms, payload.payload)
    return [_read_one(event, None, place, inner, arrival) for place, event in enumerate(payload.events)]


def _read_one(raw: Raw, error: Exception | None, index: int, envelope: Envelope, arrival: Arrival) -> Outcome:
    """Reads one event of another vocabulary, or says what is wrong with ours.

    Args:
        raw: the event.
        error: why it is no native event; None where only GA4's are looked for.
        index: its place in the envelope.
        envelope: what it came in.
        arrival: what it shares with its request.
    """
    path = envelope.path_of(index)
    json = bytes(raw)
    if len(json) > arrival.door.event_bytes_max:
        return _rejected(_event_id(json), _too_large(arrival), path)
    if is_too_deep(json):
        raise too_deep()
    try:
        value = _loose.decode(json)
    except UNREADABLE:
        return _rejected(_event_id(json), unreadable(json), path)
    if not isinstance(value, dict):
        return Rejected(None, "invalid_value", "an event is an object", path)
    if error is None or is_ga4(value, envelope.payload):
        return _read_ga4(Fields(value, path, ga4.DIALECT), index, envelope, arrival)
    call = value.get("type")
    if isinstance(call, str) and call in segment.CALLS:
        return _read_segment(Fields(value, path), envelope, arrival)
    return _rejected(_event_id(json), of_event(json, error), path)


def _read_segment(message: Fields, envelope: Envelope, arrival: Arrival) -> Outcome:
    event_id = segment.event_id(message)
    try:
        sent_at_ms = _sent_at_ms(message, envelope, arrival)
        translation = segment.translate(message, received_at_ms=arrival.received_at_ms, door=arrival.door)
    except Fault as fault:
        return Rejected(event_id, fault.reason, fault.detail, fault.path)
    return _translated(translation, arrival, sent_at_ms, message.path)


def _sent_at_ms(message: Fields, envelope: Envelope, arrival: Arrival) -> int | None:
    """Gives a message's own time of sending, which is by the clock of its timestamp, else that of its request."""
    try:
        sent_at_ms = segment.sent_at_ms(message)
        if sent_at_ms is None:
            return envelope.sent_at_ms
        if not is_plausible(sent_at_ms, received_at_ms=arrival.received_at_ms):
            raise Fault("invalid_value", "before 2000 or more than ten years ahead", f"{message.path}.sentAt")
    except Fault as fault:
        if envelope.path:
            raise
        raise BadBody("invalid_sent_at", fault.detail, fault.path) from None
    return sent_at_ms


def _read_ga4(event: Fields, index: int, envelope: Envelope, arrival: Arrival) -> Outcome:
    door, payload = arrival.door, envelope.payload
    try:
        translation = ga4.translate(event, payload, index, received_at_ms=arrival.received_at_ms, door=door)
    except Fault as fault:
        return Rejected(ga4.event_id(event, payload, index, door), fault.reason, fault.detail, fault.path)
    return _translated(translation, arrival, envelope.sent_at_ms, event.path)


def _translated(translation: Translation, arrival: Arrival, sent_at_ms: int | None, path: str) -> Outcome:
    """Admits all events of one source event, or none."""
    records: list[Record] = []
    redacted: tuple[Kind, ...] = ()
    for event in translation.events:
        try:
            # Other vocabularies are read field by field, so that every character was looked at already.
            outcome = admit(event, arrival, sent_at_ms=sent_at_ms, plain=True)
        except Fault as fault:
            origin = translation.origins.get(fault.path, path)
            return Rejected(translation.events[0].event_id, fault.reason, fault.detail, origin)
        if isinstance(outcome, Dropped):
            return Dropped(translation.events[0].event_id, outcome.reason, outcome.withdrawal)
        records += outcome.records
        redacted += outcome.redacted
    return Accepted(tuple(records), redacted)


def _rejected(event_id: UUID | None, fault: Fault, path: str) -> Rejected:
    """Puts the event's place in the request before the fault's place in the event."""
    return Rejected(event_id, fault.reason, fault.detail, path + fault.path.removeprefix("$"))


def _too_large(arrival: Arrival) -> Fault:
    return Fault("too_large", f"an event has at most {arrival.door.event_bytes_max} bytes", "$")


def _event_id(json: bytes) -> UUID | None:
    """Reads the id alone, whatever the rest of the event is like."""
    try:
        return _with_id.decode(json).event_id
    except UNREADABLE:
        return None
