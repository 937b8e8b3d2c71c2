"""Makes the demo's retailer: keys, catalogue and trees, the same at every start; what is there already stays."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from msgspec import Struct, structs
from starlette.routing import BaseRoute

from deploy.demo.crowd import Crowd
from deploy.demo.goods import Goods, catalogue_items, read_goods
from deploy.demo.pictures import Studio
from deploy.demo.routes import Counter, routes
from deploy.demo.tastes import EVERYBODY, PERSONAS
from deploy.demo.trees import grow
from domain.ids import ShopperKey, shopper_hash
from domain.ports.retailers import Retailer, Retailers
from domain.ports.tree_store import DEFAULT, TreeStore
from domain.tree import encode
from domain.tree_faults import read_tree

NAME = "demo"
KEYS_FILE = "demo.json"


class DemoKeys(Struct, frozen=True, kw_only=True):
    """What a retailer keeps after `retailer add`; here in a file that only its owner can read."""

    retailer_id: str
    write_key: str
    secret_key: str


class DemoPorts(Protocol):
    """The two stores that hold what a retailer brings along."""

    @property
    def retailers(self) -> Retailers:
        """The control store."""
        ...

    @property
    def trees(self) -> TreeStore:
        """The tree store."""
        ...


class Demo(NamedTuple):
    """The demo, made and not yet running.

    Attributes:
        routes: the shop's pages, for the gateway to serve beside its own paths.
        crowd: simulated shoppers; `await crowd.run()` once the port answers, cancel it to end them.
        counter: the shop's own server side; `await counter.close()` at the end.
    """

    routes: tuple[BaseRoute, ...]
    crowd: Crowd
    counter: Counter


async def setup(ports: DemoPorts, shopper_key: Callable[[str], bytes], data: Path, base_url: str) -> Demo:
    """Makes the demo's retailer, once, and gives what serves its shop.

    Args:
        ports: the embedded stores.
        shopper_key: gives the key under which a retailer's shopper ids are hashed.
        data: directory for the retailer's keys.
        base_url: where the public port answers, without a slash at its end.

    Raises:
        PortError: the stores can't be written.
        OSError: the key file can't be read or written.
    """
    goods = read_goods()
    keys = await _retailer(ports.retailers, data, base_url)
    await _catalogue(ports.retailers, keys.retailer_id, goods)
    await _trees(ports.trees, keys.retailer_id, shopper_key(keys.retailer_id))
    crowd = Crowd(base_url, keys.secret_key, goods)

    async def tree_of(shopper_id: str) -> tuple[int, bytes] | None:
        key = ShopperKey(keys.retailer_id, shopper_hash(shopper_key(keys.retailer_id), shopper_id))
        return (await ports.trees.load([key])).get(key)

    counter = Counter(base_url, keys.write_key, keys.secret_key, keys.retailer_id, tree_of, crowd.tally)
    return Demo(routes(counter, goods, Studio()), crowd, counter)


async def _retailer(retailers: Retailers, data: Path, base_url: str) -> DemoKeys:
    """The retailer's keys, after making it if it is not there, and renewing its keys if they are lost."""
    known = retailers.current().retailers
    keys = _read_keys(data / KEYS_FILE)
    same_name = next((one for one in known.values() if one.name == NAME), None)
    if keys is None or (same_name is not None and same_name.retailer_id != keys.retailer_id):
        keys = DemoKeys(
            retailer_id=same_name.retailer_id if same_name else f"r-{secrets.token_hex(8)}",
            write_key=f"wk_{secrets.token_urlsafe(24)}",
            secret_key=f"sk_{secrets.token_urlsafe(24)}",
        )
        _write_keys(data / KEYS_FILE, keys)
        if same_name is not None:
            await retailers.rotate_key(keys.retailer_id, "write", _digest(keys.write_key), old_until_ms=0)
            await retailers.rotate_key(keys.retailer_id, "secret", _digest(keys.secret_key), old_until_ms=0)
    wanted = Retailer(retailer_id=keys.retailer_id, name=NAME, origins=_origins(base_url), time_zone="Europe/Paris")
    if same_name is None:
        await retailers.add(wanted, _digest(keys.write_key), _digest(keys.secret_key))
    elif same_name.origins != wanted.origins:
        await retailers.change(structs.replace(same_name, origins=wanted.origins))
    return keys


async def _catalogue(retailers: Retailers, retailer_id: str, goods: Goods) -> None:
    wanted = sorted(catalogue_items(goods.products), key=lambda item: item.product_id)
    if list(await retailers.catalogue(retailer_id)) != wanted:
        await retailers.import_catalogue(retailer_id, wanted)


async def _trees(trees: TreeStore, retailer_id: str, key: bytes) -> None:
    """Pushes the trees through the door that every tree passes, unless these very trees are in force.

    A tree that somebody pushed since the last start gives way to the demo's own.
    """
    wanted: list[tuple[str, bytes]] = []
    for taste in (EVERYBODY, *PERSONAS):
        shopper, tree = read_tree(grow(taste))
        wanted.append((DEFAULT if shopper == DEFAULT else shopper_hash(key, shopper), encode(tree)))
    there = await trees.load([ShopperKey(retailer_id, shopper) for shopper, _ in wanted])
    in_force = {key.shopper: stored.blob for key, stored in there.items()}
    if any(in_force.get(shopper) != blob for shopper, blob in wanted):
        await trees.push(retailer_id, wanted)


def _origins(base_url: str) -> tuple[str, ...]:
    """The shop under each name that a browser on this machine may use for it."""
    port = base_url.rpartition(":")[2]
    return tuple(dict.fromkeys((base_url, f"http://127.0.0.1:{port}", f"http://localhost:{port}")))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _read_keys(file: Path) -> DemoKeys | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=DemoKeys)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _write_keys(file: Path, keys: DemoKeys) -> None:
    """Writes the file whole or not at all, never readable for others."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(msgspec.json.encode(keys))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
