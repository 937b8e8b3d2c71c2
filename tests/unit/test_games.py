"""Games: one play per right, drawn by the ticket, told on the page, and settled with the campaign's budget."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from domain.campaigns import Prize
from domain.campaigns_in_force import InForce
from domain.contents import Reward
from domain.events import OrderLine
from domain.experiences import Experience
from domain.holdout import is_held_out
from domain.purse import Amounts
from domain.quotes import quote
from domain.records import Played, Settlement
from domain.reservations import GRACE_MS, OPEN_MAX
from domain.timestamps import from_unix_ms
from tests.gaming import ALWAYS, GameStory, coffee, game, game_of, proposes, voucher
from tests.story import NOON_MS, SHOPPER

RARE = voucher(1)
"""No ticket of these stories names it."""
TTL_S = 1_800
DEAR = replace(coffee(0, cost_minor=900), prize_id="machine")
"""Never won, but reserved for."""


def plays(story: GameStory) -> list[Played]:
    """What the last event drew."""
    return list(story.decided.plays) if story.decided is not None else []


def settlements(story: GameStory) -> list[Settlement]:
    """What the last event settled."""
    return list(story.decided.settlements) if story.decided is not None else []


def played(*prizes: Prize) -> tuple[GameStory, str, Experience]:
    """A story in which the shopper has played, with the right's id and the experience that answered."""
    story = GameStory(game("wheel", *prizes))
    right = story.view()
    story.click(right)
    return story, right, story.shown()["main"]


def test_a_right_is_reserved_though_it_may_cost_nothing() -> None:
    """The right itself has to be remembered, and the costliest prize is what is reserved with it."""
    free = GameStory(game("wheel", coffee(cost_minor=0), budget=None))
    free.view()
    assert (0, True) == (free.right().cost_minor, free.right().is_open)
    dear = GameStory(game("wheel", coffee(200_000), voucher(1), DEAR))
    right = dear.view()
    assert (right, 900) == (dear.right().experience_id, dear.right().cost_minor)
    assert Amounts(900, 1) == dear.balance("wheel").reserved


def test_a_play_is_answered_in_its_slot() -> None:
    """The experience comes again with its outcome and the same end; all else is as it was, but for the prize won."""
    story = GameStory(game("wheel", coffee(0), voucher()))
    right = story.view()
    first = story.shown()["main"]
    assert {"type": "product", "product_id": "p-coffee"} == first.content["prize"]
    story.click(right, at_s=7)
    again = story.shown()["main"]
    assert {"prize_id": "voucher", "label": "5.00 off"} == again.content["outcome"]
    assert {"type": "amount", "value_minor": 500, "label": "5.00 off"} == again.content["prize"]
    for name in ("game", "products"):
        assert first.content[name] == again.content[name]
    assert (first.kind, first.slot, first.expires_at_ms, first.campaign_id, first.node_id) == (
        again.kind,
        again.slot,
        again.expires_at_ms,
        again.campaign_id,
        again.node_id,
    )
    assert first.experience_id != again.experience_id
    assert NOON_MS + 7_000 == again.decided_at_ms
    assert [Played(experience_id=right, campaign_id="wheel", epoch=2, wanted="voucher", prize_id="voucher")] == (
        plays(story)
    )


def test_the_ticket_decides() -> None:
    """Whatever the right, the outcome is what the campaign's seeds and its table give for it."""
    seen = Counter[str | None]()
    one = game("wheel", coffee(200_000), voucher(300_000))
    for number in range(40):
        story = GameStory(one)
        story.offset = number
        right = story.view()
        story.click(right)
        (play,) = plays(story)
        assert game_of(one).draw(right, 2).wanted == play.wanted == play.prize_id
        assert story.content()["outcome"]["prize_id"] == play.prize_id
        seen[play.prize_id] += 1
    assert {None, "coffee", "voucher"} == set(seen)


def test_a_play_that_wins_nothing_gives_everything_back() -> None:
    """The promise is over, and the campaign may promise all of it to somebody else."""
    story, right, again = played(RARE)
    assert {"prize_id": None} == again.content["outcome"]
    assert () == story.state.reservations
    assert [
        Settlement(
            experience_id=right, campaign_id="wheel", cause="drawn", reserved_minor=-RARE.cost_minor, reserved_count=-1
        )
    ] == settlements(story)
    assert (Amounts(), Amounts()) == (story.balance("wheel").reserved, story.balance("wheel").committed)


