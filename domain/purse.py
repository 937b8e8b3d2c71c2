"""The purse: what one partition of the event log may promise for each campaign, and what it has promised.

A partition's owner folds it from its own records: leases stand in `Progress`, reservations and their ends in `Decided`.
Invariant: reserved + committed <= leased - returned, for money and for count; the ledger sees to it that the leases of
all partitions stay within the budget. A prize's stock is leased on demand: there, what is reserved beyond the lease are
plays that wait for it, and committed <= leased holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from domain.ids import BEGINNING, Position, ShopperKey, is_stock_id, stock_id
from domain.records import Decided, Lease


class CampaignKey(NamedTuple):
    """One campaign of one retailer."""

    retailer_id: str
    campaign_id: str


class Amounts(NamedTuple):
    """Money in minor units, and a number of promises."""

    minor: int = 0
    promises: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """Gives the sum."""
        return Amounts(self.minor + other.minor, self.promises + other.promises)

    def minus(self, other: Amounts) -> Amounts:
        """Gives the difference."""
        return Amounts(self.minor - other.minor, self.promises - other.promises)

    def at_least(self, other: Amounts) -> Amounts:
        """Gives the larger of each."""
        return Amounts(max(self.minor, other.minor), max(self.promises, other.promises))


class Balance(NamedTuple):
    """One campaign's part of a purse.

    Attributes:
        leased: by the ledger, since the campaign began.
        returned: of that, to the ledger.
        reserved: promised and still open.
        committed: redeemed by verified orders, less what was cancelled or returned.
    """

    leased: Amounts = Amounts()
    returned: Amounts = Amounts()
    reserved: Amounts = Amounts()
    committed: Amounts = Amounts()

    @property
    def left(self) -> Amounts:
        """What may still be promised."""
        return self.leased.minus(self.returned).minus(self.reserved).minus(self.committed)


class _Kept(Struct, frozen=True, array_like=True):
    """A purse at rest."""

    schema_version: int
    position: Position
    balances: list[tuple[CampaignKey, Balance]]
    spent: list[CampaignKey] = []


_NOTHING = Balance()
_VERSION = 1
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class Purse:
    """What a partition may promise.

    Attributes:
        position: every record about an event at or below it was folded when the purse was saved.
    """

    def __init__(
        self,
        position: Position = BEGINNING,
        balances: Mapping[CampaignKey, Balance] | None = None,
        spent: Iterable[CampaignKey] = (),
    ) -> None:
        self.position = position
        self._balances: dict[CampaignKey, Balance] = dict(balances or {})
        self._spent = set(spent)
        self._stocks = {key for key in self._balances if is_stock_id(key.campaign_id)}

    @property
    def balances(self) -> Mapping[CampaignKey, Balance]:
        """Every campaign's part, as of now."""
        return self._balances

    def left(self, key: CampaignKey) -> Amounts:
        """Gives what may still be promised for a campaign."""
        return self._balances.get(key, _NOTHING).left

    def has(self, key: CampaignKey, minor: int, promises: int) -> bool:
        """Tells whether so much may still be promised for a campaign; with 0 promises only the money is asked."""
        balance = self._balances.get(key)
        if balance is None:
            return minor <= 0 and promises <= 0
        leased, returned, reserved, committed = balance
        if leased.minor - returned.minor - reserved.minor - committed.minor < minor:
            return False
        return not promises or leased[1] - returned[1] - reserved[1] - committed[1] >= promises

    def short(self) -> Iterator[tuple[CampaignKey, int]]:
        """Gives the stocks of prizes that are not leased to the last, and for which more plays wait than are leased."""
        for key in sorted(self._stocks - self._spent):
            missing = -self.left(key).promises
            if missing > 0:
                yield key, missing

    def is_spent(self, key: CampaignKey) -> bool:
        """Tells whether a prize's stock is leased to the last, for good."""
        return key in self._spent

    def take(self, decided: Decided) -> None:
        """Folds what was decided: reservations made, kept, and released. Each record once: see `position`."""
        for made in decided.reservations:
            self._add(CampaignKey(decided.retailer_id, made.campaign_id), reserved=Amounts(made.cost_minor, 1))
        for end in decided.settlements:
            key = CampaignKey(decided.retailer_id, end.campaign_id)
            self._add(
                key,
                reserved=Amounts(end.reserved_minor, end.reserved_count),
                committed=Amounts(end.committed_minor, end.committed_count),
            )
        for play in decided.plays:
            if play.wanted is not None and (play.waiting or play.taken):
                key = CampaignKey(decided.retailer_id, stock_id(play.campaign_id, play.wanted))
                self._stocks.add(key)
                self._add(key, reserved=Amounts(0, play.waiting), committed=Amounts(0, play.taken))

    def lease(self, leases: Iterable[Lease]) -> None:
        """Folds what the ledger has leased in all and got back in all: said twice is said once."""
        for lease in leases:
            key = CampaignKey(lease.retailer_id, lease.campaign_id)
            before = self._balances.get(key, _NOTHING)
            self._balances[key] = before._replace(
                leased=before.leased.at_least(Amounts(lease.leased_minor, lease.leased_count)),
                returned=before.returned.at_least(Amounts(lease.returned_minor, lease.returned_count)),
            )
            if lease.is_spent:
                self._spent.add(key)

    def leases(self) -> tuple[Lease, ...]:
        """Gives every lease as it stands, to be said anew."""
        return tuple(
            Lease(
                retailer_id=key.retailer_id,
                campaign_id=key.campaign_id,
                leased_minor=leased.minor,
                leased_count=leased.promises,
                returned_minor=returned.minor,
                returned_count=returned.promises,
                is_spent=key in self._spent,
            )
            for key, (leased, returned, _, _) in self._balances.items()
        )

    def encode(self, through: Position) -> bytes:
        """Gives the purse at rest, as of a position of which everything is folded."""
        return _encoder.encode(_Kept(_VERSION, through, sorted(self._balances.items()), sorted(self._spent)))

    def _add(
        self, key: CampaignKey, reserved: Amounts = _NOTHING.reserved, committed: Amounts = _NOTHING.committed
    ) -> None:
        before = self._balances.get(key, _NOTHING)
        self._balances[key] = before._replace(
            reserved=before.reserved.plus(reserved), committed=before.committed.plus(committed)
        )


def decode(payload: bytes | memoryview) -> Purse:
    """Reads a purse.

    Raises:
        msgspec.MsgspecError: the bytes are no purse of a version that this process knows.
    """
    kept = _decoder.decode(payload)
    if kept.schema_version > _VERSION:
        raise msgspec.ValidationError(f"purse version {kept.schema_version} is newer than {_VERSION}, upgrade")
    return Purse(kept.position, dict(kept.balances), kept.spent)


def purse_key(partition: int) -> ShopperKey:
    """Gives the key of a partition's purse among its shoppers' snapshots: nobody's hash, in the partition's bucket."""
    return ShopperKey("-", f"{partition:03x}-purse")
