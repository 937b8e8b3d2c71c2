"""Takes down in the audit trail what somebody asked of a shopper or did to a campaign, before they are answered.

Between the routes that are not on an event's way and the trail. What the door turned away, or a body that names nobody,
leaves no entry: anybody could fill the trail with the public write key; `hotbasket_refused_requests_total` counts it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from domain.audit import outcome_of
from domain.errors import PortError
from domain.ids import ShopperHash, shopper_digest
from domain.ports.audit_trail import AuditEntry
from gateway.access import Access
from gateway.answers import Refusal
from gateway.stores import Keys, Stores

_RETRY_AFTER_S: Final = 1
_log = logging.getLogger("hotbasket.gateway")


class Noted:
    """What an entry will say; `target` may be set while the work is done."""

    __slots__ = ("target",)

    def __init__(self, target: str | None) -> None:
        self.target = target


class Auditor:
    """Writes entries.

    Args:
        stores: the trail, the clock.
        keys: the privacy keys.
    """

    def __init__(self, stores: Stores, keys: Keys) -> None:
        self._trail = stores.audit
        self._clock = stores.clock
        self._metrics = stores.metrics
        self._privacy_key = keys.privacy_key

    def shopper(self, access: Access, shopper: ShopperHash) -> str:
        """Gives how the trail names a shopper.

        Raises:
            Refusal: 503, this gateway has no trail, or can't name anybody in it now.
        """
        if self._privacy_key is None:
            raise _unavailable("this gateway keeps no audit trail")
        try:
            privacy_key = self._privacy_key(access.door.retailer_id)
        except PortError:
            raise _unavailable("the retailer's keys can't be opened now") from None
        return shopper_digest(privacy_key, shopper)

    def noting(self, access: Access, action: str, target: str | None) -> AbstractAsyncContextManager[Noted]:
        """Does work for whoever holds a key: see `noting_for`."""
        return self.noting_for(access.door.retailer_id, access.who, action, target)

    @asynccontextmanager
    async def noting_for(self, retailer_id: str, who: str, action: str, target: str | None) -> AsyncIterator[Noted]:
        """Does work, and leaves an entry of what came of it; the answer is to follow behind the block.

        Args:
            retailer_id: in whose trail.
            who: asks.
            action: short and stable, like `lookup`.
            target: as `domain.ports.audit_trail` says.

        Raises:
            Refusal: 503 where the entry can't be written, whatever came of the work: a campaign may be changed, and
                then says so itself. Otherwise what the work raises.
        """
        noted = Noted(target)
        try:
            yield noted
        except Exception as error:
            await self._append(retailer_id, who, action, noted, error)
            raise
        await self._append(retailer_id, who, action, noted, None)

    async def _append(self, retailer_id: str, who: str, action: str, noted: Noted, error: Exception | None) -> None:
        if self._trail is None:
            raise _unavailable("this gateway keeps no audit trail")
        is_ours = isinstance(error, Refusal) and error.status >= 500
        entry = AuditEntry(
            at_ms=self._clock.now_ms(),
            retailer_id=retailer_id,
            who=who,
            action=action,
            target=noted.target,
            outcome="failed" if is_ours else outcome_of(error),
        )
        try:
            await self._trail.append(entry)
        except PortError as failure:
            self._metrics.gateway_errors.labels("audit").inc()
            _log.warning("the audit trail can't be written: %s", failure)
            raise _unavailable("the audit trail can't be written now") from None


def _unavailable(detail: str) -> Refusal:
    detail = f"{detail}, and nothing is told without it: read what was kept before you ask again"
    return Refusal("audit_unavailable", detail, retry_after_s=_RETRY_AFTER_S)
