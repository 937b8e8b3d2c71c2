"""Money at the door: which currencies exist, how many decimals they have, and major units turned into minor ones."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

MINOR_MAX = 10**12
DEFAULT_EXPONENT = 2
"""Decimals of a price whose currency nobody named."""

_TWO_DECIMALS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF
IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV
MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD
SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL
"""
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"

EXPONENTS: dict[str, int] = {
    code: exponent
    for exponent, codes in ((2, _TWO_DECIMALS), (0, _NO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for code in codes.split()
}
"""Currency code → decimals of its minor unit.

The codes of ISO 4217 that have a minor unit, and those withdrawn since 2021, which old orders still carry. Metals,
drawing rights and test codes have no minor unit, so no price can be given in them.

Source: ISO 4217, list one.
"""

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,4})?")
# Wide enough for every amount within bounds; signals nothing that a caller would have to catch.
_ROUNDING = Context(prec=28, rounding=ROUND_HALF_UP, traps=[])


def is_currency(code: str) -> bool:
    """Tells whether `code` is a currency that has a minor unit, in upper case."""
    return code in EXPONENTS


def minor_units(amount: object, currency: str | None) -> int | None:
    """Turns an amount in major units into minor units, half up.

    Args:
        amount: an int, a Decimal (JSON numbers are read as such, so that 1.005 stays 1.005) or a decimal text.
        currency: a code of `EXPONENTS`; None = two decimals.

    Returns:
        0..10**12, or None if the amount is no number, negative or larger than that.
    """
    value = _decimal(amount)
    if value is None or not value.is_finite():
        return None
    if value == 0:
        return 0
    if value.is_signed() or value.adjusted() > 15:
        return None
    unit = Decimal(1).scaleb(-(DEFAULT_EXPONENT if currency is None else EXPONENTS[currency]))
    minor = int(_ROUNDING.divide(value.quantize(unit, context=_ROUNDING), unit))
    return minor if minor <= MINOR_MAX else None


def _decimal(amount: object) -> Decimal | None:
    if isinstance(amount, bool):
        return None
    if isinstance(amount, int):
        return Decimal(amount)
    if isinstance(amount, Decimal):
        return amount
    if isinstance(amount, str) and _NUMBER.fullmatch(amount.strip()):
        return Decimal(amount.strip())
    return None
