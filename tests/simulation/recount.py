"""Every campaign's budget, recounted over both logs and the ledger in the order in which they were written.

Plain sums over plain records, nothing of `domain.purse` and `domain.leasing`: after each `Progress` that counts, what
partitions have promised, and what that came to, must stay within their leases, and all of it within the budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from domain.campaigns import Budget
from domain.ids import Position
from domain.purse import Balance, CampaignKey
from domain.records import Decided, ExperienceRecord, Failed, Lease, Owner, Progress, decode_experience_record
from domain.terms import cost_at_most
from tests.simulation.broker import Broker, Kept, Stamp
from tests.simulation.budgets import Books, Budgeted, Leased
from tests.simulation.purses import NOTHING, Batch, Inheritance, Pair, Sums, add, minus, plus
from tests.simulation.stores import Saved, Shelf

_NO_LIMIT = 10**18


class Said(NamedTuple):
    """A record of an experience log and where it stands."""

    stamp: Stamp
    partition: int
    offset: int
    record: ExperienceRecord


_Written = Said | Leased | Budgeted | Saved | Kept


@dataclass
class _Reading:
    """How far one partition of the experience log is read, and what came of it."""

    newest: int = -1
    waiting: list[Decided] = field(default_factory=list)
    counted: set[Position] = field(default_factory=set)
    sums: dict[CampaignKey, Sums] = field(default_factory=dict)
    inheritance: Inheritance = field(default_factory=Inheritance)

    def of(self, key: CampaignKey) -> Sums:
        """Gives what the partition's records say of a campaign."""
        return self.sums.setdefault(key, Sums())


