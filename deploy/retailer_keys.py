"""`hotbasket retailer keys`, `rotate-key` and `revoke-key`: a retailer's keys, each made and ended alone."""

from __future__ import annotations

import hashlib
import secrets
from enum import StrEnum
from typing import Annotated, Any

import typer

from adapters.clock import SystemClock
from adapters.wiring import Ports
from deploy.audited import audited
from deploy.options import Json, Where, document, say
from deploy.stores import chosen, in_stores
from domain.audit import key_target
from domain.errors import Refused
from domain.permissions import Scope, key_name
from domain.ports.retailers import Grant, Retailer
from domain.timestamps import rfc3339

_HOUR_MS = 3_600_000
_PREFIX: dict[Scope, str] = {"write": "wk", "secret": "sk", "server": "svk", "privacy": "pvk", "operator": "opk"}


class Which(StrEnum):
    """Which keys a rotation replaces."""

    WRITE = "write"
    SECRET = "secret"  # noqa: S105 - a scope
    BOTH = "both"
    SERVER = "server"
    PRIVACY = "privacy"
    OPERATOR = "operator"


_SCOPES: dict[Which, tuple[Scope, ...]] = {
    Which.WRITE: ("write",),
    Which.SECRET: ("secret",),
    Which.BOTH: ("write", "secret"),
    Which.SERVER: ("server",),
    Which.PRIVACY: ("privacy",),
    Which.OPERATOR: ("operator",),
}

Name = Annotated[str, typer.Argument(help="The retailer's name, as you say it; or its id.")]


def list_keys(name: Name, data: Where = None, as_json: Json = False) -> None:
    """Show which keys a retailer has, by the names that histories and the audit trail use; never a key.

    Example: hotbasket retailer keys "Fresh & Co"
    """

    async def work(ports: Ports) -> list[dict[str, Any]]:
        found = _keys_of(ports, chosen(ports, name))
        return [
            {
                "key": key_name(digest),
                "scope": grant.scope,
                "until": None if grant.until_ms is None else rfc3339(grant.until_ms),
            }
            for digest, grant in sorted(found.items(), key=lambda one: (one[1].scope, one[0]))
        ]

    keys = in_stores(data, work)
    if as_json:
        document(keys)
        return
    for key in keys:
        say(f"{key['key']}  {key['scope']}" + (f" until {key['until']}" if key["until"] else ""))


def rotate_key(
    name: Name,
    data: Where = None,
    which: Annotated[Which, typer.Option("--scope", help="Which keys to make; both: write and secret.")] = Which.BOTH,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=8_760, help="Hours that the old keys stay valid.")
    ] = 24.0,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Make one key more: the old ones stay valid until they are revoked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a retailer's next key of a scope, or its first; the old ones stay valid for a while, for servers to change.

    A server key opens verified events, subscriptions, lookups and quotes; an operator key campaigns; a privacy key
    the audit trail.

    Example: hotbasket retailer rotate-key "Fresh & Co" --scope privacy
    """
    keys: dict[Scope, str] = {scope: new_key(scope) for scope in _SCOPES[which]}
    old_until_ms = None if keep_old else _hours_ahead_ms(overlap_hours)

    async def work(ports: Ports) -> Retailer:
        retailer = chosen(ports, name)
        for scope, key in keys.items():
            digest = key_digest(key)
            target = key_target(scope, key_name(digest))
            async with audited(ports, retailer.retailer_id, "retailer.rotate-key", target):
                await ports.retailers.rotate_key(retailer.retailer_id, scope, digest, old_until_ms=old_until_ms)
        return retailer

    show_keys(in_stores(data, work), keys, as_json)


def revoke_key(
    name: Name,
    key: Annotated[str, typer.Argument(help="The key's name, as `retailer keys` shows it; never the key.")],
    data: Where = None,
    in_hours: Annotated[
        float, typer.Option("--in-hours", min=0, max=8_760, help="Hours that it stays valid; 0 ends it at once.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """End one key of a retailer and leave all others as they are; what has its place is made by rotate-key.

    Example: hotbasket retailer revoke-key "Fresh & Co" 1a2b3c4d
    """
    until_ms = _hours_ahead_ms(in_hours)

    async def work(ports: Ports) -> Grant:
        retailer = chosen(ports, name)
        found = {digest: grant for digest, grant in _keys_of(ports, retailer).items() if key_name(digest) == key}
        if len(found) != 1:
            raise Refused(f"{retailer.name} has no key {key!r}: hotbasket retailer keys shows those there are")
        ((digest, grant),) = found.items()
        retailer_id, scope = retailer.retailer_id, grant.scope
        async with audited(ports, retailer_id, "retailer.revoke-key", key_target(scope, key)):
            await ports.retailers.rotate_key(retailer_id, scope, None, old_until_ms=until_ms, only=digest)
        return ports.retailers.current().grants[digest]

    grant = in_stores(data, work)
    assert grant.until_ms is not None
    until = rfc3339(grant.until_ms)
    if as_json:
        document({"key": key, "scope": grant.scope, "until": until})
    else:
        say(f"the {grant.scope} key {key} of {grant.retailer.name} is valid until {until}")


def new_key(scope: Scope) -> str:
    """Gives a fresh key; its first letters say what it may do."""
    return f"{_PREFIX[scope]}_{secrets.token_urlsafe(24)}"


def key_digest(key: str) -> str:
    """Gives what is stored of a key: 192 random bits need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


def show_keys(retailer: Retailer, keys: dict[Scope, str], as_json: bool) -> None:
    """Prints fresh keys, this once."""
    shown = {f"{scope}_key": key for scope, key in keys.items()}
    if as_json:
        document({"retailer_id": retailer.retailer_id, **shown})
        return
    say(f"{retailer.name} has the id {retailer.retailer_id}; its keys are shown this once:")
    for name, key in shown.items():
        say(f"  {name.replace('_', ' ')}: {key}")


def _keys_of(ports: Ports, retailer: Retailer) -> dict[str, Grant]:
    grants = ports.retailers.current().grants
    return {digest: grant for digest, grant in grants.items() if grant.retailer.retailer_id == retailer.retailer_id}


def _hours_ahead_ms(hours: float) -> int:
    return SystemClock().now_ms() + round(hours * _HOUR_MS)
