"""What is round the events of a request: nothing, our batch, Segment's batch or a GA4 payload.

Opens a body without looking into its events, so that what is wrong with one can't harm the others. Only what makes
the whole body unreadable refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from domain import ga4, segment
from domain.faults import UNREADABLE, BadBody, is_too_deep, of_unknown_name, step
from domain.foreign import Fields
from domain.timestamps import Moment, is_plausible, unix_ms

OWN_MARKS: Final = frozenset({"type", "event_id", "occurred_at", "shopper_id"})
"""Fields that every native event has: an object with none of them is no event of ours."""
_MARKS: Final = OWN_MARKS | {"events", "batch"}
NOTHING: Final = Fields({}, "$")


class Envelope(Struct, frozen=True):
    """A body or a part of it, opened.

    Attributes:
        events: the JSON of each source event.
        path: of the list of events; empty if the body is itself the one event.
        sent_at_ms: the client's time of sending, Unix milliseconds; None = not told.
        payload: the ids and the time that a GA4 payload gives for all its events.
    """

    events: list[Raw]
    path: str
    sent_at_ms: int | None = None
    payload: Fields = NOTHING

    def path_of(self, index: int) -> str:
        """Gives the path of an event within the body."""
        return f"{self.path}[{index}]" if self.path else "$"


class _Batch(Struct, forbid_unknown_fields=True):
    events: list[Raw]
    sent_at: Moment | None = None


class _Head(Struct):
    """What tells the vocabularies apart; empty where the event has no such field."""

    type: Raw = Raw()
    name: Raw = Raw()
    event_id: Raw = Raw()
    shopper_id: Raw = Raw()


_batch = msgspec.json.Decoder(_Batch)
_head = msgspec.json.Decoder(_Head)
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_raw = msgspec.json.Decoder(Raw)
_loose = msgspec.json.Decoder()
_moment = msgspec.json.Decoder(Moment | None)
_ESCAPE = re.compile(
    rb'\\(?:["\\/bfnrt]|u(?:(?![dD][89a-fA-F])[0-9a-fA-F]{4}|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})'
    rb"|(?P<bad>))"
)
# No byte of UTF-8: it lets the decoder pass over a text, yet never read it.
_NO_TEXT: Final = b"\xff"


def open_body(body: bytes, *, received_at_ms: int) -> Envelope:
    """Opens a request's body.

    Args:
        body: after inflating.
        received_at_ms: by the gateway's clock, to tell an absurd `sent_at`.

    Raises:
        BadBody: nothing in it can be read.
        RecursionError: it is nested deeper than the decoder goes.
    """
    if not body.strip():
        raise BadBody("empty_body", "the body is empty: send an event or a batch of events")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadBody("invalid_utf8", f"the body is no UTF-8 at byte {error.start}") from None
    try:
        batch = _batch.decode(body)
    except msgspec.DecodeError:
        batch = None
    if batch is not None and batch.events:
        sent_at_ms = None if batch.sent_at is None else _checked(unix_ms(batch.sent_at), "$.sent_at", received_at_ms)
        return Envelope(batch.events, "$.events", sent_at_ms)
    body, fields = _fields_of(body)
    if "type" not in fields and "events" in fields:
        return _opened_events(fields, received_at_ms)
    if "type" not in fields and "batch" in fields:
        events = _list(fields["batch"], "$.batch")
        return Envelope(events, "$.batch", _sent_at_ms(fields, "sentAt", received_at_ms))
    if OWN_MARKS.isdisjoint(fields):
        raise _refusal(body, "no_events", "the body has neither events nor the fields of an event")
    return Envelope([_raw.decode(body)], "")


def open_payload(raw: Raw, path: str) -> Envelope | None:
    """Opens a GA4 payload that is itself an element of a batch.

    Args:
        raw: the element.
        path: of the element.

    Returns:
        The payload with its events, which may be none; None if the element is no payload.
    """
    try:
        fields = _object.decode(raw)
        if "type" in fields or "events" not in fields:
            return None
        events = _array.decode(fields["events"])
    except UNREADABLE:
        return None
    return Envelope(events, f"{path}.events", None, _payload(fields, path))


def is_ga4(event: Mapping[str, object], payload: Fields) -> bool:
    """Tells whether a decoded event is GA4's: it has a name, or its payload names the shopper, and nothing of ours."""
    return OWN_MARKS.isdisjoint(event) and ("name" in event or payload.find(*ga4.SHOPPER)[1] is not None)


