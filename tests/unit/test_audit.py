"""How the audit trail names shoppers, tells outcomes and reads moments."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from adapters.secrets import Secrets
from domain.audit import outcome_of, read_since, told
from domain.errors import Full, HotbasketError, PortError, Refused
from domain.ids import shopper_digest, shopper_hash
from domain.ports.audit_trail import AuditEntry
from tests.story import NOON_MS

SECRETS = Secrets(b"s" * 32, b"i" * 32)


def test_a_shopper_is_named_by_a_keyed_digest() -> None:
    """HMAC-SHA-256 of the shopper hash: neither the id nor the hash, and another one for each retailer's key."""
    shopper = shopper_hash(SECRETS.shopper_key("r-1"), "loyalty-no-9")
    key = SECRETS.privacy_key("r-1")
    target = shopper_digest(key, shopper)
    assert hmac.new(key, shopper.encode(), hashlib.sha256).hexdigest() == target
    assert target not in {shopper, shopper_digest(SECRETS.privacy_key("r-2"), shopper)}


def test_a_privacy_key_is_no_shopper_key() -> None:
    """Both come from one secret; who knows one of a retailer does not know the other, nor another retailer's."""
    keys = {give(retailer_id) for give in (SECRETS.shopper_key, SECRETS.privacy_key) for retailer_id in ("r-1", "r-2")}
    assert (4, {32}) == (len(keys), {len(key) for key in keys})


def test_a_process_without_the_secret_names_nobody() -> None:
    """It says which setting it lacks."""
    with pytest.raises(Refused, match="HOTBASKET_IDENTITY_SECRET"):
        Secrets(b"", b"").privacy_key("r-1")


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
