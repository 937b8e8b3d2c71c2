"""The keys under which a retailer's shoppers are named, as the control store keeps them: wrapped."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class WrappedKeys(NamedTuple):
    """A retailer's two identity keys, each wrapped for its retailer and its purpose.

    Attributes:
        kek: name of the key-encryption key that wrapped them; no secret.
        shopper: the wrapped key under which shopper ids are hashed.
        privacy: the wrapped key under which the audit trail names shoppers.
    """

    kek: str
    shopper: bytes
    privacy: bytes


class IdentityKeyRows(Protocol):
    """Where wrapped keys are kept; they are read with the other control data, as `Control.wrapped`.

    Called by commands alone. A retailer's first keys come with `Retailers.add`.
    """

    async def replace(self, retailer_id: str, wrapped: WrappedKeys, *, instead_of: WrappedKeys | None) -> bool:
        """Replaces a retailer's keys, all or nothing; this process sees it on return, others as `current` says.

        Args:
            retailer_id: whose.
            wrapped: what is kept from now on.
            instead_of: what is to be kept now, None = nothing: who read something else would undo what came between.

        Returns:
            Whether they were replaced: where something else was kept, that stays, and this process sees it now.

        Raises:
            Refused: there is no such retailer.
            PortError: they may be replaced or not; the call may be repeated.
        """
        ...
