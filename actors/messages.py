"""What the worker, its regions and their shoppers say to each other.

Actors share one process, so messages are passed by reference: all are frozen but `Results`, which the worker lends to
a region for the length of one `tell`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from domain.arbitration import Market
from domain.fates import Fated
from domain.ids import Position, ShopperKey
from domain.ports.tree_store import StoredTree
from domain.records import Decided, Failed, Record
from domain.shopper import Shopper, Timer


class Loaded(NamedTuple):
    """What was prefetched for one shopper.

    Attributes:
        snapshot: the payload, None for a shopper never seen; ignored where the shopper is resident.
        tree: None where neither the shopper nor the retailer has one.
    """

    snapshot: bytes | None
    tree: StoredTree | None


class Item(NamedTuple):
    """One event to process.

    Attributes:
        record: the event.
        position: of it.
        adopting: the experience log tells what was decided; no tree is asked.
        decided: what it tells, None where the event only changed what `apply` changes.
    """

    record: Record
    position: Position
    adopting: bool = False
    decided: Decided | None = None


class Armed(NamedTuple):
    """A shopper who waits for something, and when that is due if nothing happens."""

    key: ShopperKey
    due_at_ms: int


class Peek(NamedTuple):
    """What a shopper waits for, as the shopper knows it.

    Attributes:
        timer: of the node where the shopper stands.
        clock_ms: the shopper's time.
        promises: open ones: of which experience, and when it ends (Unix milliseconds of the receiving clock).
        draws: plays whose prize is still asked for: of which right, how often it was, and when it is again.
    """

    key: ShopperKey
    timer: Timer | None
    clock_ms: int
    promises: tuple[tuple[str, int], ...] = ()
    draws: tuple[tuple[str, int, int], ...] = ()


def peek_at(key: ShopperKey, state: Shopper) -> Peek:
    """Gives what a shopper waits for."""
    still_open = [one for one in state.reservations if one.is_open]
    promises = tuple((one.experience_id, one.due_at_ms) for one in still_open if one.drawing is None)
    drawings = [one.drawing for one in still_open if one.drawing is not None]
    draws = tuple((one.right_id, one.tries, one.due_at_ms) for one in drawings)
    return Peek(key, state.timer, state.clock_ms, promises, draws)


class Results:
    """Collects what the shoppers of a region answer during one `tell`; not shared beyond it."""

    __slots__ = ("actors_made", "armed", "fates", "faults", "peeked", "processed", "records", "repeats", "snapshots")

    def __init__(self) -> None:
        self.records: list[Decided | Failed] = []
        self.armed: list[Armed] = []
        self.faults: list[str] = []
        self.fates: list[Fated] = []
        self.repeats = 0
        self.actors_made = 0
        self.processed = 0
        self.snapshots: list[Shopper] = []
        self.peeked: list[Peek] = []


class Process(Struct, frozen=True):
    """Worker → region: activate who was loaded, then process the items in order.

    Attributes:
        now_ms: the worker's time, for who looks back.
    """

    token: int
    items: Sequence[Item]
    loaded: Mapping[ShopperKey, Loaded]
    tree_version: int
    results: Results
    market: Market | None = None
    now_ms: int = 0


class Missing(Struct, frozen=True):
    """Worker → region: put into `absent` who is not resident, into `stale` whose tree is of an older version."""

    keys: Sequence[ShopperKey]
    tree_version: int
    absent: list[ShopperKey]
    stale: list[ShopperKey]


class CollectSnapshots(Struct, frozen=True):
    """Worker → region: the states of these resident shoppers."""

    keys: Sequence[ShopperKey]
    results: Results


class CollectTimers(Struct, frozen=True):
    """Worker → region: the timers of those of these shoppers who are resident."""

    keys: Sequence[ShopperKey]
    results: Results


class Passivate(Struct, frozen=True):
    """Worker → region: forget these shoppers; their snapshots are saved."""

    keys: Sequence[ShopperKey]


class Activate(Struct, frozen=True):
    """Region → shopper: be this shopper from now on, with this snapshot and tree."""

    key: ShopperKey
    loaded: Loaded


class TakeTree(Struct, frozen=True):
    """Region → shopper: a newer tree is in force from the next event."""

    tree: StoredTree | None


class Deliver(Struct, frozen=True):
    """Region → shopper: one event; the shopper counts it in `results` when it is done."""

    token: int
    item: Item
    results: Results
    market: Market | None
    now_ms: int


class Forget(Struct, frozen=True):
    """Region → shopper: be nobody, until `Activate`."""


class Show(Struct, frozen=True):
    """Region → shopper: answer with the state (`Shown`)."""

    timer_only: bool


class Answer(Struct, frozen=True):
    """Shopper → region: an event that left something to tell.

    Attributes:
        record: for the experience log.
        armed: the node's timer, if it has one.
        faults: of meaning.
        repeat: the event was absorbed.
        fates: what the event made of experiences.
    """

    record: Decided | Failed | None = None
    armed: Armed | None = None
    faults: tuple[str, ...] = ()
    repeat: bool = False
    fates: tuple[Fated, ...] = ()


class Shown(Struct, frozen=True):
    """Shopper → region: the state."""

    key: ShopperKey
    state: Shopper | None
    timer_only: bool
