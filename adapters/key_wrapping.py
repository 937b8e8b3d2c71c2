"""The key-encryption key: wraps a retailer's identity keys for the control store, and opens them again."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.seals import Seals
from domain.ports.identity_keys import WrappedKeys

KEY_BYTES: Final = 32
_NAME_DIGITS: Final = 8
_LABEL: Final = b"hotbasket/identity/"


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

    Source: HKDF-SHA256 (RFC 5869). What is wrapped is bound to its retailer and its purpose.

    Attributes:
        name: tells it from others, and nothing of it.
    """

    def __init__(self, secret: bytes) -> None:
        """Takes the secret, 32 bytes at least."""
        assert len(secret) >= KEY_BYTES, "whoever read the secret has checked its length"
        self.name = hashlib.sha256(_LABEL + b"name/" + secret).hexdigest()[:_NAME_DIGITS]
        self._secret = secret
        self._seals = Seals(HKDF(SHA256(), KEY_BYTES, salt=None, info=_LABEL + b"wrapped keys").derive(secret))

    def __repr__(self) -> str:
        """Shows its name."""
        return f"KeyEncryptionKey({self.name})"

    def wrap(self, retailer_id: str, keys: IdentityPair) -> WrappedKeys:
        """Gives what is kept of a retailer's keys; the same keys never look the same twice."""
        return WrappedKeys(
            self.name,
            self._seals.seal(keys.shopper, f"shopper/{retailer_id}"),
            self._seals.seal(keys.privacy, f"privacy/{retailer_id}"),
        )

    def unwrap(self, retailer_id: str, wrapped: WrappedKeys) -> IdentityPair | None:
        """Gives a retailer's keys, None where this key did not wrap them so, or not for this retailer."""
        shopper = self._seals.opened(wrapped.shopper, f"shopper/{retailer_id}")
        privacy = self._seals.opened(wrapped.privacy, f"privacy/{retailer_id}")
        return None if shopper is None or privacy is None else IdentityPair(shopper, privacy)

    def derived(self, retailer_id: str) -> IdentityPair:
        """Gives the keys of a retailer that was added before keys were stored: the same for ever."""
        made = (
            hmac.digest(self._secret, f"{purpose}:{retailer_id}".encode(), "sha256")
            for purpose in ("shopper-key", "privacy-key")
        )
        return IdentityPair(*made)
