"""Bugs planted on purpose, each one that somebody could really make: `test_budgets` must find every one of them.

Each function breaks one rule of budgets and promises through pytest's `monkeypatch`. One bug is not here because no run
can find it: a ledger that listens to an owner of the past. Owners confirm that their word stands before they speak, so
what an old one says is true, and totals only grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from actors import shopper as actor
from actors.lease_desk import LeaseDesk
from actors.tail import Tail
from domain import decide as decision
from domain import promises, reservations
from domain.arbitration import Arbiter
from domain.decide import Entered, adopt
from domain.events import OrderPaid, OrderStatusChanged, ReservationExpired, StatusLine
from domain.fold import Applied, apply
from domain.ids import BEGINNING, Position
from domain.listening import Heard, Listener
from domain.ports.budget_ledger import Answer, Ask
from domain.ports.experience_log import Entry
from domain.purse import Amounts, Purse, purse_key
from domain.records import Decided, Failed, Progress, Record, Reserved, Settlement
from domain.reservations import Reservation, Settled
from domain.shopper import Shopper
from tests.property.budget_world import Owner, Unsaved


def fold_a_decision_twice(patch: pytest.MonkeyPatch) -> None:
    """Where it is made, and again where it is taken down."""
    take = Purse.take

    def twice(purse: Purse, decided: Decided) -> None:
        take(purse, decided)
        take(purse, decided)

    patch.setattr(Purse, "take", twice)


def forget_the_leases_of_the_tail(patch: pytest.MonkeyPatch) -> None:
    """A new owner learns what was promised since the last checkpoint, and not what was leased and returned."""
    take = Tail.take

    def without_leases(tail: Tail, entries: Sequence[Entry]) -> None:
        take(tail, entries)
        tail.leases = []

    patch.setattr(Tail, "take", without_leases)


def forget_the_promises_of_the_tail(patch: pytest.MonkeyPatch) -> None:
    """And the other way round: the saved purse claims to have them."""
    encode = Purse.encode
    patch.setattr(Purse, "encode", lambda purse, _: encode(purse, Position(9, 0)))


def fold_the_tail_into_a_purse_that_has_it(patch: pytest.MonkeyPatch) -> None:
    """A purse was saved and the commit was not: some of the tail is in it already."""
    encode = Purse.encode
    patch.setattr(Purse, "encode", lambda purse, _: encode(purse, BEGINNING))


def commit_behind_leases_that_the_saved_purse_may_lack(patch: pytest.MonkeyPatch) -> None:
    """Of two purses of one position the store kept the older, and the tail begins after what it lacks."""
    say = Owner._say

    def forward(owner: Owner, *args: Any) -> None:
        say(owner, *args)
        owner._tail = owner._last_progress

    patch.setattr(Owner, "_say", forward)


def take_over_leases_without_saying_them_anew(patch: pytest.MonkeyPatch) -> None:
    """The next commit's tail begins after the words of the owner before."""
    begin = Owner.__init__

    def silent(owner: Owner, *args: Any) -> None:
        begin(owner, *args)
        owner._inherited = ()

    patch.setattr(Owner, "__init__", silent)


def save_shoppers_without_the_purse(patch: pytest.MonkeyPatch) -> None:
    """The commit says that the tail is not needed any more."""
    collect = Owner.collect

    def without_purse(owner: Owner) -> Unsaved | None:
        unsaved = collect(owner)
        if unsaved is None:
            return None
        rows = {key: row for key, row in unsaved.rows.items() if key != purse_key(owner.shelf.number)}
        return unsaved._replace(rows=rows)

    patch.setattr(Owner, "collect", without_purse)


def tell_of_a_return_before_it_stands_in_the_log(patch: pytest.MonkeyPatch) -> None:
    """Others lease what the next owner of this partition believes to have."""
    asks = LeaseDesk.asks

    def hasty(desk: LeaseDesk, *args: Any) -> list[Ask]:
        made = {ask.key: ask for ask in asks(desk, *args)}
        for lease in desk.due:
            for key, balance in desk._purse.balances.items():
                if key.campaign_id == lease.campaign_id:
                    returned = balance.returned.at_least(Amounts(lease.returned_minor, lease.returned_count))
                    ask = made.get(key, Ask(key, balance))
                    made[key] = ask._replace(balance=balance._replace(returned=returned))
        return list(made.values())

    patch.setattr(LeaseDesk, "asks", hasty)


def count_a_lease_before_it_stands_in_the_log(patch: pytest.MonkeyPatch) -> None:
    """What the ledger answers is promised at once."""
    take = LeaseDesk.take

    def hasty(desk: LeaseDesk, asks: Sequence[Ask], answers: Sequence[Answer], now_s: float) -> None:
        take(desk, asks, answers, now_s)
        desk._purse.lease(desk.due)

    patch.setattr(LeaseDesk, "take", hasty)


