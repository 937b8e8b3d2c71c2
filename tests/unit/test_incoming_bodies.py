"""What whole bodies get that can't be read at all."""

from __future__ import annotations

import pytest

from domain.door import Accepted
from domain.incoming import BadBody
from tests.unit.doorstep import body, event, outcomes

GOOD = body(event())
REFUSALS: dict[str, tuple[bytes, str, str | None]] = {
    "nothing": (b"", "empty_body", None),
    "spaces": (b" \r\n\t ", "empty_body", None),
    "cut": (GOOD[:-1], "invalid_json", None),
    "cut in a batch": (b'{"events":[' + GOOD + b",", "invalid_json", None),
    "not JSON": (b"event_id=1&type=AddedToBasket", "invalid_json", None),
    "two values": (GOOD + GOOD, "invalid_json", None),
    "trailing comma": (b'{"events":[' + GOOD + b",]}", "invalid_json", None),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "invalid_json", None),
    "NaN": (GOOD.replace(b'"quantity": 2', b'"quantity": NaN'), "invalid_json", None),
    "Infinity": (GOOD.replace(b'"quantity": 2', b'"quantity": -Infinity'), "invalid_json", None),
    "raw control character": (GOOD.replace(b"c-1842", b"c\x001842"), "invalid_json", None),
    "broken escape of nothing known": (rb'{"a":"\q"}', "invalid_json", None),
    "broken escape in a name": (rb'{"ev\q":[],"events":[1]}', "invalid_json", None),
    "invalid UTF-8": (GOOD.replace(b"c-1842", b"c-\xff"), "invalid_utf8", None),
    "invalid UTF-8 in a batch": (b'{"events":[' + GOOD.replace(b"c-1842", b"\xc3(") + b"]}", "invalid_utf8", None),
    "surrogate in UTF-8": (GOOD.replace(b"c-1842", b"\xed\xa0\x80"), "invalid_utf8", None),
    "UTF-16": (GOOD.decode().encode("utf-16"), "invalid_utf8", None),
    "5,000 levels": (b"[" * 5_000 + b"]" * 5_000, "too_deep", None),
    "5,000 levels of objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too_deep", None),
    "5,000 levels in an event": (
        GOOD.replace(b'"quantity": 2', b'"quantity": ' + b"[" * 5_000 + b"]" * 5_000),
        "too_deep",
        None,
    ),
    "5,000 levels in a batch": (b'{"events":[' + GOOD + b"," + b"[" * 5_000 + b"]" * 5_000 + b"]}", "too_deep", None),
    "300 levels": (b"[" * 300 + b"]" * 300, "too_deep", None),
    "list": (b"[" + GOOD + b"]", "not_an_object", None),
    "text": (b'"AddedToBasket"', "not_an_object", None),
    "number": (b"5", "not_an_object", None),
    "null": (b"null", "not_an_object", None),
    "empty object": (b"{}", "no_events", None),
    "nothing known": (b'{"foo":1}', "no_events", None),
    "no list": (b'{"events":{}}', "no_events", "$.events"),
    "null as list": (b'{"events":null}', "no_events", "$.events"),
    "empty list": (b'{"events":[]}', "no_events", "$.events"),
    "empty batch of Segment": (b'{"batch":[]}', "no_events", "$.batch"),
    "unknown field": (b'{"events":[' + GOOD + b'],"foo":1}', "unknown_field", "$.foo"),
    "unknown field, no events": (b'{"events":[],"foo":1}', "unknown_field", "$.foo"),
    "personal data": (b'{"events":[' + GOOD + b'],"email":"a"}', "personal_data", "$.email"),
    "GA4's field round our event": (b'{"client_id":"c","events":[' + GOOD + b"]}", "unknown_field", "$.client_id"),
    "naive sent_at": (b'{"events":[' + GOOD + b'],"sent_at":"2026-11-23T09:00:00"}', "invalid_sent_at", "$.sent_at"),
    "no time as sent_at": (b'{"events":[' + GOOD + b'],"sent_at":"now"}', "invalid_sent_at", "$.sent_at"),
    "number as sent_at": (b'{"events":[' + GOOD + b'],"sent_at":1795424400}', "invalid_sent_at", "$.sent_at"),
    "sent_at of 1970": (b'{"events":[' + GOOD + b'],"sent_at":"1970-01-01T00:00:00Z"}', "invalid_sent_at", "$.sent_at"),
    "sent_at of 2100": (b'{"events":[' + GOOD + b'],"sent_at":"2100-01-01T00:00:00Z"}', "invalid_sent_at", "$.sent_at"),
    "broken sent_at": (b'{"events":[' + GOOD + rb'],"sent_at":"\ud800"}', "invalid_sent_at", "$.sent_at"),
    "bad sentAt of a batch": (b'{"batch":[1],"sentAt":"now"}', "invalid_sent_at", "$.sentAt"),
    "bad sentAt of a message": (
        b'{"type":"page","messageId":"m","userId":"u","sentAt":"2026-11-23"}',
        "invalid_sent_at",
        "$.sentAt",
    ),
}


@pytest.mark.parametrize(("sent", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_unreadable_body_is_refused_as_a_whole(sent: bytes, error: str, path: str | None) -> None:
    """A body that can't be read has one error, a sentence, and a path where a field is to blame."""
    with pytest.raises(BadBody) as refused:
        outcomes(sent)
    assert (error, path) == (refused.value.error, refused.value.path)
    assert refused.value.detail


@pytest.mark.parametrize(
    "sent",
    [
        b"  " + GOOD + b"\n",
        b'{"events":[' + GOOD + b"]}",
        b'\n{ "sent_at" : "2026-11-23T09:00:05Z", "events" : [ ' + GOOD + b" ] }",
        b'{"events":[' + GOOD + b'],"sent_at":null}',
    ],
)
def test_whitespace_and_the_order_of_fields_mean_nothing(sent: bytes) -> None:
    """JSON may be written as its author likes."""
    (found,) = outcomes(sent)
    assert isinstance(found, Accepted)
