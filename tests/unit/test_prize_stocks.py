"""Prizes with a stock: a play waits for what the ledger says, is drawn once it has said so, and never beyond it."""

from __future__ import annotations

import pytest

from actors.lease_desk import SPENT_S, LeaseDesk
from actors.messages import peek_at
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Purse, decode
from domain.quotes import concerns_promises, open_promises
from domain.records import Played
from domain.reservations import GRACE_MS, RETRY_S_MAX
from domain.shopper import Shopper
from domain.shopper import decode as decode_shopper
from domain.shopper import encode as encode_shopper
from tests.gaming import GameStory, coffee, game, stock_key, stock_lease, voucher
from tests.market import decided
from tests.story import NOON_MS

TTL_S = 1_800
COFFEES = stock_key("wheel", "coffee")


def waiting(*, stock: int = 5) -> tuple[GameStory, str]:
    """A story in which the shopper has played for coffee a second after noon, and the right's id."""
    story = GameStory(game("wheel", coffee(stock=stock)))
    right = story.view()
    story.click(right)
    return story, right


def plays(story: GameStory) -> list[Played]:
    """What the last event drew."""
    return list(story.decided.plays) if story.decided is not None else []


def test_a_play_waits_for_its_prize() -> None:
    """The page is told so in the same slot; nothing is given, given back or decided yet, and one unit is asked for."""
    story, right = waiting()
    shown = story.shown()["main"]
    assert ("drawing", False) == (shown.content["state"], "outcome" in shown.content)
    assert [
        Played(experience_id=right, campaign_id="wheel", epoch=2, wanted="coffee", state="drawing", waiting=1)
    ] == plays(story)
    assert story.decided is not None
    assert () == story.decided.settlements
    assert (0, 1, 0) == story.stock("wheel", "coffee")
    assert Amounts(300, 1) == story.balance("wheel").reserved
    assert (shown.experience_id, NOON_MS + TTL_S * 1_000) == (
        story.right().experience_id,
        story.right().honoured_until_ms,
    )


def test_it_is_given_once_the_lease_has_come() -> None:
    """The timer draws it again: the page gets the outcome, and lasts longer by the time that it took."""
    story, right = waiting()
    story.lend("wheel", "coffee", 1)
    assert not story.retry(right, 0, at_s=2.5).repeat
    shown = story.shown()["main"]
    assert ("coffee", False) == (shown.content["outcome"]["prize_id"], "state" in shown.content)
    assert NOON_MS + TTL_S * 1_000 + 1_500 == shown.expires_at_ms
    assert [
        Played(
            experience_id=right,
            campaign_id="wheel",
            epoch=2,
            wanted="coffee",
            prize_id="coffee",
            waiting=-1,
            taken=1,
        )
    ] == plays(story)
    assert ((1, 0, 1), ()) == (story.stock("wheel", "coffee"), story.state.reservations)
    assert (Amounts(), Amounts(300, 1)) == (story.balance("wheel").reserved, story.balance("wheel").committed)


def test_it_is_refused_once_the_stock_is_spent() -> None:
    """What its ticket named stays in the record; everything reserved goes back."""
    story, right = waiting()
    story.lend("wheel", "coffee", 0, is_spent=True)
    story.retry(right, 0, at_s=2)
    assert {"prize_id": None} == story.shown()["main"].content["outcome"]
    assert [("coffee", None, "drawn", -1, 0)] == [
        (play.wanted, play.prize_id, play.state, play.waiting, play.taken) for play in plays(story)
    ]
    assert ((0, 0, 0), ()) == (story.stock("wheel", "coffee"), story.state.reservations)
    assert Amounts() == story.balance("wheel").reserved


def test_money_off_from_a_stock_is_a_promise_afterwards() -> None:
    """It is redeemed at the till like any other; its end is the later one."""
    story = GameStory(game("wheel", voucher(stock=1)))
    right = story.view()
    story.click(right)
    story.lend("wheel", "voucher", 1)
    story.retry(right, 0, at_s=11)
    one = story.right()
    assert (None, 500, NOON_MS + (TTL_S + 10) * 1_000) == (one.drawing, one.cost_minor, one.honoured_until_ms)
    story.order(at_s=TTL_S + 10)
    assert Amounts(500, 1) == story.balance("wheel").committed


