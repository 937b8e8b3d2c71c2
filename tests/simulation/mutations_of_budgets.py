"""Bugs planted in campaigns and budgets, as those of `mutations.py`: the simulation must find every one of them.

One is not here because no run can find it: a ledger that believes an owner who was replaced. Whoever speaks to it has
confirmed that nobody newer was there, and what then comes too late is less than what is known already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest
from msgspec import structs

from actors import campaigns_now, lease_desk, leases, partition, shopper, timers
from actors.messages import Armed
from domain import arbitration, purse, reservations
from domain.events import OrderPaid
from domain.fold import Applied, apply
from domain.ids import Position
from domain.ports.budget_ledger import Ask
from domain.purse import Amounts, CampaignKey
from domain.records import SCHEMA_VERSION, Decided, Failed, Lease, Progress, Record
from domain.shopper import Shopper, decode
from tests.simulation import experience_log

Plant = Callable[[pytest.MonkeyPatch], None]


class Credulous(experience_log.SimulatedExperienceLog):
    """Takes everybody for the owner who asks."""

    def __init__(self, log: object) -> None:
        vars(self).update(vars(log))

    async def confirm(self, partition: int, token: int) -> int:
        """Finds nobody newer."""
        del partition, token
        return 0


def purses_forget_the_tail(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes the purse as it was saved, without what was promised since."""
    patch.setattr(partition, "inherited_purse", _purse_with(lambda position, saved: False))


def purses_count_twice(patch: pytest.MonkeyPatch) -> None:
    """A new owner counts again what the saved purse has counted already."""
    patch.setattr(partition, "inherited_purse", _purse_with(lambda position, saved: True))


def _purse_with(counts: Callable[[Position, Position], bool]) -> Any:
    async def rebuilt(number: int, tail: Any, snapshots: Any) -> purse.Purse:
        key = purse.purse_key(number)
        payload = (await snapshots.load([key])).get(key)
        found = purse.decode(payload) if payload is not None else purse.Purse()
        for position, said in tail.said.items():
            if isinstance(said, Decided) and counts(position, found.position):
                found.take(said)
        found.lease(tail.leases)
        return found

    return rebuilt


def commits_go_past_leases(patch: pytest.MonkeyPatch) -> None:
    """A commit notes the last `Progress`, although a saved purse may lack the leases in it."""

    async def say(
        self: partition.Partition, records: Sequence[Decided | Failed], through: Position, said: tuple[Lease, ...]
    ) -> None:
        progress = Progress(schema_version=SCHEMA_VERSION, token=self.token, through=through, leases=said)
        log = self._stores.experiences
        self._tail = await self._until_done("append", lambda: log.append(self.number, self.token, [*records, progress]))
        self._inherited = ()
        self.desk.said(said)

    patch.setattr(partition.Partition, "_say", say)


def owners_do_not_say_what_they_took_over(patch: pytest.MonkeyPatch) -> None:
    """A new owner keeps to itself which leases it took over, and the next one does not look behind its `Owner`."""
    patch.setattr(purse.Purse, "leases", lambda _: ())


def returns_are_told_before_they_are_said(patch: pytest.MonkeyPatch) -> None:
    """The ledger gets back what the log does not say yet: whoever owns the partition next promises it again."""
    asks = lease_desk.LeaseDesk.asks

    def early(self: lease_desk.LeaseDesk, *given: Any) -> list[Any]:
        asked = {ask.key: ask for ask in asks(self, *given)}
        for lease in self.due:
            key = CampaignKey(lease.retailer_id, lease.campaign_id)
            balance = self._purse.balances[key]
            returned = Amounts(lease.returned_minor, lease.returned_count)
            if returned != balance.returned:
                asked[key] = Ask(key, balance._replace(returned=returned))
        return list(asked.values())

    patch.setattr(lease_desk.LeaseDesk, "asks", early)


def returns_are_told_by_anybody(patch: pytest.MonkeyPatch) -> None:
    """A worker that was paused gives back what only its own word says."""
    made = leases.Leases.__init__

    def init(self: leases.Leases, stores: Any, *others: Any) -> None:
        made(self, stores._replace(experiences=Credulous(stores.experiences)), *others)

    patch.setattr(leases.Leases, "__init__", init)


