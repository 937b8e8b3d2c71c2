"""Authenticated encryption of small values, each bound to its place: for the vault, identity keys, open requests.

Source: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; one key seals 2^32 values safely.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_FORM: Final = b"\x01"
"""Begins whatever is sealed, so that another way of sealing can follow."""


class Seals:
    """Seals and opens under one key.

    Args:
        key: 32 bytes, of this purpose alone.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        """Shows nothing."""
        return "Seals(***)"

    def seal(self, plain: bytes, place: str) -> bytes:
        """Gives what is kept of a value; the same value never looks the same twice.

        Args:
            plain: the value.
            place: where it stands: it opens nowhere else.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def opened(self, kept: bytes, place: str) -> bytes | None:
        """Gives what was sealed; None where that was another key's or place's, or was altered."""
        form, nonce, sealed = kept[:1], kept[1 : 1 + _NONCE_BYTES], kept[1 + _NONCE_BYTES :]
        if form != _FORM:
            return None
        try:
            return self._cipher.decrypt(nonce, sealed, place.encode())
        except (InvalidTag, ValueError):
            return None
