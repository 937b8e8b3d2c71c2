"""Assumptions: everything that the econometric rules take for granted, each number with its unit and its reason."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

MARGIN_SHARES: Final[dict[str, float]] = {
    "grocery": 0.26,
    "frozen grocery": 0.30,
    "frozen": 0.30,
    "dairy": 0.28,
    "produce": 0.35,
    "fruit": 0.35,
    "vegetables": 0.35,
    "meat": 0.28,
    "meat-pckgd": 0.28,
    "seafood": 0.30,
    "seafood-pckgd": 0.30,
    "deli": 0.42,
    "salad bar": 0.50,
    "chef shoppe": 0.50,
    "restaurant": 0.50,
    "pastry": 0.45,
    "bakery": 0.45,
    "floral": 0.45,
    "cosmetics": 0.40,
    "drug gm": 0.28,
    "household": 0.26,
    "nutrition": 0.32,
    "drinks": 0.26,
    "beverages": 0.26,
    "spirits": 0.22,
    "wine": 0.25,
    "beer": 0.22,
    "tobacco": 0.10,
    "fuel": 0.05,
}
"""Gross margin as a share of the regular price, by department or category in lower case.

These are round numbers of the order that grocers speak of, not measurements of any retailer: whatever rests on them is
marked `assumed`. A `cost_minor` in the catalogue replaces them.
"""


class Assumptions(Struct, frozen=True, kw_only=True):
    """What the rules take for granted; a retailer who knows better replaces a field.

    Attributes:
        products_min: clusters below which standard errors by product mean nothing, so that a category falls back.
        purchases_min: counted lines below which a category falls back.
        elasticity_default: of demand to price where nothing could be estimated.
        elasticity_default_sd: how far a store's mean may be from the default.
        elasticity_spread: standard deviation between categories where too few were estimated to tell.
        elasticity_range: what the rules may use, least and most.
        lift_default, lift_default_sd, lift_spread, lift_range: the same of the promotion's own effect, in log points.
        caution_z: the rules use the estimate moved towards no effect by so many standard errors (1.28: one-sided 90 %).
        generosity_floor_percent: a smaller discount is not worth showing.
        generosity_cap_percent: a larger one is never given.
        generosity_step_percent: between the discounts that are tried.
        lift_counts: whether a personal promotion is credited with the promotion's own effect. No: what the retailer's
            promotions gained by shelf displays and leaflets, a personal one may not have.
        margin_shares: by department or category, lower case; see `MARGIN_SHARES`.
        margin_share_default: for the others.
        stretch_range: a threshold is at least and at most so much above the predicted total (shares of it); the
            smallest round step above the least is always tried.
        thresholds_tried: round steps that are compared at most, from the smallest on.
        reward_shares: rewards that are compared, as shares of the threshold.
        reward_cost_share: what a reward costs, as a share of its value; 1 = money off the basket.
        response: probability that a shopper who is a step short of the threshold fills it up for the reward. Assumed:
            purchases without an experiment can't tell it; held-out shoppers can.
        lever: nobody fills a gap above `lever` times the reward; the response falls to 0 in a straight line.
        spend_steps_default: an order's total in round steps (8 x 5.00), where no totals are known.
        spend_steps_default: float = 8.0
    spend_sigma_default: of the log of a basket's total, where no totals are known.
        spend_orders_prior: the usual spread of a shopper's baskets counts for so many of this shopper's orders.
    """

    products_min: int = 5
    purchases_min: int = 20
    elasticity_default: float = -1.5
    elasticity_default_sd: float = 1.0
    elasticity_spread: float = 0.6
    elasticity_range: tuple[float, float] = (-6.0, 0.0)
    lift_default: float = 0.0
    lift_default_sd: float = 0.5
    lift_spread: float = 0.3
    lift_range: tuple[float, float] = (0.0, 1.5)
    caution_z: float = 1.28
    generosity_floor_percent: int = 5
    generosity_cap_percent: int = 30
    generosity_step_percent: int = 5
    lift_counts: bool = False
    margin_shares: dict[str, float] = field(default_factory=MARGIN_SHARES.copy)
    margin_share_default: float = 0.27
    stretch_range: tuple[float, float] = (0.1, 0.5)
    thresholds_tried: int = 8
    reward_shares: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05)
    reward_cost_share: float = 1.0
    response: float = 0.5
    lever: float = 10.0
    spend_steps_default: float = 8.0
    spend_sigma_default: float = 0.6
    spend_orders_prior: float = 5.0


def margin_share(category_id: str, department: str, assumptions: Assumptions) -> float:
    """Gives the assumed gross margin of a category as a share of the regular price, 0..1.

    The category's own entry is tried first, then its department's, then the default.
    """
    for name in (category_id, department):
        if (known := assumptions.margin_shares.get(name.strip().lower())) is not None:
            return min(max(known, 0.0), 1.0)
    return min(max(assumptions.margin_share_default, 0.0), 1.0)
