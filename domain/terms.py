"""Terms: what a campaign makes of a node's proposal, within its bounds, and what one promise may cost.

The tree personalises, the campaign bounds: a number outside is drawn in and said to be, never refused on the hot path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from domain.campaigns import Definition, Range
from domain.contents import product_of
from domain.experiences import Kind
from domain.packing import named

PRODUCTS_SHOWN_MAX = 50
"""Products of one experience."""


class Terms(NamedTuple):
    """What a campaign promises to one shopper.

    Attributes:
        content: of the experience.
        cost_minor: at most.
        is_clamped: whether a number of the node lay outside the bounds.
    """

    content: dict[str, Any]
    cost_minor: int
    is_clamped: bool


class _Bounded(NamedTuple):
    """A number within bounds, and whether it had to be drawn in."""

    value: int | float | None
    is_clamped: bool = False


def terms(
    definition: Definition, products: frozenset[str] | None, kind: Kind, content: Mapping[str, Any]
) -> Terms | None:
    """Gives what a campaign makes of a proposal; None where it promotes none of what could be shown.

    Args:
        definition: of the campaign, of the proposal's kind.
        products: that it promotes, categories resolved; None = any.
        kind: of the proposal.
        content: as the node has it.
    """
    made = dict(content)
    if kind != "basket_tension":
        shown = _products(definition, products, content.get("products", ()))
        if not shown:
            return None
        made["products"] = shown
    clamped = False
    if kind == "personalised_promotion":
        made["generosity"], clamped = _worth(definition, content.get("generosity"))
    elif kind == "basket_tension":
        made["reward"], clamped = _worth(definition, content.get("reward"))
    elif kind == "gamified_promotion" and definition.prizes:
        made["game"] = definition.game or content.get("game")
        made["prize"] = named(definition.prizes[0].reward)
    elif kind == "gamified_promotion" and definition.reward is not None:
        # There is nothing to play on the page: the order is what draws.
        made["draws_on"] = "order"
    if kind in ("personalised_promotion", "basket_tension"):
        threshold = _bounded(definition.threshold_minor, content.get("threshold_minor"))
        if threshold.value is not None:
            made["threshold_minor"] = threshold.value
        clamped = clamped or threshold.is_clamped
    return Terms(made, promise_minor(definition, kind, made), clamped)


def promise_minor(definition: Definition, kind: Kind, content: Mapping[str, Any]) -> int:
    """Gives what a promise of this content costs at most, in minor units."""
    most = definition.max_discount_minor
    if kind == "recommendation":
        return 0
    if kind == "gamified_promotion":
        return _costliest_minor(definition)
    worth = content["generosity" if kind == "personalised_promotion" else "reward"]
    amount = worth.get("value_minor")
    if worth["type"] == "amount" and amount is not None:
        return int(amount) if most is None else min(int(amount), most)
    return most or 0


def cost_at_most(definition: Definition) -> int:
    """Gives what any promise of a campaign costs at most, in minor units."""
    most = definition.max_discount_minor
    if definition.kind == "recommendation":
        return 0
    if definition.kind == "gamified_promotion":
        return _costliest_minor(definition)
    if definition.percent is None and definition.amount_minor is not None:
        amount = definition.amount_minor.most
        return amount if most is None else min(amount, most)
    return most or 0


def cost_at_least(definition: Definition) -> int:
    """Gives what every promise of a campaign reserves, in minor units; 0 where the tree may say less."""
    if definition.percent is None and definition.amount_minor is None and definition.kind != "gamified_promotion":
        return 0
    if definition.percent is None and definition.amount_minor is not None:
        return min(definition.amount_minor.least, cost_at_most(definition))
    return cost_at_most(definition)


def _costliest_minor(definition: Definition) -> int:
    prizes = max((prize.cost_minor for prize in definition.prizes), default=definition.max_discount_minor or 0)
    return max(prizes, 0 if definition.reward is None else definition.reward.at_most_minor)


def _products(definition: Definition, products: frozenset[str] | None, proposed: Sequence[Any]) -> list[Any]:
    """Gives what is shown: of the node's products those that are promoted, else the campaign's own."""
    if products is None:
        return list(proposed)
    both = [item for item in proposed if product_of(item) in products]
    return both or list(definition.products[:PRODUCTS_SHOWN_MAX])


def _worth(definition: Definition, proposed: Mapping[str, Any] | None) -> tuple[dict[str, Any], bool]:
    """Gives generosity or reward within the campaign's bounds; without bounds, as the node has it.

    An amount is never above what one promise costs at most: the page would show what the till does not give.
    """
    if definition.percent is not None:
        told = proposed.get("value") if proposed is not None and proposed.get("type") == "percent" else None
        percent = _bounded(definition.percent, told)
        return {"type": "percent", "value": percent.value}, percent.is_clamped
    if definition.amount_minor is not None:
        told = proposed.get("value_minor") if proposed is not None and proposed.get("type") == "amount" else None
        amount = _bounded(definition.amount_minor, told)
        return {"type": "amount", "value_minor": amount.value}, amount.is_clamped
    made, most = dict(proposed or {}), definition.max_discount_minor
    amount_minor = made.get("value_minor")
    is_above = most is not None and made.get("type") == "amount" and amount_minor is not None and amount_minor > most
    return (made | {"value_minor": most}, True) if is_above else (made, False)


def _bounded(bounds: Range | None, value: float | None) -> _Bounded:
    if bounds is None:
        return _Bounded(value)
    if value is None:
        return _Bounded(bounds.usual)
    within = min(max(value, bounds.least), bounds.most)
    return _Bounded(within, is_clamped=within != value)
