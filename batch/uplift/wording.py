"""Wording: an effect as sentences for people who own a campaign."""

from __future__ import annotations

from batch.uplift.effects import ARM_MIN, Effect
from domain.money import DEFAULT_EXPONENT, EXPONENTS

Sought = tuple[float, int | None]
"""A relative uplift worth seeing, and the shoppers that show it."""


def spend_sentence(
    of: Effect, currency: str, window_days: int, smallest_minor: float | None, sought: Sought
) -> list[str]:
    """Gives what is known of spend, in major units.

    Args:
        of: the effect, in minor units.
        currency: of it.
        window_days: that spend was counted in.
        smallest_minor: effect that could have been seen.
        sought: what would be worth seeing.
    """
    if of.effect is None or of.low is None or of.high is None:
        return [f"Nothing can be said about spend: {of.note}."]
    amount = f"{_money(abs(of.effect), currency)} {_direction(of.effect)}"
    bounds = f"95 % interval {_amount(of.low, currency)} to {_money(of.high, currency)}"
    said = [
        f"Treated shoppers spent {amount} than held-out ones within {_days(window_days)} ({bounds}){_relative(of)}.",
    ]
    if not of.excludes_zero:
        said.append(_chance(of, "" if smallest_minor is None else _money(smallest_minor, currency), sought))
    if of.note:
        said.append(f"{of.note[0].upper()}{of.note[1:]}.")
    elif (narrower := 1 - (1 - of.variance_reduction) ** 0.5) >= 0.01:
        said.append(f"What the shoppers had spent before makes this interval {narrower * 100:.0f} % narrower.")
    if of.capped_at is not None:
        at = _money(of.capped_at, currency)
        said.append(f"Spend above {at} was counted as {at}.")
    return said


def conversion_sentence(of: Effect, window_days: int, smallest: float | None, sought: Sought) -> list[str]:
    """Gives what is known of conversion, in percent and points.

    Args:
        of: the effect, shares.
        window_days: that purchases were counted in.
        smallest: effect that could have been seen.
        sought: what would be worth seeing.
    """
    if of.effect is None or of.low is None or of.high is None or of.treated_mean is None or of.held_out_mean is None:
        return [f"Nothing can be said about purchases of promoted products: {of.note}."]
    shares = f"{_points(of.treated_mean)} % of treated and {_points(of.held_out_mean)} % of held-out shoppers"
    points = f"{_points(abs(of.effect))} points {_direction(of.effect)}"
    bounds = f"95 % interval {_points(of.low)} to {_points(of.high)}"
    bought = f"bought a promoted product within {_days(window_days)}"
    said = [f"{shares} {bought}: {points} ({bounds}){_relative(of)}."]
    if not of.excludes_zero:
        said.append(_chance(of, "" if smallest is None else f"{_points(smallest)} points", sought))
    return said


def _relative(of: Effect) -> str:
    if of.relative is None or of.relative_low is None or of.relative_high is None:
        return ""
    low, high = _number(of.relative_low * 100, 1), _number(of.relative_high * 100, 1)
    return f", {abs(of.relative) * 100:,.1f} % {_direction(of.relative)} ({low} to {high} %)"


def _chance(of: Effect, smallest: str, sought: Sought) -> str:
    """Says that nothing was found and, where the groups are large enough for that, what could have been."""
    share, shoppers = sought
    said = "The interval contains 0, so this may be chance."
    if smallest and of.smaller >= ARM_MIN:
        said += f" With so many shoppers an effect of {smallest} is found four times out of five"
        said += "." if shoppers is None else f"; one of {share * 100:g} % takes {shoppers:,} shoppers."
    return said


def _money(minor: float, currency: str) -> str:
    return f"{_amount(minor, currency)} {currency}"


def _amount(minor: float, currency: str) -> str:
    exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    return _number(minor / 10**exponent, exponent)


def _points(share: float) -> str:
    return _number(share * 100, 2)


def _number(value: float, decimals: int) -> str:
    """Gives a number without a minus before what is rounded to 0."""
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"


def _direction(effect: float) -> str:
    return "more" if effect >= 0 else "less"


def _days(count: int) -> str:
    return "a day" if count == 1 else f"{count} days"
