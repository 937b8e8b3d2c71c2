"""What the logs hold: the stored form of events, and the worker's records of what it decided.

Event log: gateway → worker, archiver. Experience log: worker → gateways, and the worker's next owner.
Every record carries `schema_version`; readers accept their own and older versions.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.events import AnyEvent, InsideEvent
from domain.experiences import Experience, Withdrawal
from domain.ids import Position, ShopperKey
from domain.traces import NO_TRACE

SCHEMA_VERSION = 1


class Known(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the catalogue knew of a product when its event arrived."""

    category_id: str | None = None
    brand: str | None = None
    price_minor: int | None = None
    currency: str | None = None


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The stored form of an event.

    Attributes:
        schema_version: of this form.
        retailer_id: whose shopper.
        received_at_ms: when the gateway took it, Unix milliseconds.
        event_time_ms: min(received, occurred corrected by received - sent), Unix milliseconds.
        event: as posted, `shopper_id` replaced by the keyed hash, personal data redacted, `consent` resolved.
        verified: posted with the retailer's secret key.
        known: by product id, what the catalogue knew at that moment.
        presumed: the event itself said nothing of consent: it came in by the retailer's default, and gives none back.
        trace: of the request that brought it (`domain.traces`); empty where the request named none.
    """

    schema_version: int
    retailer_id: str
    received_at_ms: int
    event_time_ms: int
    event: AnyEvent
    verified: bool = False
    known: dict[str, Known] = {}
    presumed: bool = False
    trace: str = NO_TRACE

    @property
    def key(self) -> ShopperKey:
        """The shopper whose event this is."""
        return ShopperKey(self.retailer_id, self.event.shopper_id)


def inside_record(
    retailer_id: str, event: InsideEvent, received_at_ms: int, event_time_ms: int | None = None
) -> Record:
    """Gives the record of what hotbasket itself puts into the event log.

    Args:
        retailer_id: whose shopper it is about.
        event: what.
        received_at_ms: when, Unix milliseconds.
        event_time_ms: in the shopper's time; None = the same.
    """
    return Record(
        schema_version=SCHEMA_VERSION,
        retailer_id=retailer_id,
        received_at_ms=received_at_ms,
        event_time_ms=received_at_ms if event_time_ms is None else event_time_ms,
        event=event,
    )


class Undecodable(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes in the event log that are no record of a version that this process knows."""

    payload: bytes
    reason: str


class Origin(Struct, frozen=True, kw_only=True, gc=False):
    """What a record of any version says about whose it is."""

    retailer_id: str
    received_at_ms: int


class Why(Struct, frozen=True, kw_only=True, gc=False):
    """One condition as it was seen when a decision was made.

    Attributes:
        condition: in the tree's JSON form.
        seen: the value that the condition looked at.
        held: whether it was true.
    """

    condition: dict[str, Any]
    seen: Any
    held: bool


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An experience with its reasons.

    Attributes:
        experience: as the page gets it.
        path: the ids of the nodes from where the event found the shopper to the node that emitted.
        why: the conditions on the edges of that path, and of its campaign's audience.
        is_clamped: whether the node's generosity lay outside its campaign's bounds and was drawn in.
    """

    experience: Experience
    path: tuple[str, ...]
    why: tuple[Why, ...]
    is_clamped: bool = False


Reason = Literal[
    "unknown",
    "not_open",
    "other_kind",
    "audience",
    "cap",
    "already_promised",
    "exclusive",
    "no_product",
    "threshold_passed",
    "too_many_promised",
    "budget",
    "outranked",
    "late",
]
"""Why a campaign lost a slot; in the order in which they are asked, but the last: who is late asks none of it."""


class Against(Struct, frozen=True, kw_only=True, gc=False):
    """A campaign that a node proposed and that lost.

    Attributes:
        slot: that it would have filled.
        node_id: that proposed it.
        campaign_id: as it was proposed, or as it stood against others where the node proposed any.
        reason: the first that spoke against it.
    """

    slot: str
    node_id: str
    campaign_id: str
    reason: Reason


class Reserved(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A promise against a lease: what one of the decisions beside it may cost.

    Attributes:
        experience_id: of the decision.
        campaign_id: whose budget.
        cost_minor: at most.
        group: the campaign's exclusivity group.
        priority: the campaign's, for the order in which the till deducts.
    """

    experience_id: str
    campaign_id: str
    cost_minor: int
    group: str | None = None
    priority: int = 0


Cause = Literal["order", "cancelled", "returned", "expired", "drawn", "erased"]


