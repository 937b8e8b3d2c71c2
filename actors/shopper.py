"""The shopper actor: holds one shopper's state and tree, receives events, answers with what they led to."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import msgspec
from thespian.actors import Actor

from actors.messages import Activate, Answer, Armed, Deliver, Forget, Item, Loaded, Show, Shown, TakeTree
from domain.arbitration import Market
from domain.decide import adopt, decide
from domain.events import (
    ConsentWithdrawn,
    DrawRetried,
    InsideEvent,
    ReservationExpired,
    ShopperErased,
    ShopperSuppressed,
    ShopperUnsuppressed,
)
from domain.fates import Fated, fates
from domain.fold import apply, passed_over
from domain.ids import ShopperKey
from domain.ports.tree_store import StoredTree
from domain.records import SCHEMA_VERSION, Failed, encode
from domain.shopper import Shopper, decode
from domain.tree import Tree

_NEED_NO_TREE = (
    ReservationExpired,
    DrawRetried,
    ConsentWithdrawn,
    ShopperSuppressed,
    ShopperErased,
    ShopperUnsuppressed,
)
"""What moves nobody: promises, consent and suppression end, and draws go on, whatever is wrong with a tree."""
NOTHING = Answer()
_REPEAT = Answer(repeat=True)


class ShopperActor(Actor):  # type: ignore[misc]  # thespian is untyped
    """One resident shopper; reused for another after `Forget`, since exits leave traces in the actor system."""

    def __init__(self) -> None:
        super().__init__()
        self._resident: Resident | None = None

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - thespian's name; its messages are untyped
        """Dispatches one message of the region; answers only where there is something to tell."""
        resident = self._resident
        if type(message) is Deliver:
            if resident is not None:
                answer = resident.process(message.item, message.token, message.market, message.now_ms)
                message.results.processed += 1
                if answer is not NOTHING:
                    self.send(sender, answer)
        elif type(message) is Activate:
            self._resident = resident = Resident(message.key, message.loaded)
            due_at_ms = resident.state.due_at_ms if resident.state is not None else None
            if due_at_ms is not None:
                # An owner before may have saved it after this one had read which timers to take over.
                self.send(sender, Answer(armed=Armed(message.key, due_at_ms)))
        elif type(message) is TakeTree:
            if resident is not None:
                resident.take_tree(message.tree)
        elif type(message) is Show:
            if resident is not None:
                self.send(sender, Shown(resident.key, resident.state, message.timer_only))
        elif type(message) is Forget:
            self._resident = None


# The actor system asks for it twice each time it makes one; working it out anew takes ten times what making one does.
ShopperActor.__init__.__signature__ = inspect.Signature()  # type: ignore[attr-defined]  # a function takes attributes


class Resident:
    """What a shopper actor holds: the state, the tree, or why neither could be read."""

    __slots__ = ("_fault", "_tree_fault", "key", "state", "tree")

    def __init__(self, key: ShopperKey, loaded: Loaded) -> None:
        self.key = key
        self._fault = ""
        self._tree_fault = ""
        self.tree: Tree | None = None
        self.state: Shopper | None = None
        try:
            if loaded.snapshot is None:
                self.state = Shopper(retailer_id=key.retailer_id, shopper=key.shopper)
            else:
                self.state = decode(loaded.snapshot)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            # Starting anew would silently lose the basket: every event fails until somebody looks.
            self._fault = f"snapshot_unreadable: {error}"
        self.take_tree(loaded.tree)

    def take_tree(self, tree: StoredTree | None) -> None:
        """Puts a tree in force from the next event on."""
        self._tree_fault = ""
        try:
            self.tree = Tree(tree.blob, tree.generation) if tree is not None else None
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the bytes, it must not harm the shopper's neighbours
            self._tree_fault = _where(error)

    def process(self, item: Item, token: int, market: Market | None = None, now_ms: int = 0) -> Answer:
        """Applies one event and decides, or adopts what was decided; a poison event changes nothing.

        Returns:
            `NOTHING` where there is nothing to tell.
        """
        state = self.state
        if state is None and isinstance(item.record.event, ShopperErased):
            # A snapshot that nobody can read is forgotten like any other.
            state = Shopper(retailer_id=self.key.retailer_id, shopper=self.key.shopper)
        if state is None:
            reason, _, detail = self._fault.partition(": ")
            return Answer(record=failed(item, token, reason, detail, "$.snapshot"))
        needs_tree = not (item.adopting or isinstance(item.record.event, _NEED_NO_TREE))
        if self._tree_fault and needs_tree and not passed_over(state, item.record):
            return Answer(record=failed(item, token, "tree_unreadable", self._tree_fault, "$.tree"))
        try:
            applied = apply(state, item.record, item.position)
            if applied.repeat:
                self.state = applied.state
                if isinstance(item.record.event, InsideEvent) and (due_at_ms := applied.state.due_at_ms) is not None:
                    # It fired while another event was on its way, whose timer nobody has taken down yet.
                    return Answer(armed=Armed(self.key, due_at_ms), repeat=True)
                return Answer(repeat=True, faults=applied.faults) if applied.faults else _REPEAT
            decided = item.decided
            fated: tuple[Fated, ...] = ()
            if not item.adopting:
                self.state, decided = decide(applied, item.record, self.tree, token, market, now_ms)
                fated = fates(state, item.record, decided)
                if decided is not None and market is not None:
                    market.purse.take(decided)
            else:
                self.state = applied.state if decided is None else adopt(applied.state, decided)
        except Exception as error:  # noqa: BLE001 - a poison event never stops a partition: it becomes a failed event
            self.state = state
            return Answer(record=failed(item, token, "not_processed", _where(error), "$.event"))
        if decided is None and not (applied.faults or applied.stays or fated):
            return NOTHING
        due_at_ms = self.state.due_at_ms
        armed = Armed(self.key, due_at_ms) if due_at_ms is not None else None
        return Answer(record=None if item.adopting else decided, armed=armed, faults=applied.faults, fates=fated)


def failed(item: Item, token: int, reason: str, detail: str, path: str) -> Failed:
    """Gives the record of an event that could not be processed."""
    record = item.record
    return Failed(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=item.position,
        retailer_id=record.retailer_id,
        shopper=record.event.shopper_id,
        event_id=str(record.event.event_id),
        reason=reason,
        detail=detail,
        path=path,
        payload=encode(record),
        failed_at_ms=record.received_at_ms,
    )


def _where(error: Exception) -> str:
    """Gives type and place of an error: its message could hold a part of the payload."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})"
