"""Uplift as of now: what shoppers paid first after they met a campaign, those who got it beside those held out.

The first order alone, since the dozen who come again every few minutes would decide every comparison of totals. A look
while the demo runs, for the page alone. The verdict on a campaign is `hotbasket batch uplift`: once, on windows of one
length that are over, less what came back. Needs libraries of the cold half, but neither Java nor a warehouse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from deploy.demo.campaign_counts import Entrant, groups
from deploy.demo.receipts import Receipt
from domain.campaigns import PPM, Definition

CURRENCY: Final = "EUR"
_SHOWN: Final = ("treated_mean", "held_out_mean", "effect", "low", "high")


def look(
    definition: Definition,
    entrants: Mapping[str, Entrant],
    receipts: Iterable[Receipt],
    promoted: frozenset[str] | None,
) -> dict[str, Any]:
    """Gives what can be said now, with the reason where that is nothing.

    Args:
        definition: of the campaign.
        entrants: by shopper hash, who met it since the receipts began.
        receipts: of everybody, oldest first; the first order after its shopper's meeting counts.
        promoted: product ids; None = any product for a basket tension, else those of the first experience.

    Returns:
        `state`: measured, no_holdout, no_libraries or too_few; `treated`, `held_out`: shoppers, `needed` of each.
        Measured, also `spend` in minor units a shopper and `conversion` as shares, each with treated_mean,
        held_out_mean, effect, low and high; `trusted_from`: in each group, from which number of shoppers on the
        interval of spend is to be trusted; and `is_split_odd`: more or fewer are held out than chance explains.
    """
    treated, held_out = groups(entrants)
    seen: dict[str, Any] = {"state": "measured", "treated": treated, "held_out": held_out, "needed": 0}
    if not definition.holdout_ppm:
        return seen | {"state": "no_holdout"}
    try:
        from batch.uplift.effects import ARM_MIN  # noqa: PLC0415 - its libraries may be absent
        from batch.uplift.report import Shoppers, measure  # noqa: PLC0415
    except ImportError:
        return seen | {"state": "no_libraries"}
    seen["needed"] = ARM_MIN
    if min(treated, held_out) < ARM_MIN:
        return seen | {"state": "too_few"}
    spend, bought = _after_meeting(definition, entrants, receipts, promoted)
    shoppers = Shoppers([not one.held_out for one in entrants.values()], spend, bought)
    found = measure("", shoppers, holdout_share=definition.holdout_ppm / PPM, currency=CURRENCY, window_days=1)
    return seen | {
        "spend": {name: getattr(found.spend, name) for name in _SHOWN},
        "conversion": {name: getattr(found.conversion, name) for name in _SHOWN},
        "trusted_from": found.spend.normal_from,
        "is_split_odd": not found.ratio.holds,
    }


def _after_meeting(
    definition: Definition,
    entrants: Mapping[str, Entrant],
    receipts: Iterable[Receipt],
    promoted: frozenset[str] | None,
) -> tuple[list[int], list[bool]]:
    """Gives, in the order of the entrants, what each paid and whether what is promoted was among it."""
    first: dict[str, Receipt] = {}
    for receipt in receipts:
        entrant = entrants.get(receipt.shopper)
        if entrant is not None and receipt.at_ms > entrant.at_ms:
            first.setdefault(receipt.shopper, receipt)
    spend: list[int] = []
    bought: list[bool] = []
    for shopper, entrant in entrants.items():
        order = first.get(shopper)
        wanted = entrant.products if promoted is None else promoted
        is_any = promoted is None and definition.kind == "basket_tension"
        spend.append(0 if order is None else order.total_minor)
        bought.append(order is not None and (is_any or not wanted.isdisjoint(order.products)))
    return spend, bought
