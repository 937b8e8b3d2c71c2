"""Makes the demo's retailer: keys, catalogue and trees, the same at every start; what is there already stays."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import httpx
from msgspec import structs
from starlette.routing import BaseRoute

from adapters.clock import SystemClock
from adapters.identity_keys import IdentityKeys
from deploy.demo.answers import OwnPages
from deploy.demo.campaign_counts import CampaignCounts
from deploy.demo.campaign_desk import CampaignDesk, Watched
from deploy.demo.campaigns import write_drafts
from deploy.demo.crowd import Crowd
from deploy.demo.goods import Goods, catalogue_items, read_goods
from deploy.demo.keys import DemoKeys, read_keys, write_keys
from deploy.demo.night import Night, nightly
from deploy.demo.night_desk import NightDesk
from deploy.demo.past import MARKER, Past
from deploy.demo.pictures import Studio
from deploy.demo.receipts import Receipts
from deploy.demo.routes import Counter, Desks, routes
from deploy.demo.tastes import EVERYBODY, PERSONAS
from deploy.demo.till import Till, TillDesk
from deploy.demo.trees import grow
from domain.ids import ShopperHash, ShopperKey, shopper_hash
from domain.ports.budget_ledger import BudgetLedger
from domain.ports.campaigns import Campaigns
from domain.ports.experience_log import ExperienceLog
from domain.ports.retailers import Retailer, Retailers
from domain.ports.tree_store import DEFAULT, TreeStore
from domain.tree import encode
from domain.tree_faults import read_tree

NAME = "demo"
ANSWER_TIMEOUT_S: Final = 5.0


class DemoPorts(Protocol):
    """The stores that hold what a retailer brings along, and what comes of its campaigns."""

    @property
    def retailers(self) -> Retailers:
        """The control store."""
        ...

    @property
    def identity(self) -> IdentityKeys:
        """The keys under which shoppers are named."""
        ...

    @property
    def trees(self) -> TreeStore:
        """The tree store."""
        ...

    @property
    def campaigns(self) -> Campaigns:
        """The campaigns."""
        ...

    @property
    def ledger(self) -> BudgetLedger:
        """Their budgets."""
        ...

    @property
    def experiences(self) -> ExperienceLog:
        """What was decided."""
        ...


class Demo(NamedTuple):
    """The demo, made and not yet running.

    Attributes:
        routes: the shop's pages, for the gateway to serve beside its own paths.
        crowd: simulated shoppers and their past.
        campaigns: counts, and puts the demo's campaigns in force in time.
        counter: the shop's own server side; `await counter.close()` at the end, which ends a night too.
    """

    routes: tuple[BaseRoute, ...]
    crowd: Crowd
    campaigns: CampaignDesk
    counter: Counter

    async def run(self) -> None:
        """Brings the shop to life once the port answers; until cancelled.

        Raises:
            OSError: how far the past is told can't be noted.
            PortError: the campaigns can't be written.
        """
        async with asyncio.TaskGroup() as both:
            both.create_task(self.crowd.run())
            both.create_task(self.campaigns.run())


async def setup(ports: DemoPorts, data: Path, base_url: str, night: Night | None = None) -> Demo:
    """Makes the demo's retailer, once, and gives what serves its shop.

    Args:
        ports: the embedded stores.
        data: directory for the retailer's keys.
        base_url: where the public port answers, without a slash at its end.
        night: what the button starts; None = this system's own nightly.

    Raises:
        PortError: the stores can't be written.
        OSError: the key file can't be read or written.
    """
    goods, clock = read_goods(), SystemClock()
    keys = await _retailer(ports.retailers, ports.identity, data, base_url)
    retailer_id = keys.retailer_id
    await _catalogue(ports.retailers, retailer_id, goods)
    await write_drafts(ports.campaigns, retailer_id, clock.now_ms())
    await _trees(ports.trees, keys, ports.identity.shopper_key(retailer_id), data)
    hotbasket = httpx.AsyncClient(
        base_url=base_url, auth=(keys.secret_key, ""), timeout=ANSWER_TIMEOUT_S, trust_env=False
    )

    def hash_of(shopper_id: str) -> ShopperHash:
        return shopper_hash(ports.identity.shopper_key(retailer_id), shopper_id)

    async def tree_of(shopper_id: str) -> tuple[int, bytes] | None:
        key = ShopperKey(retailer_id, hash_of(shopper_id))
        return (await ports.trees.load([key])).get(key)

    def kind_of(campaign_id: str) -> str | None:
        known = ports.campaigns.current().campaigns.get(retailer_id, ())
        return next((one.definition.kind for one in known if one.campaign_id == campaign_id), None)

    past = Past(base_url, keys.secret_key, retailer_id, goods, data / MARKER)
    receipts = Receipts(hash_of, clock.now_ms())
    till = Till(hotbasket, receipts, clock)
    crowd = Crowd(hotbasket, till, goods, past)
    own = OwnPages(_origins(base_url))
    counts = CampaignCounts(ports.experiences, retailer_id)
    watched = Watched(ports.campaigns, ports.ledger, counts, receipts, past)
    desks = Desks(
        night=NightDesk(night or Night(nightly(data, retailer_id)), past, own),
        till=TillDesk(till, goods, own, kind_of),
        campaigns=CampaignDesk(retailer_id, watched, goods, hotbasket, own, clock),
    )
    counter = Counter(hotbasket, keys, tree_of, crowd.tally, desks)
    return Demo(routes(counter, goods, Studio()), crowd, desks.campaigns, counter)


async def _retailer(retailers: Retailers, identity: IdentityKeys, data: Path, base_url: str) -> DemoKeys:
    """The retailer's keys, after making it if it is not there, and renewing its keys if they are lost."""
    known = retailers.current().retailers
    keys = read_keys(data)
    same_name = next((one for one in known.values() if one.name == NAME), None)
    if keys is None or (same_name is not None and same_name.retailer_id != keys.retailer_id):
        keys = DemoKeys(
            retailer_id=same_name.retailer_id if same_name else f"r-{secrets.token_hex(8)}",
            write_key=f"wk_{secrets.token_urlsafe(24)}",
            secret_key=f"sk_{secrets.token_urlsafe(24)}",
        )
        write_keys(data, keys)
        if same_name is not None:
            await retailers.rotate_key(keys.retailer_id, "write", _digest(keys.write_key), old_until_ms=0)
            await retailers.rotate_key(keys.retailer_id, "secret", _digest(keys.secret_key), old_until_ms=0)
    wanted = Retailer(retailer_id=keys.retailer_id, name=NAME, origins=_origins(base_url), time_zone="Europe/Paris")
    if same_name is None:
        with identity.fresh(wanted.retailer_id) as wrapped:
            await retailers.add(wanted, _digest(keys.write_key), _digest(keys.secret_key), wrapped)
    elif same_name.origins != wanted.origins:
        await retailers.change(structs.replace(same_name, origins=wanted.origins))
    return keys


