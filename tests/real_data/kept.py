"""What a stopped system has kept: its log, its shoppers' states and its decisions, read through the ports."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from domain.ids import BEGINNING, ShopperKey
from domain.records import Decided, Record
from domain.shopper import Shopper, decode
from monitoring.metrics import Metrics

_AT_ONCE = 5_000


class Kept:
    """Opens a data directory that no system runs on; an async context manager."""

    def __init__(self, data: Path, retailer_id: str) -> None:
        self._data = data
        self._retailer_id = retailer_id
        self._ports: Ports

    async def __aenter__(self) -> Kept:  # noqa: PYI034 - it is never subclassed
        """The opened stores."""
        self._ports = embedded(self._data, load_settings(), Metrics(), SystemClock())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes them."""
        await self._ports.close()

    def hash_of(self, shopper_id: str) -> str:
        """The name under which a shopper is kept, computed from the definition."""
        key = self._ports.identity.shopper_key(self._retailer_id)
        return hmac.new(key, shopper_id.encode(), hashlib.sha256).hexdigest()

    async def events(self) -> list[Record]:
        """Every record of the event log, in its order."""
        log = self._ports.events
        found: list[Record] = []
        sought = False
        while True:
            poll = await log.poll(records_max=_AT_ONCE, wait_s=0.0)
            for partition in poll.taken:
                await log.seek(partition, BEGINNING)
                sought = True
            for batch in poll.batches:
                found.extend(record for record in batch.records if isinstance(record, Record))
                assert all(isinstance(record, Record) for record in batch.records)
            if sought and not poll.taken and not poll.batches:
                return found

    async def states(self, shopper_ids: Iterable[str]) -> dict[str, dict[str, Any] | None]:
        """What is kept of each shopper, in the form in which the independent fold gives it."""
        keys = {shopper_id: ShopperKey(self._retailer_id, self.hash_of(shopper_id)) for shopper_id in shopper_ids}
        payloads = await self._ports.snapshots.load(list(keys.values()))
        return {shopper_id: _summary(decode(payloads[key])) if key in payloads else None
                for shopper_id, key in keys.items()}  # fmt: skip

    async def decided(self) -> list[Decided]:
        """Every decision of the experience log, in its order."""
        found: list[Decided] = []
        after = -1
        while entries := await self._ports.experiences.read(0, after=after, records_max=_AT_ONCE):
            found.extend(entry.record for entry in entries if isinstance(entry.record, Decided))
            after = entries[-1].offset
        return found


def _summary(state: Shopper) -> dict[str, Any]:
    return {
        "lines": [
            {"product_id": line.product_id, "quantity": line.quantity, "price_minor": line.price_minor}
            for line in state.basket.lines
        ],
        "total_minor": state.basket.total_minor,
        "order": None if state.order is None else {"order_id": state.order.order_id, "status": state.order.status},
        "started_at_ms": state.session.started_at_ms,
        "events": state.session.events,
        "visits": state.session.visits,
    }
