"""What a partition's next owner would find of its purse, at every moment: the saved one, and the log behind a commit.

As `actors.partition.take` does it, in plain sums: whatever it would find must be what the whole log says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.ids import BEGINNING
from domain.ports.event_log import Committed
from domain.purse import CampaignKey, decode
from domain.records import Decided, Lease

Pair = tuple[int, int]
"""Money in minor units, and a number of promises."""
NOTHING: Pair = (0, 0)


@dataclass
class Sums:
    """What a partition's records say of a campaign."""

    leased: Pair = NOTHING
    returned: Pair = NOTHING
    reserved: Pair = NOTHING
    committed: Pair = NOTHING

    @property
    def promised(self) -> Pair:
        """What of its leases is taken."""
        return plus(self.reserved, self.committed)

    @property
    def held(self) -> Pair:
        """What it has of the ledger."""
        return minus(self.leased, self.returned)

    def lease(self, lease: Lease) -> None:
        """Takes what was leased and given back in all."""
        self.leased = most(self.leased, (lease.leased_minor, lease.leased_count))
        self.returned = most(self.returned, (lease.returned_minor, lease.returned_count))


class Batch(NamedTuple):
    """What one `Progress` closed for the first time."""

    offset: int
    decided: Sequence[Decided]
    leases: Sequence[Lease]


@dataclass
class Inheritance:
    """What is kept of one partition, and what its log says since its beginning."""

    payload: bytes = b""
    committed: Committed | None = None
    batches: list[Batch] = field(default_factory=list)

    def found(self) -> dict[CampaignKey, Sums]:
        """Gives what an owner would find who took the partition now."""
        through, tail = (BEGINNING, -1) if self.committed is None else (self.committed.through, self.committed.tail)
        found: dict[CampaignKey, Sums] = {}
        if self.payload:
            purse = decode(self.payload)
            through = max(through, purse.position)
            for key, balance in purse.balances.items():
                found[key] = Sums(*[(amounts.minor, amounts.promises) for amounts in balance])
        for batch in self.batches:
            if batch.offset > tail:
                add(found, [one for one in batch.decided if one.position > through])
                for lease in batch.leases:
                    key = CampaignKey(lease.retailer_id, lease.campaign_id)
                    found.setdefault(key, Sums()).lease(lease)
        return found

    def faults(self, wanted: Mapping[CampaignKey, Sums]) -> list[str]:
        """Compares what would be found with what the whole log says."""
        found = self.found()
        return [
            f"the next owner would find {found.get(key, Sums())} of {key}, and should find {wanted.get(key, Sums())}"
            for key in sorted(found.keys() | wanted.keys())
            if found.get(key, Sums()) != wanted.get(key, Sums())
        ]


def add(sums: dict[CampaignKey, Sums], batch: Sequence[Decided]) -> set[CampaignKey]:
    """Adds what decisions reserved and settled, and gives whose."""
    touched: set[CampaignKey] = set()
    for decided in batch:
        for made in decided.reservations:
            one = _touch(sums, touched, CampaignKey(decided.retailer_id, made.campaign_id))
            one.reserved = plus(one.reserved, (made.cost_minor, 1))
        for end in decided.settlements:
            one = _touch(sums, touched, CampaignKey(decided.retailer_id, end.campaign_id))
            one.reserved = plus(one.reserved, (end.reserved_minor, end.reserved_count))
            one.committed = plus(one.committed, (end.committed_minor, end.committed_count))
    return touched


def plus(one: Pair, other: Pair) -> Pair:
    """Gives the sum."""
    return one[0] + other[0], one[1] + other[1]


def minus(one: Pair, other: Pair) -> Pair:
    """Gives the difference."""
    return one[0] - other[0], one[1] - other[1]


def most(one: Pair, other: Pair) -> Pair:
    """Gives the larger of each."""
    return max(one[0], other[0]), max(one[1], other[1])


def _touch(sums: dict[CampaignKey, Sums], touched: set[CampaignKey], key: CampaignKey) -> Sums:
    touched.add(key)
    return sums.setdefault(key, Sums())
