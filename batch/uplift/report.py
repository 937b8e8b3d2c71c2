"""Report: all that is known about one campaign's uplift, as a row for machines and as sentences for people."""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import Struct
from numpy.typing import ArrayLike

from batch.uplift.checks import SampleRatio, sample_ratio, shoppers_needed, smallest_effect
from batch.uplift.effects import ARM_MIN, Effect, adjusted_spend_effect, conversion_effect, spend_effect
from batch.uplift.wording import conversion_sentence, spend_sentence

Cell = str | int | float | bool | None

_IN_UNITS = ("treated_mean", "held_out_mean", "effect", "low", "high", "standard_error")
_PLAIN = ("relative", "relative_low", "relative_high")


class Shoppers(NamedTuple):
    """All shoppers who entered a campaign, one element each.

    Attributes:
        treated: True = treated, False = held out.
        spend_minor: net spend in the window from entering.
        converted: whether a promoted product was bought in the window and kept.
        spend_before_minor: spend in a span of one length before entering; 0 for who was not there. None = not known.
    """

    treated: ArrayLike
    spend_minor: ArrayLike
    converted: ArrayLike
    spend_before_minor: ArrayLike | None = None


class Uplift(Struct, frozen=True, kw_only=True):
    """What one campaign changed.

    Attributes:
        campaign_id: of the campaign.
        currency: of all spend, ISO 4217.
        window_days: from entering, in which spend and conversion count.
        ratio: whether the groups are as large as planned.
        spend: plain comparison, minor units a shopper.
        spend_adjusted: the same, reduced by spend before; the plain one again, its note says why, where that can't be
            done. This is the one to report: chosen before anybody saw the figures, and at least as sure.
        conversion: shares of shoppers.
        smallest_spend_minor, smallest_conversion: effects that the campaign could have seen (`smallest_effect`), the
            first of `spend_adjusted`; None where that can't be told, or nothing could have been seen.
        sought: a relative uplift that would be worth seeing.
        shoppers_for_spend, shoppers_for_conversion: that show it, in both groups, at this campaign's split and spread;
            None where that can't be told.
        warnings: reasons not to rely on the figures, as sentences; the weightiest first.
    """

    campaign_id: str
    currency: str
    window_days: int
    ratio: SampleRatio
    spend: Effect
    spend_adjusted: Effect
    conversion: Effect
    smallest_spend_minor: float | None
    smallest_conversion: float | None
    sought: float
    shoppers_for_spend: int | None
    shoppers_for_conversion: int | None
    warnings: tuple[str, ...]

    def as_row(self) -> dict[str, Cell]:
        """Gives one flat row for CSV or JSON: always the same columns, None where nothing is known, never nan."""
        return {
            "campaign_id": self.campaign_id,
            "currency": self.currency,
            "window_days": self.window_days,
            "treated": self.ratio.treated,
            "held_out": self.ratio.held_out,
            "holdout_planned": self.ratio.planned_share,
            "holdout_seen": self.ratio.held_out_share,
            "sample_ratio_p": self.ratio.p_value,
            "sample_ratio_holds": self.ratio.holds,
            **_cells("spend_plain", self.spend, "_minor"),
            "spend_capped_at_minor": self.spend.capped_at,
            **_cells("spend", self.spend_adjusted, "_minor"),
            "spend_variance_reduction": self.spend_adjusted.variance_reduction,
            "spend_smallest_effect_minor": self.smallest_spend_minor,
            "spend_shoppers_needed": self.shoppers_for_spend,
            **_cells("conversion", self.conversion, ""),
            "conversion_smallest_effect": self.smallest_conversion,
            "conversion_shoppers_needed": self.shoppers_for_conversion,
            "sought": self.sought,
            "warnings": " ".join(self.warnings),
        }

    def sentences(self) -> list[str]:
        """Gives what a marketing team should read, warnings first."""
        return [
            *(f"Warning: {warning}" for warning in self.warnings),
            *([self.ratio.verdict] if self.ratio.holds else []),
            *spend_sentence(
                self.spend_adjusted,
                self.currency,
                self.window_days,
                self.smallest_spend_minor,
                (self.sought, self.shoppers_for_spend),
            ),
            *conversion_sentence(
                self.conversion,
                self.window_days,
                self.smallest_conversion,
                (self.sought, self.shoppers_for_conversion),
            ),
        ]