def _fields_of(body: bytes) -> tuple[bytes, dict[str, Raw]]:
    """Gives the body and its fields.

    A lone surrogate or a bad escape makes the whole body malformed for the decoder. They are marked, so that only the
    event that holds them can't be read.
    """
    try:
        _raw.decode(body)
    except msgspec.DecodeError as error:
        marked = _ESCAPE.sub(lambda found: found[0] if found["bad"] is None else _NO_TEXT, body)
        try:
            fields = _object.decode(marked)
        except UNREADABLE:
            fields = {}
        if marked == body or _MARKS.isdisjoint(fields):
            raise BadBody("invalid_json", str(error)) from None
        return marked, fields
    try:
        return body, _object.decode(body)
    except msgspec.ValidationError:
        raise _refusal(body, "not_an_object", "the body is JSON, and no object") from None


def _opened_events(fields: dict[str, Raw], received_at_ms: int) -> Envelope:
    unknown = [name for name in fields if name not in {"events", "sent_at"}]
    try:
        events = _array.decode(fields["events"])
    except msgspec.ValidationError:
        events = []
    if unknown and not _is_foreign(events, unknown):
        raise BadBody(*of_unknown_name(unknown[0]), step("$", unknown[0]))
    events = _list(fields["events"], "$.events")
    sent_at_ms = _sent_at_ms(fields, "sent_at", received_at_ms)
    if sent_at_ms is None:
        sent_at_ms = _sent_at_ms(fields, "sentAt", received_at_ms)
    return Envelope(events, "$.events", sent_at_ms, _payload(fields, "$"))


def _is_foreign(events: list[Raw], unknown: list[str]) -> bool:
    """Tells whether these fields may stand round these events, because the events are GA4's or Segment's."""
    heads = list(_heads(events))
    if any(bytes(head.name) and not _is_own(head) for head in heads):
        return True
    if not set(ga4.SHOPPER).isdisjoint(unknown) and heads and not any(_is_own(head) for head in heads):
        return True
    calls = {f'"{call}"'.encode() for call in segment.CALLS}
    return segment.ENVELOPE.issuperset(unknown) and any(bytes(head.type) in calls for head in heads)


def _heads(events: Iterable[Raw]) -> Iterable[_Head]:
    for event in events:
        try:
            yield _head.decode(event)
        except UNREADABLE:
            continue


def _is_own(head: _Head) -> bool:
    return bool(bytes(head.type) or bytes(head.event_id) or bytes(head.shopper_id))


def _list(raw: Raw, path: str) -> list[Raw]:
    try:
        events = _array.decode(raw)
    except msgspec.ValidationError:
        raise BadBody("no_events", "this is a list of events", path) from None
    if not events:
        raise BadBody("no_events", "the list of events is empty", path)
    return events


def _payload(fields: dict[str, Raw], path: str) -> Fields:
    values: dict[str, object] = {}
    for name in ga4.ENVELOPE:
        if name in fields:
            try:
                values[name] = _loose.decode(fields[name])
            except UNREADABLE:
                # No type that any field may have: whoever asks for it says what is wrong, and where.
                values[name] = Raw()
    return Fields(values, path)


def _sent_at_ms(fields: dict[str, Raw], name: str, received_at_ms: int) -> int | None:
    if name not in fields:
        return None
    try:
        moment = _moment.decode(fields[name])
    except UNREADABLE:
        raise BadBody("invalid_sent_at", "an RFC 3339 time with zone", f"$.{name}") from None
    return None if moment is None else _checked(unix_ms(moment), f"$.{name}", received_at_ms)


def _checked(sent_at_ms: int, path: str, received_at_ms: int) -> int:
    if not is_plausible(sent_at_ms, received_at_ms=received_at_ms):
        raise BadBody("invalid_sent_at", "before 2000 or more than ten years ahead", path)
    return sent_at_ms


def _refusal(body: bytes, error: str, detail: str) -> BadBody:
    """Gives the refusal, or that of the depth, where that is what hides the rest from the reader."""
    if is_too_deep(body):
        return too_deep()
    return BadBody(error, detail)


def too_deep() -> BadBody:
    """Gives the refusal of a body that is nested deeper than anything needs."""
    return BadBody("too_deep", "objects and lists are nested too deeply: an event needs fewer than ten levels")
