"""The shopper as a value: everything that the fold remembers, and that a snapshot keeps."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.basket import EMPTY, Basket
from domain.experiences import Experience
from domain.ids import BEGINNING, Position, ShopperKey
from domain.records import SCHEMA_VERSION, Record
from domain.reservations import Reservation

SESSION_GAP_MS = 30 * 60 * 1_000
"""Without an event for this long, in event time, the next one starts a new session."""
SEEN_IDS = 128
"""Event ids remembered to absorb retries: a tracker has one request of at most 50 events in flight."""
DECISIONS_KEPT = 10
SLOTS_MAX = 32
"""Slots remembered; a tree has at most 16, so the slots of two generations fit."""

EXPOSURES_KEPT = 64
"""Campaigns whose exposures are remembered."""
EXPOSURE_TIMES_KEPT = 32
"""Exposures to one campaign, as many as a cap may ask for."""

SlotState = Literal["open", "dismissed", "withdrawn"]


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The current session, and how many there were.

    Attributes:
        started_at_ms, last_at_ms: in the shopper's time (running maximum of event time).
        events: of the session, from outside.
        visits: sessions so far, this one included.
        page_views, searches, added, removed: events of the session by kind.
    """

    started_at_ms: int = 0
    last_at_ms: int = 0
    events: int = 0
    visits: int = 0
    page_views: int = 0
    searches: int = 0
    added: int = 0
    removed: int = 0


class Order(Struct, frozen=True, kw_only=True, gc=False):
    """The shopper's last order.

    Attributes:
        status: `paid`, then what `OrderStatusChanged` said.
        paid_at_ms: event time of its `OrderPaid`; 0 where only its status was ever told.
    """

    order_id: str
    status: str
    paid_at_ms: int = 0


class Slot(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The latest state of one slot of the shopper's page.

    Attributes:
        experience: the latest one in this slot.
        state: whether it is on the page, closed by the shopper, or withdrawn by us.
        position: of the event that brought the slot to this state.
        number: among what that event did, counted from 0 in the order of delivery.
    """

    experience: Experience
    state: SlotState = "open"
    position: Position
    number: int = 0


class Timer(Struct, frozen=True, kw_only=True, gc=False):
    """The pending `after` of the node where the shopper stands.

    Attributes:
        after_event_id: the last event from outside when it was armed.
        node_id: where the shopper stood.
        idle_s: of the node.
        armed_at_ms: received_at of the record that armed it.
    """

    after_event_id: UUID
    node_id: str
    idle_s: int
    armed_at_ms: int

    @property
    def due_at_ms(self) -> int:
        """When it elapses, Unix milliseconds of the receiving clock."""
        return self.armed_at_ms + self.idle_s * 1_000


class Exposure(Struct, frozen=True, array_like=True, gc=False):
    """When a campaign won a slot for the shopper, shown or held out; by received_at, oldest first, the last few."""

    campaign_id: str
    at_ms: tuple[int, ...]


class Shopper(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The state of one shopper: `apply` folds it over the log, `decide` places it in a tree.

    Attributes:
        schema_version: of the snapshot form.
        retailer_id, shopper: whose state; `shopper` is the hash.
        position: of the last record seen; records at or below it are skipped.
        clock_ms: the shopper's time: running maximum of event time.
        basket, session, order: as the field has them.
        seen: the last SEEN_IDS event ids, 16 bytes each, oldest first.
        last: the last record from the log that was no repeat.
        last_event_id: of the last event from outside, None before the first.
        generation, node_id: the tree and the node where the shopper stands; 0 and "" without a tree.
        walked_from: the node where the last record found the shopper, after any return to the root.
        slots: latest state of each slot, least recently changed first.
        decisions: the newest DECISIONS_KEPT decisions, msgpack, newest first.
        losers: the campaigns that lost at the last event at which some did, msgpack.
        timer: pending, if the node has one.
        reservations: what experiences promised: open ones, and the redeemed ones remembered.
        verified_orders: ids of the last ones, oldest first.
        exposures: to campaigns, the most recent last.
        is_withdrawn: consent was taken back: nothing is decided until an event says that it was given again.
        is_suppressed: a request said so: until another takes it back, events from outside change nothing.
        erased_at_ms: when everything was forgotten last; what was received until then changes nothing any more.
    """

    schema_version: int = SCHEMA_VERSION
    retailer_id: str
    shopper: str
    position: Position = BEGINNING
    clock_ms: int = 0
    basket: Basket = EMPTY
    session: Session = Session()
    order: Order | None = None
    seen: bytes = b""
    last: Record | None = None
    last_event_id: UUID | None = None
    generation: int = 0
    node_id: str = ""
    walked_from: str = ""
    slots: tuple[Slot, ...] = ()
    decisions: tuple[bytes, ...] = ()
    timer: Timer | None = None
    reservations: tuple[Reservation, ...] = ()
    verified_orders: tuple[str, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    losers: bytes = b""
    is_withdrawn: bool = False
    is_suppressed: bool = False
    erased_at_ms: int = 0

    @property
    def due_at_ms(self) -> int | None:
        """When its timer elapses or its first open promise ends, Unix milliseconds of the receiving clock."""
        due = [one.due_at_ms for one in self.reservations if one.is_open]
        if self.timer is not None:
            due.append(self.timer.due_at_ms)
        return min(due, default=None)

    @property
    def key(self) -> ShopperKey:
        """Under which every store knows this shopper."""
        return ShopperKey(self.retailer_id, self.shopper)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shopper)


def encode(shopper: Shopper) -> bytes:
    """Gives the snapshot's bytes."""
    return _encoder.encode(shopper)


def decode(payload: bytes | memoryview) -> Shopper:
    """Reads a snapshot.

    Raises:
        msgspec.MsgspecError: the bytes are no snapshot of a version that this process knows.
    """
    return _decoder.decode(payload)
