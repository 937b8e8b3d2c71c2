"""Every campaign's budget, recounted over both logs and the ledger in the order in which they were written.

Plain sums over plain records, nothing of `domain.purse` and `domain.leasing`: after each `Progress` that counts, what
partitions have promised, and what that came to, must stay within their leases, and all of it within the budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from domain.campaigns import Budget
from domain.ids import Position
from domain.purse import Balance, CampaignKey
from domain.records import Decided, ExperienceRecord, Failed, Lease, Owner, Progress, decode_experience_record
from domain.terms import cost_at_most
from tests.simulation.broker import Broker, Stamp
from tests.simulation.budgets import Books, Budgeted, Leased

Pair = tuple[int, int]
"""Money in minor units, and a number of promises."""
Part = tuple[int, CampaignKey]
"""A campaign in a partition."""
_NOTHING: Pair = (0, 0)


@dataclass
class Sums:
    """What a partition's records say of a campaign."""

    leased: Pair = _NOTHING
    returned: Pair = _NOTHING
    reserved: Pair = _NOTHING
    committed: Pair = _NOTHING

    @property
    def promised(self) -> Pair:
        """What of its leases is taken."""
        return _sum(self.reserved, self.committed)

    @property
    def held(self) -> Pair:
        """What it has of the ledger."""
        return _sum(self.leased, _minus(self.returned))


class Said(NamedTuple):
    """A record of an experience log and where it stands."""

    stamp: Stamp
    partition: int
    offset: int
    record: ExperienceRecord


@dataclass
class _Reading:
    """How far one partition of the experience log is read."""

    newest: int = -1
    waiting: list[Decided] = field(default_factory=list)
    counted: set[Position] = field(default_factory=set)


