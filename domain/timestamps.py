"""Moments on an event's way: RFC 3339 texts from clients become Unix milliseconds, skewed clocks are corrected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EARLIEST_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: no clock of a shopper shows less unless it was never set."""
AHEAD_MAX_MS = 3_653 * 86_400_000
"""Ten years: no clock of a shopper is further ahead unless it is broken."""

Moment = Annotated[datetime, Meta(tz=True)]


def unix_ms(moment: datetime) -> int:
    """Gives the Unix milliseconds of a moment with zone, rounded down."""
    return (moment - EPOCH) // MILLISECOND


def read_rfc3339(text: str) -> datetime | None:
    """Reads an RFC 3339 text; None if it is none or has no zone."""
    try:
        return msgspec.convert(text, Moment)
    except msgspec.ValidationError:
        return None


def from_unix_ms(moment_ms: int) -> datetime:
    """Gives the moment in UTC.

    Raises:
        OverflowError: the year is not in 1..9999.
    """
    return EPOCH + timedelta(milliseconds=moment_ms)


def rfc3339(moment_ms: int) -> str:
    """Gives the RFC 3339 text in UTC with milliseconds, like `2026-11-23T09:00:00.125Z`."""
    return from_unix_ms(moment_ms).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def is_plausible(moment_ms: int, *, received_at_ms: int) -> bool:
    """Tells whether a client's clock may show this: not before 2000, at most ten years after its receipt."""
    return EARLIEST_MS <= moment_ms <= received_at_ms + AHEAD_MAX_MS


def event_time_ms(occurred_at_ms: int, *, received_at_ms: int, sent_at_ms: int | None) -> int:
    """Gives the time that folds use: the client's, corrected by the error of its clock, and never after the receipt.

    Args:
        occurred_at_ms: by the client's clock.
        received_at_ms: by the gateway's clock.
        sent_at_ms: by the client's clock when it sent; None = no correction.
    """
    if sent_at_ms is None:
        return min(received_at_ms, occurred_at_ms)
    return min(received_at_ms, occurred_at_ms + received_at_ms - sent_at_ms)
