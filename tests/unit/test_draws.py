"""The draw of games and rewards: tickets, prizes, and whether anybody can check them."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from domain.draw_chain import SeedChain
from domain.draws import Outcome, Play, Prize, draw, prize_faults, prize_named, ticket_ppm, verify

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rewards.md"
END = sha256(b"the end of the tests' chain").digest()
CHAIN = SeedChain(END, epochs=3)
CAMPAIGN = "spring"


def prize(prize_id: str, chance_ppm: int, *, stock: int | None = None, cost_minor: int = 100) -> Prize:
    """A prize whose label is its id."""
    return Prize(prize_id=prize_id, label=prize_id, chance_ppm=chance_ppm, stock=stock, cost_minor=cost_minor)


TABLE = [prize("coffee", 200_000, stock=20), prize("voucher", 50_000), prize("basket", 20_000, stock=1)]


def played(chain: SeedChain, prizes: Sequence[Prize], rights: int) -> list[Play]:
    """An honest campaign: the rights in turn, spread over the epochs, prizes given while there is stock."""
    plays, given = [], Counter[str]()
    for number in range(rights):
        epoch = 1 + number * chain.epochs // rights
        out = {one.prize_id for one in prizes if one.stock is not None and given[one.prize_id] >= one.stock}
        outcome = draw(prizes, chain.seed(epoch), CAMPAIGN, f"r-{number}", out)
        if outcome.prize_id is not None:
            given[outcome.prize_id] += 1
        plays.append(Play(right_id=f"r-{number}", epoch=epoch, prize_id=outcome.prize_id, wanted=outcome.wanted))
    return plays


PLAYS = played(CHAIN, TABLE, 300)
SEEDS = {epoch: CHAIN.seed(epoch) for epoch in range(1, 4)}


def first(prize_id: str | None, wanted: str | None) -> int:
    """Where in `PLAYS` such an outcome stands first."""
    return next(n for n, play in enumerate(PLAYS) if (play.prize_id, play.wanted) == (prize_id, wanted))


def found(
    *,
    plays: Sequence[Play] = PLAYS,
    seeds: Mapping[int, bytes] = SEEDS,
    anchor: bytes = CHAIN.anchor,
    prizes: Sequence[Prize] = TABLE,
    campaign_id: str = CAMPAIGN,
) -> list[str]:
    """The faults of the honest campaign, but for what is given."""
    return verify(plays, seeds=seeds, anchor=anchor, prizes=prizes, campaign_id=campaign_id)


def altered(number: int, **changes: Any) -> list[Play]:
    """`PLAYS` with one play changed."""
    return [*PLAYS[:number], replace(PLAYS[number], **changes), *PLAYS[number + 1 :]]


def test_a_ticket_is_what_hmac_makes_of_campaign_and_right() -> None:
    """The tickets are those of OpenSSL's HMAC, taken modulo a million by bc."""
    chain = SeedChain(bytes(31) + b"\x01", epochs=2)
    assert 530_270 == ticket_ppm(chain.seed(2), "c-1", "r-1")
    assert 538_300 == ticket_ppm(chain.seed(1), "c-1", "r-1")


def test_a_campaign_can_not_borrow_the_tickets_of_another() -> None:
    """A campaign id that holds the separator is a bug: it could name another campaign's right."""
    with pytest.raises(AssertionError, match="separator"):
        ticket_ppm(END, "c\x1f1", "r")


@pytest.mark.parametrize(
    ("chances", "named"),
    [
        ([0], {0: None, 999_999: None}),
        ([1], {0: "p0", 1: None}),
        ([1_000_000], {0: "p0", 999_999: "p0"}),
        ([0, 1_000_000], {0: "p1", 999_999: "p1"}),
        ([999_999, 0, 1], {0: "p0", 999_998: "p0", 999_999: "p2"}),
        ([250_000, 750_000], {249_999: "p0", 250_000: "p1", 999_999: "p1"}),
        ([10, 0, 20], {9: "p0", 10: "p2", 29: "p2", 30: None, 999_999: None}),
    ],
)
def test_tickets_are_dealt_out_in_the_order_of_the_table(chances: list[int], named: dict[int, str | None]) -> None:
    """A prize has as many tickets as parts per million, none at 0, all at a million; the rest names none."""
    prizes = [prize(f"p{number}", chance) for number, chance in enumerate(chances)]
    assert [] == prize_faults(prizes)
    assert named == {ticket: prize_named(prizes, ticket) for ticket in named}