def test_it_is_asked_for_less_and_less_often() -> None:
    """After 1, 2, 4 and so on up to 60 seconds, each time with another id, and nothing is said of it in the log."""
    story, right = waiting()
    at_s = 1.0
    for tries, after_s in enumerate((1, 2, 4, 8, 16, 32, RETRY_S_MAX, RETRY_S_MAX)):
        due_ms = NOON_MS + int((at_s + after_s) * 1_000)
        assert due_ms == story.state.due_at_ms
        assert ((right, tries, due_ms),) == peek_at(story.state.key, story.state).draws
        assert story.retry(right, tries, at_s=at_s + after_s - 0.001).repeat, "it is not due"
        at_s += after_s
        assert not story.retry(right, tries, at_s).repeat
        assert story.decided is None
    assert (0, 1, 0) == story.stock("wheel", "coffee")
    for _ in range(3_000):
        at_s += RETRY_S_MAX
        story.retry(right, story.right().drawing.tries, at_s)  # type: ignore[union-attr]
    assert NOON_MS + (at_s + RETRY_S_MAX) * 1_000 == story.state.due_at_ms


def test_a_timer_that_comes_late_changes_nothing() -> None:
    """One that fired twice, one of another right, and one after the play was drawn."""
    story, right = waiting()
    story.retry(right, 0, at_s=2)
    assert story.retry(right, 0, at_s=9).repeat
    assert story.retry("another", 1, at_s=9).repeat
    story.lend("wheel", "coffee", 1)
    story.retry(right, 1, at_s=9)
    assert 1 == len(plays(story))
    assert story.retry(right, 2, at_s=99).repeat
    assert (1, 0, 1) == story.stock("wheel", "coffee")


def test_a_play_that_waits_is_neither_redeemed_nor_over() -> None:
    """An order takes nothing off, and its end may pass: who played in time gets an answer."""
    story, right = waiting()
    drawn = story.right().experience_id
    story.order(at_s=2)
    assert story.decided is not None
    assert () == story.decided.settlements
    for experience_id in (right, drawn):
        late_s = TTL_S + GRACE_MS / 1_000
        assert story.tell("ReservationExpired", at_s=late_s, experience_id=experience_id).repeat
    assert () == peek_at(story.state.key, story.state).promises
    assert story.state.due_at_ms == NOON_MS + 2_000
    story.click(drawn, at_s=3)
    story.click(right, at_s=3)
    assert [] == plays(story)
    story.lend("wheel", "coffee", 1)
    story.retry(right, 0, at_s=90_000)
    assert story.shown()["main"].expires_at_ms > NOON_MS + 90_000_000
    assert "coffee" == story.content()["outcome"]["prize_id"]


def test_what_nobody_waits_for_is_given_at_once() -> None:
    """A unit that lies in the purse needs no ledger; those that wait come first."""
    purse = Purse()
    purse.lease([stock_lease("wheel", "coffee", 1)])
    story = GameStory(game("wheel", coffee(stock=5)), purse=purse)
    story.click(story.view())
    assert "coffee" == story.content()["outcome"]["prize_id"]
    assert ((1, 0, 1), [1]) == (story.stock("wheel", "coffee"), [play.taken for play in plays(story)])
    taken = Purse()
    taken.lease([stock_lease("wheel", "coffee", 1)])
    taken.take(decided(plays=(Played(experience_id="e", campaign_id="wheel", epoch=1, wanted="coffee", waiting=1),)))
    other = GameStory(game("wheel", coffee(stock=5)), purse=taken)
    other.click(other.view())
    assert "drawing" == other.content()["state"]
    assert (1, 2, 0) == other.stock("wheel", "coffee")


def test_a_stock_that_is_spent_refuses_at_once() -> None:
    """Nobody has to wait for what is known to be gone."""
    purse = Purse()
    purse.lease([stock_lease("wheel", "coffee", 0, is_spent=True)])
    story = GameStory(game("wheel", coffee(stock=5)), purse=purse)
    story.click(story.view())
    assert [("coffee", None, 0, 0)] == [(play.wanted, play.prize_id, play.waiting, play.taken) for play in plays(story)]


def test_a_purse_remembers_what_is_spent() -> None:
    """At rest too; one from before there were stocks has nothing spent."""
    purse = Purse()
    purse.lease([stock_lease("wheel", "coffee", 3, is_spent=True), stock_lease("wheel", "coffee", 3)])
    again = decode(purse.encode(purse.position))
    assert (True, False) == (again.is_spent(COFFEES), again.is_spent(stock_key("wheel", "voucher")))
    assert purse.balances == again.balances


def test_the_state_comes_back_as_it_was() -> None:
    """A snapshot keeps a play that waits."""
    story, _ = waiting()
    assert story.state == decode_shopper(encode_shopper(story.state))


