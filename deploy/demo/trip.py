"""One shopping trip of a simulated shopper, as the events that the shop posts of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from deploy.demo.goods import Good
from deploy.demo.habits import Want

Event = dict[str, Any]
Write = Callable[..., Event]
"""Makes an event of a type and its fields; knows whose it is, when it happens and under which id."""


class Line(NamedTuple):
    """One product in a basket, at the unit price of the day when it was last put there."""

    good: Good
    quantity: int
    price_minor: int


Basket = dict[str, Line]
"""By product id; what was not paid is there at the next trip."""


def trip(
    wants: Sequence[Want],
    basket: Basket,
    lots: Random,
    write: Write,
    percents: Mapping[str, int],
    order_id: str | None,
) -> Iterator[Event]:
    """Gives a trip's events, in order.

    Args:
        wants: what it is for; see `Shopper.wants`.
        basket: is filled, and emptied by paying.
        lots: the trip's chance.
        write: makes its events.
        percents: what promotions take off now, by product id.
        order_id: of the order that ends it; None = the shopper leaves without paying.
    """
    yield write("PageViewed", page={"kind": "home", "path": "/"})
    for want in wants:
        good, price_minor = want.good, _price(want.good, percents)
        yield from _towards(good, lots, write)
        if want.spare and lots.random() < 0.1:
            continue
        known = basket.get(good.product_id)
        basket[good.product_id] = Line(good, want.quantity + (known.quantity if known else 0), price_minor)
        yield write("AddedToBasket", product=described(good, price_minor), quantity=want.quantity)
        if want.spare and lots.random() < 0.06:
            gone = basket.pop(good.product_id)
            yield write("RemovedFromBasket", product=described(good, price_minor), quantity=gone.quantity)
    yield write("PageViewed", page={"kind": "checkout", "path": "/checkout"})
    if basket and order_id is not None:
        yield _paid(basket, order_id, write)
        basket.clear()


def _price(good: Good, percents: Mapping[str, int]) -> int:
    return round(good.price_minor * (100 - percents.get(good.product_id, 0)) / 100)


def _towards(good: Good, lots: Random, write: Write) -> Iterator[Event]:
    """The way to a product: a search or its shelf, perhaps its page; often it is at hand already."""
    way = lots.random()
    if way < 0.12:
        yield write("ProductsSearched", query=good.name_fr.lower(), result_count=lots.randint(1, 9))
    elif way < 0.55:
        shelf = {"kind": "category", "category_id": good.category_id, "path": f"/c/{good.category_id}"}
        yield write("PageViewed", page=shelf)
    if lots.random() < 0.25:
        page = {"kind": "product", "product_id": good.product_id, "category_id": good.category_id}
        yield write("PageViewed", page=page)


def _paid(basket: Basket, order_id: str, write: Write) -> Event:
    lines = [
        {
            "product_id": good.product_id,
            "category_id": good.category_id,
            "quantity": quantity,
            "price_minor": price_minor,
        }
        for good, quantity, price_minor in basket.values()
    ]
    total_minor = sum(line.quantity * line.price_minor for line in basket.values())
    return write("OrderPaid", order_id=order_id, lines=lines, total_minor=total_minor, currency="EUR")


def described(good: Good, price_minor: int) -> Event:
    """Gives a product as the events of baskets carry it."""
    about = {"product_id": good.product_id, "category_id": good.category_id, "price_minor": price_minor}
    return about | {"currency": "EUR"} | ({"brand": good.brand} if good.brand else {})
