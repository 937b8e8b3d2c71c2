"""The lease desk: what a partition asks of the ledger, what it tells, and what it gives back."""

from __future__ import annotations

from typing import Any

from actors.lease_desk import ASKS_MAX, IDLE_S, SPENT_S, TELL_S, LeaseDesk
from domain.campaigns import Budget, Campaign, Range
from domain.campaigns_in_force import InForce
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, Purse
from domain.records import Lease, Reserved, Settlement
from domain.timestamps import from_unix_ms
from tests.market import NOTHING, campaign, decided, in_force, key, lease
from tests.story import NOON_MS, RETAILER

SPRING = key("spring")
MONEY = campaign("spring", amount_minor=Range(usual=100), budget=Budget(money_minor=10**6))
BOTH = campaign("spring", amount_minor=Range(usual=100), budget=Budget(money_minor=10**6, count=50))
COUNT = campaign("spring", kind="recommendation", budget=Budget(count=50))


class Desk:
    """A partition's desk with its purse: what is due is said at once, unless a test waits.

    Attributes:
        now_s: its clock.
    """

    def __init__(self, *campaigns: Campaign) -> None:
        self.purse = Purse()
        self.now_s = 0.0
        self.desk = LeaseDesk(self.purse, self.now_s)
        self.in_force: dict[str, InForce] = {}
        self.offset = 0
        self.run(*campaigns)

    def run(self, *campaigns: Campaign) -> None:
        """Puts other campaigns in force."""
        self.in_force = {RETAILER: in_force(*campaigns)}

    def asks(self, after_s: float = 0.2, now_ms: int = NOON_MS) -> list[Ask]:
        """What it says to the ledger some seconds later."""
        self.now_s += after_s
        return self.desk.asks(self.in_force, self.now_s, now_ms)

    def ask(self, after_s: float = 0.2) -> Ask | None:
        """What it says of the only campaign."""
        found = self.asks(after_s)
        assert len(found) < 2
        return found[0] if found else None

    def answer(self, ask: Ask, leased: Amounts, returned: Amounts = NOTHING, *, is_spent: bool = False) -> None:
        """The ledger's answer, said in the log."""
        self.desk.take([ask], [Answer(lease(ask.key.campaign_id, leased, returned), is_spent)], self.now_s)
        self.say()

    def say(self) -> tuple[Lease, ...]:
        """What is due is folded into the purse, and stands in the log."""
        due = self.desk.due
        self.purse.lease(due)
        self.desk.said(due)
        return due

    def lease(self, leased: Amounts) -> None:
        """The first ask is answered, and the ledger has heard so."""
        ask = self.ask()
        assert ask is not None
        self.answer(ask, leased)
        told = self.ask(TELL_S)
        assert told == Ask(SPRING, self.purse.balances[SPRING])
        self.answer(told, leased)

    def promise(self, cost_minor: int, times: int = 1) -> None:
        """Promises are made."""
        self.offset += 1
        made = tuple(Reserved(experience_id="x", campaign_id="spring", cost_minor=cost_minor) for _ in range(times))
        self.purse.take(decided(self.offset, reservations=made))

    def settle(self, **fields: Any) -> None:
        """A promise ends."""
        self.offset += 1
        end = Settlement(experience_id="x", campaign_id="spring", cause="order", **fields)
        self.purse.take(decided(self.offset, settlements=(end,)))


def test_a_campaign_without_a_lease_is_asked_for() -> None:
    """As much as one promise may cost; what nobody limits is not asked for, and what costs nothing not at all."""
    assert Ask(SPRING, Balance(), Amounts(100, 0)) == Desk(MONEY).ask()
    assert Ask(SPRING, Balance(), Amounts(100, 1)) == Desk(BOTH).ask()
    assert Ask(SPRING, Balance(), Amounts(0, 1)) == Desk(COUNT).ask()
    assert Desk(campaign("free", kind="recommendation")).ask() is None


def test_a_lease_counts_once_it_stands_in_the_log() -> None:
    """Until then it is due, and nothing else is asked for the campaign."""
    desk = Desk(MONEY)
    ask = desk.ask()
    assert ask is not None
    desk.desk.take([ask], [Answer(lease("spring", Amounts(500)), False)], desk.now_s)
    assert (NOTHING, None) == (desk.purse.left(SPRING), desk.ask())
    assert (lease("spring", Amounts(500)),) == desk.say()
    assert Amounts(500) == desk.purse.left(SPRING)
    assert () == desk.say()


def test_what_was_replaced_meanwhile_stays_due() -> None:
    """The log has the old word: the new one is still to be said."""
    desk = Desk(MONEY)
    ask = desk.ask()
    assert ask is not None
    desk.desk.take([ask], [Answer(lease("spring", Amounts(500)), False)], desk.now_s)
    being_said = desk.desk.due
    desk.purse.lease(being_said)
    desk.desk.take([ask], [Answer(lease("spring", Amounts(800)), False)], desk.now_s)
    desk.desk.said(being_said)
    assert (lease("spring", Amounts(800)),) == desk.desk.due


