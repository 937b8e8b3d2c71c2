"""Changes of a basket that nobody made: what lookups say would have been enough for another decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from domain import basket as baskets
from domain.basket import TOTAL_MINOR_MAX, Basket, Line
from domain.events import Product
from domain.leaves import Facts
from domain.records import Known

STRANGER = "\0"
"""Stands for a product that nobody names: no identifier has this character."""
_RANK = {"basket_total": 0, "add": 1, "remove": 2}


class BasketChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of a basket; with neither product nor category it is any product that is not in the basket.

    Attributes:
        change: of the total alone, or of one product's line.
        by_minor: that the total would be more, or less where it is negative.
        product_id, category_id: what would be added or removed; a category stands for a product of it that is not in
            the basket.
        quantity: pieces.
    """

    change: Literal["basket_total", "add", "remove"]
    by_minor: int | None = None
    product_id: str | None = None
    category_id: str | None = None
    quantity: int | None = None


class Family(NamedTuple):
    """Changes that differ in nothing but their number.

    Attributes:
        change, product_id, category_id: of each.
        most: largest number: of pieces, or of minor units.
        unit_minor: what one moves, as far as it is known; what is not known counts as the basket's mean price.
        sign: -1 where a total would be less.
    """

    change: Literal["basket_total", "add", "remove"]
    most: int
    unit_minor: int
    product_id: str | None = None
    category_id: str | None = None
    sign: int = 1

    def of(self, number: int) -> BasketChange:
        """Gives the change of this number."""
        if self.change == "basket_total":
            return BasketChange(change=self.change, by_minor=self.sign * number)
        return BasketChange(
            change=self.change, product_id=self.product_id, category_id=self.category_id, quantity=number
        )

    def size(self, number: int) -> tuple[int, int, int, str, str]:
        """Gives what orders changes, the smallest first: by the money moved; of equal ones, the least to ask for."""
        # Any product is less to ask for than one of a category, and that less than a certain one.
        return number * self.unit_minor, _RANK[self.change], number, self.product_id or "", self.category_id or ""


def changed(facts: Facts, change: BasketChange, known: Mapping[str, Known]) -> Facts | None:
    """Gives the facts as they would be; None where the basket can't be changed so.

    Args:
        facts: the state, and the event, which stays what it was.
        change: of the basket.
        known: the retailer's catalogue; the price of a product that it doesn't know counts 0.
    """
    basket = _basket_after(facts.state.basket, change, known)
    return None if basket is None else Facts(structs.replace(facts.state, basket=basket), facts.record)


def more_and_less(basket: Basket) -> tuple[Family, Family]:
    """Gives the changes of the total alone."""
    more = Family("basket_total", TOTAL_MINOR_MAX - basket.total_minor, 1)
    return more, Family("basket_total", basket.total_minor, 1, sign=-1)


def more_and_fewer(line: Line, mean_minor: int) -> tuple[Family, Family]:
    """Gives the changes of one line of the basket."""
    unit_minor = line.price_minor or mean_minor
    more = Family("add", baskets.LINE_QUANTITY_MAX - line.quantity, unit_minor, line.product_id)
    return more, Family("remove", line.quantity, unit_minor, line.product_id)


def new_line(product_id: str | None, category_id: str | None, unit_minor: int) -> Family:
    """Gives the changes that add a product that is not in the basket."""
    return Family("add", baskets.LINE_QUANTITY_MAX, unit_minor, product_id, category_id)


def mean_price_minor(basket: Basket) -> int:
    """Gives the mean price of a piece in the basket, 0 where it is empty."""
    pieces = sum(line.quantity for line in basket.lines if line.counted)
    return basket.total_minor // pieces if pieces else 0


def _basket_after(basket: Basket, change: BasketChange, known: Mapping[str, Known]) -> Basket | None:
    if change.change == "basket_total":
        total_minor = basket.total_minor + (change.by_minor or 0)
        return structs.replace(basket, total_minor=total_minor) if 0 <= total_minor <= TOTAL_MINOR_MAX else None
    product_id = change.product_id or STRANGER
    product = Product(product_id=product_id, category_id=change.category_id)
    if change.change == "add":
        there = any(line.product_id == product_id for line in basket.lines)
        return baskets.add(basket, product, change.quantity or 1, None if there else known.get(product_id))
    return baskets.remove(basket, product, change.quantity or 1, None)
