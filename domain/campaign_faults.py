"""The door of the campaigns: reads what marketing people write, and refuses it with every fault in it.

The gateway and `hotbasket campaign` call it; what passes here, `domain.campaigns` can keep and decisions can ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import NODEFAULT, Meta, structs

from domain.campaign_ids import read_id
from domain.campaign_rules import PART_RULES, whole_faults
from domain.campaigns import Definition
from domain.errors import Refused
from domain.every_fault import read, shown
from domain.records import Known
from domain.tree_faults import depth_faults

DOCUMENT_BYTES_MAX = 256 * 1_024
FAULTS_TOLD_MAX = 100
WARNINGS_MAX = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AT_BYTE = re.compile(r"\(byte (\d+)\)$")
_EMPTY = "empty, a campaign is one JSON object"

Zones = Callable[[str], bool]
"""Tells whether there is a time zone of a name."""
Beside = Literal["campaign_id", "version", "status"]
Version = Annotated[int, Meta(ge=1, description="the version that was read, 1 or more")]


class Written(NamedTuple):
    """What a document says.

    Attributes:
        definition: of the campaign.
        campaign_id, version: that stand beside its fields; None where they don't.
    """

    definition: Definition
    campaign_id: str | None = None
    version: int | None = None


def read_definition(document: bytes | dict[str, Any], is_zone: Zones) -> Definition:
    """Reads a campaign's definition.

    Args:
        document: JSON, or what JSON decodes to.
        is_zone: tells whether there is a time zone of a name.

    Raises:
        Refused: with every fault, each like `$.percent.usual: 30 is above at_most 20`.
    """
    return read_written(document, is_zone).definition


def read_written(document: bytes | dict[str, Any], is_zone: Zones, *beside: Beside, of: str | None = None) -> Written:
    """Reads a campaign's definition, and what may stand beside its fields in one object with them.

    Args:
        document: JSON, or what JSON decodes to.
        is_zone: tells whether there is a time zone of a name.
        beside: `campaign_id`, `version`, and `status`, which is passed over: whoever read a campaign may send it back.
        of: the campaign that is to be changed: its id is the one that may stand there, and the version is needed.

    Raises:
        Refused: with every fault, the first hundred and how many more there are.
    """
    value = dict(_object(document))
    faults: list[str] = []
    told = {name: value.pop(name) for name in beside if name in value}
    campaign_id: str | None = None
    version: int | None = None
    if "campaign_id" in told:
        campaign_id = read_id(told["campaign_id"], faults)
    if "version" in told:
        version = read(told["version"], Version, "$.version", {}, faults)
    if of is not None:
        faults += _not_a_change(of, told)
    try:
        definition = read(value, Definition, "$", PART_RULES, faults)
        faults += whole_faults(_readable(value), is_zone)
        faults += depth_faults(value.get("audience"), "$.audience")
    except RecursionError:
        raise Refused("$: nested too deep to be read") from None
    if faults or definition is None:
        raise Refused(*_bounded(faults))
    return Written(definition, campaign_id, version)


def unknown_products(definition: Definition, known: Mapping[str, Known]) -> list[str]:
    """Gives warnings: what a campaign promotes and the catalogue does not know; no reason to refuse it.

    Args:
        definition: of the campaign.
        known: the retailer's catalogue, by product id.

    Returns:
        A sentence each, with its path; the first few, and how many more there are.
    """
    warnings = [
        f"$.products[{index}]: the catalogue knows no product {shown(product_id)}"
        for index, product_id in enumerate(definition.products)
        if product_id not in known
    ]
    if definition.category_ids:
        categories = {item.category_id for item in known.values()}
        warnings += [
            f"$.category_ids[{index}]: the catalogue knows no product of category {shown(category_id)}"
            for index, category_id in enumerate(definition.category_ids)
            if category_id not in categories
        ]
    if len(warnings) > WARNINGS_MAX:
        more = len(warnings) - WARNINGS_MAX
        return [*warnings[:WARNINGS_MAX], f"$: and {more:,} more that the catalogue does not know"]
    return warnings


def _not_a_change(campaign_id: str, told: Mapping[Beside, object]) -> Iterator[str]:
    if told.get("campaign_id", campaign_id) != campaign_id:
        yield f"$.campaign_id: {shown(told['campaign_id'])} is another campaign than {shown(campaign_id)}"
    if "version" not in told:
        yield "$.version: missing, the version that was read"


def _object(document: bytes | dict[str, Any]) -> dict[Any, Any]:
    """Gives the object that a document is, within its size.

    Raises:
        Refused: it is none.
    """
    value: object = document
    if isinstance(document, bytes):
        _refuse_size(len(document))
        value = _parsed(document.removeprefix(_BYTE_ORDER_MARK))
    if not isinstance(value, dict):
        raise Refused(f"$: expected an object, found {shown(value)}")
    if not isinstance(document, bytes):
        try:
            _refuse_size(len(msgspec.json.encode(value)))
        except RecursionError:
            raise Refused("$: nested too deep to be read") from None
        except (TypeError, ValueError, msgspec.MsgspecError):
            raise Refused("$: holds what JSON can't carry") from None
    return value


def _refuse_size(size: int) -> None:
    if size > DOCUMENT_BYTES_MAX:
        raise Refused(f"$: {size:,} bytes, a campaign has at most {DOCUMENT_BYTES_MAX:,}; name categories")


def _parsed(document: bytes) -> object:
    if not document.strip():
        raise Refused(f"$: {_EMPTY}")
    try:
        document.decode()
        value: object = msgspec.json.decode(document)
    except UnicodeDecodeError as error:
        raise Refused(f"$: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise Refused("$: nested too deep to be read") from None
    except msgspec.ValidationError:
        raise Refused("$: holds a number that is too large to be read") from None
    except msgspec.MsgspecError as error:
        at = _AT_BYTE.search(str(error))
        raise Refused(
            f"$: not JSON at byte {at[1]}" if at else "$: not JSON, it ends too early or holds half a character"
        ) from None
    return value


def _readable(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Gives the fields of a definition that can be read, with the defaults of those that are left out."""
    found: dict[str, Any] = {}
    for field in _fields():
        if field.name in value:
            try:
                found[field.name] = msgspec.convert(value[field.name], field.type)
            except msgspec.ValidationError:
                continue
        elif field.default is not NODEFAULT:
            found[field.name] = field.default
    return found


@cache
def _fields() -> tuple[structs.FieldInfo, ...]:
    return structs.fields(Definition)


def _bounded(faults: list[str]) -> list[str]:
    unique = list(dict.fromkeys(faults))
    if len(unique) <= FAULTS_TOLD_MAX:
        return unique
    return [*unique[:FAULTS_TOLD_MAX], f"$: and {len(unique) - FAULTS_TOLD_MAX:,} more faults"]