def test_a_prize_that_ran_out_gives_nothing() -> None:
    """The outcome says what the ticket named, and every other outcome stays what it was."""
    for number in range(1_000):
        full = draw(TABLE, END, CAMPAIGN, f"r-{number}")
        short = draw(TABLE, END, CAMPAIGN, f"r-{number}", {"coffee"})
        refused = full.prize_id == "coffee"
        assert (
            Outcome(prize_id=None, ticket_ppm=full.ticket_ppm, wanted="coffee") == short if refused else full == short
        )
        assert refused == short.was_out_of_stock
        assert not full.was_out_of_stock


@pytest.mark.parametrize(
    ("prizes", "faults"),
    [
        ([], ["0 prizes: a game has 1 to 64"]),
        ([prize(f"p{n}", 1) for n in range(65)], ["65 prizes: a game has 1 to 64"]),
        ([prize("a", 1), prize("b", 1), prize("a", 1)], ['prize "a": it stands 2 times in the table']),
        ([replace(prize("", 1), label="a")], ['prize "": it needs an id and a label']),
        ([replace(prize("a", 1), label="")], ['prize "a": it needs an id and a label']),
        ([prize("a", -1)], ['prize "a": chance_ppm -1 is not in 0..1000000']),
        (
            [prize("a", 1_000_001)],
            [
                'prize "a": chance_ppm 1000001 is not in 0..1000000',
                "the chances add up to 1000001 ppm: 1000000 is all there is",
            ],
        ),
        (
            [prize("a", 500_000), prize("b", 500_001)],
            ["the chances add up to 1000001 ppm: 1000000 is all there is"],
        ),
        ([prize("a", 1, stock=-1)], ['prize "a": stock -1 is below 0']),
        ([prize("a", 1, cost_minor=-1)], ['prize "a": cost_minor -1 is not in 0..1000000000000']),
        ([prize("a", 1_000_000, stock=0, cost_minor=0)], []),
        ([prize("a", 500_000), prize("b", 500_000)], []),
        ([prize(f"p{n}", 1) for n in range(64)], []),
    ],
)
def test_a_prize_table_is_checked(prizes: list[Prize], faults: list[str]) -> None:
    """Every fault of a table is one sentence; a table that adds up to a million exactly has none."""
    assert faults == prize_faults(prizes)
    if faults:
        assert faults == found(prizes=prizes)


CHI_SQUARE_3 = 16.266
CHI_SQUARE_99 = 148.230
"""What the statistic exceeds once in a thousand times with 3 and 99 degrees of freedom.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, upper critical values at 0.001.
"""


def chi_square(counted: Iterable[tuple[int, float]]) -> float:
    """The sum over all cells of (seen - expected)² / expected. Source: K. Pearson, 1900."""
    return sum((seen - expected) ** 2 / expected for seen, expected in counted)


def one_day() -> list[int]:
    """100,000 tickets of one seed."""
    return [ticket_ppm(END, CAMPAIGN, f"r-{number}") for number in range(100_000)]