class Settlement(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What becomes of a reservation: redeemed, given back, or over. Amounts are changes of the campaign's balance.

    Attributes:
        experience_id, campaign_id: of the reservation.
        cause: a verified order, what became of that order, the end of its time, a draw (what it promised beyond what
            was won is given back, and what is handed over by itself is redeemed at once), or the shopper's erasure.
        order_id: of the order, if one is the cause.
        reserved_minor, reserved_count: change of what is reserved, 0 or less.
        committed_minor, committed_count: change of what is redeemed; less than 0 where an order came back.
    """

    experience_id: str
    campaign_id: str
    cause: Cause
    order_id: str | None = None
    reserved_minor: int = 0
    reserved_count: int = 0
    committed_minor: int = 0
    committed_count: int = 0


class Played(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A draw: of a game that the shopper played, or for the price of the whole basket.

    Attributes:
        experience_id: that gave the right; each is drawn once.
        campaign_id: whose prizes.
        epoch: whose seed decided it.
        wanted: the prize that its ticket names, None if it names none.
        prize_id: the prize given.
        state: `drawing` while the ledger has not said whether any of `wanted` is left; then said again.
        waiting, taken: change of how many plays wait for that prize's stock, and of how many were given from it.
    """

    experience_id: str
    campaign_id: str
    epoch: int
    wanted: str | None = None
    prize_id: str | None = None
    state: Literal["drawing", "drawn"] = "drawn"
    waiting: int = 0
    taken: int = 0


class Lease(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the ledger has leased to a partition for one campaign in all, and what it got back in all.

    A prize's stock is leased like a campaign, under its own id (`domain.ids.stock_id`).

    Attributes:
        is_spent: of a stock: it is leased to the last, and nothing of it ever comes back.
    """

    retailer_id: str
    campaign_id: str
    leased_minor: int = 0
    leased_count: int = 0
    returned_minor: int = 0
    returned_count: int = 0
    is_spent: bool = False


class Owner(Struct, frozen=True, kw_only=True, tag="owner", gc=False):
    """A worker took the partition; this record's own offset in the experience log is its token."""

    schema_version: int
    worker_id: str


class Decided(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="decided", gc=False):
    """What one event did beyond `apply`: it emitted, withdrew, dismissed or moved.

    Attributes:
        token: the owner that speaks.
        position: of the event in the event log.
        trigger_event_id: the event's id.
        retailer_id, shopper: whose.
        received_at_ms: of the event: latency is measured from it.
        generation, node_id: where the shopper stands afterwards.
        walked_from: the node where the event found the shopper, after any return to the root.
        idle_s: of the node's timer, 0 = none.
        decisions: emitted experiences, at most one a slot.
        withdrawals: experiences taken off the page.
        dismissals: ids of experiences that the shopper closed.
        held_out: what would have been shown to a shopper who is held out; nobody sees it.
        against: the campaigns that lost, the first few in the order in which they were asked.
        reservations: of the decisions, those that promise something.
        settlements: of reservations made before.
        plays: draws of rights given before.
        stays: the event was no activity of the shopper's: the place in the tree and the timer there stay.
        processed_at_ms: when, by the worker's clock, Unix milliseconds; 0 = not known.
    """

    schema_version: int
    token: int
    position: Position
    trigger_event_id: UUID
    retailer_id: str
    shopper: str
    received_at_ms: int
    generation: int
    node_id: str
    walked_from: str
    idle_s: int = 0
    decisions: tuple[Decision, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    dismissals: tuple[str, ...] = ()
    held_out: tuple[Decision, ...] = ()
    against: tuple[Against, ...] = ()
    reservations: tuple[Reserved, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    plays: tuple[Played, ...] = ()
    stays: bool = False
    processed_at_ms: int = 0


class Failed(Struct, frozen=True, kw_only=True, tag="failed", gc=False):
    """An event that could not be processed; it changed nothing.

    Attributes:
        token: the owner that speaks.
        position: of the event in the event log.
        retailer_id, shopper, event_id: empty where the bytes could not be read.
        reason: a short stable name, like `undecodable` or `tree_unreadable`.
        detail: one sentence, without payload.
        path: what part of the event or tree it is about, like `$.event.quantity`.
        payload: the record's bytes, for the replay; expires with the failed event.
        failed_at_ms: received_at of the event, or 0.
    """

    schema_version: int
    token: int
    position: Position
    retailer_id: str
    shopper: str
    event_id: str
    reason: str
    detail: str
    path: str
    payload: bytes
    failed_at_ms: int


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="progress", gc=False):
    """Closes a batch: everything up to `through` is processed, and the records before this one count.

    Attributes:
        token: the owner that speaks.
        through: position of the last event processed.
        leases: of campaigns' budgets, as the owner knew them when it decided what stands before: what changed, and in
            its first all that it took over.
    """

    schema_version: int
    token: int
    through: Position
    leases: tuple[Lease, ...] = ()


ExperienceRecord = Owner | Decided | Failed | Progress

_encoder = msgspec.msgpack.Encoder()
_record_decoder = msgspec.msgpack.Decoder(Record)
_origin_decoder = msgspec.msgpack.Decoder(Origin)
_experience_decoder: msgspec.msgpack.Decoder[ExperienceRecord] = msgspec.msgpack.Decoder(ExperienceRecord)


def encode(record: Record | ExperienceRecord) -> bytes:
    """Gives the msgpack form of a record."""
    return _encoder.encode(record)


def decode_record(payload: bytes | memoryview) -> Record | Undecodable:
    """Reads an event record; bytes of no known form or a newer version come back as `Undecodable`, never an error."""
    try:
        record = _record_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Undecodable(payload=bytes(payload), reason=str(error))
    if record.schema_version > SCHEMA_VERSION:
        reason = f"schema_version {record.schema_version} is newer than {SCHEMA_VERSION}, upgrade this process"
        return Undecodable(payload=bytes(payload), reason=reason)
    return record


def origin_of(payload: bytes | memoryview) -> Origin | None:
    """Gives whose an unreadable record is, where at least that can be read."""
    try:
        return _origin_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_experience_record(payload: bytes | memoryview) -> ExperienceRecord:
    """Reads a record of the experience log.

    Raises:
        msgspec.MsgspecError: the bytes are of no known form.
    """
    return _experience_decoder.decode(payload)