def test_a_gateway_knows_what_a_draw_left() -> None:
    """From the decisions alone: a play that waits, its prize, and that a part given back ends nothing."""
    story = GameStory(game("wheel", voucher(stock=1), coffee(0, cost_minor=900)))
    said = []
    right = story.view()
    said.append(story.decided)
    story.click(right)
    said.append(story.decided)
    story.lend("wheel", "voucher", 1)
    story.retry(right, 0, at_s=2)
    said.append(story.decided)
    assert all(one is not None and concerns_promises(one) for one in said)
    assert [1, 1, 1] == [
        len(open_promises(None, [one for one in said[:count] if one is not None])) for count in (1, 2, 3)
    ]
    followed = open_promises(None, [one for one in said if one is not None])
    assert story.state.reservations == followed
    nobody = Shopper(retailer_id=story.state.retailer_id, shopper=story.state.shopper)
    assert followed == open_promises(nobody, [one for one in said if one is not None])


class Desk:
    """A partition's desk, in front of a ledger that a test plays."""

    def __init__(self, purse: Purse) -> None:
        self.desk = LeaseDesk(purse, 0.0)
        self.purse = purse
        self.now_s = 0.0

    def asks(self, after_s: float = 0.2) -> list[Ask]:
        """What it needs of stocks some moments later."""
        self.now_s += after_s
        return [ask for ask in self.desk.asks({}, self.now_s, NOON_MS) if ask.is_exact]

    def answer(self, leased: int, *, is_spent: bool = False) -> None:
        """The ledger answers what is asked next, and it is said in the log."""
        (ask,) = self.asks()
        self.desk.take([ask], [Answer(stock_lease("wheel", "coffee", leased), is_spent)], self.now_s)
        due = self.desk.due
        self.purse.lease(due)
        self.desk.said(due)


def with_waiting(*campaigns: str) -> Desk:
    """A desk whose purse has these plays waiting for coffee."""
    purse = Purse()
    for number, name in enumerate(campaigns):
        play = Played(experience_id=f"e-{number}", campaign_id=name, epoch=1, wanted="coffee", waiting=1)
        purse.take(decided(number, plays=(play,)))
    return Desk(purse)


def test_as_many_are_asked_for_as_wait() -> None:
    """No more, since what is not needed here may be needed elsewhere; and of each stock its own."""
    desk = with_waiting("wheel", "other", "wheel", "wheel")
    assert {COFFEES: Amounts(0, 3), stock_key("other", "coffee"): Amounts(0, 1)} == {
        ask.key: ask.need for ask in desk.asks()
    }
    assert [] == with_waiting().asks()


def test_nothing_is_asked_for_while_the_answer_waits_for_the_log() -> None:
    """And afterwards what is still missing."""
    desk = with_waiting("wheel", "wheel")
    (ask,) = desk.asks()
    desk.desk.take([ask], [Answer(stock_lease("wheel", "coffee", 1), is_spent=False)], desk.now_s)
    assert [] == desk.asks()
    desk.purse.lease(desk.desk.due)
    desk.desk.said(desk.desk.due)
    assert [Amounts(0, 1)] == [ask.need for ask in desk.asks()]


def test_the_last_of_it_and_its_end_are_said_together() -> None:
    """So that nobody is refused what has just been leased; from then on nothing is asked for."""
    desk = with_waiting("wheel", "wheel")
    desk.answer(1, is_spent=True)
    assert (1, True) == (desk.purse.balances[COFFEES].leased.promises, desk.purse.is_spent(COFFEES))
    assert [] == desk.asks()
    desk = with_waiting("wheel")
    desk.answer(0, is_spent=True)
    assert desk.purse.is_spent(COFFEES)


def test_a_stock_never_goes_back() -> None:
    """Whatever lies in the purse and however long: it is the next player's."""
    purse = Purse()
    purse.lease([stock_lease("wheel", "coffee", 2)])
    desk = Desk(purse)
    for _ in range(40):
        assert [] == desk.asks(after_s=10)
        assert () == desk.desk.due


@pytest.mark.parametrize("after_s", [0.2, SPENT_S - 0.3])
def test_a_ledger_that_knows_no_such_stock_is_left_alone(after_s: float) -> None:
    """It is asked again some seconds later, and what waits goes on waiting."""
    desk = with_waiting("wheel")
    desk.answer(0)
    assert [] == desk.asks(after_s)
    assert 1 == len(desk.asks(SPENT_S))


def test_waiting_pushes_nothing_out_of_memory() -> None:
    """However often a prize is asked for again, an event that a tracker sends twice is still known."""
    story, right = waiting()
    at_s = 1.0
    for tries in range(200):
        at_s += RETRY_S_MAX
        story.retry(right, tries, at_s)
    assert story.tell("PageViewed", at_s, page={"kind": "home"}, number=0).repeat
