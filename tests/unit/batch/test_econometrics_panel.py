"""The panel: what is added up, what is left out, and what nonsense does to it."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.econometrics.crossing import crossed
from batch.econometrics.panel import COLUMNS, KEY, empty_panel, half_of, panel_of

DAY = dt.date(2026, 3, 4)


def sale(order_id: str | None = "o-1", **fields: Any) -> dict[str, Any]:
    """One sold product: two jars at 4.00 instead of 5.00."""
    usual = {
        "day": DAY,
        "product_id": "p-1",
        "category_id": "sauce",
        "quantity": 2,
        "amount_minor": 800,
        "regular_price_minor": 500,
    }
    return {"order_id": order_id, **usual, **fields}


def order_in(half: int, number: int = 0) -> str:
    """An order id that falls into the half; different numbers give different ids."""
    found = [f"o-{one}" for one in range(200) if half_of(f"o-{one}") == half]
    return found[number]


def test_a_week_of_one_half_is_one_row() -> None:
    """Lines of the same product, week and half are added up; baskets count every order of that half once."""
    first, second, third = (order_in(0, number) for number in range(3))
    sold = [
        sale(first),
        sale(second, quantity=1, amount_minor=500),
        sale(third, product_id="p-2"),
        sale(first, product_id="p-3"),
    ]
    row = panel_of(pd.DataFrame(sold)).iloc[0]
    expected = {
        "product_id": "p-1",
        "lines": 2.0,
        "quantity": 3.0,
        "amount_minor": 1_300.0,
        "regular_minor": 1_500.0,
        "regular_lines": 2.0,
        "promotion_lines": 1.0,
        "baskets": 3.0,
    }
    assert expected == {name: row[name] for name in expected}


def test_weeks_start_on_monday() -> None:
    """Sunday belongs to the week of the Monday before it, and the next day starts another."""
    sunday = dt.date(2026, 3, 8)
    panel = panel_of(pd.DataFrame([sale(day=DAY), sale(day=sunday), sale(day=sunday + dt.timedelta(1))]))
    first = (DAY - dt.date(1970, 1, 5)).days // 7
    assert [first, first + 1] == panel["week"].tolist()


def test_halves_are_as_spark_counts_them() -> None:
    """The half is the checksum that Spark's crc32 gives, modulo 2."""
    assert 3_421_780_262 % 2 == half_of("123456789")


def test_what_says_nothing_about_a_price_is_left_out() -> None:
    """Gifts, refunds, absurd amounts and lines without an order or product leave no row."""
    bad = [
        sale(quantity=0),
        sale(quantity=-1),
        sale(amount_minor=0),
        sale(amount_minor=-500),
        sale(amount_minor=10**13),
        sale(amount_minor=None),
        sale(product_id=None),
        sale(order_id=None),
        sale(quantity=float("nan")),
    ]
    assert empty_panel().equals(panel_of(pd.DataFrame(bad)))


def test_an_unknown_or_too_low_regular_price_is_no_promotion() -> None:
    """Without a regular price, or paid above it, the line counts as sold at the regular price."""
    for regular in (None, 0, -5, 10**13, 100):
        row = panel_of(pd.DataFrame([sale(regular_price_minor=regular)])).iloc[0]
        assert (800.0, 0.0) == (row["regular_minor"], row["promotion_lines"])


def test_no_sales_give_an_empty_panel_of_the_same_form() -> None:
    """A retailer without orders has a panel with all columns and no row."""
    panel = panel_of(pd.DataFrame(columns=[*sale()]))
    assert (list(COLUMNS), 0) == (list(panel.columns), len(panel))
    assert 0 == len(crossed(panel))


def test_the_price_comes_from_one_half_and_the_quantity_from_the_other() -> None:
    """Each half's price meets what the other half bought in the same week, zero included."""
    later = DAY + dt.timedelta(7)
    sold = [
        sale(order_in(0), amount_minor=800),
        sale(order_in(1, 0), amount_minor=1_000),
        sale(order_in(1, 1), amount_minor=1_000),
        sale(order_in(0, 1), day=later, amount_minor=900),
        sale(order_in(1, 2), day=later, product_id="p-2"),
    ]
    rows = crossed(panel_of(pd.DataFrame(sold)))
    rows = rows[rows["product_id"] == "p-1"]
    assert [2.0, 1.0, 0.0] == rows["bought"].tolist()
    assert np.log([2, 1, 1]).tolist() == rows["log_baskets"].tolist()
    assert np.log([0.8, 1.0, 0.9]).round(9).tolist() == rows["log_relative"].round(9).tolist()


def test_fuel_counts_like_jars() -> None:
    """A product that is sold in thousandths counts in its usual quantity per line."""
    jar = [sale(order_in(half), quantity=1, amount_minor=500) for half in (0, 1)]
    fuel = [
        sale(order_in(half), product_id="p-2", quantity=9_000, amount_minor=2_500, regular_price_minor=1)
        for half in (0, 1)
    ]
    assert [1.0] * 4 == crossed(panel_of(pd.DataFrame(jar + fuel)))["bought"].tolist()


def test_without_regular_prices_a_product_is_compared_with_itself() -> None:
    """Where no regular price is known, a cheaper week still has a lower relative price, and no promotion."""
    weeks = [DAY + dt.timedelta(7 * week) for week in range(6)]
    sold = [
        sale(order_in(half, week), day=day, amount_minor=700 if week == 3 else 1_000, regular_price_minor=None)
        for week, day in enumerate(weeks)
        for half in (0, 1)
    ]
    rows = crossed(panel_of(pd.DataFrame(sold)))
    cheap = rows["log_relative"].round(9).eq(round(float(np.log(0.7)), 9))
    assert (2, 10, 0.0) == (cheap.sum(), rows["log_relative"].abs().lt(1e-9).sum(), rows["promotion"].sum())


numbers = st.one_of(st.none(), st.integers(-(10**15), 10**15), st.sampled_from([0, 1, 2, 100, float("inf")]))
sales = st.builds(
    sale,
    order_id=st.one_of(st.none(), st.text(max_size=4)),
    day=st.one_of(st.none(), st.dates(dt.date(1971, 1, 1), dt.date(2100, 1, 1))),
    product_id=st.one_of(st.none(), st.sampled_from(["p-1", "p-2", ""])),
    category_id=st.one_of(st.none(), st.sampled_from(["sauce", "a/b", "é > x"])),
    quantity=numbers,
    amount_minor=numbers,
    regular_price_minor=numbers,
)


@given(st.lists(sales, max_size=30))
@settings(max_examples=60)
def test_any_nonsense_gives_a_clean_panel(sold: list[dict[str, Any]]) -> None:
    """Whatever was sold, the panel and its crossing are finite, unique by key, and do not depend on the order."""
    panel = panel_of(pd.DataFrame(sold, columns=[*sale()]))
    rows = crossed(panel)
    assert COLUMNS == {name: str(kind) for name, kind in panel.dtypes.items()}
    assert not panel.duplicated(KEY).any()
    assert np.isfinite(panel.select_dtypes("number").to_numpy()).all()
    assert np.isfinite(rows.select_dtypes("number").to_numpy()).all()
    assert (panel["amount_minor"] <= panel["regular_minor"] * (1 + 1e-12)).all()
    again = panel_of(pd.DataFrame(sold[::-1], columns=[*sale()]))
    pd.testing.assert_frame_equal(panel, again, rtol=1e-12)
