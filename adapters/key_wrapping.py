"""The key-encryption key: wraps a retailer's identity keys for the control store, and opens them again."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.ports.identity_keys import WrappedKeys

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_NAME_DIGITS: Final = 8
_LABEL: Final = b"hotbasket/identity/"
_FORM: Final = b"\x01"
"""Begins whatever is wrapped, so that another way of wrapping can follow."""


class IdentityPair(NamedTuple):
    """A retailer's two keys, opened.

    Attributes:
        shopper: shopper ids are hashed under it.
        privacy: the audit trail names shoppers under it.
    """

    shopper: bytes
    privacy: bytes

    def __repr__(self) -> str:
        """Shows nothing."""
        return "IdentityPair(***)"


def fresh_pair() -> IdentityPair:
    """Gives keys that nobody has had before."""
    return IdentityPair(os.urandom(KEY_BYTES), os.urandom(KEY_BYTES))


class KeyEncryptionKey:
    """One installation's key-encryption key.

    Source: HKDF-SHA256 (RFC 5869) for the key, AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces for what is
    wrapped; the retailer's id and the purpose are its associated data, so that it opens in no other place.

    Attributes:
        name: tells it from others, and nothing of it.
    """

    def __init__(self, secret: bytes) -> None:
        """Takes the secret, 32 bytes at least."""
        assert len(secret) >= KEY_BYTES, "whoever read the secret has checked its length"
        self.name = hashlib.sha256(_LABEL + b"name/" + secret).hexdigest()[:_NAME_DIGITS]
        self._secret = secret
        self._seals = AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=_LABEL + b"wrapped keys").derive(secret))

    def __repr__(self) -> str:
        """Shows its name."""
        return f"KeyEncryptionKey({self.name})"

    def wrap(self, retailer_id: str, keys: IdentityPair) -> WrappedKeys:
        """Gives what is kept of a retailer's keys; the same keys never look the same twice."""
        return WrappedKeys(
            self.name,
            self._sealed(keys.shopper, _bound("shopper", retailer_id)),
            self._sealed(keys.privacy, _bound("privacy", retailer_id)),
        )

    def unwrap(self, retailer_id: str, wrapped: WrappedKeys) -> IdentityPair | None:
        """Gives a retailer's keys, None where this key did not wrap them so, or not for this retailer."""
        try:
            return IdentityPair(
                self._opened(wrapped.shopper, _bound("shopper", retailer_id)),
                self._opened(wrapped.privacy, _bound("privacy", retailer_id)),
            )
        except (InvalidTag, ValueError):
            return None

    def derived(self, retailer_id: str) -> IdentityPair:
        """Gives the keys of a retailer that was added before keys were stored: the same for ever."""
        made = (
            hmac.digest(self._secret, f"{purpose}:{retailer_id}".encode(), "sha256")
            for purpose in ("shopper-key", "privacy-key")
        )
        return IdentityPair(*made)

    def _sealed(self, key: bytes, bound: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + self._seals.encrypt(nonce, key, bound)

    def _opened(self, kept: bytes, bound: bytes) -> bytes:
        form, nonce, sealed = kept[:1], kept[1 : 1 + _NONCE_BYTES], kept[1 + _NONCE_BYTES :]
        if form != _FORM:
            raise InvalidTag
        return self._seals.decrypt(nonce, sealed, bound)


def _bound(purpose: str, retailer_id: str) -> bytes:
    return f"{purpose}/{retailer_id}".encode()
