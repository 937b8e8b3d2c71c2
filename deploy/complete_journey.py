"""Baskets of the Complete Journey data as the events that a tracker would have sent; feeds `hotbasket convert`.

What the data does not say is invented, the same way each time: the draws of a basket depend on its id alone.

* Day 285 is 2017-01-01, so day 1 is 2016-03-23; all times are UTC.
* A household's baskets of a day share the hours from 6 to 24, in the order of their ids, one window each. A session
  stays in its window and leaves its last 35 minutes empty, so that each basket is a session of its own.
* Each product is bought once: the data has no quantities.
* A product without a known price is added without one and stands in the order with price 0; the order's total is the
  sum of the known prices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from random import Random
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from domain.events import (
    AddedToBasket,
    OrderLine,
    OrderPaid,
    OutsideEvent,
    Page,
    PageKind,
    PageViewed,
    Product,
    ProductsSearched,
    RemovedFromBasket,
)
from domain.ids import derived_event_id
from domain.ports.retailers import CatalogueItem

CURRENCY = "USD"
FIRST_DAY = datetime(2017, 1, 1, tzinfo=UTC) - timedelta(days=285)
OPENS_S, CLOSES_S = 6 * 3_600, 24 * 3_600
QUIET_S = 35 * 60
"""Seconds between two sessions of a household: above the 30 minutes that end a session."""
VIEWED, SEARCHED, ONE_TOO_MANY, SECOND_THOUGHTS = 0.4, 0.12, 0.03, 0.03


class Basket(NamedTuple):
    """One basket of one household; products in the order of the data."""

    day: int
    household_id: int
    basket_id: int
    product_ids: tuple[int, ...]


class Sold(NamedTuple):
    """What `products.parquet` knows of a product; the price is the median unit price paid, in cents."""

    product_id: str
    category_id: str
    brand: str | None
    words: str
    package: str
    price_minor: int | None


class _Head(TypedDict):
    """What every event of a session starts with."""

    event_id: UUID
    occurred_at: datetime
    shopper_id: str
    session_id: str


class _Step(NamedTuple):
    """One thing that the shopper does, `wait_s` seconds after the one before; `product` where it is about one."""

    wait_s: float
    action: str
    product: Sold | None = None
    quantity: int = 1


def sold(row: Mapping[str, Any]) -> Sold:
    """Gives a product from its row of `products.parquet`."""
    price = row["unit_price_paid_median"]
    cents = None if price is None else int((Decimal(str(price)) * 100).quantize(Decimal(1), ROUND_HALF_UP))
    words = re.sub(r"[^a-z]+", " ", (row["product_type"] or row["product_category"] or row["department"]).lower())
    return Sold(
        product_id=str(row["product_id"]),
        category_id=slug(row["product_category"] or row["department"]),
        brand=str(row["brand"]) if row["brand"] else None,
        words=words.strip(),
        package=row["package_size"] or "",
        price_minor=cents,
    )


def slug(text: str) -> str:
    """Gives a name as an identifier: `FRUIT - SHELF STABLE` becomes `fruit-shelf-stable`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "other"


def baskets(rows: Sequence[tuple[int, int, int, int]]) -> list[Basket]:
    """Gives the baskets of (day, household, basket, product) rows, by day, household and id."""
    lines: dict[tuple[int, int, int], list[int]] = {}
    for day, household, basket, product in rows:
        lines.setdefault((day, household, basket), []).append(product)
    return [Basket(*key, tuple(lines[key])) for key in sorted(lines)]


def events(all_baskets: Sequence[Basket], products: Mapping[int, Sold]) -> Iterator[OutsideEvent]:
    """Gives every event of these baskets in the order of time; `all_baskets` are sorted as `baskets` gives them."""
    for _, of_day in groupby(all_baskets, key=lambda basket: basket.day):
        day: list[OutsideEvent] = []
        for _, of_household in groupby(of_day, key=lambda basket: basket.household_id):
            visits = list(of_household)
            for number, basket in enumerate(visits):
                day += session(basket, products, number=number, of=len(visits))
        # The sort is stable: at equal times a session's events keep their order.
        yield from sorted(day, key=lambda event: event.occurred_at)


