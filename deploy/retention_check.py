"""Looks for what is older than the contract with its retailer allows, in every store that holds something of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import structlog

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from domain.errors import HotbasketError
from domain.ports.control_expiry import ControlExpiry
from domain.ports.retailers import Kind, Retailer
from domain.retention import GRACE_DAYS, TooOld, kept_days, limit_ms, too_old

log = structlog.get_logger("hotbasket.privacy")


class Dated(Protocol):
    """A store that says how old it is: a `ShopperData`, or a table of the control plane."""

    @property
    def name(self) -> str:
        """How findings call it."""
        ...

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """See `domain.ports.shopper_data.ShopperData.oldest_ms`."""
        ...


class Checked(NamedTuple):
    """What a look at all stores gave.

    Attributes:
        found: what is too old.
        stores: by name, all that were asked.
        unread: by name, those that could not be read, and why.
    """

    found: Sequence[TooOld]
    stores: Sequence[str]
    unread: dict[str, str]


class AuditDates(NamedTuple):
    """The audit trail as a store."""

    expiry: ControlExpiry

    @property
    def name(self) -> str:
        """How findings call it."""
        return "audit trail"

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest entry was made."""
        return await self.expiry.oldest_entry_ms(retailer_id, before_ms)


class RequestDates(NamedTuple):
    """Privacy requests as a store."""

    expiry: ControlExpiry

    @property
    def name(self) -> str:
        """How findings call it."""
        return "privacy requests"

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives since when the oldest that should be gone is done."""
        return await self.expiry.oldest_request_ms(retailer_id, before_ms)


class ModelDates(NamedTuple):
    """What the nights have learned and grown as a store."""

    warehouse: WarehouseData

    @property
    def name(self) -> str:
        """How findings call it."""
        return "models"

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest run ended that should be gone."""
        return await self.warehouse.oldest_run_ms(retailer_id, before_ms)


def stores_of(ports: Ports, warehouse: WarehouseData | None) -> Sequence[Dated]:
    """Gives every store that is looked at; None = it is not known where the warehouse is."""
    control = (AuditDates(ports.control_expiry), RequestDates(ports.control_expiry))
    return (*ports.shopper_data, *(() if warehouse is None else (warehouse, ModelDates(warehouse))), *control)


def contract_days(kind: Kind, retailer: Retailer, settings: Settings) -> int:
    """Gives for how many days a kind of data is kept of a retailer.

    Requests are kept for longer than any backup can be read, whatever the contract says: who restores one is told by
    their tombstones whom to leave out. And as long as the documents of exports, which go with them.
    """
    days = kept_days(retailer, kind)
    return max(days, settings.backup_days + 1, settings.export_days) if kind == "requests" else days


def allowed_days(store: str, retailer: Retailer, settings: Settings) -> int:
    """Gives for how many days a store may hold a record of a retailer's shoppers.

    Logs are held to `hot_days` as the event store is, since they say the same.
    """
    match store:
        case "event log" | "experience log" | "event store":
            return settings.hot_days
        case "failed events":
            return settings.failed_days
        case "exports":
            return settings.export_days
        case "warehouse":
            return kept_days(retailer, "history")
        case "models":
            return kept_days(retailer, "models")
        case "audit trail":
            return kept_days(retailer, "audit")
        case "privacy requests":
            return contract_days("requests", retailer, settings)
        case _:
            return kept_days(retailer, "state")


async def check(stores: Sequence[Dated], retailers: Sequence[Retailer], settings: Settings, now_ms: int) -> Checked:
    """Asks every store for each retailer; one that can't be read keeps none of the others from being asked.

    Args:
        stores: see `stores_of`.
        retailers: all of them.
        settings: for how long raw and failed events are kept.
        now_ms: Unix milliseconds.
    """
    found: list[TooOld] = []
    unread: dict[str, str] = {}
    for store in stores:
        for retailer in retailers:
            days = allowed_days(store.name, retailer, settings)
            try:
                oldest_ms = await store.oldest_ms(retailer.retailer_id, limit_ms(days + GRACE_DAYS, now_ms))
            except (HotbasketError, TimeoutError) as error:
                unread[store.name] = str(error) or "it does not answer"
                break
            except Exception:
                log.exception("a store can't be looked at", store=store.name)
                unread[store.name] = "a fault of our own: the log says where"
                break
            if oldest_ms is not None:
                found.append(too_old(store.name, retailer, oldest_ms, days, now_ms))
    return Checked(found, [store.name for store in stores], unread)
