"""What each scope of a key may do."""

from __future__ import annotations

import pytest

from domain.permissions import ACTIONS, SCOPES, Action, Scope, is_public, key_name, may, scopes_for

OPENS: dict[Scope, set[Action]] = {
    "write": {"events"},
    "secret": {"events", "verified", "subscribe", "lookup", "quote", "campaigns", "privacy", "audit"},
    "server": {"events", "verified", "subscribe", "lookup", "quote"},
    "privacy": {"privacy", "audit"},
    "operator": {"campaigns"},
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_scope_opens_what_it_is_for(scope: Scope, action: Action) -> None:
    """Each scope may do exactly what stands in the table."""
    assert (action in OPENS[scope]) == may(scope, action)


def test_every_action_is_somebodys() -> None:
    """The table has every scope and every action."""
    assert (set(SCOPES), set(ACTIONS)) == (set(OPENS), OPENS["secret"])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_scope_of_a_newer_version_opens_nothing(action: Action) -> None:
    """What this version does not know it never takes for one that it knows."""
    assert [False] * 4 == [may(scope, action) for scope in ("auditor", "", "Secret", "secret ")]


def test_who_could_help_is_named_narrowest_first() -> None:
    """A refusal proposes the key that opens least."""
    assert ("operator", "secret") == scopes_for("campaigns")
    assert ("write", "server", "secret") == scopes_for("events")


def test_what_posts_events_is_public_or_verified() -> None:
    """Of the keys that may post events, those that no page knows make them verified, and no others do."""
    posting = [scope for scope in SCOPES if may(scope, "events")]
    assert {scope: not is_public(scope) for scope in posting} == {scope: may(scope, "verified") for scope in posting}
    assert ["write"] == [scope for scope in SCOPES if is_public(scope)]


def test_a_key_is_named_by_its_digest() -> None:
    """Eight digits tell keys apart, and no more of the digest is shown."""
    assert "0123abcd" == key_name("0123abcd" + "e" * 56)
