"""Which privacy requests are the same, which stages come before which, and how a list follows requests."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from domain.errors import Refused
from domain.ports.privacy_requests import Request, Stage, Subject, Suppressed
from domain.repeated_requests import ListChange, Stored, as_opened, before, fingerprint, followed, repeated
from tests.contract.privacy import request, subjects

HELD = Suppressed(7, {"r-1": frozenset("ab"), "r-2": frozenset("x")})


def changes(*said: tuple[int, str, str, str]) -> list[ListChange]:
    """Changes of the list: version, retailer, what it did to shoppers, and one digest a letter."""
    return [
        ListChange(version, retailer_id, digest, kind == "suppress")
        for version, retailer_id, kind, digests in said
        for digest in digests
    ]


def test_a_fingerprint_is_of_the_shoppers_alone() -> None:
    """Neither their order nor their seals are in it."""
    assert fingerprint(subjects("abc")) == fingerprint([Subject(one.digest, b"other") for one in subjects("cba")])


@pytest.mark.parametrize("others", [["a"], ["a", "b", "c"], ["a", "c"], ["ab"], ["a\nb"], [""]])
def test_other_shoppers_have_another_fingerprint(others: list[str]) -> None:
    """Fewer, more or others, whatever their names are made of."""
    assert fingerprint(subjects("ab")) != fingerprint(subjects(others))


def test_a_new_request_is_nobodys_repetition() -> None:
    """Without one of its id and one alike, it is new."""
    assert repeated(request("one"), "f", None, None) is None


def test_the_id_comes_before_what_is_alike() -> None:
    """A request that is there is given, though another one alike waits too."""
    there = replace(request("one"), stage="done")
    assert there == repeated(request("one"), "f", Stored(there, "f"), request("two"))
    assert request("two") == repeated(request("one"), "f", None, request("two"))


@pytest.mark.parametrize(
    "there",
    [
        Stored(request("one", retailer_id="r-9"), "f"),
        Stored(request("one", "unsuppress"), "f"),
        Stored(request("one"), "g"),
    ],
)
def test_another_requests_id_is_refused(there: Stored) -> None:
    """Of another retailer or kind, or about others: also where one alike waits."""
    with pytest.raises(Refused, match="another request has the id"):
        repeated(request("one"), "f", there, request("two"))


def test_a_request_starts_at_the_first_stage() -> None:
    """Since it was opened, with the list that it made."""
    asked: Request = request("one", stage="done", stage_at_ms=3, list_version=2, shoppers=1)
    expected = replace(asked, stage="log", stage_at_ms=asked.opened_at_ms, list_version=9, shoppers=4)
    assert expected == as_opened(asked, 4, 9)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("log", ()), ("gateways", ("log",)), ("done", ("log", "gateways", "tombstones", "workers", "stores"))],
)
def test_a_stage_is_reached_from_those_before_it(stage: Stage, expected: tuple[Stage, ...]) -> None:
    """Never from itself or a later one."""
    assert expected == before(stage)


def test_a_list_follows_requests_in_their_order() -> None:
    """The last request about a shopper decides, and a list that is empty is gone; the one held stays as it was."""
    later = followed(
        HELD,
        10,
        changes((8, "r-1", "suppress", "cd"), (9, "r-1", "unsuppress", "acz"), (10, "r-2", "unsuppress", "x")),
    )
    assert Suppressed(10, {"r-1": frozenset("bd")}) == later
    assert {"r-1": frozenset("ab"), "r-2": frozenset("x")} == HELD.digests


def test_what_did_not_change_is_not_made_again() -> None:
    """Another retailer's 100,000 shoppers are the same object."""
    later = followed(HELD, 8, changes((8, "r-3", "suppress", "q")))
    assert later is not None
    assert HELD.digests["r-1"] is later.digests["r-1"]
    assert frozenset("q") == later.digests["r-3"]


def test_the_same_changes_once_more_change_nothing() -> None:
    """A list that was read a change too late is right again after that change."""
    some = changes((8, "r-1", "suppress", "cd"), (9, "r-1", "unsuppress", "ac"))
    once = followed(HELD, 9, some)
    assert once is not None
    assert once == followed(Suppressed(7, once.digests), 9, some)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (9, [(8, "r-1", "suppress", "c")]),
        (8, []),
        (6, []),
    ],
)
def test_what_can_not_be_followed_is_read_whole(version: int, said: list[tuple[int, str, str, str]]) -> None:
    """Something else changed it, as the end of an erasure does, or it went back, as after a backup."""
    assert followed(HELD, version, changes(*said)) is None
