"""Rules: what the econometrics say about each category, in a form that the warehouse keeps and tree growing reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from batch.econometrics.assumptions import Assumptions, margin_share
from batch.econometrics.elasticities import Elasticities, Level, Member, department_of, elasticities
from batch.econometrics.generosity import Generosity, best_generosity
from batch.econometrics.tension import Spend, assumed_spend, round_step
from domain.ports.retailers import CatalogueItem

SCHEMA_VERSION: Final = 1
UNIT_PRICE_MINOR: Final = 10_000.0
"""Price of the typical product of a category: only the margin share matters to the best discount."""

MarginSource = Literal["catalogue", "assumed"]


class Margin(NamedTuple):
    """Gross margin as a share of the regular price, where it comes from, and how many products' costs it rests on."""

    share: float
    source: MarginSource
    products: int


class CategoryRule(Struct, frozen=True, kw_only=True):
    """What holds for one category; of a department or the store, what holds for their unknown categories.

    Attributes:
        name: category id or department; '' for the store.
        department: '' if there is none.
        elasticity, elasticity_error: own price, shrunk, within the plausible range; its standard error.
        elasticity_raw, elasticity_raw_error: the own estimate; None where there is none.
        elasticity_weight: of the own estimate, 0..1.
        lift, lift_error: what being promoted adds at a given price, log points.
        level: what the elasticity rests on; `assumed` if nothing could be estimated.
        reason: how it was estimated, or why it fell back.
        capped: whether elasticity or lift were outside the plausible range.
        products, purchases: that informed the own estimate.
        margin_share, margin_source, margin_products: see `Margin`.
        generosity_percent: best for a product with that margin; 0 = no promotion.
        generosity_reason: why.
    """

    name: str
    department: str
    elasticity: float
    elasticity_error: float
    elasticity_raw: float | None
    elasticity_raw_error: float | None
    elasticity_weight: float
    lift: float
    lift_error: float
    level: Level
    reason: str
    capped: bool
    products: int
    purchases: float
    margin_share: float
    margin_source: MarginSource
    margin_products: int
    generosity_percent: int
    generosity_reason: str


class Rules(Struct, frozen=True, kw_only=True):
    """The econometric rules of one retailer.

    Attributes:
        currency: ISO 4217.
        store, departments, categories: the latter two sorted by name.
        step_minor: between basket thresholds.
        spend: the store's baskets, for strangers.
        assumptions: that they were made with, so that whoever reads them decides alike.
        schema_version: of this form.
    """

    currency: str
    store: CategoryRule
    departments: tuple[CategoryRule, ...]
    categories: tuple[CategoryRule, ...]
    step_minor: int
    spend: Spend
    assumptions: Assumptions
    schema_version: int = SCHEMA_VERSION


class Row(NamedTuple):
    """A line of the table of what was estimated and what fell back; numbers rounded for people."""

    kind: Literal["store", "department", "category"]
    name: str
    elasticity: float
    elasticity_error: float
    raw: float | None
    raw_error: float | None
    weight: float
    lift: float
    rests_on: Level
    why: str
    capped: bool
    margin_share: float
    margin_source: MarginSource
    generosity_percent: int


def rules_of(
    panel: pd.DataFrame,
    catalogue: Sequence[CatalogueItem],
    currency: str,
    assumptions: Assumptions | None = None,
    departments: Mapping[str, str] | None = None,
    spend: Spend | None = None,
) -> Rules:
    """Makes the rules of one retailer from its panel and catalogue.

    Args:
        panel: see `batch.econometrics.panel`; may be empty.
        catalogue: its products; each of their categories gets a rule, sold or not. May be empty.
        currency: of the catalogue's prices.
        assumptions: None = the defaults.
        departments: by category id; None = what stands before '/' or ' > ' of the id.
        spend: the store's baskets, see `tension.spend_of_totals`; None = assumed.

    Returns:
        The rules; the same for the same input, whatever its order.
    """
    given = assumptions or Assumptions()
    found = elasticities(panel, departments, {item.category_id for item in catalogue}, given)
    margins = _margins(catalogue, found, given)
    revenue = panel.groupby("category_id")["amount_minor"].sum()
    rules = tuple(_rule(member, margins[member.name], given) for member in found.categories)
    step_minor = round_step(currency)
    return Rules(
        currency=currency,
        store=_rule(found.store, _mean_margin(rules, revenue, given), given),
        departments=tuple(
            _rule(member, _mean_margin([r for r in rules if r.department == member.name], revenue, given), given)
            for member in found.departments
        ),
        categories=rules,
        step_minor=step_minor,
        spend=spend or assumed_spend(step_minor, given),
        assumptions=given,
    )


def find(rules: Rules, category_id: str) -> CategoryRule:
    """Gives a category's rule; a category never seen has its department's if its id names one, else the store's."""
    for known, name in ((rules.categories, category_id), (rules.departments, department_of(category_id, None))):
        place = bisect_left(known, name, key=lambda rule: rule.name)
        if place < len(known) and known[place].name == name:
            return known[place]
    return rules.store