def test_it_asks_again_when_less_is_left_than_two_promises() -> None:
    """In money or in promises, for the one that is short alone."""
    desk = Desk(BOTH)
    desk.lease(Amounts(1_000, 8))
    desk.promise(100, 6)
    assert desk.ask() is None
    desk.promise(50)
    ask = desk.ask()
    assert ask is not None
    assert Amounts(0, 1) == ask.need
    desk.answer(ask, Amounts(1_000, 20))
    desk.promise(200)
    ask = desk.ask()
    assert ask is not None
    assert (Amounts(100, 0), Amounts(850, 8)) == (ask.need, ask.balance.reserved)


def test_promises_that_nobody_limits_are_no_reason_to_ask() -> None:
    """However many a campaign with a budget in money alone has made, it asks only when money is short."""
    desk = Desk(MONEY)
    desk.lease(Amounts(10_000))
    desk.promise(100, 90)
    assert Amounts(1_000, -90) == desk.purse.left(SPRING)
    assert desk.ask() is None
    desk.promise(100, 9)
    ask = desk.ask()
    assert ask is not None
    assert Amounts(100, 0) == ask.need


def test_what_was_promised_before_there_was_a_limit_is_asked_for_too() -> None:
    """A live campaign gets a budget in promises: those that stand are leased with the first ask."""
    desk = Desk(MONEY)
    desk.lease(Amounts(10_000))
    desk.promise(100, 7)
    desk.run(BOTH)
    ask = desk.ask()
    assert ask is not None
    assert Amounts(0, 8) == ask.need


def test_a_spent_budget_is_asked_again_after_a_while() -> None:
    """Others may have given back; meanwhile it is only told what stands."""
    desk = Desk(MONEY)
    ask = desk.ask()
    assert ask is not None
    desk.answer(ask, NOTHING, is_spent=True)
    assert desk.ask(SPENT_S - 0.1) is None
    assert Ask(SPRING, Balance(), Amounts(100, 0)) == desk.ask(0.1)


def test_a_lost_answer_is_asked_for_again() -> None:
    """The ledger says the same total, which counts once."""
    desk = Desk(MONEY)
    assert desk.ask() == desk.ask()
    ask = desk.ask()
    assert ask is not None
    desk.answer(ask, Amounts(500))
    desk.answer(ask, Amounts(500))
    assert Amounts(500) == desk.purse.left(SPRING)
    assert () == desk.desk.due


def test_what_was_leased_by_a_lost_answer_is_heard_of_though_nobody_needs_it_any_more() -> None:
    """The campaign is over: it is told what stands once more, so that what was leased can go back."""
    desk = Desk(MONEY)
    desk.lease(Amounts(300))
    desk.promise(200)
    first = desk.ask(TELL_S)
    assert first is not None
    desk.answer(first, Amounts(300), is_spent=True)
    told = desk.ask(SPENT_S)
    assert told == first
    assert told is not None
    assert Amounts(100, 0) == told.need
    desk.run()
    again = desk.ask(TELL_S)
    assert again == told._replace(need=NOTHING)
    assert again is not None
    desk.answer(again, Amounts(500))
    assert Amounts(300) == desk.purse.balances[SPRING].left._replace(promises=0)


def test_what_changes_while_the_ledger_is_asked_is_told_the_next_time() -> None:
    """What the ledger has heard is what was said, not what stands by now."""
    desk = Desk(MONEY)
    desk.lease(Amounts(1_000))
    desk.promise(100)
    told = desk.ask(TELL_S)
    assert told is not None
    desk.promise(50)
    desk.answer(told, Amounts(1_000))
    assert Ask(SPRING, Balance(Amounts(1_000), reserved=Amounts(150, 2))) == desk.ask(TELL_S)


def test_an_answer_that_comes_late_takes_nothing_away() -> None:
    """Totals only grow."""
    desk = Desk(MONEY)
    ask = desk.ask()
    assert ask is not None
    desk.answer(ask, Amounts(900))
    desk.desk.take([ask], [Answer(lease("spring", Amounts(500)), False)], desk.now_s)
    assert () == desk.desk.due


def test_what_the_ledger_got_back_is_not_promised_again() -> None:
    """Where the purse was rebuilt from less than the ledger had heard, it learns what it had returned."""
    desk = Desk(MONEY)
    ask = desk.ask()
    assert ask is not None
    desk.answer(ask, Amounts(900))
    desk.answer(ask, Amounts(900), Amounts(600))
    assert Amounts(300) == desk.purse.left(SPRING)


def test_the_ledger_hears_what_is_promised_every_few_seconds() -> None:
    """And not where nothing changed."""
    desk = Desk(MONEY)
    desk.lease(Amounts(10_000))
    desk.promise(100)
    assert desk.ask(TELL_S / 2) is None
    told = desk.ask(TELL_S / 2)
    assert told == Ask(SPRING, Balance(Amounts(10_000), reserved=Amounts(100, 1)))
    assert desk.ask(TELL_S - 0.1) is None
    again = desk.ask(0.1)
    assert told == again, "what was not answered is told again"
    assert again is not None
    desk.answer(again, Amounts(10_000))
    assert [None, None] == [desk.ask(TELL_S), desk.ask(TELL_S)]
    desk.settle(reserved_minor=-100, reserved_count=-1, committed_minor=70, committed_count=1)
    assert Ask(SPRING, Balance(Amounts(10_000), committed=Amounts(70, 1))) == desk.ask(TELL_S)


