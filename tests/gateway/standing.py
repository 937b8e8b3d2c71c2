"""A gateway that stands: over the embedded stores of a folder, with two retailers, a worker where one is needed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from actors.campaigns_now import MarketPorts
from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.vault_wiring import embedded_vault
from adapters.wiring import Ports, embedded
from adapters.zones import zone_of
from deploy.http_server import HttpServer
from deploy.listeners import address_of, listen
from domain.ids import BEGINNING, ShopperKey, shopper_hash
from domain.ports.retailers import CatalogueItem, Retailer
from domain.records import Record
from domain.tree_faults import read_trees
from gateway.app import Gateway
from gateway.stores import Keys, Stores
from monitoring.metrics import Metrics
from monitoring.trace_lines import TraceLines

ORIGIN = "https://shop.example"
OTHER_ORIGIN = "https://other.example"
FOREIGN_ORIGIN = "https://elsewhere.example"
DEADLINE_S = 20.0
POLL_S = 0.005

TREE = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [
                {"to": "sauce", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}},
                {"to": "tension", "when": {"kind": "product", "action": "added", "category_ids": ["wine"]}},
            ]
        },
        "sauce": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "recommendation",
                    "ttl_s": 1800,
                    "content": {"products": [{"product_id": "p-77"}]},
                }
            ],
            "edges": [
                {"to": "cheese", "when": {"kind": "product", "action": "added", "category_ids": ["cheese"]}},
            ],
        },
        "cheese": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "recommendation",
                    "ttl_s": 1800,
                    "content": {"products": [{"product_id": "p-78"}]},
                }
            ]
        },
        "tension": {
            "experiences": [
                {
                    "slot": "banner",
                    "kind": "basket_tension",
                    "ttl_s": 900,
                    "content": {"threshold_minor": 5000, "reward": {"type": "amount", "value_minor": 500}},
                }
            ]
        },
    },
}
"""Pasta brings a sauce, cheese after it replaces it, wine opens a basket tension."""


class ShiftedClock(SystemClock):
    """The machine's clock, which a test may move."""

    def __init__(self) -> None:
        self.shift_ms = 0
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        """Monotonic seconds, ahead."""
        return super().monotonic_s() + self.ahead_s

    def now_ms(self) -> int:
        """Unix milliseconds, moved."""
        return super().now_ms() + self.shift_ms


class Shop:
    """One retailer, and its keys.

    Attributes:
        write, secret: headers with the write key, with the secret key.
    """

    def __init__(self, name: str, origin: str, **settings: Any) -> None:
        self.write_key, self.secret_key = f"{name}-write-key", f"{name}-secret-key"
        self.write, self.secret = basic(self.write_key), basic(self.secret_key)
        self.origin = origin
        self.retailer = Retailer(retailer_id=f"r-{name}", name=name, origins=(origin,), **settings)

    async def settle(self, ports: Ports) -> None:
        """Becomes a retailer of the stores."""
        with ports.identity.fresh(self.retailer.retailer_id) as wrapped:
            await ports.retailers.add(self.retailer, digest(self.write_key), digest(self.secret_key), wrapped)


