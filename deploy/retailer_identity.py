"""`hotbasket retailer new-shopper-key` and `rewrap-keys`: the keys that name shoppers, and what wraps them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from adapters.secret_source import DirectorySecrets
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.audited import audited
from deploy.options import Json, Where, document, say, tell
from deploy.retailer_keys import Name
from deploy.stores import chosen, in_stores, place_of
from domain.errors import PortError, Refused
from domain.ports.retailers import Retailer


class _Rewrapped(NamedTuple):
    """What became of the keys of all retailers.

    Attributes:
        kek: name of the key-encryption key in force.
        changed: ids of the retailers whose keys were wrapped under it now.
        unchanged: how many others were already.
    """

    kek: str
    changed: list[str]
    unchanged: int


def new_shopper_key(
    name: Name,
    data: Where = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you mean it.")] = False,
    as_json: Json = False,
) -> None:
    """Replace the key under which a retailer's shopper ids are hashed, after it has leaked: every shopper starts anew.

    Who holds the old key and a copy of the stores can tell which shopper is which. Under the new key nobody is
    recognised: baskets, trees, open promises and history are no longer found, nor whom you have suppressed. What is
    stored under the old key stays until its retention ends (retailer set --retention-days). It can't be taken back.

    Example: hotbasket retailer new-shopper-key "Fresh & Co" --yes
    """

    async def find(ports: Ports) -> Retailer:
        return chosen(ports, name)

    retailer = in_stores(data, find)
    if not yes:
        tell(f"Every shopper of {retailer.name} starts anew, and it can't be taken back. Type y to go on.")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise Refused("nothing was changed: type y, or give --yes where nobody is asked")

    async def work(ports: Ports) -> None:
        async with audited(ports, retailer.retailer_id, "retailer.new-shopper-key"):
            await ports.identity.renew_shopper_key(retailer.retailer_id)

    in_stores(data, work)
    if as_json:
        document({"retailer_id": retailer.retailer_id})
    else:
        say(f"{retailer.name} has a new shopper key: every shopper starts anew")


def rewrap_keys(
    data: Where = None,
    new_secret: Annotated[
        bool,
        typer.Option(
            "--new-secret", help="Make a new key-encryption key in the data directory first; the old one is dropped."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Wrap every retailer's identity keys under the key-encryption key in force; no shopper notices.

    On servers that is HOTBASKET_IDENTITY_SECRET, and HOTBASKET_IDENTITY_SECRET_BEFORE opens what the one before it
    wrapped. A data directory keeps its own: with --new-secret it gets another one, beside a running system too.
    Whatever interrupts the command, run it again.

    Example: hotbasket retailer rewrap-keys --data ./data --new-secret
    """
    place = place_of(data, load_settings())
    if place is not None:
        done = _in_directory(place, new_secret)
    elif new_secret:
        raise typer.BadParameter("servers are given theirs: set HOTBASKET_IDENTITY_SECRET and _BEFORE, without this")
    else:
        done = in_stores(None, _rewrap_all)
    if as_json:
        document({"key_encryption_key": done.kek, "rewrapped": done.changed, "unchanged": done.unchanged})
        return
    say(f"{len(done.changed)} rewrapped, {done.unchanged} unchanged: all are under key-encryption key {done.kek}")


def _in_directory(place: Path, new_secret: bool) -> _Rewrapped:
    """Ends a change of the key-encryption key that was begun, by this call or by one that was interrupted.

    Raises:
        Refused, PortError: keys of some retailers can't be opened; both key-encryption keys are still there.
    """
    secrets = DirectorySecrets(place)
    with secrets.changing():
        if new_secret:
            secrets.begin_change()
        done = in_stores(place, _rewrap_all)
        secrets.end_change()
    return done


async def _rewrap_all(ports: Ports) -> _Rewrapped:
    """Goes on with the others where one retailer's keys can't be opened.

    Raises:
        Refused: every retailer whose keys can't be.
        PortError: the control store failed, and what could be done is done.
    """
    kek = ports.identity.kek
    changed: list[str] = []
    faults: list[str] = []
    retailers = ports.retailers.current().retailers
    for retailer_id in retailers:
        if ports.identity.is_wrapped_now(retailer_id):
            continue
        try:
            async with audited(ports, retailer_id, "retailer.rewrap-keys"):
                await ports.identity.rewrap(retailer_id)
        except PortError as error:
            if error.retriable:
                raise
            faults.append(str(error))
        else:
            changed.append(retailer_id)
    if faults:
        raise Refused(*faults)
    return _Rewrapped(kek, changed, len(retailers) - len(changed))
