"""The resident shoppers of one partition, in stripes: one actor system and one region actor each.

Between the partition and its actors. Stripes exist for the pauses: a table of a million actors that grows stops the
process for tens of milliseconds, sixteen smaller ones for a few each. A shopper is always in the same stripe, so the
order of a shopper's events stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from thespian.actors import ActorSystem

from actors.memory import Freezer
from actors.messages import CollectSnapshots, CollectTimers, Item, Loaded, Missing, Passivate, Peek, Process, Results
from actors.region import RegionActor
from domain.arbitration import Market
from domain.ids import Position, ShopperKey
from domain.records import Decided, Failed
from domain.shopper import Shopper

_STRIPES = 16
_PASSIVATED_AT_ONCE = 250


class Passivated(NamedTuple):
    """How many shoppers were put out of memory, by cause."""

    idle: int
    bound: int


class Stripe:
    """A part of a partition's residents, in the order in which they were last touched."""

    def __init__(self) -> None:
        self.system = ActorSystem("simpleSystemBase", logDefs=False, transientUnique=True)
        self.region = self.system.createActor(RegionActor)
        self.touched: dict[ShopperKey, float] = {}

    def tell(self, message: object) -> None:
        """Gives a message to the region; all that follows from it has happened when this returns."""
        self.system.tell(self.region, message)

    def touch(self, key: ShopperKey, now_s: float) -> None:
        """Makes a shopper the most recently touched."""
        self.touched.pop(key, None)
        self.touched[key] = now_s

    def passivate(self, idle_since_s: float, residents_max: int, keep: AbstractSet[ShopperKey]) -> Passivated:
        """Puts out shoppers idle since then, and the longest idle beyond the bound; a bounded number at once."""
        over = len(self.touched) - residents_max
        out: list[ShopperKey] = []
        idle = 0
        for key, touched_s in self.touched.items():
            if (touched_s >= idle_since_s and len(out) >= over) or len(out) >= _PASSIVATED_AT_ONCE:
                break
            if key not in keep:
                out.append(key)
                idle += touched_s < idle_since_s
        if out:
            for key in out:
                del self.touched[key]
            self.tell(Passivate(out))
        return Passivated(idle, len(out) - idle)


class Residents:
    """Every resident shopper of a partition.

    Args:
        partitions: of the event log: the more there are, the smaller is each, and the fewer stripes it needs.
    """

    def __init__(self, partitions: int) -> None:
        self._number = max(1, _STRIPES // partitions)
        self._stripes = [Stripe() for _ in range(self._number)]
        self._freezer = Freezer()

    def __len__(self) -> int:
        """Number of shoppers in memory."""
        return sum(len(stripe.touched) for stripe in self._stripes)

    def touched_at_s(self, key: ShopperKey) -> float | None:
        """Gives the monotonic time of a resident's last event, None for who is not resident."""
        return self._stripe(key).touched.get(key)

    def missing(self, keys: Sequence[ShopperKey], tree_version: int) -> tuple[list[ShopperKey], list[ShopperKey]]:
        """Gives who of the keys is not resident, and whose tree is of another version."""
        absent: list[ShopperKey] = []
        stale: list[ShopperKey] = []
        for stripe, members in self._split(keys):
            stripe.tell(Missing(members, tree_version, absent, stale))
        return absent, stale

    def process(
        self,
        token: int,
        items: Sequence[Item],
        loaded: Mapping[ShopperKey, Loaded],
        tree_version: int,
        now_s: float,
        market: Market | None = None,
        now_ms: int = 0,
    ) -> Results:
        """Tells the regions, and gives what came of it; records in the order of their events.

        What was decided is folded into the market's purse, and says that it was at `now_ms`.

        Raises:
            RuntimeError: an actor failed outside what it catches. Its system only logs that, so it is noticed here:
                going on would lose events.
        """
        split_loaded: dict[int, dict[ShopperKey, Loaded]] = {}
        for key, one in loaded.items():
            split_loaded.setdefault(self._number_of(key.shopper), {})[key] = one
        split: dict[int, list[Item]] = {number: [] for number in split_loaded}
        for item in items:
            split.setdefault(self._number_of(item.record.event.shopper_id), []).append(item)
        results = Results()
        for number, members in split.items():
            stripe = self._stripes[number]
            loads = split_loaded.get(number, {})
            stripe.tell(Process(token, members, loads, tree_version, results, market, now_ms))
            for item in members:
                stripe.touch(item.record.key, now_s)
        if results.processed != len(items):
            raise RuntimeError(f"{len(items) - results.processed} of {len(items)} events were not processed")
        if len(split) > 1:
            results.records.sort(key=_position)
        self._freezer.made(results.actors_made)
        return results

    def snapshots(self, keys: Sequence[ShopperKey]) -> list[Shopper]:
        """Gives the states of those of the shoppers who are resident."""
        results = Results()
        for stripe, members in self._split(keys):
            stripe.tell(CollectSnapshots(members, results))
        return results.snapshots

    def timers(self, keys: Sequence[ShopperKey]) -> dict[ShopperKey, Peek]:
        """Gives the pending timers of those of the shoppers who are resident."""
        results = Results()
        for stripe, members in self._split(keys):
            stripe.tell(CollectTimers(members, results))
        return {peek.key: peek for peek in results.peeked}

    def passivate(self, *, idle_since_s: float, residents_max: int, keep: AbstractSet[ShopperKey]) -> Passivated:
        """Puts saved shoppers out of memory: those idle since then, and the longest idle beyond the bound.

        Args:
            idle_since_s: monotonic.
            residents_max: of the partition; each stripe keeps its share.
            keep: shoppers with changes that are not saved.
        """
        share = max(1, residents_max // self._number)
        done = [stripe.passivate(idle_since_s, share, keep) for stripe in self._stripes if stripe.touched]
        return Passivated(sum(one.idle for one in done), sum(one.bound for one in done))

    def drop(self) -> None:
        """Forgets all residents: the partition is somebody else's, or memory is ahead of the log."""
        # A shutdown would tell every actor to exit; nobody knows them any more, so they just go.
        self._stripes = [Stripe() for _ in range(self._number)]

    def _number_of(self, shopper: str) -> int:
        """Gives the stripe of a shopper, by the first hex digit of the hash behind the bucket."""
        return int(shopper[3], 16) % self._number

    def _stripe(self, key: ShopperKey) -> Stripe:
        return self._stripes[self._number_of(key.shopper)]

    def _split(self, keys: Sequence[ShopperKey]) -> list[tuple[Stripe, list[ShopperKey]]]:
        split: dict[int, list[ShopperKey]] = {}
        for key in keys:
            split.setdefault(self._number_of(key.shopper), []).append(key)
        return [(self._stripes[number], members) for number, members in split.items()]


def _position(record: Decided | Failed) -> Position:
    return record.position
