"""A claim as a row of the vault, whatever database keeps it: sealed on its way in, opened on its way to people."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Struct

from adapters.vault_keys import VaultKeys
from domain.ports.reward_vault import Claim, Payout, PayoutId, PayoutState, Put

DAY_MS = 86_400_000


class Terms(Struct, frozen=True, array_like=True):
    """What is sealed beside the address: amount and time would join a row to the order that won."""

    value_minor: int
    currency: str
    claimed_at_ms: int


class Row(NamedTuple):
    """One claim.

    Attributes:
        payout_id: its key.
        settled_ms: beginning of the UTC day when it was settled.
        retailer_id, campaign_id, terms: None where the right was withdrawn before the address came.
        terms: sealed `Terms`.
        email: sealed; None once forgotten.
    """

    payout_id: PayoutId
    state: PayoutState
    settled_ms: int | None
    retailer_id: str | None
    campaign_id: str | None
    terms: bytes | None
    email: bytes | None


_encoder = msgspec.msgpack.Encoder()
_terms = msgspec.msgpack.Decoder(Terms)


def sealed(keys: VaultKeys, claim: Claim, email: str, *, now_ms: int) -> Row:
    """Gives the row of a new claim."""
    payout_id = keys.payout_id(claim.claim_id)
    terms = _encoder.encode(Terms(claim.value_minor, claim.currency, now_ms))
    return Row(
        payout_id=payout_id,
        state="due",
        settled_ms=None,
        retailer_id=claim.retailer_id,
        campaign_id=claim.campaign_id,
        terms=keys.seal(payout_id, "terms", terms),
        email=keys.seal(payout_id, "email", email.encode()),
    )


def opened(keys: VaultKeys, row: Row) -> Payout:
    """Gives the payout of a row that is no mark.

    Raises:
        PortError: not retriable: see `VaultKeys.unseal`.
    """
    assert row.terms is not None, "a mark is no payout"
    assert row.campaign_id is not None, "whoever has terms has a campaign"
    terms = _terms.decode(keys.unseal(row.payout_id, "terms", row.terms))
    return Payout(
        payout_id=row.payout_id,
        campaign_id=row.campaign_id,
        email=None if row.email is None else keys.unseal(row.payout_id, "email", row.email).decode(),
        value_minor=terms.value_minor,
        currency=terms.currency,
        claimed_at_ms=terms.claimed_at_ms,
        state=row.state,
        settled_at_ms=row.settled_ms,
    )


def in_order(payouts: list[Payout]) -> list[Payout]:
    """Gives payouts with the oldest claim first; the databases can't sort by what is sealed."""
    return sorted(payouts, key=lambda payout: (payout.claimed_at_ms, payout.payout_id))


def refused(found: PayoutState) -> Put:
    """Gives what a second claim is told; it is the same for every address."""
    return "withdrawn" if found == "withdrawn" else "claimed_already"


def day_of(now_ms: int) -> int:
    """Gives the beginning of a time's UTC day: the time itself would tell which order was cancelled then."""
    return now_ms // DAY_MS * DAY_MS