def test_money_off_is_redeemed_at_the_till() -> None:
    """What a prize costs stays reserved, under the experience that told of it, and the order takes it off."""
    story, right, again = played(voucher(cost_minor=400), DEAR)
    assert [Settlement(experience_id=right, campaign_id="wheel", cause="drawn", reserved_minor=-500)] == (
        settlements(story)
    )
    assert (again.experience_id, 400) == (story.right().experience_id, story.right().cost_minor)
    assert Amounts(400, 1) == story.balance("wheel").reserved
    story.order()
    assert [(again.experience_id, "order", -400, 400)] == [
        (one.experience_id, one.cause, one.reserved_minor, one.committed_minor) for one in settlements(story)
    ]
    assert (Amounts(), Amounts(400, 1)) == (story.balance("wheel").reserved, story.balance("wheel").committed)
    story.moved("cancelled")
    assert Amounts() == story.balance("wheel").committed


def test_the_costliest_prize_needs_no_settlement() -> None:
    """Where nothing is given back nothing is said, and the promise goes on."""
    story, _, again = played(voucher())
    assert [] == settlements(story)
    assert (again.experience_id, 500) == (story.right().experience_id, story.right().cost_minor)


def test_a_share_is_won_like_an_amount() -> None:
    """Percent off, at most what the prize costs."""
    tenth = Prize(
        prize_id="tenth", reward=Reward(type="percent", value=10), chance_ppm=ALWAYS, stock=None, cost_minor=150
    )
    for price_minor, off_minor in ((1_200, 120), (2_000, 150)):
        story = GameStory(game("wheel", tenth))
        story.click(story.view())
        story.order(lines={"p-1": price_minor, "p-2": 3_000})
        assert Amounts(off_minor, 1) == story.balance("wheel").committed


def test_a_prize_in_kind_is_given_at_once() -> None:
    """It costs the budget when it is won, whatever is ordered; and no order brings it back."""
    story, right, again = played(coffee(), DEAR)
    assert {"prize_id": "coffee", "label": "coffee"} == again.content["outcome"]
    assert () == story.state.reservations
    assert [
        Settlement(
            experience_id=right,
            campaign_id="wheel",
            cause="drawn",
            reserved_minor=-900,
            reserved_count=-1,
            committed_minor=300,
            committed_count=1,
        )
    ] == settlements(story)
    story.order()
    story.moved("cancelled")
    assert Amounts(300, 1) == story.balance("wheel").committed


@pytest.mark.parametrize("prize", [RARE, voucher(), coffee()], ids=["nothing", "money", "kind"])
def test_a_right_is_played_once(prize: Prize) -> None:
    """A double click, a second page, the answer clicked, and an event told again draw nothing more."""
    story, right, again = played(prize)
    before = story.state.reservations
    story.click(right, at_s=1)
    story.click(right, at_s=2)
    assert [] == plays(story)
    story.click(again.experience_id, at_s=3)
    assert [] == plays(story)
    assert story.click(right, at_s=1, number=1).repeat
    assert before == story.state.reservations
    assert again == next(slot.experience for slot in story.state.slots)


def test_only_an_open_right_in_time_is_played() -> None:
    """At its last moment it is; later, after its end, for somebody else's, or without campaigns, nothing is drawn."""
    story = GameStory(game("wheel", voucher()))
    right = story.view()
    story.click("somebody-else's")
    assert [] == plays(story)
    market, story.market = story.market, None
    story.click(right)
    story.market = market
    story.click(right, at_s=TTL_S + 0.001)
    assert [] == plays(story)
    story.click(right, at_s=TTL_S)
    assert ["voucher"] == [play.prize_id for play in plays(story)]


def test_an_expired_right_is_gone() -> None:
    """Its reservation went back with the timer."""
    story = GameStory(game("wheel", voucher()))
    right = story.view()
    story.tell("ReservationExpired", at_s=TTL_S + GRACE_MS / 1_000, experience_id=right)
    story.click(right, at_s=5)
    assert ([], ()) == (plays(story), story.state.reservations)


def test_nothing_is_drawn_after_the_last_seed() -> None:
    """A right ends with the last epoch, and a play that arrives later is not drawn, whenever it was made."""
    ends_s = 600
    one = game("wheel", voucher(), starts_at=_moment(ends_s - 2 * 86_400), ends_at=_moment(ends_s - 60))
    story = GameStory(one)
    right = story.view()
    assert NOON_MS + ends_s * 1_000 == story.right().honoured_until_ms
    story.click(right, at_s=ends_s - 1, received_s=ends_s)
    assert [] == plays(story)
    story.click(right, at_s=ends_s - 1, received_s=ends_s - 1)
    assert [2] == [play.epoch for play in plays(story)]


