"""How a command reaches the stores: those of a data directory, or a production system's servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import uvloop

from adapters.clock import SystemClock
from adapters.data_dir import prepare
from adapters.settings import Settings, data_files, load_settings
from adapters.wiring import Ports, Role, embedded, has_servers, production
from deploy.options import DATA
from domain.errors import Refused
from domain.ids import ShopperHash, shopper_hash
from domain.ports.retailers import Retailer
from monitoring.metrics import Metrics

Result = TypeVar("Result")


def in_stores(
    data: Path | None, work: Callable[[Ports], Awaitable[Result]], *, create: bool = False, role: Role = "command"
) -> Result:
    """Opens the stores, does the work and closes them.

    Args:
        data: the directory that `hotbasket run --data` was given, or will be; None = the servers that the settings
            name, where they name any, else the directory that `run` takes by itself.
        work: what to do with the stores.
        create: whether to make the directory where there is none.
        role: on servers; `batch` for what names no shopper and is given no secret.

    Raises:
        Refused: there is no such directory, or a setting is missing.
        PortError: the stores can't be opened.
    """
    settings = load_settings()
    place = place_of(data, settings, create=create)
    if place is None:
        return uvloop.run(_on_servers(settings, work, role))
    return uvloop.run(_on_files(place, settings, work))


def meant(data: Path | None, settings: Settings) -> Path | None:
    """Gives the data directory that is meant, whether or not it is there; None for the servers."""
    return data if data is not None or has_servers(settings) else DATA


def place_of(data: Path | None, settings: Settings, *, create: bool = False) -> Path | None:
    """Gives the data directory that a command works on, None for the servers; see `in_stores`.

    Raises:
        Refused: there is no such directory.
    """
    place = meant(data, settings)
    if place is None:
        return None
    if create:
        prepare(place)
    elif not data_files(place)["control"].is_file():
        raise Refused(
            f"{place} holds no hotbasket data: name the right --data, or start with hotbasket run --data {place}"
        )
    return place


async def _on_files(data: Path, settings: Settings, work: Callable[[Ports], Awaitable[Result]]) -> Result:
    ports = embedded(data, settings, Metrics(), SystemClock())
    try:
        return await work(ports)
    finally:
        await ports.close()


async def _on_servers(settings: Settings, work: Callable[[Ports], Awaitable[Result]], role: Role) -> Result:
    ports = await production(settings, Metrics(), SystemClock(), role=role)
    try:
        return await work(ports)
    finally:
        await ports.close()


def chosen(ports: Ports, name: str | None) -> Retailer:
    """Gives the retailer of this name or id; without one, the only retailer.

    Raises:
        Refused: there is no such retailer, or more than one to choose from.
    """
    retailers = ports.retailers.current().retailers
    names = ", ".join(sorted(retailer.name for retailer in retailers.values()))
    if not retailers:
        raise Refused("there is no retailer yet: add one with hotbasket retailer add NAME")
    if name is None:
        if len(retailers) > 1:
            raise Refused(f"choose one with --retailer: {names}")
        return next(iter(retailers.values()))
    found = next((one for one in retailers.values() if name == one.name), retailers.get(name))
    if found is None:
        raise Refused(f"there is no retailer {name!r}; there are: {names}")
    return found


def hash_of(ports: Ports, retailer: Retailer, shopper_id: str) -> ShopperHash:
    """Gives the hash under which a retailer's shopper is stored."""
    return shopper_hash(ports.identity.shopper_key(retailer.retailer_id), shopper_id)
