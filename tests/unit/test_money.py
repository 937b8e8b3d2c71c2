"""Currencies and amounts at the door."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.money import EXPONENTS, is_currency, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1.005", "EUR", 101),
        (Decimal("1.005"), "EUR", 101),
        (Decimal("1.004999999999999999999999999999999999"), "EUR", 100),
        (Decimal("2.675"), "USD", 268),
        (5, "EUR", 500),
        ("5", None, 500),
        (" 5.1 ", None, 510),
        (Decimal("1.5"), "JPY", 2),
        (Decimal("0.5"), "JPY", 1),
        (Decimal("0.49"), "JPY", 0),
        ("1.0005", "KWD", 1_001),
        ("1.00005", "CLF", 10_001),
        (0, "EUR", 0),
        (Decimal("-0.0"), "EUR", 0),
        (Decimal("0E+999999"), "EUR", 0),
        (Decimal("1E-999999"), "EUR", 0),
        ("1e2", "EUR", 10_000),
        ("10000000000", "EUR", 10**12),
        (Decimal("10000000000.004"), "EUR", 10**12),
    ],
)
def test_major_units_become_minor_ones_half_up(amount: object, currency: str | None, minor: int) -> None:
    """An amount in major units is rounded once, half up, at the currency's own exponent."""
    assert minor == minor_units(amount, currency)


@pytest.mark.parametrize(
    "amount",
    [
        -1,
        Decimal("-0.001"),
        "10000000000.01",
        Decimal("1E+999999"),
        10**400,
        Decimal("NaN"),
        Decimal("Infinity"),
        "NaN",
        "",
        "1,50",
        "1_000",
        "€5",
        "٥",
        True,
        None,
        [],
        "9" * 41,
    ],
)
def test_what_is_no_amount_is_none(amount: object) -> None:
    """Negative, endless, too large, and what is no decimal number is no amount."""
    assert minor_units(amount, "EUR") is None


def test_currencies_are_those_with_a_minor_unit() -> None:
    """Codes are known in upper case; metals and test codes have no minor unit and are no currencies here."""
    for code in ("EUR", "USD", "GBP", "CHF", "JPY", "KWD", "XAF", "XCG", "SLE", "ZWG"):
        assert is_currency(code)
    for code in ("eur", "EURO", "", "XAU", "XXX", "XTS", "ABC"):
        assert not is_currency(code)
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert {0, 2, 3, 4} == set(EXPONENTS.values())
