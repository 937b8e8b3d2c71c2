"""The public record of draws: what is in it when, how a later one keeps an earlier one's plays, and what is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from domain.draw_chain import EPOCH_MS, REVEAL_MARGIN_MS
from domain.draw_record import DrawRecord, plays_in, public_record, read_record, record_faults, with_earlier
from domain.draws import Play
from domain.errors import Refused
from domain.games import Game
from domain.records import Played
from tests.gaming import GameStory, basket, coffee, game, game_of, voucher
from tests.market import decided

WHEEL = game("wheel", coffee(200_000, stock=3), voucher(50_000))
GAME: Game = game_of(WHEEL)
STARTS_MS = GAME.schedule.starts_at_ms
_encode = msgspec.json.Encoder().encode


def plays(epochs: int, each: int = 20) -> list[Play]:
    """Honest plays: so many in each of the first epochs, coffee given while there is any."""
    made: list[Play] = []
    for epoch in range(1, epochs + 1):
        for number in range(each):
            right = f"r-{epoch}-{number}"
            gone = {"coffee"} if sum(play.prize_id == "coffee" for play in made) >= 3 else set()
            outcome = GAME.draw(right, epoch, gone)
            made.append(Play(right_id=right, epoch=epoch, prize_id=outcome.prize_id, wanted=outcome.wanted))
    return made


def after(epochs: int) -> int:
    """The moment when so many epochs' seeds are public."""
    return STARTS_MS + epochs * EPOCH_MS + REVEAL_MARGIN_MS


def record(epochs: int) -> DrawRecord:
    """What is public after so many epochs, of plays in one more."""
    return public_record(GAME, after(epochs), plays(epochs + 1))


def test_before_the_first_day_is_over_there_is_the_anchor() -> None:
    """With the prizes, the start and the number of days; no seed and no play."""
    found = record(0)
    assert (GAME.anchor.hex(), {}, (), 366) == (found.anchor, found.seeds, found.plays, found.epochs)
    assert [("coffee", 200_000, 3), ("voucher", 50_000, None)] == [
        (one.prize_id, one.chance_ppm, one.stock) for one in found.prizes
    ]
    assert b'"stock":null' in _encode(found)
    assert b"cost" not in _encode(found)


def test_a_day_that_is_over_brings_its_seed_and_its_plays() -> None:
    """An hour after its end, and not a moment before; every play of it can be drawn again."""
    found = record(2)
    assert ({1, 2}, {1, 2}) == (set(found.seeds), {play.epoch for play in found.plays})
    assert ([], 40) == (record_faults(found), len(found.plays))
    early = public_record(GAME, after(2) - 1, plays(3))
    assert ({1}, 20) == (set(early.seeds), len(early.plays))


def test_plays_come_in_an_order_that_tells_nothing() -> None:
    """By epoch and right, whatever the order in which they were read: the store has them shopper by shopper."""
    found = public_record(GAME, after(2), reversed(plays(2)))
    assert record(2).plays == found.plays
    assert [1] * 20 + [2] * 20 == [play.epoch for play in found.plays]


def test_a_record_is_read_as_it_was_written() -> None:
    """And whatever is none is refused in a sentence."""
    assert record(2) == read_record(_encode(record(2)))
    for bad in (b"", b"[]", b"{}", b"\xff", _encode(record(1)).replace(b'"1":', b'"one":'), b"[" * 100_000):
        with pytest.raises(Refused, match="no public record"):
            read_record(bad)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"anchor": "zz"}, "64 hex digits"),
        ({"anchor": "00" * 32}, "does not lead to the anchor"),
        ({"seeds": {1: "xy"}}, "64 hex digits"),
        ({"epochs": 1}, "epoch 2: the campaign has the epochs 1 to 1"),
        ({"campaign_id": "wh\x1feel"}, "no campaign has such an id"),
        ({"campaign_id": "wheels"}, "its ticket"),
        ({"seeds": {}}, "no revealed seed of epoch 1"),
    ],
)
def test_a_changed_record_is_found_out(changes: dict[str, Any], fault: str) -> None:
    """Whatever was changed in it, some sentence says so."""
    assert any(fault in found for found in record_faults(replace(record(2), **changes)))


def test_a_later_record_keeps_the_plays_of_an_earlier_one() -> None:
    """Stores forget: what was published is added; what is in both has to be the same."""
    later = public_record(GAME, after(2), [play for play in plays(2) if play.epoch == 2])
    assert record(2) == with_earlier(later, record(1))
    assert record(2) == with_earlier(record(2), record(1))
    with pytest.raises(Refused, match=r"\$.anchor: the earlier record is of another campaign"):
        with_earlier(later, replace(record(1), anchor="00" * 32))
    first, *others = record(1).plays
    other = replace(record(1), plays=(replace(first, wanted="yacht"), *others))
    with pytest.raises(Refused, match=f"right {first.right_id}: the earlier record says"):
        with_earlier(record(2), other)


def test_plays_are_found_in_decisions() -> None:
    """Of one campaign, each once, as it came out in the end; those that still wait are told apart."""
    waits = Played(experience_id="r-1", campaign_id="wheel", epoch=1, wanted="coffee", state="drawing", waiting=1)
    drawn = Played(
        experience_id="r-1", campaign_id="wheel", epoch=1, wanted="coffee", prize_id="coffee", waiting=-1, taken=1
    )
    other = replace(drawn, campaign_id="other", experience_id="r-9")
    open_still = replace(waits, experience_id="r-2")
    said = [decided(plays=(play,)) for play in (drawn, waits, drawn, other, open_still)]
    for order in (said, said[::-1]):
        found = plays_in(order, "wheel")
        assert {"r-1": Play(right_id="r-1", epoch=1, prize_id="coffee", wanted="coffee")} == found.plays
        assert {"r-2"} == found.waiting


def test_a_draw_for_the_basket_is_published_like_a_game() -> None:
    """Its table has one prize without a stock, and each order's draw is a play."""
    spring = basket("spring", chance_ppm=400_000)
    drawn = game_of(spring)
    said = []
    for number in range(12):
        story = GameStory(spring)
        story.offset = 10 * number
        story.view()
        story.order()
        assert story.decided is not None
        said.append(story.decided)
    found = public_record(drawn, drawn.schedule.starts_at_ms + 3 * EPOCH_MS, plays_in(said, "spring").plays.values())
    assert ["basket"] == [one.prize_id for one in found.prizes]
    assert ({"basket", None}, 12, []) == (
        {play.prize_id for play in found.plays},
        len(found.plays),
        record_faults(found),
    )
