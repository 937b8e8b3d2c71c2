"""A body that is one JSON object of a few fields, as the small routes take it."""

from __future__ import annotations

from typing import Any

import msgspec

from domain.faults import UNREADABLE
from gateway.answers import Refusal


def read_fields(body: bytes, example: str) -> dict[str, Any]:
    """Gives the fields of the object that a body holds.

    Args:
        body: inflated.
        example: of such a body, for whoever sent none.

    Raises:
        Refusal: 400.
    """
    if not body.strip():
        raise Refusal("empty_body", f"the body is empty: send {example}")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refusal("invalid_utf8", f"the body is no UTF-8 at byte {error.start}") from None
    try:
        fields = msgspec.json.decode(body)
    except RecursionError:
        raise Refusal("too_deep", "objects and lists are nested too deeply") from None
    except UNREADABLE:
        raise Refusal("invalid_json", "the body is no JSON") from None
    if not isinstance(fields, dict):
        raise Refusal("not_an_object", "the body is JSON, and no object")
    return fields
