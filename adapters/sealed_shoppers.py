"""Seals shopper hashes of open privacy requests: the control plane holds them, and can't read them."""

from __future__ import annotations

import hmac
from typing import Final

from adapters.seals import Seals
from domain.errors import Refused
from domain.ids import ShopperHash, shopper_digest
from domain.ports.privacy_requests import Subject

_PURPOSE: Final = b"sealed shopper hash"


class Sealer:
    """Seals and opens under one retailer's privacy key.

    Args:
        privacy_key: of the retailer, 32 bytes.
    """

    def __init__(self, privacy_key: bytes) -> None:
        self._privacy_key = privacy_key
        self._seals = Seals(hmac.digest(privacy_key, _PURPOSE, "sha256"))

    def __repr__(self) -> str:
        """Shows nothing."""
        return "Sealer(***)"

    def subject(self, shopper: ShopperHash) -> Subject:
        """Gives how a request holds a shopper: by the digest, and encrypted for nothing but that digest."""
        digest = shopper_digest(self._privacy_key, shopper)
        return Subject(digest, self._seals.seal(shopper.encode(), digest))

    def shopper(self, subject: Subject) -> ShopperHash:
        """Gives whom a subject stands for.

        Raises:
            Refused: it was sealed under another key or for another digest, or is damaged.
        """
        opened = self._seals.opened(subject.sealed, subject.digest)
        if opened is None:
            raise Refused("a sealed shopper can't be opened: the retailer's privacy key is another one now")
        return ShopperHash(opened.decode())