def measure(
    campaign_id: str,
    shoppers: Shoppers,
    *,
    holdout_share: float,
    currency: str,
    window_days: int = 7,
    capped_share: float | None = None,
    sought: float = 0.05,
) -> Uplift:
    """Measures one campaign.

    The intervals are for one look, at a time fixed beforehand, at shoppers whose window is over: whoever looks every
    day and stops at the first good news finds effects that are not there far more often than once in twenty.

    Args:
        campaign_id: of the campaign.
        shoppers: all who entered, and nobody chosen by what happened after entering.
        holdout_share: planned, 0..1.
        currency: of all spend, ISO 4217.
        window_days: that spend and conversion were counted in.
        capped_share: see `spend_effect`.
        sought: a relative uplift that would be worth seeing, above 0.

    Raises:
        ValueError: columns of different length, an amount that is not finite, or a share out of its range.
    """
    spend = spend_effect(shoppers.treated, shoppers.spend_minor, capped_share=capped_share)
    adjusted = adjusted_spend_effect(
        shoppers.treated,
        shoppers.spend_minor,
        shoppers.spend_before_minor,
        capped_share=capped_share,
    )
    conversion = conversion_effect(shoppers.treated, shoppers.converted)
    ratio = sample_ratio(spend.treated, spend.held_out, holdout_share)
    return Uplift(
        campaign_id=campaign_id,
        currency=currency,
        window_days=window_days,
        ratio=ratio,
        spend=spend,
        spend_adjusted=adjusted,
        conversion=conversion,
        smallest_spend_minor=smallest_effect(adjusted.standard_error),
        smallest_conversion=_below_one(smallest_effect(conversion.standard_error)),
        sought=sought,
        shoppers_for_spend=_needed(adjusted, sought),
        shoppers_for_conversion=_needed(conversion, sought),
        warnings=_warnings(ratio, adjusted),
    )


def _needed(of: Effect, sought: float) -> int | None:
    """Gives how many shoppers show the sought uplift at the split and spread that was seen."""
    if of.standard_error is None or of.held_out_mean is None or of.relative is None:
        return None
    if of.method == "newcombe" and of.held_out_mean * (1 + sought) > 1:
        return None
    count = of.treated + of.held_out
    deviation = of.standard_error * math.sqrt(of.treated * of.held_out / count)
    return shoppers_needed(sought * of.held_out_mean, deviation, of.held_out / count)


def _below_one(share: float | None) -> float | None:
    """Gives the share, or None for what no share can be: groups so small could not have shown anything."""
    return share if share is not None and share <= 1 else None


def _warnings(ratio: SampleRatio, spend: Effect) -> tuple[str, ...]:
    warnings = [] if ratio.holds else [ratio.verdict]
    if spend.smaller < ARM_MIN:
        warnings.append(
            f"{spend.treated:,} treated and {spend.held_out:,} held-out shoppers are too few to say anything: "
            f"at least {ARM_MIN} in each group are needed."
        )
    elif spend.normal_from is not None and spend.normal_from > spend.smaller:
        warnings.append(
            f"Spend is so uneven that its interval can be trusted from about {spend.normal_from:,} shoppers in the "
            f"smaller group on, and there are {spend.smaller:,}; capping the largest spends helps."
        )
    return tuple(warnings)


def _cells(prefix: str, of: Effect, unit: str) -> dict[str, Cell]:
    row: dict[str, Cell] = {f"{prefix}_method": of.method}
    row.update({f"{prefix}_{name}{unit}": getattr(of, name) for name in _IN_UNITS})
    row.update({f"{prefix}_{name}": getattr(of, name) for name in _PLAIN})
    row[f"{prefix}_note"] = of.note
    return row
