"""Who is held out of a campaign: the same shoppers always, and other ones for each campaign."""

from __future__ import annotations

import hashlib

from domain.campaigns import PPM

_BITS = 64


def is_held_out(campaign_id: str, shopper: str, share_ppm: int) -> bool:
    """Tells whether a shopper is held out: a share of all, chosen by nothing but the two names.

    Args:
        campaign_id: of the campaign.
        shopper: the shopper's hash.
        share_ppm: in parts per million of all shoppers. A larger share holds out those of a smaller one and others.
    """
    if not share_ppm:
        return False
    digest = hashlib.blake2b(f"holdout\x1f{campaign_id}\x1f{shopper}".encode(), digest_size=_BITS // 8).digest()
    return int.from_bytes(digest, "big") * PPM < share_ppm << _BITS
