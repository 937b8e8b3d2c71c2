"""Once a day, beside the privacy worker: removes what has expired, where no TTL does, and looks for what is too old."""

from __future__ import annotations

import asyncio

import structlog

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from deploy.retention_check import Checked, check, stores_of
from domain.errors import HotbasketError
from domain.ports.clock import Clock
from domain.ports.retailers import Retailer
from domain.retention import kept_days, limit_ms
from domain.timestamps import rfc3339
from monitoring.metrics import PrivacyMetrics

EVERY_S = 86_400.0
AGAIN_S = 3_600.0
"""After something could not be done or read."""
WORDS_DAYS = 7
"""Of gateways that stopped without taking leave; after ten minutes nobody waits for one any more."""
_MS = 1_000

log = structlog.get_logger("hotbasket.privacy")


class HouseKeeper:
    """Looks at once and then every day; two at the same time do no harm.

    Args:
        ports: opened.
        warehouse: forgets its oldest days, and is looked at too; None = it is not known where it is.
        settings: for how long raw and failed events are kept.
        clock: says what day it is.
        metrics: says by how much something is too old.
    """

    def __init__(
        self, ports: Ports, warehouse: WarehouseData | None, settings: Settings, clock: Clock, metrics: PrivacyMetrics
    ) -> None:
        self._ports = ports
        self._warehouse = warehouse
        self._stores = stores_of(ports, warehouse)
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`; what fails is tried again in an hour."""
        while not self._stopping.is_set():
            wait_s = EVERY_S if await self.keep() else AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopping.set()

    async def keep(self) -> bool:
        """Does one day's work, and tells whether all of it could be done."""
        try:
            removed = await self._expire()
        except (HotbasketError, TimeoutError) as error:
            log.warning("expired data is not removed yet", error=str(error) or "a store does not answer")
            removed = None
        if removed:
            log.info("expired data removed", **removed)
        checked = await check(self._stores, self._retailers(), self._settings, self._clock.now_ms())
        self._tell(checked)
        return removed is not None and not checked.unread

    async def _expire(self) -> dict[str, int]:
        """Gives what was removed, by kind."""
        ports, now_ms = self._ports, self._clock.now_ms()
        removed = {"words": await ports.control_expiry.words(limit_ms(WORDS_DAYS, now_ms))}
        for one in self._retailers():
            state_ms = limit_ms(kept_days(one, "state"), now_ms)
            done = {
                "snapshots": await ports.snapshots.expire(one.retailer_id, state_ms),
                # After the snapshots, whose absence says that a shopper is gone.
                "trees": await ports.expire_trees(one.retailer_id, state_ms),
                "audit": await ports.control_expiry.audit(one.retailer_id, limit_ms(kept_days(one, "audit"), now_ms)),
                "requests": await ports.control_expiry.requests(
                    one.retailer_id, limit_ms(kept_days(one, "requests"), now_ms)
                ),
            }
            if self._warehouse is not None:
                history_ms = limit_ms(kept_days(one, "history"), now_ms)
                done["days of history"] = await self._warehouse.expire(one.retailer_id, history_ms)
            removed |= {name: removed.get(name, 0) + count for name, count in done.items()}
        return {name: count for name, count in removed.items() if count}

    def _tell(self, checked: Checked) -> None:
        over_days = {store: 0.0 for store in checked.stores if store not in checked.unread}
        for one in checked.found:
            log.warning(
                "data is too old",
                store=one.store,
                retailer=one.retailer,
                oldest=rfc3339(one.oldest_ms),
                allowed_days=one.allowed_days,
            )
            if one.store in over_days:
                over_days[one.store] = max(over_days[one.store], one.over_days)
        for store, days in over_days.items():
            self._metrics.privacy_too_old_days.labels(store).set(days)
        for store, why in checked.unread.items():
            log.warning("a store does not say how old it is", store=store, error=why)
        if not checked.unread:
            self._metrics.privacy_checked_at_s.set(self._clock.now_ms() / _MS)

    def _retailers(self) -> list[Retailer]:
        return list(self._ports.retailers.current().retailers.values())
