"""For how long each kind of data is kept of a retailer's shoppers, and what is beyond that."""

from __future__ import annotations

from typing import Final, NamedTuple, get_args

from domain.ports.retailers import Kind, Retailer

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DAYS_MAX: Final = 3_650
DAY_MS: Final = 86_400_000
GRACE_DAYS: Final = 1
"""What expires once a day may be older by a day."""
_DEFAULTS: Final[dict[Kind, int]] = {"models": 90, "audit": 1_095, "requests": 1_095}


class TooOld(NamedTuple):
    """Something that should be gone.

    Attributes:
        store: where it is.
        retailer: whose, by name.
        oldest_ms: when it was received, Unix milliseconds.
        allowed_days: for how long it might stay.
        over_days: for how long it has been there beyond that.
    """

    store: str
    retailer: str
    oldest_ms: int
    allowed_days: int
    over_days: float


def kept_days(retailer: Retailer, kind: Kind) -> int:
    """Gives for how many days a kind of data is kept.

    Where the contract says nothing of its own, `history` and `state` follow the retailer's `retention_days`, and
    `audit` and `requests` are kept for three years, `models` and what else a night makes for 90 days.
    """
    own = retailer.kept_days.get(kind)
    return own if own is not None else _DEFAULTS.get(kind, retailer.retention_days)


def limit_ms(days: int, now_ms: int) -> int:
    """Gives the moment before which nothing may be from, Unix milliseconds."""
    return now_ms - days * DAY_MS


def too_old(store: str, retailer: Retailer, oldest_ms: int, allowed_days: int, now_ms: int) -> TooOld:
    """Says of the oldest record of a store by how much it is too old."""
    over_days = max(0.0, (limit_ms(allowed_days, now_ms) - oldest_ms) / DAY_MS)
    return TooOld(store, retailer.name, oldest_ms, allowed_days, over_days)
