"""One retailer's rules at the door, and what becomes of each event there: accepted, dropped or rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from msgspec import Struct

from domain.events import Consent
from domain.personal_data import Kind
from domain.records import Known, Record
from domain.traces import NO_TRACE

EVENT_BYTES_MAX = 32 * 1024
"""Bytes of one event's JSON after inflating: 32,768."""


class Door(Struct, frozen=True, kw_only=True):
    """One retailer's rules at the door, built again when control data change.

    Attributes:
        retailer_id: whose events these are.
        shopper_key: under which shopper ids are hashed.
        consent_default: of an event that states none.
        pii: what becomes of personal data in free text: replaced by its kind, or the event refused.
        currency: of prices that name none.
        catalogue: product id → what is known of it.
        event_bytes_max: a larger event is rejected.
        suppressed: digests of the shoppers of whom nothing is taken.
        privacy_key: under which those are made; needed where there are any.
    """

    retailer_id: str
    shopper_key: bytes
    consent_default: Consent = "granted"
    pii: Literal["redact", "refuse"] = "redact"
    currency: str | None = None
    catalogue: Mapping[str, Known] = {}
    event_bytes_max: int = EVENT_BYTES_MAX
    suppressed: frozenset[str] = frozenset()
    privacy_key: bytes = b""


class Arrival(Struct, frozen=True):
    """What all events of one request share.

    Attributes:
        door: the retailer's rules.
        received_at_ms: by the gateway's clock.
        verified: the request carried the retailer's secret key.
        is_refused: the browser that sent it refuses personalisation, whatever its events say of consent.
        trace: under which it was sent (`domain.traces`).
    """

    door: Door
    received_at_ms: int
    verified: bool
    is_refused: bool = False
    trace: str = NO_TRACE


class Accepted(Struct, frozen=True):
    """A source event that may be stored.

    Attributes:
        records: at least one; a basket or view event with n items made n. The first carries the source's id.
        redacted: kinds of personal data that were replaced in its texts.
    """

    records: tuple[Record, ...]
    redacted: tuple[Kind, ...] = ()

    @property
    def event_id(self) -> UUID:
        """The source event's id."""
        return self.records[0].event.event_id


class Dropped(Struct, frozen=True):
    """A source event that is in order and yet never stored: of a shopper without consent, or a suppressed one.

    Attributes:
        withdrawal: what is stored in its place where the shopper refuses: that consent, if there was one, has ended.
    """

    event_id: UUID
    reason: str
    withdrawal: Record | None = None


class Rejected(Struct, frozen=True):
    """A source event that breaks a rule; sending it again can't help.

    Attributes:
        event_id: None where it could not be read.
        reason: a short stable name, like `unknown_field`.
        detail: one sentence, without payload.
        path: of the fault within the request, like `$.events[1].quantity`.
    """

    event_id: UUID | None
    reason: str
    detail: str
    path: str


Outcome = Accepted | Dropped | Rejected