def hear_owners_of_the_past(patch: pytest.MonkeyPatch) -> None:
    """What a worker says that was paused and woke up counts, in a purse at least."""

    def credulous(listener: Listener, entry: Entry) -> Heard | None:
        record = entry.record
        if isinstance(record, Decided | Failed):
            listener._held.append(record)
        if not isinstance(record, Progress):
            return None
        held, listener._held = tuple(listener._held), []
        listener.through = max(listener.through, record.through)
        return Heard(held, record.through, record.leases)

    patch.setattr(Listener, "hear", credulous)


def save_and_ask_unconfirmed(patch: pytest.MonkeyPatch) -> None:
    """An owner of the past gives back to the ledger what the next one goes on promising."""
    patch.setattr(Owner, "confirm", lambda _: None)


def ask_nobody_for_budget(patch: pytest.MonkeyPatch) -> None:
    """Every promise is affordable."""
    patch.setattr(Arbiter, "_has_left", lambda *_: True)


def settle_what_a_browser_says(patch: pytest.MonkeyPatch) -> None:
    """Anybody can forge it."""

    def trusting(state: Shopper, record: Record, position: Position) -> Applied:
        return apply(state, replace(record, verified=True), position)

    patch.setattr(actor, "apply", trusting)


def redeem_with_an_order_again(patch: pytest.MonkeyPatch) -> None:
    """Told once more under another event id, it pays for what was promised since."""
    paid = reservations._paid

    def forgetful(promises: tuple[Reservation, ...], _: tuple[str, ...], event: OrderPaid, at_ms: int) -> Settled:
        return paid(tuple(one for one in promises if one.order_id != event.order_id), (), event, at_ms)

    patch.setattr(reservations, "_paid", forgetful)


def release_only_what_the_order_cost(patch: pytest.MonkeyPatch) -> None:
    """The rest of the reservation is lost for good."""
    committed = reservations._committed

    def stingy(*args: Any) -> Settlement:
        end = committed(*args)
        return replace(end, reserved_minor=-end.committed_minor)

    patch.setattr(reservations, "_committed", stingy)


def give_back_a_cancelled_order_twice(patch: pytest.MonkeyPatch) -> None:
    """Its promises stay as they were, so that the next status finds them again."""
    came_back = reservations._came_back

    def twice(promises: tuple[Reservation, ...], orders: tuple[str, ...], event: OrderStatusChanged) -> Settled:
        return came_back(promises, orders, event)._replace(reservations=promises)

    patch.setattr(reservations, "_came_back", twice)


def give_back_a_line_twice(patch: pytest.MonkeyPatch) -> None:
    """What of an order came back is not noted."""
    left_of = reservations._left_of

    def twice(those: Sequence[Reservation], returned: Sequence[StatusLine]) -> Mapping[str, Reservation]:
        before = those[0].lines
        return {name: replace(one, lines=before) for name, one in left_of(those, returned).items()}

    patch.setattr(reservations, "_left_of", twice)


def expire_what_an_order_has_redeemed(patch: pytest.MonkeyPatch) -> None:
    """What was reserved is released twice."""
    expired = reservations._expired

    def careless(promises: tuple[Reservation, ...], *args: Any) -> Settled:
        return expired(tuple(replace(one, order_id=None) for one in promises), *args)

    patch.setattr(reservations, "_expired", careless)


def remember_a_timer_that_came_too_early(patch: pytest.MonkeyPatch) -> None:
    """When it comes again in time, it is a repeat."""

    def remembering(state: Shopper, record: Record, position: Position) -> Applied:
        applied = apply(state, record, position)
        if not isinstance(record.event, ReservationExpired):
            return applied
        return applied._replace(state=replace(applied.state, seen=state.seen + record.event.event_id.bytes))

    patch.setattr(actor, "apply", remembering)


def lose_the_promise_of_a_tension_that_is_told_again(patch: pytest.MonkeyPatch) -> None:
    """It goes by an experience that the page has no more, so that its timer ends nothing."""
    patch.setattr(promises, "_renewed", lambda kept, _: kept)


def reserve_for_who_is_held_out(patch: pytest.MonkeyPatch) -> None:
    """Nobody can ever redeem or release it."""
    entered = decision._entered

    def generous(*args: Any) -> Entered:
        found = entered(*args)
        more = tuple(
            Reserved(
                experience_id=one.experience.experience_id, campaign_id=str(one.experience.campaign_id), cost_minor=1
            )
            for one in found.held_out
        )
        return found._replace(reservations=found.reservations + more)

    patch.setattr(decision, "_entered", generous)


def adopt_without_promises(patch: pytest.MonkeyPatch) -> None:
    """A new owner forgets what the one before it promised."""
    patch.setattr(
        actor, "adopt", lambda state, decided: replace(adopt(state, decided), reservations=state.reservations)
    )


def honour_a_promise_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Whenever the order was paid."""
    patch.setattr(
        reservations,
        "redeemable",
        lambda promises, _: sorted((one for one in promises if one.is_open), key=reservations._turn),
    )
