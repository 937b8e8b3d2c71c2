"""A body that names a shopper, as subscriptions, lookups and quotes take it: the raw id becomes the hash at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.door import Door
from domain.faults import of_unknown_name, step
from domain.ids import ShopperHash, shopper_hash
from domain.personal_data import contains_email
from gateway.answers import Refusal
from gateway.fields import read_fields

_ID_MAX: Final = 128
_PATH: Final = "$.shopper_id"


def read_shopper(body: bytes, door: Door) -> ShopperHash:
    """Gives the hash of the shopper whom a body `{"shopper_id"}` names.

    Raises:
        Refusal: 400.
    """
    fields = read_fields(body, '{"shopper_id": ...}')
    unknown = next((name for name in fields if name != "shopper_id"), None)
    if unknown is not None:
        reason, detail = of_unknown_name(unknown)
        raise Refusal(reason, detail, step("$", unknown))
    return shopper_in(fields, door)


def shopper_in(fields: Mapping[str, Any], door: Door) -> ShopperHash:
    """Gives the hash of the shopper whom a body's fields name.

    Raises:
        Refusal: 400.
    """
    if "shopper_id" not in fields:
        raise Refusal("missing_field", "this field is required", _PATH)
    return hash_of(fields["shopper_id"], _PATH, door)


def hash_of(shopper_id: object, path: str, door: Door) -> ShopperHash:
    """Gives the hash of the shopper whom a field names.

    Args:
        shopper_id: what stands in the field.
        path: of the field, for whoever sent something else.
        door: of the retailer.

    Raises:
        Refusal: 400.
    """
    if not isinstance(shopper_id, str) or not 1 <= len(shopper_id) <= _ID_MAX or not shopper_id.isprintable():
        raise Refusal("invalid_value", "an identifier is 1-128 printable characters", path)
    if contains_email(shopper_id):
        raise Refusal("personal_data", "a shopper id is technical: an e-mail address is never taken", path)
    return shopper_hash(door.shopper_key, shopper_id)
