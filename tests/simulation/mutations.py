"""Bugs planted on purpose, each one that somebody could really make: the simulation must find every one of them.

Each function breaks one rule of the running system through pytest's `monkeypatch`. One bug is not here because no run
can find it: a worker that does not confirm the partitions that a rebalance gave back only loses time, since readers
ignore it and its next checkpoint tells it so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import pytest
from msgspec import structs

from actors import partition, shopper, tail, timers, worker
from actors.messages import Answer, Item
from domain import fold
from domain.errors import Fenced, PortError
from domain.ids import Position
from domain.listening import Heard, Listener
from domain.ports.event_log import Place, Poll
from domain.ports.experience_log import Entry
from domain.records import Decided, Failed, Owner, Record
from domain.shopper import Shopper
from gateway import collect, deliver, follow
from gateway.answers import Refusal
from tests.simulation import broker, event_log, mutations_of_budgets, mutations_of_privacy, stores
from tests.simulation.mutations_of_budgets import Credulous, Plant


class _Trusting(Listener):
    """Lets an owner speak whom a newer one has replaced."""

    def hear(self, entry: Entry) -> Heard | None:
        record, newest = entry.record, self.token
        self.token = min(newest, entry.offset if isinstance(record, Owner) else record.token)
        heard = super().hear(entry)
        self.token = max(newest, self.token)
        return heard


class _Hasty(Listener):
    """Counts a record when it comes, whether its `Progress` follows or not."""

    def hear(self, entry: Entry) -> Heard | None:
        heard = super().hear(entry)
        if heard is not None or not self._held:
            return heard
        held, self._held = tuple(self._held), []
        self.through = held[-1].position
        return Heard(held, self.through)


class _Repeating(Listener):
    """Counts an event as often as it is said."""

    def hear(self, entry: Entry) -> Heard | None:
        record = entry.record
        if isinstance(record, Decided | Failed) and record.token == self.token:
            self._held.append(record)
            return None
        return super().hear(entry)


def tail_ignores_tokens(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes over what fenced owners said (rule 4)."""
    patch.setattr(tail, "Listener", _Trusting)