async def _catalogue(retailers: Retailers, retailer_id: str, goods: Goods) -> None:
    wanted = sorted(catalogue_items(goods.products), key=lambda item: item.product_id)
    if list(await retailers.catalogue(retailer_id)) != wanted:
        await retailers.import_catalogue(retailer_id, wanted)


async def _trees(trees: TreeStore, keys: DemoKeys, key: bytes, data: Path) -> None:
    """Pushes the demo's own trees through the door that every tree passes, where none are in force.

    Trees that a night grew, or that somebody pushed, survive a restart: only where those in force are exactly what the
    demo pushed itself, and its own have changed since, its own are pushed again.
    """
    wanted: dict[str, bytes] = {}
    for taste in (EVERYBODY, *PERSONAS):
        shopper, tree = read_tree(grow(taste))
        wanted[DEFAULT if shopper == DEFAULT else shopper_hash(key, shopper)] = encode(tree)
    there = await trees.load([ShopperKey(keys.retailer_id, shopper) for shopper in wanted])
    own = _digest_of(wanted)
    in_force = _digest_of({shopper_key.shopper: stored.blob for shopper_key, stored in there.items()})
    if not there or (in_force == keys.trees and in_force != own):
        await trees.push(keys.retailer_id, list(wanted.items()))
        in_force = own
    if in_force == own != keys.trees:
        write_keys(data, structs.replace(keys, trees=own))


def _digest_of(trees: Mapping[str, bytes]) -> str:
    """Gives what equal trees of equal shoppers have in common."""
    return hashlib.sha256(b"".join(shopper.encode() + blob for shopper, blob in sorted(trees.items()))).hexdigest()


def _origins(base_url: str) -> tuple[str, ...]:
    """The shop under each name that a browser on this machine may use for it."""
    port = base_url.rpartition(":")[2]
    return tuple(dict.fromkeys((base_url, f"http://127.0.0.1:{port}", f"http://localhost:{port}")))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
