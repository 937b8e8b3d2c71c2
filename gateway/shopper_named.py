"""A body that names one shopper, as subscriptions and lookups take it: the raw id becomes the hash at once."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from domain.door import Door
from domain.faults import UNREADABLE, of_unknown_name, step
from domain.ids import ShopperHash, shopper_hash
from domain.personal_data import contains_email
from gateway.answers import Refusal

_ID_MAX: Final = 128
_PATH: Final = "$.shopper_id"


def read_shopper(body: bytes, door: Door) -> ShopperHash:
    """Gives the hash of the shopper whom a body `{"shopper_id"}` names.

    Raises:
        Refusal: 400.
    """
    fields = _fields(body)
    unknown = next((name for name in fields if name != "shopper_id"), None)
    if unknown is not None:
        reason, detail = of_unknown_name(unknown)
        raise Refusal(reason, detail, step("$", unknown))
    if "shopper_id" not in fields:
        raise Refusal("missing_field", "this field is required", _PATH)
    shopper_id = fields["shopper_id"]
    if not isinstance(shopper_id, str) or not 1 <= len(shopper_id) <= _ID_MAX or not shopper_id.isprintable():
        raise Refusal("invalid_value", "an identifier is 1-128 printable characters", _PATH)
    if contains_email(shopper_id):
        raise Refusal("personal_data", "a shopper id is technical: an e-mail address is never taken", _PATH)
    return shopper_hash(door.shopper_key, shopper_id)


def _fields(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise Refusal("empty_body", 'the body is empty: send {"shopper_id": ...}')
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