class Recount:
    """Counts once more, when a run is over.

    Attributes:
        faults: what no correct system does.
        sums: by partition and campaign.
        leases: that count: partition, offset, and what was said there.
        ends: how often promises were made, kept, and ended otherwise.
    """

    def __init__(self, broker: Broker, books: Books) -> None:
        self.faults: list[str] = []
        self.sums: dict[Part, Sums] = {}
        self.leases: list[tuple[int, int, Lease]] = []
        self.ends: Counter[str] = Counter()
        self._books = books
        self._ledger: dict[Part, Balance] = {}
        self._budgets: dict[CampaignKey, Budget] = {}
        self._readings = {number: _Reading() for number in range(broker.partitions)}
        written: list[Said | Leased | Budgeted] = [*_said(broker), *books.leased, *books.budgeted]
        for one in sorted(written, key=attrgetter("stamp")):
            if isinstance(one, Said):
                self._hear(one)
            elif isinstance(one, Leased):
                self._take_lease(one)
            else:
                self._take_budget(one)

    def of(self, partition: int, key: CampaignKey) -> Sums:
        """Gives what a partition's records say of a campaign."""
        return self.sums.setdefault((partition, key), Sums())

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
            self._count(said, record, list(fresh.values()))

    def _count(self, said: Said, progress: Progress, batch: Sequence[Decided]) -> None:
        """Counts a batch: in which order it was decided nobody knows, so only its end is compared."""
        for lease in progress.leases:
            self._put_in_force(said, lease)
        most = {key: self.of(said.partition, key).promised for key in self._budgets}
        touched: set[CampaignKey] = set()
        for decided in batch:
            for reserved in decided.reservations:
                key = CampaignKey(decided.retailer_id, reserved.campaign_id)
                sums = self.of(said.partition, key)
                sums.reserved = _sum(sums.reserved, (reserved.cost_minor, 1))
                most[key] = _sum(most[key], (reserved.cost_minor, 1))
                touched.add(key)
            for end in decided.settlements:
                key = CampaignKey(decided.retailer_id, end.campaign_id)
                sums = self.of(said.partition, key)
                sums.reserved = _sum(sums.reserved, (end.reserved_minor, end.reserved_count))
                sums.committed = _sum(sums.committed, (end.committed_minor, end.committed_count))
                touched.add(key)
            self._note(decided)
        for key in sorted(touched):
            self._check(f"{said.partition}@{said.offset}", key)
        for key in sorted({key for decided in batch for key in _denied(decided)}):
            self._check_denial(said, key, most[key])

    def _put_in_force(self, said: Said, lease: Lease) -> None:
        """Takes a lease as the log has it: never more than the ledger gave, nor less returned than it took back."""
        key = CampaignKey(lease.retailer_id, lease.campaign_id)
        sums = self.of(said.partition, key)
        sums.leased = _most(sums.leased, (lease.leased_minor, lease.leased_count))
        sums.returned = _most(sums.returned, (lease.returned_minor, lease.returned_count))
        ledger = self._ledger.get((said.partition, key), Balance())
        if not _is_within(sums.leased, ledger.leased):
            self.faults.append(
                f"{said.partition}@{said.offset}: {sums.leased} of {key} in force, leased {ledger.leased}"
            )
        self._check(f"{said.partition}@{said.offset}", key)
        self.leases.append((said.partition, said.offset, lease))

    def _take_lease(self, leased: Leased) -> None:
        self._ledger[leased.partition, leased.key] = leased.part
        sums = self.of(leased.partition, leased.key)
        if not _is_within(leased.part.returned, sums.returned):
            self.faults.append(
                f"{leased.stamp}: partition {leased.partition} gave back {leased.part.returned} of {leased.key}, and"
                f" {sums.returned} stands in its log"
            )
        self._check(f"{leased.stamp}", leased.key)

    def _take_budget(self, budgeted: Budgeted) -> None:
        self._budgets[budgeted.key] = budgeted.budget
        self._check(f"{budgeted.stamp}", budgeted.key)

    def _check(self, where: str, key: CampaignKey) -> None:
        """Compares what is promised with leases, as the log and as the ledger have them, and with the budget."""
        total: Pair = _NOTHING
        budget = self._budgets[key]
        counts = budget.count is not None
        for (number, whose), sums in self.sums.items():
            if whose != key:
                continue
            total = _sum(total, sums.promised)
            ledger = self._ledger.get((number, key), Balance())
            for name, held in (
                ("its log", sums.held),
                ("the ledger", _sum(ledger.leased, _minus(ledger.returned))),
            ):
                if not _is_within(sums.promised, held, counts=counts):
                    self.faults.append(
                        f"{where}: partition {number} promised {sums.promised} of {key}, and holds {held} by {name}"
                    )
            if min(*sums.reserved, *sums.committed) < 0:
                self.faults.append(f"{where}: partition {number} has less than nothing of {key}: {sums}")
        most = tuple(10**15 if limit is None else limit for limit in (budget.money_minor, budget.count))
        if not _is_within(total, (most[0], most[1])):
            self.faults.append(f"{where}: {total} of {key} promised and redeemed, its budget is {budget}")

    def _check_denial(self, said: Said, key: CampaignKey, most: Pair) -> None:
        """Compares a denial with what may have been left when it was made."""
        left = _sum(self.of(said.partition, key).held, _minus(most))
        cost_minor = cost_at_most(self._books.newest[key].definition)
        counts = self._budgets[key].count is not None
        if left[0] >= cost_minor and (not counts or left[1] >= 1):
            self.faults.append(f"{said.partition}@{said.offset}: {key} was denied, and {left} was left")

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


def _sum(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]


def _minus(one: Pair) -> Pair:
    return -one[0], -one[1]


def _most(one: Pair, other: Pair) -> Pair:
    return max(one[0], other[0]), max(one[1], other[1])


def _is_within(one: Pair, limit: Pair, *, counts: bool = True) -> bool:
    return one[0] <= limit[0] and (not counts or one[1] <= limit[1])
