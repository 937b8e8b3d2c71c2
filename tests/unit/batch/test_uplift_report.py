"""Report: one campaign as a row and as sentences, and what it says when it has nothing to say."""

import json
import math
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.uplift.report import Shoppers, Uplift, measure
from tests.unit.batch.uplift_shoppers import drawn

TREATED: Final = np.arange(300) < 200
STEPS: Final = np.arange(300) % 2 * 2_000
"""Half spend 20.00 more than the other half, in both groups."""


def campaign(more_minor: int, converted: int, currency: str = "EUR") -> Uplift:
    """200 treated, 100 held out of whom 15 bought; treated spent so much more and so many of them bought."""
    bought = (np.arange(300) < converted) | (np.arange(300) >= 285)
    shoppers = Shoppers(TREATED, 1_000 + STEPS + more_minor * TREATED, bought)
    return measure("c-7", shoppers, holdout_share=1 / 3, currency=currency)


def test_a_campaign_that_worked_says_how_much() -> None:
    """Money and points, their intervals, and what they are of what held-out shoppers did."""
    ratio, spend, before, bought = campaign(1_000, 60).sentences()
    assert ratio == (
        "100 of 300 shoppers were held out, 33.33 % where 33.33 % is planned: "
        "no sign of a fault in the assignment (p = 1)."
    )
    assert spend == (
        "Treated shoppers spent 10.00 EUR more than held-out ones within 7 days "
        "(95 % interval 7.57 to 12.43 EUR), 50.0 % more (34.9 to 68.1 %)."
    )
    assert "Spend before was not used: it is not known." == before
    assert bought == (
        "30.00 % of treated and 15.00 % of held-out shoppers bought a promoted product within 7 days: "
        "15.00 points more (95 % interval 4.82 to 23.78), 100.0 % more (21.9 to 234.6 %)."
    )


def test_a_campaign_that_did_nothing_says_what_it_could_have_seen() -> None:
    """An interval with 0 in it comes with the smallest effect, and with the shoppers that a smaller one takes."""
    found = campaign(-100, 30).sentences()
    assert (
        "Treated shoppers spent 1.00 EUR less than held-out ones within 7 days "
        "(95 % interval -3.43 to 1.43 EUR), 5.0 % less (-15.9 to 7.8 %)."
    ) == found[1]
    # 2.80 x sqrt(1,000,000 / 199 + 1,000,000 / 99), and 7.85 x 1,005,000 / (1/3 x 2/3 x 100^2).
    assert (
        "The interval contains 0, so this may be chance. With so many shoppers an effect of 3.45 EUR is found four "
        "times out of five; one of 5 % takes 3,562 shoppers."
    ) == found[2]
    assert (
        "The interval contains 0, so this may be chance. With so many shoppers an effect of 12.38 points is found four "
        "times out of five; one of 5 % takes 81,697 shoppers."
    ) == found[-1]


def test_money_has_the_decimals_of_its_currency() -> None:
    """A yen has no cents."""
    assert (
        "spent 1,000 JPY more than held-out ones within 7 days (95 % interval 757 to 1,243 JPY)"
        in (campaign(1_000, 60, "JPY").sentences()[1])
    )


def test_no_sentence_says_minus_nothing() -> None:
    """What is rounded to 0 has no sign."""
    shoppers = Shoppers(TREATED, np.where(np.arange(300) % 2, 0.1, -0.1), np.zeros(300))
    said = measure("c-7", shoppers, holdout_share=1 / 3, currency="EUR", window_days=1).sentences()
    assert (
        "Treated shoppers spent 0.00 EUR more than held-out ones within a day (95 % interval 0.00 to 0.00 EUR)." in said
    )


def test_spend_before_and_capping_are_told() -> None:
    """How much narrower the interval became, and what was counted as what."""
    one = drawn(np.random.default_rng(41), 4_000, 0.2)
    shoppers = Shoppers(one.treated, one.spend, np.ones(4_000), one.before)
    found = measure("c-7", shoppers, holdout_share=0.2, currency="EUR", capped_share=0.99)
    narrower = 1 - math.sqrt(1 - found.spend_adjusted.variance_reduction)
    assert narrower > 0.3
    assert (
        f"What the shoppers had spent before makes this interval {100 * narrower:.0f} % narrower." in found.sentences()
    )
    at = float(np.sort(one.spend)[-40]) / 100
    assert f"Spend above {at:.2f} EUR was counted as {at:.2f} EUR." in found.sentences()
    assert ("welch", "regression-adjusted") == (found.spend.method, found.spend_adjusted.method)
    # All bought: 5 % more of them can't be.
    assert found.shoppers_for_conversion is None


