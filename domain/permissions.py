"""What a key may do, by its scope: the one table that the gateway, the OpenAPI document and the command line ask."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

Scope = Literal["write", "secret", "server", "privacy", "operator"]
Action = Literal["events", "verified", "subscribe", "lookup", "quote", "campaigns", "privacy", "audit"]

_NAME_DIGITS: Final = 8
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

_OPENED_TO: Final[Mapping[Action, frozenset[Scope]]] = MappingProxyType(
    {
        # Events as they come from pages; what is won is claimed with the same key.
        "events": frozenset({"write", "server"}),
        # Events that count for budgets, rewards and uplift: anybody can forge a browser's.
        "verified": frozenset({"server"}),
        "subscribe": frozenset({"server"}),
        "lookup": frozenset({"server"}),
        "quote": frozenset({"server"}),
        "campaigns": frozenset({"operator"}),
        "privacy": frozenset({"privacy"}),
        "audit": frozenset({"privacy"}),
    }
)
"""By action, the scopes that it is open to beside `secret`, which opens everything of its retailer."""


def may(scope: str, action: Action) -> bool:
    """Tells whether a key of a scope may do something; a scope that a newer version made may nothing here."""
    return scope == "secret" or scope in _OPENED_TO[action]


def scopes_for(action: Action) -> tuple[Scope, ...]:
    """Gives the scopes that may do something, the narrowest first."""
    return tuple(sorted((scope for scope in SCOPES if may(scope, action)), key=_width))


def is_public(scope: str) -> bool:
    """Tells whether keys of a scope stand in pages; all others stay on servers and with people."""
    return scope == "write"


def key_name(digest: str) -> str:
    """Gives how people tell a retailer's keys apart: the first digits of the digest, which are no secret."""
    return digest[:_NAME_DIGITS]


def _width(scope: Scope) -> int:
    return sum(may(scope, action) for action in ACTIONS)
