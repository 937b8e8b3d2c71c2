"""What is wrong with a request's body or with one of its events: the reason, where, and what would be right.

The decoder's messages become stable reasons and exact paths here; nothing of a shopper's data enters a detail.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Raw

from domain.errors import HotbasketError
from domain.events import OUTSIDE_TYPES
from domain.personal_data import forbidden_path, is_forbidden_name

DEPTH_MAX: Final = 64
"""Levels of objects and lists in one event; no vocabulary needs ten."""
INSIDE_TYPES: Final = frozenset({"IdleElapsed", "ShopperErased", "ShopperUnsuppressed"})
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What the decoder raises for bytes that hold no readable value, nesting apart."""
_PATH_NAME_MAX: Final = 64


class BadBody(HotbasketError):
    """A request's body can't be read at all, so nothing of it was taken.

    Attributes:
        error: a short stable name, like `invalid_json`.
        detail: one sentence, without payload.
        path: the faulty field, where there is one.
    """

    def __init__(self, error: str, detail: str, path: str | None = None) -> None:
        super().__init__(detail)
        self.error = error
        self.detail = detail
        self.path = path


class Fault(HotbasketError):
    """One event breaks a rule; it alone is rejected.

    Attributes:
        reason: a short stable name, like `unknown_field`.
        detail: one sentence, without payload.
        path: the faulty field; `$` is the event itself until a batch puts its own place before it.
    """

    def __init__(self, reason: str, detail: str, path: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.path = path


_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_any = msgspec.json.Decoder()

_AT = r"(?: - at `(?P<at>\$.*)`)?"
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>.*?)`" + _AT, re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>.*?)`" + _AT)
_OTHER = re.compile(r"(?P<detail>.*?)" + _AT, re.DOTALL)
_QUOTED_VALUE = re.compile(r"^(Invalid (?:enum )?value) '.*'$", re.DOTALL)
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|([\[{])|[\]}]', re.DOTALL)


def of_event(raw: Raw | bytes, error: Exception) -> Fault:
    """Explains why a native event was not decoded.

    Args:
        raw: the event's JSON, well-formed up to the escapes in its texts.
        error: what the decoder raised.
    """
    try:
        value = _any.decode(raw)
    except UNREADABLE:
        return unreadable(raw)
    if not isinstance(value, dict):
        return Fault("invalid_value", "an event is an object", "$")
    fault = _of_type(value)
    if fault is not None:
        return fault
    forbidden = forbidden_path(value, "$")
    if forbidden is not None:
        return Fault("personal_data", "a field of this name may hold personal data, which is never taken", forbidden)
    return of_message(str(error))


def unreadable(raw: Raw | bytes) -> Fault:
    """Explains why JSON that is well-formed can't be read: a lone surrogate, a bad escape, an endless number."""
    detail = "no readable value: a lone surrogate, an invalid escape, or a number without bound"
    return Fault("invalid_value", detail, _path_of_unreadable(raw, "$"))


def of_unknown_name(name: str) -> tuple[str, str]:
    """Gives reason and detail for a field that does not exist."""
    if is_forbidden_name(name):
        return "personal_data", "a field of this name may hold personal data, which is never taken"
    return "unknown_field", "there is no such field here: leave it out"


def step(path: str, name: str) -> str:
    """Gives the path of a field; a name of unreasonable length is cut."""
    return f"{path}.{name[:_PATH_NAME_MAX]}"


def is_too_deep(raw: bytes) -> bool:
    """Tells whether more than `DEPTH_MAX` levels are open at once; the bytes are JSON up to their escapes."""
    if raw.count(b"{") + raw.count(b"[") <= DEPTH_MAX:
        return False
    depth = 0
    for token in _TOKENS.finditer(raw):
        if token[1]:
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif token[0] in b"]}":
            depth -= 1
    return False


def _of_type(event: dict[str, object]) -> Fault | None:
    name = event.get("type")
    if "type" not in event:
        return Fault("missing_field", "an event needs its type", "$.type")
    if not isinstance(name, str):
        return Fault("invalid_value", "the type is a text", "$.type")
    if name in INSIDE_TYPES:
        return Fault("internal_type", "events of this type are made inside and never taken from outside", "$.type")
    if name not in OUTSIDE_TYPES:
        return Fault("unknown_type", f"the types are {', '.join(OUTSIDE_TYPES)}", "$.type")
    return None


def of_message(message: str) -> Fault:
    """Takes the decoder's sentence apart: it names the place and, before it, what was expected there."""
    if (found := _UNKNOWN_FIELD.fullmatch(message)) is not None:
        return Fault(*of_unknown_name(found["name"]), step(found["at"] or "$", found["name"]))
    if (found := _MISSING_FIELD.fullmatch(message)) is not None:
        return Fault("missing_field", "this field is required", step(found["at"] or "$", found["name"]))
    found = _OTHER.fullmatch(message)
    assert found is not None, "this pattern matches every text"
    return Fault("invalid_value", _QUOTED_VALUE.sub(r"\1", found["detail"]), found["at"] or "$")


def _path_of_unreadable(raw: Raw | bytes, path: str) -> str:
    """Descends to the value that no decoder can read; a bad name of a field is the fault of its object."""
    try:
        parts = [(step(path, name), part) for name, part in _object.decode(raw).items()]
    except msgspec.ValidationError:
        try:
            parts = [(f"{path}[{index}]", part) for index, part in enumerate(_array.decode(raw))]
        except UNREADABLE:
            return path
    except UNREADABLE:
        return path
    for at, part in parts:
        try:
            _any.decode(part)
        except UNREADABLE:
            return _path_of_unreadable(part, at)
    return path
