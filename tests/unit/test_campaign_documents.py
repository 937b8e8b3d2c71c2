"""The documents that campaigns come in: what is none, what may stand beside, ids, and what is only a warning."""

from __future__ import annotations

from typing import Any

import pytest

from domain.campaign_faults import (
    DOCUMENT_BYTES_MAX,
    FAULTS_TOLD_MAX,
    WARNINGS_MAX,
    read_definition,
    read_written,
    unknown_products,
)
from domain.campaign_ids import made_id, read_id
from domain.errors import Refused
from domain.records import Known
from tests.unit.campaign_documents import PROMOTION, TIP, faults_of, is_zone


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (b"", "$: empty, a campaign is one JSON object"),
        (b" \n", "$: empty, a campaign is one JSON object"),
        (b"[]", "$: expected an object, found []"),
        (b"null", "$: expected an object, found null"),
        (b"{", "$: not JSON, it ends too early or holds half a character"),
        (b'{"name": 1,}', "$: not JSON at byte 11"),
        (b'{"name": "\xff"}', "$: not UTF-8 at byte 10"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "$: holds a number that is too large to be read"),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "$: nested too deep to be read"),
        (b"{}" + b" " * DOCUMENT_BYTES_MAX, "$: 262,146 bytes, a campaign has at most 262,144; name categories"),
        ({"name": object()}, "$: holds what JSON can't carry"),
        ({"name": "x" * DOCUMENT_BYTES_MAX}, "$: 262,155 bytes, a campaign has at most 262,144; name categories"),
    ],
)
def test_a_document_that_is_none(document: Any, fault: str) -> None:
    """What can't be read at all is one fault, in our own words."""
    assert [fault] == faults_of(document)


def test_faults_are_bounded() -> None:
    """A document of thousands of faults tells the first hundred and how many more there are."""
    found = faults_of({**PROMOTION, "products": ["p"] * 5_000})
    assert FAULTS_TOLD_MAX + 1 == len(found)
    assert f"$: and {4_999 - FAULTS_TOLD_MAX:,} more faults" == found[-1]


def test_what_may_stand_beside() -> None:
    """Id, version and status are read only where they may stand, and with a change the version is needed."""
    document = {**TIP, "campaign_id": "spring", "version": 3, "status": {"stage": "live"}}
    written = read_written(document, is_zone, "campaign_id", "version", "status", of="spring")
    assert ("spring", 3, "Spring") == (written.campaign_id, written.version, written.definition.name)
    with pytest.raises(Refused) as caught:
        read_written(
            {**TIP, "campaign_id": "summer", "ends_at": 5}, is_zone, "campaign_id", "version", "status", of="spring"
        )
    assert (
        '$.campaign_id: "summer" is another campaign than "spring"',
        "$.version: missing, the version that was read",
        "$.ends_at: expected a moment with its zone, like 2026-11-27T08:00:00+01:00, found 5",
    ) == caught.value.faults
    with pytest.raises(Refused) as caught:
        read_written({**TIP, "version": 0}, is_zone, "version")
    assert ("$.version: expected the version that was read, 1 or more, found 0",) == caught.value.faults
    assert {"campaign_id", "version", "status"} == {
        fault.partition(":")[0].removeprefix("$.") for fault in faults_of(document)
    }


def test_what_the_catalogue_does_not_know() -> None:
    """Unknown products and categories are warnings with their paths; there may be many, and few are told."""
    known = {"p-1": Known(category_id="pasta"), "p-2": Known(category_id=None)}
    definition = read_definition({**PROMOTION, "products": ["p-1", "p-9"], "category_ids": ["pasta", "wine"]}, is_zone)
    assert [
        '$.products[1]: the catalogue knows no product "p-9"',
        '$.category_ids[1]: the catalogue knows no product of category "wine"',
    ] == unknown_products(definition, known)
    many = read_definition({**PROMOTION, "products": [f"p-{n}" for n in range(5_000)]}, is_zone)
    warnings = unknown_products(many, {})
    assert (WARNINGS_MAX + 1, f"$: and {5_000 - WARNINGS_MAX:,} more that the catalogue does not know") == (
        len(warnings),
        warnings[-1],
    )
    assert [] == unknown_products(read_definition(TIP, is_zone), {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Crème brûlée: 10 %!", "creme-brulee-10-3f2a"),
        ("日本", "campaign-3f2a"),
        ("- -", "campaign-3f2a"),
        ("a" * 200, f"{'a' * 40}-3f2a"),
    ],
)
def test_an_id_from_a_name(name: str, expected: str) -> None:
    """Letters and digits that anybody can type, from whatever people call it."""
    assert expected == made_id(name, "3f2a")


@pytest.mark.parametrize(
    ("campaign_id", "faults"),
    [
        ("a/b %", []),
        ("*", ['$.campaign_id: "*" stands for any campaign, choose another id']),
        ("..", ['$.campaign_id: ".." is a step in an address, choose another id']),
        ("\t", ['$.campaign_id: an identifier has printable characters alone, found "\\t"']),
        ("", ['$.campaign_id: expected str of length >= 1, found ""']),
        (5, ["$.campaign_id: expected str, found 5"]),
    ],
)
def test_an_id_that_was_chosen(campaign_id: object, faults: list[str]) -> None:
    """Any printable characters, save what means something else."""
    found: list[str] = []
    assert (campaign_id if not faults else None) == read_id(campaign_id, found)
    assert faults == found