class Standing:
    """A gateway and what it stands on.

    Attributes:
        shop: the retailer that most tests use; its origin is ORIGIN.
        other: another one; its origin is OTHER_ORIGIN, and without consent it stores nothing.
        http: a client that speaks ASGI to the gateway.
    """

    def __init__(self, data: Path, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.metrics = Metrics()
        self.clock = ShiftedClock()
        self.ports = embedded(data, self.settings, self.metrics, self.clock)
        self.shop = Shop("shop", ORIGIN)
        self.other = Shop("other", OTHER_ORIGIN, consent_default="denied")
        self.vault = embedded_vault(data, self.settings, self.clock)
        secrets, identity = self.ports.secrets, self.ports.identity
        self.keys = Keys(secrets.subscription, identity.shopper_key, self.vault.keys.claims, identity.privacy_key)
        self.gateway = self.another()
        transport = httpx.ASGITransport(self.gateway, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        self._closing: list[Callable[[], Awaitable[object]]] = []

    def another(self) -> Gateway:
        """Gives one more gateway over the same stores."""
        return Gateway(self.stores(), self.keys, self.settings)

    def stores(self) -> Stores:
        """Gives the ports of a gateway."""
        ports = self.ports
        return Stores(
            ports.events,
            ports.experiences,
            ports.snapshots,
            ports.trees,
            ports.retailers,
            self.clock,
            self.metrics,
            self.vault.vault,
            ports.campaigns,
            ports.ledger,
            ports.audit,
            ports.privacy,
            ports.words,
            ports.erasures,
            ports.exports,
        )

    async def start(self) -> None:
        """Adds the retailers and starts the gateway."""
        await self.shop.settle(self.ports)
        await self.other.settle(self.ports)
        pasta = CatalogueItem(product_id="p-1", name="Spaghetti", category_id="pasta", price_minor=129)
        await self.ports.retailers.import_catalogue(self.shop.retailer.retailer_id, [pasta])
        await self.gateway.start()
        await until(self.is_ready, "the gateway is ready")

    async def is_ready(self) -> bool:
        """Whether the gateway says so."""
        return (await self.http.get("/health/ready")).status_code == 200

    async def work(self) -> Worker:
        """Starts a worker and plants TREE as the shop's default tree."""
        ports = self.ports
        await ports.trees.push(self.shop.retailer.retailer_id, read_trees(json.dumps(TREE).encode()))
        stores = WorkerStores(
            ports.events,
            ports.experiences,
            ports.snapshots,
            ports.trees,
            ports.failed,
            self.clock,
            self.metrics,
            market=MarketPorts(ports.campaigns, ports.ledger, ports.retailers, zone_of),
            lines=TraceLines(self.settings.trace_lines_per_s, self.clock.monotonic_s),
        )
        worker = Worker(stores, self.settings, "worker")
        working = asyncio.create_task(worker.run())

        async def stop() -> None:
            worker.stop()
            await working

        self._closing.append(stop)
        await asyncio.wait_for(worker.ready.wait(), DEADLINE_S)
        return worker

    async def listen(self) -> str:
        """Puts the gateway on a socket of its own, as `hotbasket run` does, and gives its address `host:port`."""
        listener = listen("127.0.0.1", 0, "take another")
        server = HttpServer(self.gateway, self.settings)
        serving = asyncio.create_task(server.serve_on(listener))

        async def stop() -> None:
            await self.gateway.drain()
            server.stop()
            await serving
            listener.close()

        self._closing.append(stop)
        await server.wait_until_started()
        return address_of(listener)

    async def close(self) -> None:
        """Ends everything."""
        for stop in reversed(self._closing):
            await stop()
        await self.gateway.stop()
        await self.http.aclose()
        await self.ports.close()
        await self.vault.close()

    async def post(self, body: Any, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Posts events, as the shop's page does unless told otherwise."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"} | (self.shop.write if headers is None else headers)
        return await self.http.post("/v1/events", content=content, headers=sent, **more)

    async def ask(self, path: str, shopper_id: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Posts a shopper's id to a route of the server's side."""
        return await self.http.post(path, json={"shopper_id": shopper_id}, headers=headers or self.shop.secret)

    async def subscription(self, shopper_id: str, shop: Shop | None = None) -> str:
        """Fetches a token."""
        answer = await self.ask("/v1/subscriptions", shopper_id, (shop or self.shop).secret)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["subscription"]
        return token

    async def stored(self) -> list[Record]:
        """Gives every record of the event log; only where no worker reads it."""
        await self.ports.events.poll(records_max=1, wait_s=0)
        await self.ports.events.seek(0, BEGINNING)
        records: list[Record] = []
        while batches := (await self.ports.events.poll(records_max=10_000, wait_s=0)).batches:
            for batch in batches:
                records += [record for record in batch.records if isinstance(record, Record)]
        return records

    async def stored_ids(self) -> list[str]:
        """Gives the ids of every event in the event log."""
        return [str(record.event.event_id) for record in await self.stored()]

    def key(self, shopper_id: str, shop: Shop | None = None) -> ShopperKey:
        """Gives how the stores know a shopper."""
        retailer_id = (shop or self.shop).retailer.retailer_id
        return ShopperKey(retailer_id, shopper_hash(self.keys.shopper_key(retailer_id), shopper_id))

    def counted(self, name: str, **labels: str) -> float:
        """Gives a metric's value, 0 where it was never counted."""
        return self.metrics.registry.get_sample_value(f"hotbasket_{name}", labels) or 0.0


def basic(key: str, password: str = "") -> dict[str, str]:
    """Gives the header that carries a key."""
    return {"authorization": f"Basic {b64encode(f'{key}:{password}'.encode()).decode()}"}


def digest(key: str) -> str:
    """Gives what the stores keep of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def added(category: str = "pasta", shopper_id: str = "c-1842", event_id: UUID | str | None = None, **more: Any) -> Any:
    """Gives an event: a product of this category goes into the basket, now."""
    return {
        "type": "AddedToBasket",
        "event_id": str(event_id or uuid4()),
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "shopper_id": shopper_id,
        "product": {"product_id": f"p-{category}", "category_id": category, "price_minor": 100},
        **more,
    }


def ids(events: Iterable[Any]) -> list[str]:
    """Gives the ids of events."""
    return [event["event_id"] for event in events]


async def until(holds: Callable[[], Awaitable[object]], what: str) -> None:
    """Waits until a condition holds."""
    ends_s = time.monotonic() + DEADLINE_S
    while not await holds():
        assert time.monotonic() < ends_s, f"not within {DEADLINE_S:g} s: {what}"
        await asyncio.sleep(POLL_S)
