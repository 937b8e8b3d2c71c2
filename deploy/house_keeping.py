"""Once a day, beside the privacy worker: removes what has expired, where no TTL does, and looks for what is too old."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import structlog

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from deploy.retention_check import Checked, check, contract_days, stores_of
from domain.errors import HotbasketError
from domain.ports.clock import Clock
from domain.ports.retailers import Retailer
from domain.retention import KINDS, limit_ms
from domain.timestamps import rfc3339
from monitoring.metrics import PrivacyMetrics

EVERY_S = 86_400.0
AGAIN_S = 3_600.0
"""After something could not be done or read."""
WORDS_DAYS = 7
"""Of gateways that stopped without taking leave; after ten minutes nobody waits for one any more."""
_MS = 1_000
_DAY_S = 86_400

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
        removed: Counter[str] = Counter()
        is_all = True
        for kind, work in self._works(self._clock.now_ms()):
            try:
                removed[kind] += await work()
            except (HotbasketError, TimeoutError) as error:
                log.warning("not removed yet", kind=kind, error=str(error) or "a store does not answer")
                is_all = False
            except Exception:
                # One kind's bug is that kind's: the others are removed, and gateways go on beside it.
                log.exception("not removed", kind=kind)
                is_all = False
        if removed.total():
            log.info("expired data removed", **{kind: count for kind, count in removed.items() if count})
        checked = await check(self._stores, self._retailers(), self._settings, self._clock.now_ms())
        self._tell(checked)
        return is_all and not checked.unread

    def _works(self, now_ms: int) -> Iterator[tuple[str, Callable[[], Awaitable[int]]]]:
        """Gives what there is to remove, by kind; one that fails keeps none of the others."""
        ports, control = self._ports, self._ports.control_expiry
        yield "words", partial(control.words, limit_ms(WORDS_DAYS, now_ms))
        for one in self._retailers():
            id_ = one.retailer_id
            limits = {kind: limit_ms(contract_days(kind, one, self._settings), now_ms) for kind in KINDS}
            yield "snapshots", partial(ports.snapshots.expire, id_, limits["state"])
            # After the snapshots, whose absence says that a shopper is gone.
            yield "trees", partial(ports.expire_trees, id_, limits["state"])
            yield "audit", partial(control.audit, id_, limits["audit"])
            yield "requests", partial(control.requests, id_, limits["requests"])
            if self._warehouse is not None:
                yield "days", partial(self._warehouse.expire, id_, limits["history"])
                yield "runs", partial(self._warehouse.expire_runs, id_, limits["models"])

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
            self._metrics.privacy_too_old_s.labels(store).set(days * _DAY_S)
        for store, why in checked.unread.items():
            log.warning("a store does not say how old it is", store=store, error=why)
        if not checked.unread:
            self._metrics.privacy_checked_at_s.set(self._clock.now_ms() / _MS)

    def _retailers(self) -> list[Retailer]:
        return list(self._ports.retailers.current().retailers.values())
