"""Whatever the prizes, the stocks and the plays: an honest campaign verifies, and one changed line is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.draw_chain import EPOCH_MS, EPOCHS_MAX, EpochSchedule, SeedChain, leads_to_anchor, proven_seeds
from domain.draws import PPM, Play, Prize, draw, prize_faults, prize_named, ticket_ppm, verify

ENDS = st.binary(min_size=32, max_size=32)
IDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)


class Published(NamedTuple):
    """A campaign as everybody sees it at its end."""

    chain: SeedChain
    prizes: list[Prize]
    campaign_id: str
    plays: list[Play]

    def faults(self, plays: Sequence[Play]) -> list[str]:
        """What `verify` says of this campaign with these plays."""
        seeds = {self.chain.epochs: self.chain.seed(self.chain.epochs)}
        return verify(plays, seeds=seeds, anchor=self.chain.anchor, prizes=self.prizes, campaign_id=self.campaign_id)


@st.composite
def tables(draw_from: st.DrawFn) -> list[Prize]:
    """Prize tables without fault: cuts of the million tickets, so that any chance, 0 included, may come."""
    cuts = sorted(draw_from(st.lists(st.integers(0, PPM), min_size=2, max_size=6)))
    stocks = st.none() | st.integers(0, 4)
    return [
        Prize(prize_id=f"p{n}", label="prize", chance_ppm=high - low, stock=draw_from(stocks), cost_minor=1)
        for n, (low, high) in enumerate(pairwise(cuts))
    ]


@st.composite
def campaigns(draw_from: st.DrawFn) -> Published:
    """Honest campaigns: each right played once, in some epoch, prizes given while there is stock."""
    chain = SeedChain(draw_from(ENDS), epochs=draw_from(st.integers(1, 5)))
    prizes, campaign_id = draw_from(tables()), draw_from(IDS)
    plays, given_so_far = [], Counter[str]()
    for right_id in draw_from(st.lists(IDS, min_size=1, max_size=20, unique=True)):
        epoch = draw_from(st.integers(1, chain.epochs))
        out = {p.prize_id for p in prizes if p.stock is not None and given_so_far[p.prize_id] >= p.stock}
        outcome = draw(prizes, chain.seed(epoch), campaign_id, right_id, out)
        if outcome.prize_id is not None:
            given_so_far[outcome.prize_id] += 1
        plays.append(Play(right_id=right_id, epoch=epoch, prize_id=outcome.prize_id, wanted=outcome.wanted))
    return Published(chain, prizes, campaign_id, plays)


@given(campaigns(), st.randoms(use_true_random=False))
def test_an_honest_campaign_has_no_fault(campaign: Published, order: Random) -> None:
    """Whatever the table and the order of the list, what was drawn is what verification draws."""
    assert [] == prize_faults(campaign.prizes)
    plays = list(campaign.plays)
    order.shuffle(plays)
    assert [] == campaign.faults(plays)


@settings(max_examples=300)
@given(campaigns(), st.data())
def test_one_changed_outcome_is_found(campaign: Published, data: st.DataObject) -> None:
    """Another prize, or another wanted one, on any one line is a fault, and so is a line listed again."""
    number = data.draw(st.integers(0, len(campaign.plays) - 1))
    play = campaign.plays[number]
    outcomes = st.none() | st.sampled_from([one.prize_id for one in campaign.prizes])
    other = replace(play, prize_id=data.draw(outcomes), wanted=data.draw(outcomes))
    changed = [*campaign.plays[:number], other, *campaign.plays[number + 1 :]]
    assert (other == play) == (campaign.faults(changed) == [])
    assert [] != campaign.faults([*campaign.plays, play])


@given(ENDS, st.integers(1, 40), st.data())
def test_every_seed_leads_to_the_anchor_and_proves_those_before_it(
    end: bytes, epochs: int, data: st.DataObject
) -> None:
    """A seed is right for its own epoch alone, and whichever seeds are revealed, all up to the newest are known."""
    chain = SeedChain(end, epochs=epochs)
    revealed = data.draw(st.sets(st.integers(1, epochs)))
    every = {epoch: chain.seed(epoch) for epoch in range(1, max(revealed, default=0) + 1)}
    assert (every, []) == proven_seeds({epoch: chain.seed(epoch) for epoch in revealed}, chain.anchor)
    epoch, said = data.draw(st.integers(1, epochs)), data.draw(st.integers(-1, EPOCHS_MAX + 1))
    assert (epoch == said) == leads_to_anchor(chain.seed(epoch), said, chain.anchor)


@given(tables())
def test_a_prize_has_as_many_tickets_as_its_chance(prizes: list[Prize]) -> None:
    """Each prize has the tickets after those of the one before, as many as parts per million; the rest has none."""
    start = 0
    for prize in prizes:
        end = start + prize.chance_ppm
        if start < end:
            assert (prize.prize_id, prize.prize_id) == (prize_named(prizes, start), prize_named(prizes, end - 1))
        start = end
    if start < PPM:
        assert (None, None) == (prize_named(prizes, start), prize_named(prizes, PPM - 1))


@given(tables(), ENDS, IDS, IDS, st.sets(st.sampled_from([f"p{n}" for n in range(6)])))
def test_stock_changes_no_other_outcome(
    prizes: list[Prize], seed: bytes, campaign_id: str, right_id: str, out: set[str]
) -> None:
    """What has run out gives nothing; ticket and wanted prize never depend on it, and a retry draws the same."""
    full, short = (draw(prizes, seed, campaign_id, right_id, gone) for gone in (frozenset[str](), out))
    assert ticket_ppm(seed, campaign_id, right_id) == short.ticket_ppm
    assert replace(full, prize_id=None if full.wanted in out else full.wanted) == short
    assert short == draw(prizes, seed, campaign_id, right_id, out)


@given(st.integers(0, 2**42), st.integers(1, EPOCHS_MAX), st.integers(-(2**36), 2**36), st.integers(0, 10**8))
def test_no_seed_is_revealed_while_it_may_decide_a_play(
    starts_at_ms: int, epochs: int, offset_ms: int, margin_ms: int
) -> None:
    """A play's seed is not revealable at its receipt, nor by a clock that is ahead by no more than the margin."""
    schedule = EpochSchedule(starts_at_ms=starts_at_ms, epochs=epochs)
    received_at_ms = starts_at_ms + offset_ms
    epoch = schedule.epoch_at(received_at_ms)
    assert 1 <= epoch <= epochs
    if schedule.takes_plays(received_at_ms):
        assert not schedule.is_revealable(epoch, received_at_ms + margin_ms, margin_ms=margin_ms)
        assert schedule.is_revealable(epoch, received_at_ms + margin_ms + EPOCH_MS, margin_ms=margin_ms)
