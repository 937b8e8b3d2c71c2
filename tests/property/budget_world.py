"""The world of `test_budgets`: logs, stores and a ledger in memory, and owners of partitions.

Owners do what `actors.partition` does, with the real fold, decision, purse, desk, listener and tail. What an owner
appends stands in the log for good, also when it is not the newest any more: as on Kafka, readers have to drop it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

from actors.lease_desk import LeaseDesk
from actors.messages import Item, Loaded
from actors.shopper import Resident
from actors.tail import Tail
from domain.arbitration import Market
from domain.campaigns import Budget
from domain.campaigns_in_force import InForce
from domain.errors import Fenced
from domain.ids import BEGINNING, Position, ShopperKey
from domain.leasing import Account, answers, settled_all
from domain.ports.budget_ledger import Answer, Ask
from domain.ports.event_log import Committed
from domain.ports.experience_log import Entry
from domain.ports.tree_store import StoredTree
from domain.purse import Amounts, Balance, CampaignKey, Purse, purse_key
from domain.purse import decode as decode_purse
from domain.records import (
    SCHEMA_VERSION,
    Decided,
    ExperienceRecord,
    Lease,
    Progress,
    Record,
    Undecodable,
    decode_experience_record,
    decode_record,
    encode,
)
from domain.records import Owner as OwnerRecord
from domain.shopper import encode as encode_shopper

STRIPES = 4
Fate = Literal["well", "twice", "again", "lost", "half", "durable"]
"""Of an append: it is repeated, whole or after a part of it; or the process dies before, in the middle, or after it."""


class Died(Exception):
    """The process is gone, with all that it knew."""


class Row(NamedTuple):
    """A snapshot at rest."""

    position: Position
    payload: bytes


class Unsaved(NamedTuple):
    """What a checkpoint saves."""

    rows: Mapping[ShopperKey, Row]
    through: Position
    tail: int


class Shelf:
    """What outlives the owners of one partition.

    Attributes:
        events: the event log.
        said: the experience log.
        rows: the snapshots.
        committed: the last commit.
    """

    def __init__(self, number: int, rng: Random) -> None:
        self.number = number
        self._rng = rng
        self.events: list[Record] = []
        self.said: list[ExperienceRecord] = []
        self.rows: dict[ShopperKey, Row] = {}
        self.committed: Committed | None = None

    def take_down(self, record: Record) -> None:
        """Appends an event, as bytes would."""
        read = decode_record(encode(record))
        assert not isinstance(read, Undecodable)
        self.events.append(read)

    def append(self, records: Sequence[ExperienceRecord]) -> int:
        """Appends to the experience log, as bytes would, and gives the last offset."""
        self.said += [decode_experience_record(encode(record)) for record in records]
        return len(self.said) - 1

    def entries(self, after: int, until: int) -> list[Entry]:
        """Gives the entries between two offsets."""
        return [Entry(self.number, at, self.said[at]) for at in range(after + 1, until)]

    def save(self, rows: Mapping[ShopperKey, Row]) -> None:
        """Keeps snapshots: an older position never replaces a newer one, and of two equal ones either may stay."""
        for key, row in rows.items():
            kept = self.rows.get(key)
            is_newer = kept is None or row.position > kept.position
            if is_newer or (kept is not None and row.position == kept.position and self._rng.random() < 0.5):
                self.rows[key] = row


class Ledger:
    """The budget ledger in memory.

    Attributes:
        budgets: of each campaign.
        closed: those of which nothing more is leased.
        held: leases less returns of all partitions.
        parts: what each partition has.
    """

    def __init__(self, budgets: Mapping[CampaignKey, Budget]) -> None:
        self.budgets = dict(budgets)
        self.closed: set[CampaignKey] = set()
        self.held = dict.fromkeys(budgets, Amounts())
        self.parts: dict[tuple[CampaignKey, int], Balance] = {}
        self.tokens: dict[int, int] = {}

    def settle(self, partition: int, token: int, asks: Sequence[Ask], partitions: int) -> list[Answer]:
        """As `domain.ports.budget_ledger` says."""
        self.tokens[partition] = max(token, self.tokens.get(partition, -1))
        accounts = {
            ask.key: Account(
                ask.key not in self.closed,
                self.budgets[ask.key],
                self.held[ask.key],
                self.parts.get((ask.key, partition), Balance()),
            )
            for ask in asks
        }
        after = settled_all(accounts, asks, partitions, is_newest=self.tokens[partition] == token)
        for key, found in after.items():
            self.parts[key, partition], self.held[key] = found.part, found.held
        return answers(after, asks)


class Owner:
    """One owner of a partition, from taking it to its death.

    Attributes:
        token: its own.
        through: of the last event that it has processed.
        is_lost: it knows that it is not the newest.
        asked: what it waits for from the ledger.
    """

    def __init__(self, shelf: Shelf, tree: bytes, in_force: Mapping[str, InForce], now_s: float) -> None:
        self.shelf = shelf
        self.in_force = in_force
        self._tree = StoredTree(1, tree)
        committed = shelf.committed
        self.token = shelf.append([OwnerRecord(schema_version=SCHEMA_VERSION, worker_id="w")])
        tail = Tail(committed)
        tail.take(shelf.entries(committed.tail if committed is not None else -1, self.token))
        self.through = committed.through if committed is not None else BEGINNING
        self.adopting_through = tail.through
        self._said = dict(tail.said)
        row = shelf.rows.get(purse_key(shelf.number))
        self.purse = decode_purse(row.payload) if row is not None else Purse()
        for position, said in self._said.items():
            if isinstance(said, Decided) and position > self.purse.position:
                self.purse.take(said)
        self.purse.lease(tail.leases)
        self.desk = LeaseDesk(self.purse, now_s)
        self._inherited = self.purse.leases()
        self.residents: dict[ShopperKey, Resident] = {}
        self._dirty: set[ShopperKey] = set()
        self._saving: set[ShopperKey] = set()
        self._saved_through = self.through
        self._tail = self._last_progress = self.token
        self.is_lost = False
        self.asked: tuple[Sequence[Ask], Sequence[Answer]] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether all that the purse holds stands in the log."""
        return not self.is_lost and self.through >= self.adopting_through

    @property
    def is_behind(self) -> bool:
        """Whether events wait."""
        return self.through.offset + 1 < len(self.shelf.events)

    def process(self, count: int, fate: Fate = "well") -> None:
        """Processes the next events, as many as there are up to a number.

        Raises:
            Died: as fate has it.
        """
        first = self.through.offset + 1
        batch = [Item(record, Position(1, at)) for at, record in enumerate(self.shelf.events[first:][:count], first)]
        if not batch:
            return
        old = [item for item in batch if item.position <= self.adopting_through]
        fresh = batch[len(old) :]
        last = batch[-1].position
        leases = self._lease() if last >= self.adopting_through else ()
        market, records = Market(self.in_force, self.purse), []
        for item in (*old, *sorted(fresh, key=_stripe)):
            said = self._said.pop(item.position, None)
            assert said is None or isinstance(said, Decided)
            told = item._replace(adopting=item.position <= self.adopting_through, decided=said)
            self._dirty.add(item.record.key)
            record = self.resident(item.record.key).process(told, self.token, market).record
            assert record is None or isinstance(record, Decided), record
            if record is not None:
                records.append(record)
        if last >= self.adopting_through:
            self._say(sorted(records, key=lambda one: one.position), last, leases, fate)
        elif fate in ("lost", "half", "durable"):
            raise Died
        self.through = last

    def say_leases(self, fate: Fate = "well") -> None:
        """Puts what is due of leases in force.

        Raises:
            Died: as fate has it.
        """
        if self.is_settled and self.desk.due:
            self._say([], self.through, self._lease(), fate)

    def confirm(self) -> None:
        """Makes sure that what it said last stands before any newer owner's word.

        Raises:
            Fenced: it does not.
        """
        said = self.shelf.said
        if any(isinstance(said[at], OwnerRecord) for at in range(self.token + 1, self._last_progress)):
            self.is_lost = True
            raise Fenced("a newer owner has spoken before")

    def collect(self) -> Unsaved | None:
        """Collects a checkpoint, None where nothing is to be saved."""
        if not self.is_settled or not (self._dirty or self._saved_through != self.through):
            return None
        rows: dict[ShopperKey, Row] = {}
        for key in sorted(self._dirty):
            state = self.resident(key).state
            assert state is not None
            rows[key] = Row(state.position, encode_shopper(state))
        if self.purse.balances:
            rows[purse_key(self.shelf.number)] = Row(self.through, self.purse.encode(self.through))
        self._saving, self._dirty = self._dirty, set()
        return Unsaved(rows, self.through, self._tail)

    def not_saved(self) -> None:
        """Takes back what a checkpoint has not saved."""
        self._dirty |= self._saving
        self._saving = set()

    def commit(self, unsaved: Unsaved) -> None:
        """Ends a checkpoint."""
        self.shelf.committed = Committed(unsaved.through, self.token, unsaved.tail)
        self._saved_through, self._saving = unsaved.through, set()

    def forget(self, key: ShopperKey) -> None:
        """Puts a saved shopper out of memory."""
        if key not in self._dirty | self._saving:
            self.residents.pop(key, None)

    def resident(self, key: ShopperKey) -> Resident:
        """Gives a shopper, from the snapshot where nobody is resident."""
        found = self.residents.get(key)
        if found is None:
            row = self.shelf.rows.get(key)
            found = Resident(key, Loaded(row.payload if row is not None else None, self._tree))
            self.residents[key] = found
        return found

    def _lease(self) -> tuple[Lease, ...]:
        leases = (*self._inherited, *self.desk.due)
        self.purse.lease(leases)
        return leases

    def _say(self, records: Sequence[Decided], through: Position, leases: tuple[Lease, ...], fate: Fate) -> None:
        progress = Progress(schema_version=SCHEMA_VERSION, token=self.token, through=through, leases=leases)
        said: list[ExperienceRecord] = [*records, progress]
        if fate in ("half", "again"):
            self.shelf.append(said[: len(said) // 2])
        if fate in ("lost", "half"):
            raise Died
        if fate == "twice":
            self.shelf.append(said)
        self._last_progress = self.shelf.append(said)
        if through > max(self.through, self.adopting_through):
            self._tail = self._last_progress
        self._inherited = ()
        if fate == "durable":
            raise Died
        self.desk.said(leases)


def _stripe(item: Item) -> tuple[int, Position]:
    """Gives what sorts the events of a batch: regions are told one after the other."""
    return int(item.record.event.shopper_id[3], 16) % STRIPES, item.position
