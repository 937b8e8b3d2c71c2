"""What would come of a campaign: the hours of its trial summed up, for machines and as sentences for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from batch.dry_run import DAY_MS, Span
from domain.campaigns import Budget, Campaign
from domain.contents import TTL_S_DEFAULT
from domain.money import DEFAULT_EXPONENT, EXPONENTS
from domain.timestamps import rfc3339

HOUR_MS: Final = 3_600_000


class Hour(NamedTuple):
    """What would have happened in one hour of the span.

    Attributes:
        hour: its number, the first one is 0.
        active: shoppers whose first event it has.
        reached, kept_out: shoppers who would have got the campaign for the first time, and who are held out.
        decisions, held_out, promises, cost_minor: as in `Foreseen`.
    """

    hour: int
    active: int = 0
    reached: int = 0
    kept_out: int = 0
    decisions: int = 0
    held_out: int = 0
    promises: int = 0
    cost_minor: int = 0


class Day(Struct, frozen=True, kw_only=True):
    """One day of a trial, counted from the campaign's start.

    Attributes:
        day: when it begins, in the campaign's time.
        tried_on: when it began in the past.
        shoppers: who would have got the campaign for the first time.
        decisions: that it would have won and shown.
        promises, cost_minor: of those, at most, whatever the budget.
    """

    day: str
    tried_on: str
    shoppers: int
    decisions: int
    promises: int
    cost_minor: int


class Foreseen(Struct, frozen=True, kw_only=True):
    """What would come of a campaign.

    Attributes:
        campaign_id, name: of it.
        currency: of costs, ISO 4217.
        tried_since, tried_until: the past on which it was tried.
        days: of the campaign that were tried, the last one perhaps in part.
        campaign_days: that it lasts.
        active: shoppers who did something in that time.
        shoppers: who would have got it.
        held_out_shoppers: who would have, but are held out.
        decisions, held_out: that it would have won: shown, and held out.
        promises, cost_minor: of the shown, at most, whatever the budget.
        promises_within, cost_within_minor: the same within the budget.
        exhausted_at: the hour in which the budget could be used up, in the campaign's time; None = not in this time.
        by_day: each day.
        assumed: what was taken for granted, as sentences.
    """

    campaign_id: str
    name: str
    currency: str
    tried_since: str
    tried_until: str
    days: int
    campaign_days: int
    active: int
    shoppers: int
    held_out_shoppers: int
    decisions: int
    held_out: int
    promises: int
    cost_minor: int
    promises_within: int
    cost_within_minor: int
    exhausted_at: str | None
    by_day: tuple[Day, ...]
    assumed: tuple[str, ...]

    def sentences(self) -> list[str]:
        """Gives what a marketing team should read, without the days."""
        of_active = f"{self.shoppers:,} of {self.active:,} active shoppers would have got it"
        said = [f"{self.name} ({self.campaign_id}): {of_active}, and {self.held_out_shoppers:,} are held out."]
        said.append(f"It would have been shown {self.decisions:,} times.")
        if self.promises:
            cost = _money(self.cost_minor, self.currency)
            said.append(f"That makes {self.promises:,} promises, of {cost} at most.")
        if self.exhausted_at is not None:
            within = f"{self.promises_within:,} promises of {_money(self.cost_within_minor, self.currency)}"
            said.append(f"The budget goes as far as {within}: it could be used up from {self.exhausted_at} on.")
        elif self.promises:
            said.append("The budget would have lasted.")
        return [*said, *(f"Assumed: {one}" for one in self.assumed)]


def foreseen(campaign: Campaign, currency: str, span: Span, hours: Sequence[Hour]) -> Foreseen:
    """Sums the hours of a trial, and sees how far the budget goes.

    Args:
        campaign: as it is defined.
        currency: the retailer's.
        span: that was tried.
        hours: in which anything happened, the earliest first.
    """
    definition = campaign.definition
    total = _sum(hours)
    exhausted, promises_within, cost_within_minor = _within(definition.budget or Budget(), hours)
    days = _days_of(span.until_ms - span.since_ms)
    campaign_days = _days_of(definition.ends_at_ms - definition.starts_at_ms)
    return Foreseen(
        campaign_id=campaign.campaign_id,
        name=definition.name,
        currency=currency,
        tried_since=rfc3339(span.since_ms),
        tried_until=rfc3339(span.until_ms),
        days=days,
        campaign_days=campaign_days,
        active=total.active,
        shoppers=total.reached,
        held_out_shoppers=total.kept_out,
        decisions=total.decisions,
        held_out=total.held_out,
        promises=total.promises,
        cost_minor=total.cost_minor,
        promises_within=promises_within,
        cost_within_minor=cost_within_minor,
        exhausted_at=None if exhausted is None else rfc3339(_at_ms(span, exhausted) + span.shift_ms),
        by_day=tuple(_days(span, hours)),
        assumed=tuple(_assumed(span, days, campaign_days)),
    )


def _sum(hours: Sequence[Hour]) -> Hour:
    return Hour(0, *(sum(column) for column in zip(*(hour[1:] for hour in hours), strict=True)))


def _within(budget: Budget, hours: Sequence[Hour]) -> tuple[Hour | None, int, int]:
    """Gives the hour in which a budget has no more left for a promise, and the promises and cost until then."""
    promises = cost_minor = 0
    for hour in hours:
        if not hour.promises:
            continue
        each_minor = hour.cost_minor // hour.promises
        fits = hour.promises
        if budget.count is not None:
            fits = min(fits, budget.count - promises)
        if budget.money_minor is not None and each_minor:
            fits = min(fits, (budget.money_minor - cost_minor) // each_minor)
        promises += fits
        cost_minor += fits * each_minor
        is_counted_out = budget.count is not None and promises >= budget.count
        is_spent = budget.money_minor is not None and 0 < each_minor > budget.money_minor - cost_minor
        if is_counted_out or is_spent:
            return hour, promises, cost_minor
    return None, promises, cost_minor


def _days(span: Span, hours: Sequence[Hour]) -> Iterator[Day]:
    by_day: dict[int, list[Hour]] = {}
    for hour in hours:
        by_day.setdefault(hour.hour * HOUR_MS // DAY_MS, []).append(hour)
    for number in range(_days_of(span.until_ms - span.since_ms)):
        total = _sum(by_day.get(number, [Hour(0)]))
        begins_ms = span.since_ms + number * DAY_MS
        yield Day(
            day=rfc3339(begins_ms + span.shift_ms),
            tried_on=rfc3339(begins_ms),
            shoppers=total.reached,
            decisions=total.decisions,
            promises=total.promises,
            cost_minor=total.cost_minor,
        )


def _at_ms(span: Span, hour: Hour) -> int:
    return span.since_ms + hour.hour * HOUR_MS


def _days_of(span_ms: int) -> int:
    return -(-span_ms // DAY_MS)


def _assumed(span: Span, days: int, campaign_days: int) -> Iterator[str]:
    yield (
        f"tried on what happened from {rfc3339(span.since_ms)} to {rfc3339(span.until_ms)}, which begins on the"
        " campaign's weekday and hour; each event counts when it happened."
    )
    if days < campaign_days:
        yield f"of the campaign's {campaign_days:,} days the first {days:,} were tried."
    yield (
        "every shopper's tree proposes the campaign, at its most generous, as soon as its audience holds, once a visit"
        " or order; real trees propose it less often, and other campaigns win slots too."
    )
    yield "nobody was known before: visits, baskets and orders count from the beginning of that time."
    yield (
        f"a promise stands for {TTL_S_DEFAULT // 60} minutes unless an order that the shop's server told redeems it,"
        " and costs are as if each were redeemed."
    )


def _money(minor: int, currency: str) -> str:
    exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    return f"{minor / 10**exponent:,.{exponent}f} {currency}"
