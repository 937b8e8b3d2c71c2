"""The hot basket: what the shopper has put in it and what it comes to."""

from __future__ import annotations

from msgspec import Struct, structs

from domain.events import Product
from domain.records import Known

LINES_MAX = 1_000
"""Lines of one basket; a product beyond is counted as a fault and not kept."""
LINE_QUANTITY_MAX = 999_999
TOTAL_MINOR_MAX = 2**63 - 1


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One product in the basket.

    Attributes:
        quantity: 1..LINE_QUANTITY_MAX.
        price_minor: unit price: the last one seen in an event, else the catalogue's, else 0.
        price_seen: whether it came with an event.
        currency: of the price, None = the basket's.
        counted: False where the line is in a second currency and so counts 0.
    """

    product_id: str
    category_id: str | None = None
    brand: str | None = None
    quantity: int
    price_minor: int = 0
    price_seen: bool = False
    currency: str | None = None
    counted: bool = True


class Basket(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The lines in the order in which they were first added.

    Attributes:
        currency: of the first line that has one; None while nobody said.
        total_minor: sum of quantity x unit price over the counted lines.
    """

    lines: tuple[Line, ...] = ()
    total_minor: int = 0
    currency: str | None = None


EMPTY = Basket()


def add(basket: Basket, product: Product, quantity: int, known: Known | None) -> Basket | None:
    """Gives the basket with `quantity` more of a product, or None where it has no room for one more line."""
    lines = basket.lines
    for index, line in enumerate(lines):
        if line.product_id == product.product_id:
            more = min(line.quantity + quantity, LINE_QUANTITY_MAX)
            fresh = structs.replace(_described(line, product, known), quantity=more)
            return _summed((*lines[:index], fresh, *lines[index + 1 :]))
    if len(lines) >= LINES_MAX:
        return None
    return _summed((*lines, _described(Line(product_id=product.product_id, quantity=quantity), product, known)))


def remove(basket: Basket, product: Product, quantity: int, known: Known | None) -> Basket | None:
    """Gives the basket with `quantity` less of a product, the line gone at 0; None where the product is absent."""
    lines = basket.lines
    for index, line in enumerate(lines):
        if line.product_id == product.product_id:
            if line.quantity <= quantity:
                return _summed((*lines[:index], *lines[index + 1 :]))
            fresh = structs.replace(_described(line, product, known), quantity=line.quantity - quantity)
            return _summed((*lines[:index], fresh, *lines[index + 1 :]))
    return None


def _described(line: Line, product: Product, known: Known | None) -> Line:
    """Gives the line with what an event and the catalogue say of its product."""
    price, seen, currency = line.price_minor, line.price_seen, line.currency
    if product.price_minor is not None:
        price, seen, currency = product.price_minor, True, product.currency
    elif not seen and known is not None and known.price_minor is not None:
        price, currency = known.price_minor, known.currency
    return Line(
        product_id=line.product_id,
        category_id=product.category_id or (known.category_id if known else None) or line.category_id,
        brand=product.brand or (known.brand if known else None) or line.brand,
        quantity=line.quantity,
        price_minor=price,
        price_seen=seen,
        currency=currency,
    )


def _summed(lines: tuple[Line, ...]) -> Basket:
    """Gives the basket of these lines: its currency is that of the first line that has one."""
    currency = next((line.currency for line in lines if line.currency is not None), None)
    total = 0
    foreign = False
    for line in lines:
        counted = line.currency is None or line.currency == currency
        if counted:
            total += line.quantity * line.price_minor
        foreign = foreign or counted != line.counted
    if foreign:
        lines = tuple(structs.replace(line, counted=line.currency in (None, currency)) for line in lines)
    return Basket(lines=lines, total_minor=min(total, TOTAL_MINOR_MAX), currency=currency)
