"""What the small routes take: a body that is one JSON object of a few fields, a query of a few parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

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


def read_parameters(scope: Scope, known: Sequence[str]) -> dict[str, str]:
    """Gives the parameters of a query; a misspelt one is refused, since it would be overlooked.

    A plus sign that was not encoded arrives as a space: where neither may stand, put it back.

    Args:
        scope: of the request.
        known: every name that the route takes.

    Raises:
        Refusal: 400.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known or name in given:
            what = "stands twice" if name in given else f"is none: there are {' and '.join(known)}"
            raise Refusal("invalid_parameter", f"this parameter {what}", f"?{name[:64]}")
        given[name] = value
    return given
