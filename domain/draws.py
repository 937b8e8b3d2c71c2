"""The draw behind a scratch card, a wheel or a reward: from a right to play and a secret seed to a prize or none.

Whoever holds the rights, the revealed seeds and the prize table gets the same outcomes; `verify` does, and
docs/rewards.md does it in a few lines for everybody. The seeds come from `domain.draw_chain`.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from domain.draw_chain import proven_seeds
from domain.money import MINOR_MAX

PPM = 1_000_000
"""Parts per million: tickets are 0..999,999, and a prize's chance is how many of them name it."""
PRIZES_MAX = 64
SEPARATOR = "\x1f"
"""Between campaign and right in what is hashed; identifiers are printable, so none contains it."""


class Prize(Struct, frozen=True, kw_only=True):
    """One prize of a campaign; the order of the prizes matters, since tickets are dealt out in it.

    Attributes:
        prize_id: unique in the campaign.
        label: what the shopper reads.
        chance_ppm: how many of a million tickets name it, 0..1,000,000.
        stock: how often it can be given in the whole campaign; None = without end.
        cost_minor: what giving it once costs the campaign's budget, at most.
    """

    prize_id: str
    label: str
    chance_ppm: int
    stock: int | None
    cost_minor: int


class Outcome(Struct, frozen=True, kw_only=True):
    """What a play gave.

    Attributes:
        prize_id: the prize given, None without one.
        ticket_ppm: the ticket drawn, 0..999,999.
        wanted: the prize that the ticket names, given or not; None if it names none.
    """

    prize_id: str | None
    ticket_ppm: int
    wanted: str | None

    @property
    def was_out_of_stock(self) -> bool:
        """Whether the ticket named a prize that could not be given any more."""
        return self.wanted is not None and self.prize_id is None


class Play(Struct, frozen=True, kw_only=True):
    """One play as published once its epoch's seed is revealed.

    Attributes:
        right_id: the right that was played, once: the experience's id, which tells nobody whose it was.
        epoch: whose seed decided it.
        prize_id: the prize given, None without one.
        wanted: the prize that its ticket names.
    """

    right_id: str
    epoch: int
    prize_id: str | None
    wanted: str | None


def draw(
    prizes: Sequence[Prize], seed: bytes, campaign_id: str, right_id: str, out_of_stock: AbstractSet[str] = frozenset()
) -> Outcome:
    """Draws; equal arguments give equal outcomes, so a retry draws nothing anew.

    A prize that ran out gives nothing instead; the chances of the others never change. Who must first take the prize
    from a ledger draws, tries to take `wanted`, and draws again with it in `out_of_stock` if it was gone.

    Args:
        prizes: in the order published; without `prize_faults`.
        seed: of the epoch in which the play was received, still secret.
        campaign_id: whose game; without it two campaigns would share their luck.
        right_id: the right played. That it is played once is the caller's to see to.
        out_of_stock: ids of the prizes that can't be given any more.
    """
    ticket = ticket_ppm(seed, campaign_id, right_id)
    wanted = prize_named(prizes, ticket)
    return Outcome(prize_id=None if wanted in out_of_stock else wanted, ticket_ppm=ticket, wanted=wanted)


def ticket_ppm(seed: bytes, campaign_id: str, right_id: str) -> int:
    """Gives the ticket of a right, 0..999,999: HMAC-SHA-256 of campaign and right, as an integer, modulo a million.

    The remainder is not perfectly even, since a million does not divide 2^256. But each ticket's chance is off by less
    than 2^-256, a prize's by less than 10^6 * 2^-256 < 2^-236: nobody will ever see it, and a verifier needs one line.

    Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
    """
    assert SEPARATOR not in campaign_id, f"campaign {campaign_id!r} contains the separator of what is hashed"
    message = f"{campaign_id}{SEPARATOR}{right_id}".encode()
    return int.from_bytes(hmac.digest(seed, message, "sha256"), "big") % PPM


def prize_named(prizes: Sequence[Prize], ticket: int) -> str | None:
    """Gives the prize that a ticket names: the first prize has the lowest tickets, the highest name none."""
    end = 0
    for prize in prizes:
        end += prize.chance_ppm
        if ticket < end:
            return prize.prize_id
    return None


