"""The region actor: the resident shoppers of one partition; between the worker and the shopper actors."""

from __future__ import annotations

from typing import Any

from thespian.actors import Actor, ActorAddress

from actors.messages import (
    Activate,
    Answer,
    CollectSnapshots,
    CollectTimers,
    Deliver,
    Forget,
    Missing,
    Passivate,
    Process,
    Results,
    Show,
    Shown,
    TakeTree,
    peek_at,
)
from actors.shopper import ShopperActor
from domain.events import ShopperErased
from domain.ids import ShopperKey

_FORGET = Forget()
_SHOW_STATE = Show(timer_only=False)
_SHOW_TIMER = Show(timer_only=True)
_NO_TREE = -1
"""No version of the trees: the next event asks for one."""


class RegionActor(Actor):  # type: ignore[misc]  # thespian is untyped
    """Knows which shoppers are resident; actors of shoppers put out of memory are kept and used again."""

    def __init__(self) -> None:
        super().__init__()
        self._residents: dict[ShopperKey, ActorAddress] = {}
        self._tree_versions: dict[ShopperKey, int] = {}
        self._idle_actors: list[ActorAddress] = []
        self._results = Results()

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - thespian's name; its messages are untyped
        """Dispatches one message of the worker or of a shopper."""
        kind = type(message)
        if kind is Answer:
            self._collect(message)
        elif kind is Process:
            self._process(message)
        elif kind is Missing:
            self._find_missing(message)
        elif kind is Shown:
            self._show(message)
        elif kind is CollectSnapshots:
            self._ask(message.keys, message.results, _SHOW_STATE)
        elif kind is CollectTimers:
            self._ask(message.keys, message.results, _SHOW_TIMER)
        elif kind is Passivate:
            for key in message.keys:
                address = self._residents.pop(key)
                del self._tree_versions[key]
                self.send(address, _FORGET)
                self._idle_actors.append(address)

    def _process(self, batch: Process) -> None:
        """Brings in who was loaded and delivers the events; answers are collected before the worker's `tell` ends."""
        self._results = batch.results
        for key, loaded in batch.loaded.items():
            address = self._residents.get(key)
            if address is None:
                if self._idle_actors:
                    address = self._idle_actors.pop()
                else:
                    address = self.createActor(ShopperActor)
                    batch.results.actors_made += 1
                self._residents[key] = address
                self.send(address, Activate(key, loaded))
            else:
                self.send(address, TakeTree(loaded.tree))
            self._tree_versions[key] = batch.tree_version
        residents, token, results, market = self._residents, batch.token, batch.results, batch.market
        now_ms = batch.now_ms
        erased: set[ShopperKey] = set()
        for item in batch.items:
            self.send(residents[item.record.key], Deliver(token, item, results, market, now_ms))
            if isinstance(item.record.event, ShopperErased):
                erased.add(item.record.key)
        # Behind the batch: trees are asked for before one, and what stands in this one still has to meet some tree.
        for key in erased:
            self._forget_tree(key)

    def _forget_tree(self, key: ShopperKey) -> None:
        """Puts an erased shopper's own tree out of memory: whoever comes back has the one that is stored then."""
        self.send(self._residents[key], TakeTree(None))
        self._tree_versions[key] = _NO_TREE

    def _find_missing(self, question: Missing) -> None:
        """Sorts the keys that need a prefetch."""
        for key in question.keys:
            version = self._tree_versions.get(key)
            if version is None:
                question.absent.append(key)
            elif version != question.tree_version:
                question.stale.append(key)

    def _ask(self, keys: Any, results: Results, question: Show) -> None:
        """Asks resident shoppers for their state."""
        self._results = results
        for key in keys:
            address = self._residents.get(key)
            if address is not None:
                self.send(address, question)

    def _collect(self, answer: Answer) -> None:
        """Takes down what an event led to."""
        results = self._results
        if answer.record is not None:
            results.records.append(answer.record)
        if answer.armed is not None:
            results.armed.append(answer.armed)
        if answer.faults:
            results.faults.extend(answer.faults)
        if answer.fates:
            results.fates.extend(answer.fates)
        results.repeats += answer.repeat

    def _show(self, shown: Shown) -> None:
        """Takes down a shopper's state or timer."""
        state = shown.state
        if state is None:
            return
        if shown.timer_only:
            self._results.peeked.append(peek_at(shown.key, state))
        else:
            self._results.snapshots.append(state)