def generosity_of(rules: Rules, item: CatalogueItem) -> Generosity:
    """Gives the generosity of one product: its own cost if the catalogue has it, else its category's margin.

    A product without a price gets no promotion.
    """
    rule = find(rules, item.category_id)
    return best_generosity(
        item.price_minor,
        item.cost_minor,
        rule.margin_share,
        (rule.elasticity, rule.elasticity_error),
        rules.assumptions,
        (rule.lift, rule.lift_error),
    )


def table(rules: Rules) -> list[Row]:
    """Gives what was estimated and what fell back: the store, then departments, then categories."""
    kinds: list[tuple[Literal["store", "department", "category"], Iterable[CategoryRule]]] = [
        ("store", (rules.store,)),
        ("department", rules.departments),
        ("category", rules.categories),
    ]
    return [_row(kind, rule) for kind, members in kinds for rule in members]


def encode(rules: Rules) -> bytes:
    """Gives the rules as JSON."""
    return msgspec.json.encode(rules)


def decode(data: bytes) -> Rules:
    """Reads the rules again.

    Raises:
        msgspec.ValidationError: if they are not rules of this form.
    """
    rules = msgspec.json.decode(data, type=Rules)
    if rules.schema_version != SCHEMA_VERSION:
        raise msgspec.ValidationError(
            f"rules of schema_version {rules.schema_version}, this program reads {SCHEMA_VERSION}: make them again"
        )
    return rules


def _margins(catalogue: Sequence[CatalogueItem], found: Elasticities, given: Assumptions) -> dict[str, Margin]:
    """Gives each category's margin: the median of its products with price and cost, else the assumed one."""
    shares: dict[str, list[float]] = {}
    for item in catalogue:
        if item.price_minor is not None and item.price_minor > 0 and item.cost_minor is not None:
            shares.setdefault(item.category_id, []).append((item.price_minor - item.cost_minor) / item.price_minor)
    margins = {}
    for member in found.categories:
        if known := shares.get(member.name):
            margins[member.name] = Margin(float(np.clip(np.median(known), 0.0, 1.0)), "catalogue", len(known))
        else:
            margins[member.name] = Margin(margin_share(member.name, member.department, given), "assumed", 0)
    return margins


def _mean_margin(rules: Sequence[CategoryRule], revenue: pd.Series, given: Assumptions) -> Margin:
    """Gives the margin of several categories, weighted by what they sold; `catalogue` if all that sold have costs."""
    sold = [(rule, float(revenue.get(rule.name, 0.0))) for rule in rules]
    total = sum(amount for _, amount in sold)
    if not total > 0:
        return Margin(given.margin_share_default, "assumed", 0)
    share = sum(rule.margin_share * amount for rule, amount in sold) / total
    known = all(rule.margin_source == "catalogue" for rule, amount in sold if amount > 0)
    return Margin(share, "catalogue" if known else "assumed", sum(rule.margin_products for rule in rules))


def _rule(member: Member, margin: Margin, given: Assumptions) -> CategoryRule:
    elasticity, lift = member.elasticity, member.lift
    generosity = best_generosity(
        UNIT_PRICE_MINOR, None, margin.share, (elasticity.used, elasticity.error), given, (lift.used, lift.error)
    )
    return CategoryRule(
        name=member.name,
        department=member.department,
        elasticity=elasticity.used,
        elasticity_error=elasticity.error,
        elasticity_raw=elasticity.raw,
        elasticity_raw_error=elasticity.raw_error,
        elasticity_weight=elasticity.weight,
        lift=lift.used,
        lift_error=lift.error,
        level=elasticity.level,
        reason=elasticity.reason,
        capped=elasticity.capped or lift.capped,
        products=member.products,
        purchases=member.purchases,
        margin_share=margin.share,
        margin_source=margin.source,
        margin_products=margin.products,
        generosity_percent=generosity.percent,
        generosity_reason=generosity.reason,
    )


def _row(kind: Literal["store", "department", "category"], rule: CategoryRule) -> Row:
    return Row(
        kind=kind,
        name=rule.name,
        elasticity=round(rule.elasticity, 2),
        elasticity_error=round(rule.elasticity_error, 2),
        raw=None if rule.elasticity_raw is None else round(rule.elasticity_raw, 2),
        raw_error=None if rule.elasticity_raw_error is None else round(rule.elasticity_raw_error, 2),
        weight=round(rule.elasticity_weight, 2),
        lift=round(rule.lift, 2),
        rests_on=rule.level,
        why=rule.reason,
        capped=rule.capped,
        margin_share=round(rule.margin_share, 2),
        margin_source=rule.margin_source,
        generosity_percent=rule.generosity_percent,
    )