def prize_faults(prizes: Sequence[Prize]) -> list[str]:
    """Gives a sentence for each fault of a prize table, in order; none = it can be published and drawn from."""
    faults = []
    if not 1 <= len(prizes) <= PRIZES_MAX:
        faults.append(f"{len(prizes)} prizes: a game has 1 to {PRIZES_MAX}")
    for prize_id, times in Counter(prize.prize_id for prize in prizes).items():
        if times > 1:
            faults.append(f'prize "{prize_id}": it stands {times} times in the table')
    for prize in prizes:
        if not prize.prize_id or not prize.label:
            faults.append(f'prize "{prize.prize_id}": it needs an id and a label')
        if not 0 <= prize.chance_ppm <= PPM:
            faults.append(f'prize "{prize.prize_id}": chance_ppm {prize.chance_ppm} is not in 0..{PPM}')
        if prize.stock is not None and prize.stock < 0:
            faults.append(f'prize "{prize.prize_id}": stock {prize.stock} is below 0')
        if not 0 <= prize.cost_minor <= MINOR_MAX:
            faults.append(f'prize "{prize.prize_id}": cost_minor {prize.cost_minor} is not in 0..{MINOR_MAX}')
    if (total := sum(prize.chance_ppm for prize in prizes)) > PPM:
        faults.append(f"the chances add up to {total} ppm: {PPM} is all there is")
    return faults


def verify(
    plays: Sequence[Play], *, seeds: Mapping[int, bytes], anchor: bytes, prizes: Sequence[Prize], campaign_id: str
) -> list[str]:
    """Draws every published play again and gives each fault as a sentence; none = the list is what was drawn.

    It can't see a play that is missing: whoever played looks for the own right in the list.

    Args:
        plays: all of the campaign so far, in any order. A listing of a part has too few prizes given, and then says
            that prizes were refused too early.
        seeds: epoch → revealed seed. A seed proves those of all epochs before it, which may be left out.
        anchor: as published before the campaign.
        prizes: as published before the campaign, in that order.
        campaign_id: as published before the campaign.

    Returns:
        First what is wrong with the prize table (then nothing else is looked at), then with the seeds, then with each
        play, then with the stocks.
    """
    if faults := prize_faults(prizes):
        return faults
    known, faults = proven_seeds(seeds, anchor)
    played: set[str] = set()
    for play in plays:
        if play.right_id in played:
            faults.append(f'right "{play.right_id}": it is listed more than once')
        played.add(play.right_id)
        if play.epoch in known:
            faults += _play_faults(play, draw(prizes, known[play.epoch], campaign_id, play.right_id))
        else:
            faults.append(f'right "{play.right_id}": no revealed seed of epoch {play.epoch} leads to the anchor')
    faults += _stock_faults(plays, prizes)
    return faults


def _play_faults(play: Play, drawn: Outcome) -> Iterator[str]:
    if play.wanted != drawn.wanted:
        yield (
            f'right "{play.right_id}": its ticket {drawn.ticket_ppm} names {_in_words(drawn.wanted)},'
            f" listed is {_in_words(play.wanted)}"
        )
    if play.prize_id not in {None, drawn.wanted}:
        yield (
            f'right "{play.right_id}": it was given {_in_words(play.prize_id)},'
            f" its ticket {drawn.ticket_ppm} names {_in_words(drawn.wanted)}"
        )


def _stock_faults(plays: Sequence[Play], prizes: Sequence[Prize]) -> Iterator[str]:
    """Gives the prizes given beyond their stock, and those refused although the whole stock was never given."""
    stocks = {prize.prize_id: prize.stock for prize in prizes}
    totals = Counter(play.prize_id for play in plays)
    given: Counter[str] = Counter()
    for play in plays:
        if play.prize_id is not None:
            given[play.prize_id] += 1
            stock = stocks.get(play.prize_id)
            if stock is not None and given[play.prize_id] > stock:
                yield (
                    f'right "{play.right_id}": prize "{play.prize_id}" is given {given[play.prize_id]} times up to'
                    f" this line, its stock is {stock}"
                )
        elif play.wanted in stocks:
            stock = stocks[play.wanted]
            if stock is None:
                yield f'right "{play.right_id}": prize "{play.wanted}" was refused, but its stock has no end'
            elif totals[play.wanted] < stock:
                yield (
                    f'right "{play.right_id}": prize "{play.wanted}" was refused for want of stock, but only'
                    f" {totals[play.wanted]} of {stock} were given"
                )


def _in_words(prize_id: str | None) -> str:
    return "no prize" if prize_id is None else f'prize "{prize_id}"'