def _moment(at_s: float) -> datetime:
    return from_unix_ms(NOON_MS + int(at_s * 1_000))


def test_the_epoch_is_that_of_receipt() -> None:
    """A click that was on its way at midnight is drawn under the seed of the day on which it arrived."""
    one = game("wheel", voucher(500_000), starts_at=_moment(-86_400 + 60), ends_at=_moment(10 * 86_400))
    story = GameStory(one)
    right = story.view()
    story.click(right, at_s=59, received_s=60)
    (play,) = plays(story)
    assert (2, game_of(one).draw(right, 2).prize_id) == (play.epoch, play.prize_id)


def test_an_unplayed_game_takes_nothing_off() -> None:
    """Neither at the till nor in a quote before it."""
    story = GameStory(game("wheel", voucher()))
    right = story.view()
    lines = [OrderLine(product_id="p-1", quantity=1, price_minor=2_000)]
    assert [] == quote(story.state.reservations, lines, NOON_MS + 1)
    story.order()
    assert ([], right) == (settlements(story), story.right().experience_id)


def test_what_a_draw_gave_keeps_its_slot() -> None:
    """A node that the same click enters fills other slots, and not the one that answers the click."""
    clicked = {"kind": "event", "types": ["ExperienceClicked"]}
    content = {"products": ["p-9"]}
    shown = [{"slot": slot, "kind": "recommendation", "content": content} for slot in ("main", "side")]
    story = GameStory(
        game("wheel", voucher()),
        edges=[{"to": "next", "when": clicked}],
        more={"next": {"experiences": shown}},
    )
    right = story.view()
    story.click(right)
    assert {"main": "gamified_promotion", "side": "recommendation"} == {
        slot: shown.kind for slot, shown in story.shown().items()
    }
    assert "outcome" in story.content()
    assert "next" == story.state.node_id


def test_a_game_is_played_from_wherever_it_was_shown() -> None:
    """Something else has taken its slot meanwhile: the answer takes it back."""
    added = {"kind": "event", "types": ["AddedToBasket"]}
    other = {"slot": "main", "kind": "recommendation", "content": {"products": ["p-9"]}}
    story = GameStory(
        game("wheel", voucher()),
        edges=[{"to": "next", "when": added}],
        more={"next": {"experiences": [other]}},
    )
    right = story.view()
    story.add("p-1")
    assert "outcome" not in story.content()
    story.click(right)
    assert "voucher" == story.content()["outcome"]["prize_id"]


def test_a_campaign_that_is_over_still_draws() -> None:
    """Paused or ended, a right once given is played: only its games are asked."""
    story = GameStory(game("wheel", voucher()))
    right = story.view()
    assert story.market is not None
    (in_force,) = story.market.in_force.values()
    over = InForce((), {}, lambda _: UTC, "UTC", in_force.games)
    story.market = story.market._replace(in_force={story.state.retailer_id: over})
    story.click(right)
    assert ["voucher"] == [play.prize_id for play in plays(story)]


def test_no_more_rights_than_a_shopper_may_have_open() -> None:
    """A free game counts among the promises too."""
    wheels = [game(f"wheel-{number}", coffee(cost_minor=0), budget=None) for number in range(OPEN_MAX + 1)]
    added = {"kind": "event", "types": ["AddedToBasket"]}
    story = GameStory(
        *wheels,
        experiences=[proposes(f"wheel-{number}", slot=f"s-{number}") for number in range(OPEN_MAX)],
        edges=[{"to": "next", "when": added}],
        more={"next": {"experiences": [proposes(f"wheel-{OPEN_MAX}", slot="s-0")]}},
    )
    story.tell("PageViewed", page={"kind": "home"})
    story.add("p-1")
    assert story.decided is not None
    assert [(f"wheel-{OPEN_MAX}", "too_many_promised")] == [
        (lost.campaign_id, lost.reason) for lost in story.decided.against
    ]
    assert OPEN_MAX == len(story.state.reservations)


def test_a_holdout_has_no_right() -> None:
    """Who is never shown the game can't play it."""
    held_out = next(name for name in ("wheel", *"abcdef") if is_held_out(name, SHOPPER, 900_000))
    story = GameStory(game(held_out, voucher(), holdout_ppm=900_000))
    story.tell("PageViewed", page={"kind": "home"})
    assert story.decided is not None
    (kept,) = story.decided.held_out
    story.click(kept.experience.experience_id)
    assert ([], ()) == (plays(story), story.state.reservations)
