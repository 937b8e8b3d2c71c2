"""Bugs planted on purpose, each one that somebody could really make: the simulation must find every one of them.

Each function breaks one rule of the running system through pytest's `monkeypatch`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from actors import partition, shopper, tail, timers, worker
from actors.messages import Answer
from domain import fold
from domain.errors import PortError
from domain.ids import Position
from domain.ports.experience_log import Entry
from domain.records import Decided, Failed, Owner, Progress
from gateway import collect, deliver, follow
from gateway.answers import Refusal
from tests.simulation import broker, event_log, experience_log, stores

Plant = Callable[[pytest.MonkeyPatch], None]


def tail_ignores_tokens(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes over what fenced owners said (rule 4)."""

    def take(self: tail.Tail, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry.record, Progress):
                self._close(entry.record)
            elif not isinstance(entry.record, Owner):
                self._open.append(entry.record)

    patch.setattr(tail.Tail, "take", take)


def tail_counts_open_records(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes over records whose closing `Progress` never came (rule 3)."""
    take = tail.Tail.take

    def close_all(self: tail.Tail, entries: Sequence[Entry]) -> None:
        for entry in entries:
            take(self, [entry])
            if isinstance(entry.record, Decided | Failed) and entry.record.position > self.through:
                self.said[entry.record.position] = entry.record
                self.through = max(self.through, entry.record.position)

    patch.setattr(tail.Tail, "take", close_all)


def tail_is_not_read(patch: pytest.MonkeyPatch) -> None:
    """A new owner decides again what was decided and not yet saved (rule 4)."""

    async def nothing(*_: Any) -> tail.Tail:
        return tail.Tail(_[2])

    patch.setattr(partition, "read_tail", nothing)


def adopts_by_deciding(patch: pytest.MonkeyPatch) -> None:
    """A new owner asks the tree of today for decisions of yesterday (rule 4)."""
    process = shopper.Resident.process

    def decide_again(self: shopper.Resident, item: Any, token: int) -> Any:
        answer = process(self, item._replace(adopting=False), token)
        return Answer(armed=answer.armed)

    patch.setattr(
        shopper.Resident,
        "process",
        lambda self, item, token: decide_again(self, item, token) if item.adopting else process(self, item, token),
    )


def seen_ids_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A repeated event counts again (rule 8)."""
    patch.setattr(fold, "_was_seen", lambda *_: False)


def saves_without_confirming(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint saves whatever it has, owner or not (rule 5)."""

    async def confirm(*_: Any) -> int:
        return 0

    patch.setattr(experience_log.SimulatedExperienceLog, "confirm", confirm)


def saves_before_progress(patch: pytest.MonkeyPatch) -> None:
    """A checkpoint takes shoppers whose decisions are not in the log yet (rule 5)."""
    tell = partition.Partition._tell

    async def save_at_once(self: partition.Partition, items: Any) -> Any:
        results = await tell(self, items)
        unsaved = await self.collect()
        await self._stores.snapshots.save(self.number, unsaved.snapshots) if unsaved.snapshots else None
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

    async def never_back(self: partition.Partition, batch: Any) -> Any:
        through = self.through
        results = await process(self, batch)
        self.through = max(through, self.through)
        return results

    patch.setattr(partition.Partition, "__init__", init)
    patch.setattr(partition.Partition, "process", never_back)


def older_snapshots_win(patch: pytest.MonkeyPatch) -> None:
    """A late snapshot replaces a newer one (rule 5)."""

    def keep(self: stores.Shelf, snapshot: Any) -> None:
        self.snapshots[snapshot.key] = snapshot

    patch.setattr(stores.Shelf, "keep_snapshot", keep)


def positions_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    """A record that is in the snapshot already is folded again (rule 5)."""
    apply = fold.apply

    def again(state: Any, record: Any, position: Position) -> Any:
        forgetful = structs.replace(state, position=Position(0, -1), seen=b"")
        return apply(forgetful, record, position)

    patch.setattr(shopper, "apply", again)


def acknowledges_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    """An append is answered when it is written, not when it is durable (rule 1)."""

    async def at_once(_: Any) -> None:
        return

    patch.setattr(broker.Broker, "durable", staticmethod(at_once))


def a_torn_append_is_taken_for_whole(patch: pytest.MonkeyPatch) -> None:
    """An append that fails is not tried again (rule 3)."""

    async def once(self: partition.Partition, what: str, attempt: Any) -> Any:
        try:
            return await attempt()
        except PortError:
            return 0 if what == "append" else {}

    patch.setattr(partition.Partition, "_until_done", once)


def fenced_owners_give_up(patch: pytest.MonkeyPatch) -> None:
    """A worker that was fenced by somebody slow leaves its partition without an owner for ever."""
    poll, take = worker.Worker._poll, worker.Worker._take
    given: set[int] = set()

    async def note(self: worker.Worker) -> Any:
        polled = await poll(self)
        given.clear()
        given.update(polled.taken)
        return polled

    async def take_what_is_given(self: worker.Worker, number: int) -> None:
        if number in given:
            await take(self, number)

    patch.setattr(worker.Worker, "_poll", note)
    patch.setattr(worker.Worker, "_take", take_what_is_given)


def poison_is_swallowed(patch: pytest.MonkeyPatch) -> None:
    """An event that can't be processed leaves no trace (rule 10)."""
    process = shopper.Resident.process

    def swallow(self: shopper.Resident, item: Any, token: int) -> Any:
        answer = process(self, item, token)
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

    async def seek_end(self: event_log.SimulatedEventLog, number: int, _: Position) -> None:
        self._next[number] = self._broker.events[number].end + 1

    patch.setattr(event_log.SimulatedEventLog, "seek", seek_end)


def stale_timers_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A timer that fires while an event is on its way takes that event's timer with it (rule 2)."""
    process = shopper.Resident.process

    def forget(self: shopper.Resident, item: Any, token: int) -> Any:
        answer = process(self, item, token)
        return Answer(repeat=True) if answer.repeat else answer

    patch.setattr(shopper.Resident, "process", forget)


def gateway_ignores_tokens(patch: pytest.MonkeyPatch) -> None:
    """A gateway lets a worker speak that was paused and woke up (rule 4)."""
    take = follow.Follower._take

    def trust(self: follow.Follower, entry: Entry) -> None:
        record = entry.record
        self._partitions[entry.partition].newest = entry.offset if isinstance(record, Owner) else record.token
        take(self, entry)

    patch.setattr(follow.Follower, "_take", trust)


def gateway_does_not_wait_for_progress(patch: pytest.MonkeyPatch) -> None:
    """A gateway shows what no `Progress` has closed (rule 3)."""
    take = follow.Follower._take

    def at_once(self: follow.Follower, entry: Entry) -> None:
        take(self, entry)
        part = self._partitions[entry.partition]
        if part.held and part.held[-1] is entry.record:
            self._deliver(self._recent.add(part.held[-1]))

    patch.setattr(follow.Follower, "_take", at_once)


def gateway_takes_repeats(patch: pytest.MonkeyPatch) -> None:
    """A gateway shows twice what an append that was tried again says twice (rule 3)."""
    patch.setattr(follow.Follower, "_last_taken", lambda *_: Position(0, -1))


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
    patch.setattr(deliver, "_BEHIND_S", 0.0)


def answers_before_the_append(patch: pytest.MonkeyPatch) -> None:
    """A gateway acknowledges what it has only handed on (rule 1)."""
    append = collect.Collect._append

    async def hand_on(self: collect.Collect, records: Any) -> Any:
        async def in_the_background() -> None:
            with contextlib.suppress(Refusal):
                await append(self, records)

        _ = asyncio.get_running_loop().create_task(in_the_background())
        return ()

    patch.setattr(collect.Collect, "_append", hand_on)


PLANTED: tuple[Plant, ...] = (
    stale_timers_are_forgotten,
    gateway_ignores_tokens,
    gateway_does_not_wait_for_progress,
    gateway_takes_repeats,
    resume_forgets_the_position,
    resume_tells_nothing,
    gateways_do_not_wait_for_each_other,
    answers_before_the_append,
    tail_ignores_tokens,
    tail_counts_open_records,
    tail_is_not_read,
    adopts_by_deciding,
    seen_ids_are_forgotten,
    saves_without_confirming,
    saves_before_progress,
    commits_the_newest_tail,
    saves_while_adopting,
    older_snapshots_win,
    positions_are_not_compared,
    acknowledges_before_the_flush,
    a_torn_append_is_taken_for_whole,
    fenced_owners_give_up,
    poison_is_swallowed,
    timers_die_with_their_worker,
    trees_are_never_renewed,
    clean_starts_lose_the_log,
)
