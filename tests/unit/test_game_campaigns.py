"""Campaigns that draw: what they keep once they were scheduled, and what of them is drawn and published."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.zones import is_zone
from domain.campaign_faults import read_definition
from domain.campaign_ids import read_id
from domain.campaigns import Campaign, RewardRules, changed
from domain.draws import prize_faults
from domain.errors import Refused
from domain.games import prize_table
from domain.ids import is_stock_id, stock_id
from tests.gaming import basket, coffee, game, game_of, voucher
from tests.market import campaign
from tests.story import NOON_MS


def refusal(one: Campaign, **fields: Any) -> str:
    """Why a scheduled campaign can't be changed so."""
    with pytest.raises(Refused) as refused:
        changed(one, replace(one.definition, **fields), NOON_MS)
    return str(refused.value)


def test_what_is_drawn_stays() -> None:
    """Prizes and reward rules of a campaign that was scheduled; its budget may grow."""
    wheel, spring = game("wheel", coffee(stock=5)), basket("spring")
    assert "$.prizes" in refusal(wheel, prizes=(coffee(stock=6),))
    assert "$.reward" in refusal(spring, reward=RewardRules(chance_ppm=2, at_most_minor=20_000))
    for one in (wheel, spring):
        assert 2 == changed(one, replace(one.definition, priority=7), NOON_MS).version


def test_seeds_are_made_once() -> None:
    """It may end earlier, and within its last day later, and never after its last seed; others may go on."""
    wheel = game("wheel", coffee())
    ends_at, day = wheel.definition.ends_at, timedelta(days=1)
    assert 366 == wheel.definition.days
    assert "$.ends_at: 367 days after starts_at, and what is drawn was made for 366" in (
        refusal(wheel, ends_at=ends_at + timedelta(milliseconds=1))
    )
    assert 2 == changed(wheel, replace(wheel.definition, ends_at=ends_at - day), NOON_MS).version
    other = campaign("other")
    assert 2 == changed(other, replace(other.definition, ends_at=other.definition.ends_at + day), NOON_MS).version


def test_days_are_counted_from_the_start() -> None:
    """A begun one is a whole one."""
    definition = game("wheel", coffee()).definition
    for lasts, days in ((timedelta(milliseconds=1), 1), (timedelta(days=1), 1), (timedelta(days=1, seconds=1), 2)):
        short = replace(definition, ends_at=definition.starts_at + lasts)
        assert (days, short.starts_at_ms + days * 86_400_000) == (short.days, short.draws_until_ms)


@pytest.mark.parametrize("one", [game("wheel", coffee(10, stock=3), voucher(20)), basket("spring")])
def test_what_is_published_is_what_is_drawn(one: Campaign) -> None:
    """One table, in the order of the campaign, without fault."""
    assert [] == prize_faults(prize_table(one.definition))
    assert prize_table(one.definition) == game_of(one).table


def test_the_table_says_what_the_shopper_reads() -> None:
    """A prize without words goes by its id; the basket has words of its own, and its highest price as cost."""
    wheel, spring = game("wheel", coffee(10, stock=3), voucher(20)), basket("spring", chance_ppm=7)
    assert [("coffee", "coffee", 10, 3, 300), ("voucher", "5.00 off", 20, None, 500)] == [
        (one.prize_id, one.label, one.chance_ppm, one.stock, one.cost_minor) for one in prize_table(wheel.definition)
    ]
    assert [("basket", 7, None, 20_000)] == [
        (one.prize_id, one.chance_ppm, one.stock, one.cost_minor) for one in prize_table(spring.definition)
    ]


def test_a_campaign_gives_prizes_or_a_reward() -> None:
    """Both would be drawn by one ticket; and each prize needs an id that can be printed."""
    document = {
        "name": "both",
        "kind": "gamified_promotion",
        "starts_at": "2026-03-02T05:00:00Z",
        "ends_at": "2026-04-02T05:00:00Z",
        "game": "wheel",
        "prizes": [{"prize_id": "coffee", "reward": {"type": "own"}, "chance_ppm": 1}],
        "reward": {"chance_ppm": 1, "at_most_minor": 1_000},
        "budget": {"money_minor": 10_000},
    }
    with pytest.raises(Refused, match=r"^\$.reward: prizes are given too, a gamified_promotion gives one of them$"):
        read_definition(document, is_zone)
    for left_out in ("prizes", "reward"):
        read_definition({name: value for name, value in document.items() if name != left_out}, is_zone)
    prizes = [{"prize_id": "a\x1fb", "reward": {"type": "own"}, "chance_ppm": 1}]
    with pytest.raises(Refused, match=r"^\$.prizes\[0\].prize_id: an identifier has printable characters alone"):
        read_definition({**document, "prizes": prizes}, is_zone)


def test_no_campaign_has_the_id_of_a_stock() -> None:
    """The ledger's ids of stocks hold what no identifier may."""
    faults: list[str] = []
    assert is_stock_id(stock_id("wheel", "coffee"))
    assert read_id(stock_id("wheel", "coffee"), faults) is None
    assert 1 == len(faults)
    assert not is_stock_id("wheel/coffee")
    assert stock_id("a", "b-c") != stock_id("a-b", "c")
