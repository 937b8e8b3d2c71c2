"""Campaigns on a terminal: within 80 columns, money with its currency, nothing hidden."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.campaign_tables import history_table, list_table, money, show_table
from domain.campaign_faults import read_definition
from domain.campaign_view import in_list, seen, told
from domain.campaigns import Campaign, Change
from domain.ports.budget_ledger import Total
from domain.purse import Amounts
from tests.unit.campaign_documents import PROMOTION, TIP, Json, is_zone

LONG = "creme-fraiche-" * 9


def campaign(document: Json = PROMOTION, campaign_id: str = "pasta", **fields: Any) -> Campaign:
    """A scheduled campaign."""
    definition = read_definition(document | fields, is_zone)
    return Campaign(
        retailer_id="r-1",
        campaign_id=campaign_id,
        version=3,
        state="scheduled",
        definition=definition,
        changed_at_ms=1_795_424_400_125,
    )


def total(minor: int = 0, promises: int = 0) -> Total:
    """A budget of which so much was redeemed, and twice as much is promised."""
    return Total(
        campaign_id="pasta",
        budget_minor=None,
        budget_count=None,
        leased=Amounts(),
        reserved=Amounts(2 * minor, 2 * promises),
        committed=Amounts(minor, promises),
    )


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What stands on the terminal, line by line, spaces at their ends apart."""
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    return lines


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (123_450, "EUR", "1,234.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (123_450, "JPY", "123,450 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (-1_205, "EUR", "-12.05 EUR"),
        (10**15, "EUR", "10,000,000,000,000.00 EUR"),
    ],
)
def test_money_has_its_currency(minor: int, currency: str, expected: str) -> None:
    """Amounts have as many decimals as the currency."""
    assert expected == money(minor, currency)


def test_a_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One campaign a row: money where the budget has some, else promises."""
    now_ms = 0
    list_table(
        [
            in_list(campaign(), now_ms, total(120_050, 241)),
            in_list(campaign(TIP, "tip", budget={"count": 2_000}), now_ms, total(0, 1)),
            in_list(campaign(TIP, "free"), now_ms, None),
        ],
        "EUR",
    )
    lines = [re.sub(r"  +", " | ", line) for line in printed(capsys)]
    assert [
        "campaign | stage | redeemed | promised | budget",
        "pasta | scheduled | 1,200.50 EUR | 2,401.00 EUR | 1,000.00 EUR",
        "tip | scheduled | 1 promise | 2 promises | 2,000 promises",
        "free | scheduled | 0 promises | 0 promises | no limit",
    ] == lines


def test_a_wide_list_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever ids and amounts there are, no line is wider than 80 columns, and no character is lost."""
    wide = campaign(campaign_id=LONG, budget={"money_minor": 10**15})
    list_table([in_list(wide, 0, total(10**15, 10**9))], "EUR")
    lines = printed(capsys)
    assert LONG == "".join(line.partition(" ")[0] for line in lines[1:])


def test_a_campaign_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Every field is there, in words where words are shorter than JSON."""
    one = campaign(
        products=[f"p-{number}" for number in range(40)],
        audience={"kind": "visits", "at_least": 2},
        threshold_minor={"usual": 3_000},
    )
    show_table(seen(one, 1_795_424_400_000, total()), "EUR")
    lines = printed(capsys)
    found = {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in lines if not line.startswith(" ")}
    assert "pasta" == found["campaign"]
    assert "scheduled at 2026-11-23T09:00:00.000Z" == found["stage"]
    assert "3, made 2026-11-23T09:00:00.125Z" == found["version"]
    assert "10 %, the tree may say 5 % to 20 %" == found["percent"]
    assert "30.00 EUR" == found["threshold_minor"]
    assert "5.00 EUR" == found["max_discount_minor"]
    assert '{"kind":"visits","at_least":2}' == found["audience"]
    assert ("0.00 EUR", "1,000.00 EUR") == (found["redeemed"], found["budget"])
    assert found["products"].startswith("p-0, p-1, ")
    assert "p-39" in " ".join(lines)


def test_brackets_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like a colour to the terminal's library is a name."""
    show_table(seen(campaign(name="[red]:smile: 50 %[/red]"), 0, None), "EUR")
    assert "name                [red]:smile: 50 %[/red]" in printed(capsys)


def test_a_history_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A version a row: who, when, what was done and which fields it changed."""
    first = campaign()
    second = campaign(name="Summer", priority=5)
    history_table(
        told(
            [
                Change(campaign=first, action="create", by="key 0a1b2c3d"),
                Change(campaign=second, action="change", by="command"),
                Change(campaign=second, action="end", by="command"),
            ]
        )
    )
    assert [
        "version  at                        by            done    changed",
        "3        2026-11-23T09:00:00.125Z  key 0a1b2c3d  create  everything",
        "3        2026-11-23T09:00:00.125Z  command       change  name, priority",
        "3        2026-11-23T09:00:00.125Z  command       end",
    ] == printed(capsys)