def leases_count_before_they_are_said(patch: pytest.MonkeyPatch) -> None:
    """What the ledger grants is promised at once: the next owner knows of promises, and of no lease."""
    take = lease_desk.LeaseDesk.take

    def at_once(self: lease_desk.LeaseDesk, asks: Any, answers: Any, now_s: float) -> None:
        take(self, asks, answers, now_s)
        self._purse.lease([answer.lease for answer in answers])
        self._due.clear()

    patch.setattr(lease_desk.LeaseDesk, "take", at_once)


def leases_do_not_end(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at what is left."""
    patch.setattr(arbitration.Arbiter, "_has_left", lambda *_: True)


def settlements_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """A promise takes of the budget whatever becomes of it."""
    take = purse.Purse.take
    patch.setattr(purse.Purse, "take", lambda self, decided: take(self, structs.replace(decided, settlements=())))


def anybody_redeems(patch: pytest.MonkeyPatch) -> None:
    """An order that a page tells of redeems promises, too."""

    def trusting(state: Shopper, record: Record, position: Position) -> Applied:
        applied = apply(state, structs.replace(record, verified=True), position)
        if applied.state.last is None or applied.state.last.event is not record.event:
            return applied
        return applied._replace(state=structs.replace(applied.state, last=record))

    patch.setattr(shopper, "apply", trusting)


def orders_redeem_again(patch: pytest.MonkeyPatch) -> None:
    """An order that is told twice redeems what was promised in between."""
    paid = reservations._paid

    def again(those: Any, orders: tuple[str, ...], event: OrderPaid, at_ms: int) -> reservations.Settled:
        return paid(those, tuple(one for one in orders if one != event.order_id), event, at_ms)

    patch.setattr(reservations, "_paid", again)


def late_orders_redeem(patch: pytest.MonkeyPatch) -> None:
    """A promise is kept as long as it is open, however late the order was paid."""
    redeemable = reservations.redeemable

    def always(those: Sequence[reservations.Reservation], at_ms: int) -> list[reservations.Reservation]:
        return redeemable([structs.replace(one, honoured_until_ms=max(at_ms, 0)) for one in those], at_ms)

    patch.setattr(reservations, "redeemable", always)


def ends_die_with_their_worker(patch: pytest.MonkeyPatch) -> None:
    """A new owner takes over the timers of nodes, and forgets when promises end (rule 2)."""

    async def rearm(self: timers.Timers, number: int) -> None:
        snapshots = self._stores.snapshots
        due = dict(await snapshots.timers(number))
        states = [decode(payload) for payload in (await snapshots.load(list(due))).values()]
        self.arm([Armed(state.key, due[state.key]) for state in states if state.timer is not None])

    patch.setattr(timers.Timers, "rearm", rearm)


def nobody_is_held_out(patch: pytest.MonkeyPatch) -> None:
    """Who should not be shown a campaign is shown it."""
    patch.setattr(arbitration, "is_held_out", lambda *_: False)


def promises_exclude_nobody(patch: pytest.MonkeyPatch) -> None:
    """Of the campaigns of one group a shopper is promised several."""
    made = arbitration.Arbiter.__init__

    def init(self: arbitration.Arbiter, *given: Any) -> None:
        made(self, *given)
        self._groups.clear()

    patch.setattr(arbitration.Arbiter, "__init__", init)


def campaigns_are_never_renewed(patch: pytest.MonkeyPatch) -> None:
    """A worker keeps the campaigns of its first day."""
    current = campaigns_now.CampaignsNow.current

    def first(self: campaigns_now.CampaignsNow) -> Mapping[str, Any]:
        return self._current or current(self)

    patch.setattr(campaigns_now.CampaignsNow, "current", first)


PLANTED: Final[Mapping[Plant, int | None]] = {
    purses_forget_the_tail: 19,
    purses_count_twice: 3,
    commits_go_past_leases: 42,
    owners_do_not_say_what_they_took_over: None,
    returns_are_told_before_they_are_said: 0,
    returns_are_told_by_anybody: 177,
    leases_count_before_they_are_said: 0,
    leases_do_not_end: 1,
    settlements_do_not_count: 0,
    anybody_redeems: 0,
    orders_redeem_again: 14,
    late_orders_redeem: 6,
    ends_die_with_their_worker: 102,
    nobody_is_held_out: 3,
    promises_exclude_nobody: 22,
    campaigns_are_never_renewed: 20,
}
"""Every bug, and a seed whose run finds it."""
