"""The production rows of wrapped keys (`domain.ports.identity_keys`), in the control plane."""

from __future__ import annotations

from adapters.postgres.control_cache import ControlCache
from adapters.postgres.database import Session
from adapters.postgres.retailers import RETAILERS, lock_retailer, put_wrapped, wrapped_keys
from domain.ports.identity_keys import WrappedKeys


class PostgresIdentityKeyRows:
    """Wrapped keys by retailer; `PostgresRetailers` reads them."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache."""
        self._cache = cache

    async def replace(self, retailer_id: str, wrapped: WrappedKeys, *, instead_of: WrappedKeys | None) -> bool:
        """Looks and replaces in one transaction, which holds the retailer's row."""

        async def write(session: Session) -> bool:
            await lock_retailer(session, retailer_id)
            if (await wrapped_keys(session)).get(retailer_id) != instead_of:
                return False
            await put_wrapped(session, retailer_id, wrapped)
            return True

        return await self._cache.change((RETAILERS,), write)