def longest_campaign() -> list[int]:
    """100,000 tickets of 400 seeds, each for the same 250 rights."""
    chain = SeedChain(END, epochs=400)
    return [ticket_ppm(chain.seed(1 + n // 250), CAMPAIGN, f"r-{n % 250}") for n in range(100_000)]


@pytest.mark.parametrize("tickets_of", [one_day, longest_campaign])
def test_chances_are_what_the_table_says(tickets_of: Callable[[], list[int]]) -> None:
    """100,000 plays spread over prizes and slots as chance would have it; a table off by a tenth is noticed."""
    tickets = tickets_of()
    seen = Counter(prize_named(TABLE, ticket) for ticket in tickets)
    expected: dict[str | None, float] = {one.prize_id: one.chance_ppm / 10 for one in TABLE}
    expected[None] = 100_000 - sum(expected.values())
    assert chi_square((seen[name], expected[name]) for name in expected) < CHI_SQUARE_3
    slots = Counter(ticket // 10_000 for ticket in tickets)
    assert chi_square((slots[slot], 1_000) for slot in range(100)) < CHI_SQUARE_99
    generous = Counter(prize_named([prize("coffee", 220_000), *TABLE[1:]], ticket) for ticket in tickets)
    assert chi_square((generous[name], expected[name]) for name in expected) > CHI_SQUARE_3


def test_every_published_seed_gives_every_outcome_again() -> None:
    """An honest campaign has no fault, whatever the order of its list, and its last seed alone will do."""
    assert {None, "coffee", "voucher", "basket"} == {play.prize_id for play in PLAYS}
    assert [] == found()
    assert [] == found(plays=PLAYS[::-1])
    assert [] == found(seeds={3: END})
    assert [] == found(plays=[])


def test_the_whole_stock_is_given_and_no_more() -> None:
    """Tickets beyond the stock are refused, each one; a stock of 0 gives nothing, and no stock has no end."""
    given, wanted = Counter(play.prize_id for play in PLAYS), Counter(play.wanted for play in PLAYS)
    assert wanted["coffee"] > 20
    assert wanted["basket"] > 1
    assert (20, wanted["voucher"], 1) == (given["coffee"], given["voucher"], given["basket"])
    none_left = [prize("never", 1_000_000, stock=0)]
    plays = played(CHAIN, none_left, 9)
    assert {(None, "never")} == {(play.prize_id, play.wanted) for play in plays}
    assert [] == found(plays=plays, prizes=none_left)


COFFEE, VOUCHER, NOTHING, REFUSED = (
    first(*outcome) for outcome in (("coffee", "coffee"), ("voucher", "voucher"), (None, None), (None, "coffee"))
)


def ticket_of(number: int) -> int:
    """The ticket of a play."""
    return ticket_ppm(CHAIN.seed(PLAYS[number].epoch), CAMPAIGN, f"r-{number}")


@pytest.mark.parametrize(
    ("number", "changes", "faults"),
    [
        (NOTHING, {"prize_id": "voucher"}, ['it was given prize "voucher", its ticket {ticket} names no prize']),
        (
            NOTHING,
            {"prize_id": "yacht", "wanted": "yacht"},
            [
                'its ticket {ticket} names no prize, listed is prize "yacht"',
                'it was given prize "yacht", its ticket {ticket} names no prize',
            ],
        ),
        (
            VOUCHER,
            {"prize_id": None, "wanted": None},
            ['its ticket {ticket} names prize "voucher", listed is no prize'],
        ),
        (
            VOUCHER,
            {"prize_id": "basket"},
            [
                'it was given prize "basket", its ticket {ticket} names prize "voucher"',
                'prize "basket" is given 2 times up to this line, its stock is 1',
            ],
        ),
        (VOUCHER, {"prize_id": None}, ['prize "voucher" was refused, but its stock has no end']),
        (REFUSED, {"prize_id": "coffee"}, ['prize "coffee" is given 21 times up to this line, its stock is 20']),
        (NOTHING, {"epoch": 4}, ["no revealed seed of epoch 4 leads to the anchor"]),
        (NOTHING, {"epoch": 0}, ["no revealed seed of epoch 0 leads to the anchor"]),
    ],
)
def test_one_false_play_is_found(number: int, changes: dict[str, Any], faults: list[str]) -> None:
    """A play that was not drawn so is named by its right, with what its ticket says."""
    # The play changed is listed last, so that the stock is used up before it in the list too.
    plays = [*PLAYS[:number], *PLAYS[number + 1 :], replace(PLAYS[number], **changes)]
    told = [f'right "r-{number}": {fault.format(ticket=ticket_of(number))}' for fault in faults]
    assert told == found(plays=plays)


def test_a_right_is_played_once() -> None:
    """A right that stands twice in the list is found, wherever and with whatever outcome."""
    twice = f'right "r-{NOTHING}": it is listed more than once'
    assert [twice] == found(plays=[*PLAYS, PLAYS[NOTHING]])
    assert twice in found(plays=[*PLAYS, replace(PLAYS[NOTHING], epoch=3 if PLAYS[NOTHING].epoch == 1 else 1)])


def test_a_prize_refused_too_early_is_found() -> None:
    """Refusals need the whole stock given: with one coffee kept back, every refused coffee is a fault."""
    plays = [replace(play, prize_id=None) if number == COFFEE else play for number, play in enumerate(PLAYS)]
    refused = [play.right_id for play in plays if play.wanted == "coffee" and play.prize_id is None]
    reason = 'prize "coffee" was refused for want of stock, but only 19 of 20 were given'
    assert [f'right "{right}": {reason}' for right in refused] == found(plays=plays)


def test_a_false_seed_is_found() -> None:
    """A seed changed in one bit is named, and without a true one the plays of its epoch can't be drawn again."""
    false = bytes([END[0] ^ 1]) + END[1:]
    lost = [f'right "{p.right_id}": no revealed seed of epoch 3 leads to the anchor' for p in PLAYS if p.epoch == 3]
    assert ["epoch 3: its seed does not lead to the anchor", *lost] == found(seeds={**SEEDS, 3: false})
    assert ["epoch 1: its seed does not lead to the anchor"] == found(seeds={**SEEDS, 1: false})


def test_another_promise_is_found() -> None:
    """Another anchor, campaign, order or chance than what was published before does not give the same outcomes."""
    assert len(PLAYS) + len(SEEDS) == len([fault for fault in found(anchor=END) if "lead" in fault])
    assert [] != found(campaign_id="summer")
    assert [] != found(prizes=TABLE[::-1])
    assert [] != found(prizes=[replace(TABLE[0], chance_ppm=150_000), *TABLE[1:]])
    assert [] != found(prizes=[replace(TABLE[0], stock=21), *TABLE[1:]])
    assert [] != found(prizes=[replace(TABLE[0], stock=19), *TABLE[1:]])


def shown(language: str) -> str:
    """The only code block of a language in the document."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return str(block)


def record(plays: Sequence[Play]) -> dict[str, Any]:
    """The tests' campaign as its public record."""
    return {
        "campaign_id": CAMPAIGN,
        "anchor": CHAIN.anchor.hex(),
        "prizes": [{"prize_id": p.prize_id, "chance_ppm": p.chance_ppm, "stock": p.stock} for p in TABLE],
        "seeds": {str(epoch): seed.hex() for epoch, seed in SEEDS.items()},
        "plays": [to_builtins(play) for play in plays],
    }


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[object], str]:
    """Runs the document's Python on a record and gives what it prints."""

    def run(published: object) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(published)))
        exec(compile(shown("python"), "check.py", "exec"), {})  # the document's own code
        return capsys.readouterr().out

    return run


def test_the_document_s_example_is_as_drawn(check: Callable[[object], str]) -> None:
    """The record that the document shows passes the document's Python and `verify`."""
    example = json.loads(shown("json"))
    assert check(example) == "4 plays are as drawn\n"
    prizes = [Prize(**one, cost_minor=0) for one in example["prizes"]]
    faults = verify(
        [Play(**play) for play in example["plays"]],
        seeds={int(epoch): bytes.fromhex(seed) for epoch, seed in example["seeds"].items()},
        anchor=bytes.fromhex(example["anchor"]),
        prizes=prizes,
        campaign_id=example["campaign_id"],
    )
    assert [] == faults


def test_the_document_s_python_checks_a_campaign(check: Callable[[object], str]) -> None:
    """What the domain draws, the document's Python draws again."""
    assert check(record(PLAYS)) == "300 plays are as drawn\n"


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda r: r["plays"][NOTHING].update(prize_id="voucher"), "was not drawn"),
        (lambda r: r["plays"][VOUCHER].update(wanted=None, prize_id=None), "was not drawn"),
        (lambda r: r["plays"][VOUCHER].update(prize_id=None), "were given"),
        (lambda r: r["plays"][COFFEE].update(prize_id=None), "19 were given"),
        (lambda r: r["plays"][REFUSED].update(prize_id="coffee"), "21 were given"),
        (lambda r: r["plays"].append(r["plays"][NOTHING]), "a right was played twice"),
        (lambda r: r["seeds"].update({"2": END.hex()}), "the seed of epoch 2 does not lead to the anchor"),
        (lambda r: r.update(anchor=END.hex()), "the seed of epoch 1 does not lead to the anchor"),
        (lambda r: r["prizes"].reverse(), "was not drawn"),
        (lambda r: r["prizes"][0].update(chance_ppm=150_000), "was not drawn"),
    ],
)
def test_the_document_s_python_finds_tampering(
    check: Callable[[object], str], alter: Callable[[dict[str, Any]], object], message: str
) -> None:
    """One play, seed, anchor or prize changed, and the document's Python says so."""
    published = record(PLAYS)
    alter(published)
    with pytest.raises(AssertionError, match=message):
        check(published)
