"""The reward vault's keys, all made from one secret that only gateways and vault commands hold."""

from __future__ import annotations

import hmac
from typing import Final, Literal, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.seals import Seals
from domain.errors import PortError
from domain.ports.reward_vault import ClaimId, PayoutId

Field = Literal["email", "terms"]

SECRET_BYTES: Final = 32
_KEY_BYTES: Final = 32


class ClaimKeys(NamedTuple):
    """What a gateway needs to let winners claim.

    Attributes:
        tokens: signs claim tokens.
        ids: makes claim ids.
    """

    tokens: bytes
    ids: bytes

    def __repr__(self) -> str:
        """Shows nothing."""
        return "ClaimKeys(***)"

    def claim_id(self, experience_id: str) -> ClaimId:
        """Gives the id of the claim to what an experience has won; nobody without the key can go the other way."""
        return ClaimId(hmac.digest(self.ids, experience_id.encode(), "sha256").hex())


class VaultKeys:
    """The keys of one installation's vault.

    Source: HKDF-SHA256 (RFC 5869).

    Attributes:
        claims: those that a gateway needs as well.
    """

    def __init__(self, secret: bytes) -> None:
        """Takes the vault's secret, 32 bytes at least."""
        assert len(secret) >= SECRET_BYTES, "whoever read the secret has checked its length"
        self.claims = ClaimKeys(tokens=_derived(secret, b"claim tokens"), ids=_derived(secret, b"claim ids"))
        self._payout_ids = _derived(secret, b"payout ids")
        self._seals = Seals(_derived(secret, b"sealed fields"))

    def __repr__(self) -> str:
        """Shows nothing."""
        return "VaultKeys(***)"

    def payout_id(self, claim_id: ClaimId) -> PayoutId:
        """Gives under which id the vault keeps a claim."""
        return PayoutId(hmac.digest(self._payout_ids, claim_id.encode(), "sha256").hex())

    def seal(self, payout_id: PayoutId, field: Field, plain: bytes) -> bytes:
        """Gives what is kept of a field: it opens in no other row and as no other field."""
        return self._seals.seal(plain, f"{payout_id}/{field}")

    def unseal(self, payout_id: PayoutId, field: Field, kept: bytes) -> bytes:
        """Gives what was sealed.

        Raises:
            PortError: not retriable: it was sealed under another secret, or altered.
        """
        plain = self._seals.opened(kept, f"{payout_id}/{field}")
        if plain is None:
            raise PortError(
                f"the vault's payout {payout_id} can't be opened: it was sealed under another secret, or altered;"
                " use the secret of this vault, or a backup of it",
                retriable=False,
            )
        return plain


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"hotbasket/vault/" + purpose).derive(secret)