def tail_counts_open_records(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes over records whose closing `Progress` never came (rule 3)."""
    patch.setattr(tail, "Listener", _Hasty)


def tail_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """A new owner decides again what was decided and not yet saved (rule 4)."""

    async def nothing(*_: Any) -> tail.Tail:
        return tail.Tail(_[2])

    patch.setattr(partition, "read_tail", nothing)


def adopts_by_deciding(patch: pytest.MonkeyPatch) -> None:
    """A new owner asks the tree of today for decisions of yesterday (rule 4)."""
    process = shopper.Resident.process

    def decide_again(self: shopper.Resident, item: Item, *given: Any) -> Answer:
        answer = process(self, item._replace(adopting=False), *given)
        return structs.replace(answer, record=None) if item.adopting else answer

    patch.setattr(shopper.Resident, "process", decide_again)


def seen_ids_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A repeated event counts again (rule 8)."""
    patch.setattr(fold, "was_seen", lambda *_: False)


def saves_without_confirming(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint saves whatever it has, owner or not (rule 5)."""
    made = partition.Partition.__init__

    def init(self: partition.Partition, *given: Any) -> None:
        stores = given[-1]._replace(experiences=Credulous(given[-1].experiences))
        changed = (*given[:-1], stores)
        made(self, *changed)

    patch.setattr(partition.Partition, "__init__", init)


def saves_before_progress(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint takes shoppers whose decisions are not in the log yet (rule 5)."""
    tell = partition.Partition._tell

    async def save_at_once(self: partition.Partition, *given: Any) -> Any:
        results = await tell(self, *given)
        saving = self._saving
        unsaved = await self.collect()
        self._saving, self._dirty, self._failures = saving, self._saving | self._dirty, list(unsaved.failures)
        with contextlib.suppress(PortError):
            await self._stores.snapshots.save(self.number, unsaved.snapshots)
        return results

    patch.setattr(partition.Partition, "_tell", save_at_once)


def commits_the_newest_tail(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint notes the tail of a later batch than the one it saved (rule 5)."""
    save = partition.Partition.save

    async def late(self: partition.Partition, unsaved: Any, as_event: Any) -> None:
        await asyncio.sleep(0.02)
        await save(self, unsaved._replace(tail=self._tail), as_event)

    patch.setattr(partition.Partition, "save", late)


def saves_while_adopting(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint says that the whole tail is saved, before the shoppers have seen it (rule 5)."""
    made, process = partition.Partition.__init__, partition.Partition.process

    def init(self: partition.Partition, *given: Any) -> None:
        made(self, *given)
        self.through = self._adopting_through

    async def never_back(self: partition.Partition, *given: Any) -> Any:
        through = self.through
        results = await process(self, *given)
        self.through = max(through, self.through)
        return results

    patch.setattr(partition.Partition, "__init__", init)
    patch.setattr(partition.Partition, "process", never_back)


def older_snapshots_win(patch: pytest.MonkeyPatch) -> None:
    """A late snapshot replaces a newer one (rule 5)."""
    keep_newer = stores.Shelf.keep_snapshot

    def keep(self: stores.Shelf, snapshot: Any) -> None:
        self.snapshots.pop(snapshot.key, None)
        keep_newer(self, snapshot)

    patch.setattr(stores.Shelf, "keep_snapshot", keep)


def positions_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    """A record that is in the snapshot already is folded again (rule 5)."""
    apply = fold.apply

    def again(state: Shopper, record: Record, position: Position) -> fold.Applied:
        if position <= state.position:
            others = state.seen.replace(record.event.event_id.bytes, b"")
            state = structs.replace(state, position=Position(0, -1), seen=others)
        return apply(state, record, position)

    patch.setattr(shopper, "apply", again)


def acknowledges_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    """An append is answered when it is written, not when it is durable (rule 1)."""

    async def at_once(_: Any) -> None:
        return

    patch.setattr(broker.Broker, "durable", staticmethod(at_once))


def a_torn_append_is_taken_for_whole(patch: pytest.MonkeyPatch) -> None:
    """An append that fails is not tried again (rule 3)."""
    until_done = partition.Partition._until_done

    async def once(self: partition.Partition, what: str, attempt: Any) -> Any:
        if what != "append":
            return await until_done(self, what, attempt)
        try:
            return await attempt()
        except Fenced:
            raise
        except PortError:
            return self._tail

    patch.setattr(partition.Partition, "_until_done", once)


def fenced_owners_give_up(patch: pytest.MonkeyPatch) -> None:
    """A worker that was fenced by somebody slow leaves its partition without an owner for ever."""
    poll, take = worker.Worker._poll, worker.Worker._take
    given: WeakKeyDictionary[worker.Worker, Sequence[int]] = WeakKeyDictionary()

    async def note(self: worker.Worker) -> Poll:
        polled = await poll(self)
        given[self] = polled.taken
        return polled

    async def take_what_is_given(self: worker.Worker, number: int) -> None:
        if number in given[self]:
            await take(self, number)

    patch.setattr(worker.Worker, "_poll", note)
    patch.setattr(worker.Worker, "_take", take_what_is_given)


def poison_is_swallowed(patch: pytest.MonkeyPatch) -> None:
    """An event that can't be processed leaves no trace (rule 10)."""
    process = shopper.Resident.process

    def swallow(self: shopper.Resident, *given: Any) -> Any:
        answer = process(self, *given)
        return shopper.NOTHING if isinstance(answer.record, Failed) else answer

    patch.setattr(shopper.Resident, "process", swallow)


def timers_die_with_their_worker(patch: pytest.MonkeyPatch) -> None:
    """A new owner does not take over pending timers (rule 2)."""

    async def forget(*_: Any) -> None:
        return

    patch.setattr(timers.Timers, "rearm", forget)


def trees_are_never_renewed(patch: pytest.MonkeyPatch) -> None:
    """A resident shopper keeps the tree of the first day."""
    patch.setattr(stores.SimulatedTrees, "version", lambda _: 0)


def clean_starts_lose_the_log(patch: pytest.MonkeyPatch) -> None:
    """A new owner starts at the end of the log in place of the last commit."""
    seek = event_log.SimulatedEventLog.seek

    async def seek_end(self: event_log.SimulatedEventLog, number: int, _: Position) -> None:
        await seek(self, number, Position(event_log.EPOCH, self._broker.events[number].end))

    patch.setattr(event_log.SimulatedEventLog, "seek", seek_end)


def stale_timers_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A timer that fires while an event is on its way takes that event's timer with it (rule 2)."""
    process = shopper.Resident.process

    def forget(self: shopper.Resident, *given: Any) -> Any:
        answer = process(self, *given)
        return Answer(repeat=True) if answer.repeat else answer

    patch.setattr(shopper.Resident, "process", forget)


def gateway_ignores_tokens(patch: pytest.MonkeyPatch) -> None:
    """A gateway lets a worker speak that was paused and woke up (rule 4)."""
    patch.setattr(follow, "Listener", _Trusting)


def gateway_does_not_wait_for_progress(patch: pytest.MonkeyPatch) -> None:
    """A gateway shows what no `Progress` has closed (rule 3)."""
    patch.setattr(follow, "Listener", _Hasty)


def gateway_takes_repeats(patch: pytest.MonkeyPatch) -> None:
    """A gateway shows twice what an append that was tried again says twice (rule 3)."""
    patch.setattr(follow, "Listener", _Repeating)


def resume_forgets_the_position(patch: pytest.MonkeyPatch) -> None:
    """A page that comes back is told everything again."""

    async def nowhere(*_: Any) -> None:
        return

    patch.setattr(deliver.Deliver, "_position", nowhere)


def resume_tells_nothing(patch: pytest.MonkeyPatch) -> None:
    """A page that comes back hears only of what comes."""
    patch.setattr(deliver, "catch_up", lambda _state, _page, waiting, _after, _now_ms: list(waiting))


def gateways_do_not_wait_for_each_other(patch: pytest.MonkeyPatch) -> None:
    """A gateway that is behind takes the position that another one gave for one of another log."""

    async def always(*_: Any) -> bool:
        return True

    patch.setattr(deliver, "_BEHIND_S", 0.0)
    patch.setattr(follow.Follower, "is_current", always)


def answers_before_the_append(patch: pytest.MonkeyPatch) -> None:
    """A gateway acknowledges what it has only handed on (rule 1)."""
    append = collect.Collect._append
    handed_on: set[asyncio.Task[None]] = set()

    async def hand_on(self: collect.Collect, records: Sequence[Record]) -> Sequence[Place]:
        async def in_the_background() -> None:
            with contextlib.suppress(Refusal):
                await append(self, records)

        task = asyncio.get_running_loop().create_task(in_the_background())
        handed_on.add(task)
        task.add_done_callback(handed_on.discard)
        return ()

    patch.setattr(collect.Collect, "_append", hand_on)


PLANTED: Final[Mapping[Plant, int | None]] = {
    stale_timers_are_forgotten: 323,
    gateway_ignores_tokens: 290,
    gateway_does_not_wait_for_progress: None,
    gateway_takes_repeats: 8,
    resume_forgets_the_position: 0,
    resume_tells_nothing: 0,
    gateways_do_not_wait_for_each_other: 269,
    answers_before_the_append: 0,
    tail_ignores_tokens: 73,
    tail_counts_open_records: None,
    tail_is_not_read: 1,
    adopts_by_deciding: 3,
    seen_ids_are_forgotten: 0,
    saves_without_confirming: 46,
    saves_before_progress: 0,
    commits_the_newest_tail: 2,
    saves_while_adopting: 44,
    older_snapshots_win: 2,
    positions_are_not_compared: 3,
    acknowledges_before_the_flush: 28,
    a_torn_append_is_taken_for_whole: 12,
    fenced_owners_give_up: 11,
    poison_is_swallowed: 0,
    timers_die_with_their_worker: 5,
    trees_are_never_renewed: 0,
    clean_starts_lose_the_log: 0,
    **mutations_of_budgets.PLANTED,
    **mutations_of_privacy.PLANTED,
}
"""Every bug, and a seed whose run finds it; None where only about one run in a thousand does: `--planted --runs 2000`
looks for these too."""
