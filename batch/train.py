"""Training: the next-basket ranker, what comes next in a session, the basket's total, and the econometric rules.

Each artefact goes into the warehouse with a card. What the driver holds is bounded: a sample of shoppers, the
catalogue, the weeks; what is counted over everybody is counted by Spark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from batch.baskets.candidates import FEATURE_NAMES
from batch.baskets.predictor import Predictor
from batch.econometrics import rules as econometrics
from batch.econometrics.assumptions import Assumptions
from batch.econometrics.tension import round_step, spend_of_totals
from batch.jobs import Job
from batch.journeys import basket_total, next_category
from batch.journeys.habits import shop_of
from batch.journeys.plan import Model
from batch.learning import Known, known_of
from batch.model_store import Artefact, Card, save
from batch.next_basket import learn, settings_for, windows
from batch.price_panel import panel
from batch.samples import day_number
from batch.sessions_sample import sampled_sessions
from batch.shop_counts import shop_counts
from domain.errors import Refused

RULES_DAYS = 364
"""Whole weeks before `as_of` that prices are compared over."""
CATEGORIES_MAX = 60
"""Categories that get a model of when they follow: those most often in baskets."""
_STEPS = 6
_EPOCH = date(1970, 1, 1)


class Trained(Struct, frozen=True, kw_only=True):
    """What a training made.

    Attributes:
        shoppers: in the sample.
        products: that the models know.
        artefacts: names.
        categories: with a model of when they follow.
        rules: categories with a rule, by what its elasticity rests on.
    """

    shoppers: int
    products: int
    artefacts: tuple[str, ...]
    categories: int
    rules: dict[str, int]


def train(job: Job) -> Trained:
    """Trains everything as of the job's day.

    Raises:
        Refused: the warehouse has no orders of this retailer up to that day.
        PortError: the warehouse can't be read or written.
    """
    job.report("train", 0, _STEPS)
    known = known_of(job)
    if not known.sample.shoppers:
        raise Refused(
            f"{job.retailer.name} has no orders in the warehouse up to {job.as_of}: there is nothing to learn from yet;"
            " hotbasket batch cool brings them"
        )
    job.report("train", 1, _STEPS)
    made = [_items(known)]
    made += _next_basket(job, known)
    job.report("train", 2, _STEPS)
    category, models = _next_category(job)
    made.append(category)
    job.report("train", 3, _STEPS)
    made += _basket_total(known)
    job.report("train", 4, _STEPS)
    rules_artefact, rules = _rules(job, known)
    made.append(rules_artefact)
    job.report("train", 5, _STEPS)
    made.append(_shop(job, known, models, rules))
    save(job, [_dated(one, known, job.as_of) for one in made])
    _save_table(job, rules)
    job.report("train", _STEPS, _STEPS)
    levels = [rule.level for rule in rules.categories]
    return Trained(
        shoppers=len(known.sample.shoppers),
        products=len(known.items.product_ids),
        artefacts=tuple(one.card.name for one in made),
        categories=len(models),
        rules={level: levels.count(level) for level in sorted(set(levels))},
    )


def _items(known: Known) -> Artefact:
    card = Card(name="items", purpose="Which products the models know, in the order of their numbers.")
    return Artefact(card=card, blob=msgspec.json.encode(known.items))


def _next_basket(job: Job, known: Known) -> list[Artefact]:
    """Gives the ranker; nothing where the shoppers have too few baskets to learn from."""
    within = windows(known.sample.histories, day_number(job.as_of) + 1)
    settings = settings_for(len(known.sample.shoppers))
    predictor: Predictor | None = None if within is None else learn(known.sample.histories, within, settings)
    if predictor is None or within is None:
        return []
    card = Card(
        name="next_basket",
        purpose=(
            "Which products a shopper buys next. Learned from baskets before "
            f"{_day(within.judged_from)}, so that those after it can judge it."
        ),
        inputs=tuple(FEATURE_NAMES),
        measures={
            "pairs": float(len(predictor.pairs)),
            "depth": predictor.trees.depth,
            "rounds": predictor.trees.rounds,
        },
        seed=settings.seed,
    )
    return [Artefact(card=card, blob=predictor.to_bytes())]


def _next_category(job: Job) -> tuple[Artefact, dict[str, Model]]:
    rows: list[next_category.Row] = []
    for records in sampled_sessions(job):
        rows += next_category.rows_of(records)
    base = next_category.base_rates(rows)
    common = sorted(base, key=lambda category: (-base[category], category))[:CATEGORIES_MAX]
    models = next_category.fit(rows, base, sorted(common))
    card = Card(
        name="next_category",
        purpose="Whether a category is added later in the session, from what the actor knows while it goes on.",
        inputs=("habit", *next_category.FEATURES),
        measures={"rows": float(len(rows)), "categories": float(len(models))},
    )
    return Artefact(card=card, blob=msgspec.json.encode(models)), models


def _basket_total(known: Known) -> list[Artefact]:
    examples = [
        example
        for shopper, orders in zip(known.sample.shoppers, known.sample.orders, strict=True)
        for example in basket_total.examples_of(shopper, orders)
    ]
    if not examples:
        return []
    fitted = basket_total.fit(examples)
    card = Card(
        name="basket_total",
        purpose="What a shopper's next order comes to: a log-normal distribution.",
        inputs=basket_total.FEATURES,
        measures={
            "orders": float(len(examples)),
            "sigma_newcomer": fitted.sigmas[0],
            "sigma_regular": fitted.sigmas[-1],
        },
    )
    return [Artefact(card=card, blob=basket_total.to_bytes(fitted))]


def _rules(job: Job, known: Known) -> tuple[Artefact, econometrics.Rules]:
    currency = job.retailer.currency
    recent = known.sold.where(sf.col("day") > sf.lit(job.as_of - timedelta(days=RULES_DAYS)))
    prices = panel(_trusted(recent.where(sf.col("currency") == currency)))
    assumptions = Assumptions(
        margin_share_default=job.settings.margin_share,
        generosity_cap_percent=job.settings.generosity_max_percent,
        reward_cost_share=job.settings.reward_cost_share,
    )
    totals = [order.total_minor for orders in known.sample.orders for order in orders]
    shoppers = np.repeat(np.arange(len(known.sample.orders)), [len(orders) for orders in known.sample.orders])
    spend = spend_of_totals(totals, shoppers, round_step(currency), assumptions)
    rules = econometrics.rules_of(prices, job.catalogue, currency, assumptions, spend=spend)
    card = Card(
        name="rules",
        purpose="What a price does to demand by category, which generosity pays, and what a basket comes to.",
        inputs=("quantity", "amount_minor", "regular_minor", "promotion_lines", "baskets"),
        measures={
            "rows": float(len(prices)),
            "store_elasticity": rules.store.elasticity,
            "store_elasticity_error": rules.store.elasticity_error,
        },
    )
    return Artefact(card=card, blob=econometrics.encode(rules)), rules


def _save_table(job: Job, rules: econometrics.Rules) -> None:
    """Keeps what was estimated and what fell back, for people."""
    rows = [(job.retailer_id, job.run_id, *row) for row in econometrics.table(rules)]
    frame = job.spark.createDataFrame(rows, job.warehouse.schema("rules"))
    job.warehouse.replace_run("rules", frame, job.retailer_id, job.run_id)


def _trusted(sold: DataFrame) -> DataFrame:
    """Gives the orders that the retailer's server told of, where it tells of any: anybody can forge a browser's."""
    verified = sold.where("verified")
    return sold if verified.isEmpty() else verified


def _promotable(job: Job, rules: econometrics.Rules) -> frozenset[str]:
    """Gives the products that bear their category's generosity; without a price or with too high a cost, none does."""
    return frozenset(
        item.product_id
        for item in job.catalogue
        if econometrics.generosity_of(rules, item).percent
        >= econometrics.find(rules, item.category_id).generosity_percent
        > 0
    )


def _shop(job: Job, known: Known, models: Mapping[str, Model], rules: econometrics.Rules) -> Artefact:
    counts = shop_counts(known.sold)
    plan = msgspec.structs.replace(shop_of(counts, job.retailer.currency, models), promotable=_promotable(job, rules))
    card = Card(
        name="shop",
        purpose="What is popular and what goes together: for strangers, and for what complements a category.",
        measures={"baskets": float(counts.baskets), "pairs": float(len(counts.together))},
    )
    return Artefact(card=card, blob=msgspec.json.encode(plan))


def _dated(one: Artefact, known: Known, as_of: date) -> Artefact:
    days: Sequence[float] = [] if known.sample.histories.days is None else known.sample.histories.days.tolist()
    first = _day(min(days)) if len(days) else ""
    card = msgspec.structs.replace(
        one.card, first_day=first, last_day=as_of.isoformat(), shoppers=len(known.sample.shoppers)
    )
    return Artefact(card=card, blob=one.blob)


def _day(number: float) -> str:
    return (_EPOCH + timedelta(days=int(number))).isoformat()