def test_what_nobody_touches_goes_back_but_for_two_promises() -> None:
    """First it is said in the log, then it counts, and only then the ledger hears of it."""
    desk = Desk(BOTH)
    desk.lease(Amounts(1_000, 30))
    desk.promise(100)
    told = desk.ask(TELL_S)
    assert told is not None
    desk.answer(told, Amounts(1_000, 30))
    assert [] == desk.asks(IDLE_S - TELL_S)
    assert () == desk.desk.due
    assert [] == desk.asks(TELL_S), "what goes back is not told before it is said"
    assert Amounts(900, 29) == desk.purse.left(SPRING)
    returned = lease("spring", Amounts(1_000, 30), Amounts(700, 27))
    assert (returned,) == desk.say()
    assert Amounts(200, 2) == desk.purse.left(SPRING)
    told = desk.ask(TELL_S)
    assert told == Ask(SPRING, Balance(Amounts(1_000, 30), Amounts(700, 27), Amounts(100, 1)))
    desk.answer(told, Amounts(1_000, 30), Amounts(700, 27))
    assert [None, None] == [desk.ask(IDLE_S), desk.ask(IDLE_S)]
    assert () == desk.desk.due


def test_what_is_touched_stays() -> None:
    """A promise in between counts anew."""
    desk = Desk(MONEY)
    desk.lease(Amounts(1_000))
    for _ in range(8):
        desk.promise(1)
        told = desk.ask(IDLE_S / 2)
        assert told is not None
        desk.answer(told, Amounts(1_000))
        assert () == desk.desk.due


def test_what_a_campaign_that_is_over_has_left_goes_back_at_once() -> None:
    """Ended, paused or past its end, all but what is promised; and what comes back later, later."""
    desk = Desk(BOTH)
    desk.lease(Amounts(1_000, 30))
    desk.promise(100, 2)
    told = desk.ask(TELL_S)
    assert told is not None
    desk.answer(told, Amounts(1_000, 30))
    desk.run()
    assert [] == desk.asks(TELL_S)
    assert (lease("spring", Amounts(1_000, 30), Amounts(800, 28)),) == desk.say()
    desk.settle(reserved_minor=-100, reserved_count=-1)
    told = desk.ask(TELL_S)
    assert told is not None
    desk.answer(told, Amounts(1_000, 30), Amounts(800, 28))
    assert None is desk.ask(TELL_S)
    assert (lease("spring", Amounts(1_000, 30), Amounts(900, 29)),) == desk.say()
    assert NOTHING == desk.purse.left(SPRING)


def test_campaigns_are_asked_for_from_a_minute_before_their_start_to_their_end() -> None:
    """The first shopper of the first second finds a lease."""
    starts_ms, ends_ms = NOON_MS + 3_600_000, NOON_MS + 7_200_000
    desk = Desk(campaign("spring", starts_at=from_unix_ms(starts_ms), ends_at=from_unix_ms(ends_ms)))
    asked = {
        at_ms: bool(desk.asks(now_ms=at_ms)) for at_ms in (starts_ms - 60_001, starts_ms - 60_000, ends_ms - 1, ends_ms)
    }
    assert [False, True, True, False] == list(asked.values())


def test_one_call_asks_for_a_bounded_number() -> None:
    """The others are asked for as soon as these have their leases."""
    many = [campaign(f"c-{number}") for number in range(ASKS_MAX + 20)]
    desk = Desk(*many)
    first = desk.asks()
    assert ASKS_MAX == len(first)
    answers = [Answer(lease(ask.key.campaign_id, Amounts(1_000)), False) for ask in first]
    desk.desk.take(first, answers, desk.now_s)
    desk.say()
    second = [ask for ask in desk.asks() if ask.need != NOTHING]
    assert {one.campaign_id for one in many} == {ask.key.campaign_id for ask in (*first, *second)}


def test_one_may_be_short_while_the_other_goes_back() -> None:
    """Money is asked for while promises are returned; the answer hides nothing of it, both are totals."""
    desk = Desk(BOTH)
    desk.lease(Amounts(1_000, 30))
    desk.promise(100, 9)
    first = desk.ask(TELL_S)
    assert first is not None
    desk.answer(first, Amounts(1_000, 30), is_spent=True)
    asked = desk.ask(IDLE_S + TELL_S)
    assert asked == Ask(SPRING, Balance(Amounts(1_000, 30), reserved=Amounts(900, 9)), Amounts(100, 0))
    assert (lease("spring", Amounts(1_000, 30), Amounts(0, 19)),) == desk.say()
    desk.answer(asked, Amounts(1_700, 30))
    assert Balance(Amounts(1_700, 30), Amounts(0, 19), Amounts(900, 9)) == desk.purse.balances[SPRING]
