"""Seals shopper hashes of open privacy requests: the control plane holds them, and can't read them."""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Refused
from domain.ids import ShopperHash

_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"sealed shopper hash"


class Sealer:
    """Seals and opens under one retailer's privacy key.

    Args:
        privacy_key: of the retailer, 32 bytes.
    """

    def __init__(self, privacy_key: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(privacy_key, _PURPOSE, "sha256"))

    def __repr__(self) -> str:
        """Shows nothing."""
        return "Sealer(***)"

    def seal(self, digest: str, shopper: ShopperHash) -> bytes:
        """Encrypts a shopper hash for the subject of this digest: at another subject it can't be opened."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, shopper.encode(), digest.encode())

    def unseal(self, digest: str, sealed: bytes) -> ShopperHash:
        """Gives what was sealed.

        Raises:
            Refused: it was sealed under another key or for another subject, or is damaged.
        """
        try:
            opened = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], digest.encode())
        except (InvalidTag, ValueError):
            raise Refused("a sealed shopper can't be opened: the retailer's privacy key is another one now") from None
        return ShopperHash(opened.decode())
