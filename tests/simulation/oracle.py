"""Every decision made once more, one event after the other, without batches, actors, owners or crashes.

The tree that was in force is the one thing that the logs don't say beforehand: it must be one that was pushed, never an
older one than before, and never older than what was visible when the event came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from domain.decide import decide
from domain.errors import HotbasketError
from domain.events import IdleElapsed
from domain.fold import Applied, apply
from domain.ids import Position, ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from domain.records import Decided, Failed, Record
from domain.shopper import Shopper
from domain.tree import Tree
from tests.simulation.broker import Broker
from tests.simulation.expected import Heard
from tests.simulation.markets import Markets
from tests.simulation.shop import IDLE_MIN_S

_NOBODY = -1


class Push(NamedTuple):
    """A tree became visible.

    Attributes:
        owner: whose, or the retailer's default.
        tree: what was pushed.
        ends: offset of the last durable event of each partition at that moment.
    """

    owner: ShopperKey
    tree: StoredTree
    ends: tuple[int, ...]


class Oracle:
    """Replays a partition's events with the trees that were pushed."""

    def __init__(self, number: int, broker: Broker, pushes: list[Push], markets: Markets, heard: Heard) -> None:
        self.faults: list[str] = []
        self.states: dict[ShopperKey, Shopper] = {}
        self._number = number
        self._pushes = pushes
        self._markets = markets
        self._heard = heard
        self._came_s = [stamp.at_s for stamp in broker.events[number].stamps]
        topic = broker.experiences[number]
        self._said_s = {row[0]: stamp.at_s for row, stamp in zip(topic.rows, topic.stamps, strict=True)}
        self._closed = sorted(heard.closed)
        self._newest: dict[int, int] = {}

    def replay(self, records: Mapping[Position, Record]) -> None:
        """Takes the partition's events in order."""
        for position in sorted(records):
            record = records[position]
            if not isinstance(self._heard.records.get(position), Failed):
                self._take(record, position)

    def _take(self, record: Record, position: Position) -> None:
        key = record.key
        before = self.states.get(key) or Shopper(retailer_id=key.retailer_id, shopper=key.shopper)
        said = self._heard.records.get(position)
        applied = apply(before, record, position)
        if applied.repeat:
            self.states[key] = applied.state
            if said is not None:
                self.faults.append(f"{position}: a repeat was decided upon: {said}")
            return
        generation = before.generation if said is None or isinstance(said, Failed) else said.generation
        if isinstance(record.event, IdleElapsed) and before.timer is not None:
            idle_ms = record.event_time_ms - before.clock_ms
            if idle_ms < IDLE_MIN_S * 1_000:  # by the tree of whoever wrote it, who may have known a newer one
                self.faults.append(f"{position}: {before.timer} elapsed after {idle_ms} ms")
        if not (applied.stays or applied.state.is_withdrawn):
            self._check_generation(key, position, before.generation, generation)
        try:
            tree = self._tree(key, generation)
            state, again = self._decide(applied, record, tree, None if isinstance(said, Failed) else said)
        except HotbasketError as error:
            self.faults.append(f"{position}: decided with an unreadable tree of generation {generation}: {error}")
            return
        if again != said:
            self.faults.append(f"{position}: decided otherwise than the tree says:\n    {said}\n    {again}")
        self.states[key] = state

    def _decide(
        self, applied: Applied, record: Record, tree: Tree | None, said: Decided | None
    ) -> tuple[Shopper, Decided | None]:
        """Decides with every version of the campaigns that may have been in force, until it comes to the same."""
        token, now_ms = (said.token, said.processed_at_ms) if said is not None else (_NOBODY, 0)
        position = applied.state.position
        closed = bisect_left(self._closed, position)
        until_s = self._said_s[self._heard.closed[self._closed[closed]]] if closed < len(self._closed) else inf
        outcome: tuple[Shopper, Decided | None] = applied.state, None
        for version in self._markets.between(self._came_s[position.offset], until_s):
            if version < self._newest.get(token, 0):
                continue
            for market in self._markets.of(version, said):
                outcome = decide(applied, record, tree, token, market, now_ms)
                if outcome[1] == said:
                    self._newest[token] = version if said is not None else 0
                    return outcome
        return outcome

    def _tree(self, key: ShopperKey, generation: int) -> Tree | None:
        pushed = {push.owner: push.tree.blob for push in self._pushes if push.tree.generation == generation}
        blob = next((pushed[owner] for owner in _owners(key) if owner in pushed), None)
        return None if blob is None else Tree(blob, generation)

    def _check_generation(self, key: ShopperKey, position: Position, before: int, now: int) -> None:
        own: int | None = None
        default = 0
        for push in self._pushes:
            if position.offset > push.ends[self._number]:
                if push.owner == key:
                    own = push.tree.generation
                elif push.owner in _owners(key):
                    default = push.tree.generation
        newest = default if own is None else own
        if now < before or now < newest:
            self.faults.append(f"{position}: decided in generation {now}, after {before}, when {newest} was visible")


def _owners(key: ShopperKey) -> tuple[ShopperKey, ShopperKey]:
    return key, ShopperKey(key.retailer_id, DEFAULT)
