"""What kept exports hold of shoppers (`domain.ports.shopper_data`), in either control plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from domain.ids import ShopperKey, shopper_digest
from domain.ports.exports import Exports
from domain.ports.shopper_data import Erased, Visit


class ShopperExports:
    """The exports' part in erasures: every document of a shopper, whenever it was made.

    Args:
        exports: the port.
        digest_of: gives how requests name a shopper.
    """

    name: Final = "exports"

    def __init__(self, exports: Exports, digest_of: Callable[[ShopperKey], str]) -> None:
        self._exports = exports
        self._digest_of = digest_of

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes their documents until a search finds none: of whoever is being erased, no new one is kept."""
        digests: dict[str, list[str]] = {}
        for one in shoppers:
            digests.setdefault(one.key.retailer_id, []).append(self._digest_of(one.key))
        removed = 0
        for retailer_id, some in digests.items():
            while gone := await self._exports.forget(retailer_id, some):
                removed += gone
        return Visit(found=removed, removed=removed, left=0)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Asks the exports."""
        return await self._exports.oldest_ms(retailer_id, before_ms)


def digests_under(privacy_key: Callable[[str], bytes]) -> Callable[[ShopperKey], str]:
    """Gives what names shoppers in requests, by the retailers' privacy keys."""

    def digest_of(key: ShopperKey) -> str:
        return shopper_digest(privacy_key(key.retailer_id), key.shopper)

    return digest_of
