"""Identifiers and positions: how events, shoppers, experiences and places in a log are named."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple, NewType
from uuid import UUID

from msgspec import Meta

RetailerId = NewType("RetailerId", str)
ShopperHash = NewType("ShopperHash", str)
"""64 lower-case hex digits: HMAC-SHA-256 of the retailer's shopper id under the retailer's key."""

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
"""1-128 characters; that they are printable is checked where they enter (a pattern would cost ten times the decode)."""
NAMESPACE = UUID("6f1d1e1a-8a0c-5b7e-9a55-2f5b8f0f4a11")
"""Namespace of every UUIDv5 that hotbasket derives."""

_NAMESPACE_BYTES = NAMESPACE.bytes
_NOT_PRINTABLE = "\x1f"

BUCKETS = 4096
"""A shopper's bucket is the first 12 bits of the hash; log partition = bucket mod partitions."""


class Position(NamedTuple):
    """A place in one partition of the event log; positions of one partition are totally ordered.

    Attributes:
        epoch: the log's epoch, from 1 (0 only in `BEGINNING`).
        offset: 0-based offset within the partition and epoch.
    """

    epoch: int
    offset: int


BEGINNING = Position(0, -1)
"""Before every record of every log."""


class ShopperKey(NamedTuple):
    """One shopper of one retailer, as every store knows it."""

    retailer_id: str
    shopper: str


def shopper_hash(key: bytes, shopper_id: str) -> ShopperHash:
    """Gives the only name under which a shopper is stored.

    Args:
        key: the retailer's shopper key, 32 bytes.
        shopper_id: the retailer's technical id or loyalty number.

    Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
    """
    return ShopperHash(hmac.digest(key, shopper_id.encode(), "sha256").hex())


def shopper_digest(privacy_key: bytes, shopper: str) -> str:
    """Gives how the audit trail, privacy requests and the list of suppressed shoppers name a shopper.

    Who holds the key can look a shopper up there; who holds one of them, or a copy of the stores as well, can't tell
    whom it is about.

    Args:
        privacy_key: of the retailer, which is not the key of its shopper hashes.
        shopper: the hash under which the shopper is stored.

    Returns:
        HMAC-SHA-256 (hex) of the shopper hash.
    """
    return hmac.digest(privacy_key, shopper.encode(), "sha256").hex()


def bucket(shopper: str) -> int:
    """Gives the bucket (0..4095) of a shopper hash: its first 12 bits."""
    return int(shopper[:3], 16)


def derived_event_id(*parts: str) -> UUID:
    """Gives the UUIDv5 of the parts: equal parts, equal id, on every machine and at every retry."""
    return UUID(bytes=_digest(parts), version=5)


def idle_event_id(after_event_id: UUID, node_id: str) -> UUID:
    """Gives the id of the `IdleElapsed` that follows `after_event_id` while the shopper stands at `node_id`."""
    return derived_event_id("idle", str(after_event_id), node_id)


def reservation_expired_id(experience: str) -> UUID:
    """Gives the id of the `ReservationExpired` of what an experience promised."""
    return derived_event_id("reservation", experience)


def draw_retried_id(right_id: str, tries: int) -> UUID:
    """Gives the id of the `DrawRetried` of a right that was asked for so often before."""
    return derived_event_id("draw", right_id, str(tries))


def withdrawal_event_id(refused_event_id: UUID) -> UUID:
    """Gives the id of the `ConsentWithdrawn` that stands in the log for an event that refused."""
    return derived_event_id("consent withdrawn", str(refused_event_id))


def withdrawals_request_id(retailer_id: str, withdrawn: Iterable[tuple[UUID, str]]) -> UUID:
    """Gives the id of the erasure that withdrawals of consent begin together.

    Args:
        retailer_id: whose shoppers.
        withdrawn: the id of each withdrawal and the digest of its shopper, in any order.
    """
    return derived_event_id(
        "withdrawals", retailer_id, *sorted(f"{event_id} {digest}" for event_id, digest in withdrawn)
    )


def request_event_id(request_id: str, digest: str) -> UUID:
    """Gives the id of the event that stands in the log for one shopper of a privacy request."""
    return derived_event_id("privacy request", request_id, digest)


def erasure_event_id(request_id: str, digest: str) -> UUID:
    """Gives the id of the `ShopperErased` of one shopper of a privacy request."""
    return derived_event_id("privacy request", request_id, digest, "erased")


def stock_id(campaign_id: str, prize_id: str) -> str:
    """Gives under which id the ledger leases a prize's stock: that of no campaign, since identifiers are printable."""
    return f"{campaign_id}{_NOT_PRINTABLE}{prize_id}"


def is_stock_id(campaign_id: str) -> bool:
    """Tells whether the ledger's id is that of a prize's stock."""
    return _NOT_PRINTABLE in campaign_id


def experience_id(retailer_id: str, shopper: str, trigger_event_id: UUID, slot: str) -> str:
    """Gives an experience's id: one event fills one slot of one shopper once, so replays give the same id."""
    digest = bytearray(_digest(("experience", retailer_id, shopper, str(trigger_event_id), slot)))
    # The same text as of a UUID object, which each experience would otherwise make only to be written down.
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _digest(parts: Sequence[str]) -> bytes:
    """Gives the 16 bytes of which a UUIDv5 is made. Source: RFC 9562, 5.5."""
    return hashlib.sha1(_NAMESPACE_BYTES + "\x1f".join(parts).encode(), usedforsecurity=False).digest()[:16]
