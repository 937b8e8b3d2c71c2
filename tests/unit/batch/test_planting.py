"""From what was learned to trees: the same tree whoever else is asked about, for strangers too, and as of a day."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from batch.baskets.histories import Histories
from batch.baskets.predictor import Settings
from batch.baskets.ranker import Trees
from batch.econometrics import rules as econometrics
from batch.econometrics.panel import empty_panel
from batch.journeys import basket_total
from batch.journeys.basket_total import Order
from batch.journeys.complements import counted
from batch.journeys.habits import shop_of
from batch.journeys.plan import NO_CATEGORY
from batch.next_basket import at, judge, learn, windows
from batch.planting import Grown, Learned, Nursery, Shopper
from batch.samples import Items, day_number, flat
from domain.ports.tree_store import DEFAULT
from domain.tree import to_json
from domain.tree_faults import read_tree

AS_OF = date(2026, 11, 25)
DAYS = 60
ITEMS = Items(
    product_ids=tuple(f"p-{number:02}" for number in range(30)),
    category_ids=tuple(f"c-{number % 6}" for number in range(30)),
)
SETTINGS = Settings(trees=Trees(rounds=20, seeds=(1,), threads=1), choose=False, folds=2)


@cache
def shoppers() -> tuple[Shopper, ...]:
    """Forty shoppers with a few favourites each, and one who never bought anything that is sold today."""
    made = []
    for number in range(40):
        lots = Random(number)
        favourites = lots.sample(ITEMS.product_ids, 6)
        baskets: list[dict[str, Any]] = []
        day = AS_OF - timedelta(days=DAYS - lots.randrange(5))
        while day <= AS_OF:
            bought = sorted({*lots.sample(favourites, 3), lots.choice(ITEMS.product_ids)})
            baskets.append({"day": day, "order_id": f"o-{number}-{day}", "products": bought})
            day += timedelta(days=lots.randint(3, 9))
        orders = [Order(day_number(one["day"]) * 86_400_000, lots.randint(800, 9_000)) for one in baskets]
        made.append(Shopper(hashlib.sha256(str(number).encode()).hexdigest(), baskets, orders))
    gone = [{"day": AS_OF, "order_id": "o-x", "products": ["p-gone"]}]
    made.append(Shopper(hashlib.sha256(b"gone").hexdigest(), gone, []))
    return tuple(made)


def histories(of: tuple[Shopper, ...] | None = None) -> Histories:
    """Gives them as arrays."""
    return flat(
        ((one.shopper_id, one.baskets) for one in of or shoppers()), ITEMS.index(), len(ITEMS.product_ids), as_of=None
    )


@cache
def nursery() -> Nursery:
    """Gives what was learned of them."""
    known = histories()
    within = windows(known, day_number(AS_OF) + 1)
    assert within is not None
    predictor = learn(known, within, SETTINGS)
    assert predictor is not None
    category_of = dict(zip(ITEMS.product_ids, ITEMS.category_ids, strict=True))
    lines = [
        [(product, category_of.get(product, NO_CATEGORY)) for product in basket["products"]]
        for one in shoppers()
        for basket in one.baskets
    ]
    examples = [one for each in shoppers() for one in basket_total.examples_of(each.shopper_id, each.orders)]
    rules = econometrics.rules_of(empty_panel(), (), "EUR")
    return Nursery(
        Learned(
            as_of=AS_OF,
            items=msgspec.json.encode(ITEMS),
            predictor=at(predictor, known, within.ends, within.span).to_bytes(),
            shop=msgspec.json.encode(shop_of(counted(lines), "EUR", {})),
            rules=econometrics.encode(rules),
            total=basket_total.to_bytes(basket_total.fit(examples)),
        )
    )


def test_a_tree_does_not_depend_on_who_else_is_asked_about() -> None:
    """Spark may cut shoppers into tasks as it likes, and do a task twice."""
    together = {one.shopper_id: one for one in nursery().grow(shoppers())}
    alone = [grown for one in shoppers() for grown in nursery().grow([one])]
    assert [(one.shopper_id, one.tree) for one in alone] == [
        (one.shopper_id, together[one.shopper_id].tree) for one in alone
    ]


def test_every_tree_is_one_that_may_be_pushed() -> None:
    """Within its bounds, valid, and about what is sold; who bought nothing of it gets what is popular."""
    grown = list(nursery().grow(shoppers()))
    assert len(shoppers()) == len(grown)
    for one in [*grown, nursery().default()]:
        read_tree(to_json(one.tree, DEFAULT))
        assert 0 < one.nodes <= 40
        assert len(one.tree) == one.bytes <= 8 * 1_024
        assert {product for product, _, _ in one.products} <= set(ITEMS.product_ids)
    assert () == tuple(grown[-1].products)
    assert grown[-1].total_minor is not None


def test_favourites_come_first() -> None:
    """What a shopper buys most is among the first of the prediction, for nearly all of them."""
    right = 0
    for one, grown in zip(shoppers()[:-1], nursery().grow(shoppers()[:-1]), strict=True):
        bought = [product for basket in one.baskets for product in basket["products"]]
        right += max(sorted(set(bought)), key=bought.count) in _first(grown, 6)
    assert right >= 0.8 * (len(shoppers()) - 1)


def test_what_is_learned_does_not_see_what_comes_later() -> None:
    """Other baskets after the day from which it is judged change no byte of it."""
    known = histories()
    within = windows(known, day_number(AS_OF) + 1)
    assert within is not None
    changed: list[Shopper] = []
    for one in shoppers():
        kept = [basket for basket in one.baskets if day_number(basket["day"]) < within.judged_from]
        late: list[dict[str, Any]] = [{"day": AS_OF, "order_id": "o-late", "products": list(ITEMS.product_ids[:9])}]
        changed.append(one._replace(baskets=[*kept, *late]))
    other = histories(tuple(changed))
    first, second = learn(known, within, SETTINGS), learn(other, within, SETTINGS)
    assert first is not None
    assert second is not None
    assert first.to_bytes() == second.to_bytes()


def test_a_shift_of_all_days_changes_nothing() -> None:
    """Only the time between things counts, not the date."""
    known = histories()
    assert known.days is not None
    later = Histories(
        known.item_num, known.basket_ptr, known.item_ptr, known.items, known.ids, known.days + np.float64(700), None
    )
    found = []
    for one in (known, later):
        assert one.days is not None
        within = windows(one, float(np.max(one.days)) + 1)
        assert within is not None
        predictor = learn(one, within, SETTINGS)
        assert predictor is not None
        judged = judge(one, within, predictor)
        assert judged is not None
        found.append(judged.items["predictor"].tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("days", [0, 2])
def test_a_shop_of_few_days_learns_nothing(days: int) -> None:
    """Too little lies behind to learn from and to be judged by."""
    young = tuple(
        one._replace(baskets=[{"day": AS_OF - timedelta(days=days), "order_id": "o", "products": ["p-01"]}])
        for one in shoppers()
    )
    assert windows(histories(young), day_number(AS_OF) + 1) is None


def _first(grown: Grown, number: int) -> set[str]:
    return {product for product, _, _ in grown.products[:number]}