def test_a_bent_split_is_the_first_thing_that_is_said() -> None:
    """The figures still follow, under a warning, and the row says that the check failed."""
    shoppers = Shoppers(TREATED, 1_000 + STEPS, np.zeros(300))
    found = measure("c-7", shoppers, holdout_share=0.5, currency="EUR")
    assert f"Warning: {found.ratio.verdict}" == found.sentences()[0]
    assert "hardly by chance" in found.sentences()[0]
    assert 1 == sum(found.ratio.verdict in said for said in found.sentences())
    assert found.as_row()["sample_ratio_holds"] is False


def test_too_few_shoppers_and_too_uneven_spend_are_warned_of() -> None:
    """Under 30 in a group nothing should be said; with one whale among hundreds, not yet."""
    few = measure("c-7", Shoppers(np.arange(40) < 20, STEPS[:40], np.zeros(40)), holdout_share=0.5, currency="EUR")
    assert (
        "20 treated and 20 held-out shoppers are too few to say anything: at least 30 in each group are needed.",
    ) == few.warnings
    assert "The interval contains 0, so this may be chance." in few.sentences()
    spend = STEPS.copy()
    spend[299] = 10**7
    uneven = measure("c-7", Shoppers(TREATED, spend, np.zeros(300)), holdout_share=1 / 3, currency="EUR")
    assert uneven.spend.normal_from is not None
    assert uneven.spend.normal_from > 10_000
    expected = (
        f"Spend is so uneven that its interval can be trusted from about {uneven.spend.normal_from:,} shoppers in the "
        "smaller group on, and there are 100; capping the largest spends helps."
    )
    assert (expected,) == uneven.warnings
    assert () == campaign(0, 15).warnings


def test_the_row_is_flat_and_complete() -> None:
    """One value a column: text, number, truth or None, with the unit in the column's name."""
    row = campaign(1_000, 60).as_row()
    assert {str, int, float, bool, type(None)} >= {type(cell) for cell in row.values()}
    expected = {
        "campaign_id": "c-7",
        "treated": 200,
        "held_out": 100,
        "sample_ratio_holds": True,
        "spend_method": "welch",
        "spend_effect_minor": 1_000.0,
        "spend_held_out_mean_minor": 2_000.0,
        "spend_plain_effect_minor": 1_000.0,
        "spend_relative": 0.5,
        "spend_capped_at_minor": None,
        "conversion_effect": 0.15,
        "conversion_held_out_mean": 0.15,
        "warnings": "",
    }
    assert expected == pytest.approx({name: row[name] for name in expected})
    nobody = measure("c-7", Shoppers([], [], [], []), holdout_share=0.1, currency="EUR").as_row()
    assert list(nobody) == list(row)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("treated", [True, False])
def test_one_group_alone_can_be_compared_with_nothing(count: int, treated: bool) -> None:
    """Whoever is missing is named, and no figure is made up."""
    columns = [treated] * count, [1_000] * count, [True] * count, [0] * count
    found = measure("c-7", Shoppers(*columns), holdout_share=0.1, currency="EUR")
    missing = "nobody was held out" if treated or not count else "nobody was treated"
    assert [
        f"Nothing can be said about spend: {missing}.",
        f"Nothing can be said about purchases of promoted products: {missing}.",
    ] == found.sentences()[-2:]
    assert (None, None, None) == (found.spend.effect, found.smallest_spend_minor, found.shoppers_for_spend)


@st.composite
def anybody(draw: st.DrawFn) -> Shoppers:
    """Any few shoppers: often the same spend, nothing at all, returns, or a fortune."""
    count = draw(st.integers(0, 90))

    def column(values: st.SearchStrategy[int]) -> list[int]:
        if draw(st.booleans()):
            return [draw(values)] * count
        return draw(st.lists(values, min_size=count, max_size=count))

    amounts = st.sampled_from([0, 0, 1, 999, -(10**12), 10**12]) | st.integers(-(10**5), 10**5)
    flags = st.integers(0, 1)
    return Shoppers(column(flags), column(amounts), column(flags), column(amounts) if draw(st.booleans()) else None)


@given(anybody(), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.sampled_from([None, 0.9, 0.999]))
def test_whatever_a_campaign_leaves_is_reported_without_nan(
    shoppers: Shoppers, holdout: float, capped: float | None
) -> None:
    """No column is nan or infinite, no interval leaves its effect out, no sentence names either, nothing warns."""
    found = measure("c-7", shoppers, holdout_share=holdout, currency="EUR", capped_share=capped)
    json.dumps(found.as_row(), allow_nan=False)
    for said in found.sentences():
        assert not {"nan", "inf", "None"} & set(said.replace("(", " ").split())
    for one in (found.spend, found.spend_adjusted, found.conversion):
        if one.low is not None:
            assert one.effect is not None
            assert one.high is not None
            assert one.low <= one.effect <= one.high
        if one.relative is not None:
            assert one.relative_low is not None
            assert one.relative_high is not None
            slack = 1e-9 * max(1.0, abs(one.relative))
            assert one.relative_low - slack <= one.relative <= one.relative_high + slack
