"""How the audit trail names shoppers, tells outcomes and reads moments."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from domain.audit import outcome_of, read_since, told
from domain.errors import Full, HotbasketError, PortError, Refused
from domain.ids import shopper_digest, shopper_hash
from domain.ports.audit_trail import AuditEntry
from tests.story import NOON_MS


def test_a_shopper_is_named_by_a_keyed_digest() -> None:
    """HMAC-SHA-256 of the shopper hash: neither the id nor the hash, and another one for each retailer's key."""
    key, other = bytes(range(32)), bytes(range(1, 33))
    shopper = shopper_hash(bytes(range(2, 34)), "loyalty-no-9")
    target = shopper_digest(key, shopper)
    assert hmac.new(key, shopper.encode(), hashlib.sha256).hexdigest() == target
    assert target not in {shopper, shopper_digest(other, shopper)}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (Refused("no"), "refused"),
        (HotbasketError("no"), "refused"),
        (PortError("away", retriable=True), "failed"),
        (Full("full"), "failed"),
        (KeyError("bug"), "failed"),
    ],
)
def test_an_outcome_tells_a_rule_from_a_failure(error: Exception | None, outcome: str) -> None:
    """A rule refuses before anything is done; what fails may have been done."""
    assert outcome == outcome_of(error)


@pytest.mark.parametrize(
    ("text", "since_ms"),
    [
        ("1970-01-02", 86_400_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.250Z", 250),
        ("1970-01-01T00:00:00", None),
        ("1970-02-30", None),
        ("1970-1-2", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_moment_is_a_date_or_has_its_zone(text: str, since_ms: int | None) -> None:
    """A date is its midnight in UTC; a time without a zone is none."""
    assert since_ms == read_since(text)


def test_an_entry_is_told_with_its_time_in_utc() -> None:
    """The form of the gateway's answers and of the command; its time can be asked since."""
    entry = AuditEntry(
        at_ms=NOON_MS + 7, retailer_id="r-1", who="command line", action="tree.push", target=None, outcome="refused"
    )
    found = told(entry)
    assert NOON_MS + 7 == read_since(found.pop("at"))
    assert {
        "retailer_id": "r-1",
        "who": "command line",
        "action": "tree.push",
        "target": None,
        "outcome": "refused",
    } == found