class Recount:
    """Counts once more, when a run is over.

    Attributes:
        faults: what no correct system does.
        ends: how often promises were made, kept, and ended otherwise.
    """

    def __init__(self, broker: Broker, shelf: Shelf, books: Books) -> None:
        self.faults: list[str] = []
        self.ends: Counter[str] = Counter()
        self._books = books
        self._ledger: dict[tuple[int, CampaignKey], Balance] = {}
        self._budgets: dict[CampaignKey, Budget] = {}
        self._readings = [_Reading() for _ in range(broker.partitions)]
        written: list[_Written] = [*_said(broker), *books.leased, *books.budgeted, *shelf.purses, *broker.kept]
        for one in sorted(written, key=attrgetter("stamp")):
            self._take(one)

    @property
    def sums(self) -> Sequence[Mapping[CampaignKey, Sums]]:
        """What each partition's records say of each campaign."""
        return [reading.sums for reading in self._readings]

    def _take(self, one: _Written) -> None:
        match one:
            case Said():
                self._hear(one)
            case Leased():
                self._take_lease(one)
            case Budgeted():
                self._budgets[one.key] = one.budget
                self._check(f"{one.stamp}", one.key)
            case Saved():
                self._readings[one.partition].inheritance.payload = one.payload
                self._check_inheritance(one)
            case Kept():
                self._readings[one.partition].inheritance.committed = one.committed
                self._check_inheritance(one)

    def _check_inheritance(self, one: Saved | Kept) -> None:
        reading = self._readings[one.partition]
        self.faults += [
            f"partition {one.partition} after {one.stamp}: {fault}"
            for fault in reading.inheritance.faults(reading.sums)
        ]

    def _hear(self, said: Said) -> None:
        """Reads a record as every reader does: it counts with its `Progress`, if no newer owner came before."""
        reading, record = self._readings[said.partition], said.record
        if isinstance(record, Owner):
            reading.newest, reading.waiting = said.offset, []
        elif record.token < reading.newest or isinstance(record, Failed):
            return
        elif isinstance(record, Decided):
            reading.waiting.append(record)
        else:
            fresh = {one.position: one for one in reading.waiting if one.position not in reading.counted}
            reading.waiting = []
            reading.counted |= fresh.keys()
            reading.inheritance.batches.append(Batch(said.offset, list(fresh.values()), record.leases))
            self._count(said, record, list(fresh.values()))

    def _count(self, said: Said, progress: Progress, batch: Sequence[Decided]) -> None:
        """Counts a batch: in which order it was decided nobody knows, so only its end is compared."""
        reading, where = self._readings[said.partition], f"{said.partition}@{said.offset}"
        for lease in progress.leases:
            self._put_in_force(said, lease)
        taken = {key: reading.of(key).promised for key in self._budgets}
        for decided in batch:
            for made in decided.reservations:
                key = CampaignKey(decided.retailer_id, made.campaign_id)
                taken[key] = plus(taken[key], (made.cost_minor, 1))
            self._note(decided)
        for key in sorted(add(reading.sums, batch)):
            self._check(where, key)
        for key in sorted({key for decided in batch for key in _denied(decided)}):
            self._check_denial(where, key, minus(reading.of(key).held, taken[key]))

    def _put_in_force(self, said: Said, lease: Lease) -> None:
        """Takes a lease as the log has it: never more than the ledger gave."""
        key = CampaignKey(lease.retailer_id, lease.campaign_id)
        sums = self._readings[said.partition].of(key)
        sums.lease(lease)
        ledger = self._ledger.get((said.partition, key), Balance())
        where = f"{said.partition}@{said.offset}"
        if not _is_within(sums.leased, ledger.leased):
            self.faults.append(f"{where}: {sums.leased} of {key} in force, leased {ledger.leased}")
        self._check(where, key)

    def _take_lease(self, leased: Leased) -> None:
        self._ledger[leased.partition, leased.key] = leased.part
        sums = self._readings[leased.partition].of(leased.key)
        if not _is_within(leased.part.returned, sums.returned):
            self.faults.append(
                f"{leased.stamp}: partition {leased.partition} gave back {leased.part.returned} of {leased.key}, and"
                f" {sums.returned} stands in its log"
            )
        self._check(f"{leased.stamp}", leased.key)

    def _check(self, where: str, key: CampaignKey) -> None:
        """Compares what is promised with leases, as the log and as the ledger have them, and with the budget."""
        total: Pair = NOTHING
        budget = self._budgets[key]
        counts = budget.count is not None
        for number, reading in enumerate(self._readings):
            sums = reading.of(key)
            total = plus(total, sums.promised)
            ledger = self._ledger.get((number, key), Balance())
            for name, held in (("its log", sums.held), ("the ledger", minus(ledger.leased, ledger.returned))):
                if not _is_within(sums.promised, held, counts=counts):
                    self.faults.append(
                        f"{where}: partition {number} promised {sums.promised} of {key}, and holds {held} by {name}"
                    )
            if min(*sums.reserved, *sums.committed) < 0:
                self.faults.append(f"{where}: partition {number} has less than nothing of {key}: {sums}")
        limit = (
            _NO_LIMIT if budget.money_minor is None else budget.money_minor,
            _NO_LIMIT if budget.count is None else budget.count,
        )
        if not _is_within(total, limit):
            self.faults.append(f"{where}: {total} of {key} promised and redeemed, its budget is {budget}")

    def _check_denial(self, where: str, key: CampaignKey, left: Pair) -> None:
        """Compares a denial with the least that may have been left when it was made."""
        cost_minor = cost_at_most(self._books.newest[key].definition)
        counts = self._budgets[key].count is not None
        if left[0] >= cost_minor and (not counts or left[1] >= 1):
            self.faults.append(f"{where}: {key} was denied, and {left} was left")

    def _note(self, decided: Decided) -> None:
        """Counts what happened, for the story of the run."""
        self.ends["promised"] += len(decided.reservations)
        self.ends["held out"] += len(decided.held_out)
        self.ends["denied"] += len(_denied(decided))
        self.ends.update(end.cause for end in decided.settlements)


def _said(broker: Broker) -> list[Said]:
    return [
        Said(stamp, number, offset, decode_experience_record(payload))
        for number, topic in enumerate(broker.experiences)
        for (offset, payload), stamp in zip(topic.rows[: topic.durable], topic.stamps, strict=False)
    ]


def _denied(decided: Decided) -> list[CampaignKey]:
    return [CampaignKey(decided.retailer_id, one.campaign_id) for one in decided.against if one.reason == "budget"]


def _is_within(one: Pair, limit: Pair, *, counts: bool = True) -> bool:
    return one[0] <= limit[0] and (not counts or one[1] <= limit[1])