def session(basket: Basket, products: Mapping[int, Sold], *, number: int, of: int) -> list[OutsideEvent]:
    """Gives the events of one basket: the household's visit `number` (from 0) of `of` on that day."""
    draw = Random(basket.basket_id)  # noqa: S311 - invents times, guards nothing
    bought = [products.get(product_id) or _stranger(product_id) for product_id in basket.product_ids]
    steps = _steps(bought, draw)
    window_s = (CLOSES_S - OPENS_S) / of
    room_s = window_s - QUIET_S
    length_s = sum(step.wait_s for step in steps)
    scale = min(1.0, room_s / length_s)
    at_s = OPENS_S + number * window_s + draw.random() * (room_s - length_s * scale)
    midnight = FIRST_DAY + timedelta(days=basket.day)
    made: list[OutsideEvent] = []
    for index, step in enumerate(steps):
        at_s += step.wait_s * scale
        head: _Head = {
            "event_id": derived_event_id("complete-journey", str(basket.basket_id), str(index)),
            "occurred_at": midnight + timedelta(milliseconds=int(at_s * 1_000)),
            "shopper_id": f"hh-{basket.household_id}",
            "session_id": f"basket-{basket.basket_id}",
        }
        made.append(_event(head, step, f"basket-{basket.basket_id}", bought))
    return made


def catalogue(products: Mapping[int, Sold]) -> Iterator[CatalogueItem]:
    """Gives the products as `hotbasket catalogue import` takes them."""
    for product in products.values():
        yield CatalogueItem(
            product_id=product.product_id,
            name=f"{product.words} {product.package}".strip().capitalize() or product.product_id,
            category_id=product.category_id,
            brand=product.brand,
            price_minor=product.price_minor,
        )


def _stranger(product_id: int) -> Sold:
    """A product that stands in a basket and nowhere else."""
    return Sold(str(product_id), "other", None, "something", "", None)


def _steps(bought: Sequence[Sold], draw: Random) -> list[_Step]:
    """What the shopper does to come to this basket, from the home page to the paid order."""

    def wait_s(shortest: float, longest: float) -> float:
        return shortest + draw.random() * (longest - shortest)

    steps = [_Step(0.0, "home")]
    returning: list[Sold] = []
    for product in bought:
        chance = draw.random()
        if chance < SEARCHED:
            steps.append(_Step(wait_s(4, 12), "search", product))
        if chance < SEARCHED / 2 or chance > 1 - VIEWED:
            steps.append(_Step(wait_s(3, 15), "view", product))
        change = draw.random()
        steps.append(_Step(wait_s(2, 10), "add", product, 2 if change < ONE_TOO_MANY else 1))
        if change < ONE_TOO_MANY:
            steps.append(_Step(wait_s(2, 20), "remove", product))
        elif change > 1 - SECOND_THOUGHTS:
            steps.append(_Step(wait_s(2, 20), "remove", product))
            returning.append(product)
    steps += [_Step(wait_s(2, 10), "add", product) for product in returning]
    return [*steps, _Step(wait_s(5, 20), "checkout"), _Step(wait_s(10, 60), "pay")]


def _event(head: _Head, step: _Step, order_id: str, bought: Sequence[Sold]) -> OutsideEvent:
    """The event that a tracker would send for a step."""
    match step:
        case _Step(action="search", product=Sold() as product):
            return ProductsSearched(**head, query=product.words)
        case _Step(action="view", product=Sold() as product):
            page = Page(kind="product", product_id=product.product_id, category_id=product.category_id)
            return PageViewed(**head, page=page)
        case _Step(action="add", product=Sold() as product):
            return AddedToBasket(**head, product=_described(product), quantity=step.quantity)
        case _Step(action="remove", product=Sold() as product):
            return RemovedFromBasket(**head, product=_described(product), quantity=step.quantity)
        case _Step(action="pay"):
            lines = tuple(_ordered(line) for line in bought)
            total_minor = sum(line.price_minor for line in lines)
            return OrderPaid(**head, order_id=order_id, lines=lines, total_minor=total_minor, currency=CURRENCY)
        case _:
            kind: PageKind = "checkout" if step.action == "checkout" else "home"
            return PageViewed(**head, page=Page(kind=kind))


def _ordered(product: Sold) -> OrderLine:
    """The product as a line of the order; a line must have a price, so an unknown one is 0."""
    return OrderLine(
        product_id=product.product_id,
        quantity=1,
        price_minor=product.price_minor or 0,
        category_id=product.category_id,
    )


def _described(product: Sold) -> Product:
    """The product as an event carries it; a price never goes without its currency."""
    currency = None if product.price_minor is None else CURRENCY
    return Product(
        product_id=product.product_id,
        category_id=product.category_id,
        price_minor=product.price_minor,
        currency=currency,
    )
