"""Privacy requests for contract tests: made, opened, and what stands of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapters.wiring import Ports
from domain.ports.privacy_requests import Kind, Request, Subject
from tests.story import NOON_MS, RETAILER

MONTH_MS = 30 * 86_400_000


def digest(name: str) -> str:
    """How requests name a shopper."""
    return hashlib.sha256(name.encode()).hexdigest()


def digests(names: Iterable[str]) -> frozenset[str]:
    """How requests name several."""
    return frozenset(map(digest, names))


def subjects(names: Iterable[str]) -> list[Subject]:
    """Shoppers of a request, each with a seal of its own."""
    return [Subject(digest(name), b"\x00sealed \xff" + name.encode()) for name in names]


def request_id(name: str) -> str:
    """The id of a request."""
    return str(uuid5(NAMESPACE_URL, name))


def request(name: str, kind: Kind = "suppress", **fields: Any) -> Request:  # Any: each field has a type of its own
    """A request of the first retailer, asked at noon."""
    said: dict[str, Any] = {
        "retailer_id": RETAILER,
        "opened_at_ms": NOON_MS,
        "due_at_ms": NOON_MS + MONTH_MS,
        "shoppers": 1,
    } | fields
    return Request(request_id=request_id(name), kind=kind, **said)


async def opened(ports: Ports, name: str, shoppers: Iterable[str], kind: Kind = "suppress", **fields: Any) -> Request:
    """Opens a request about shoppers."""
    return await ports.privacy.open(request(name, kind, **fields), subjects(shoppers))


async def ids(ports: Ports) -> list[str]:
    """The ids of what is not done."""
    return [one.request_id for one in await ports.privacy.pending()]
