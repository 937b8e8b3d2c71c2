"""Discounts: what a promise takes off an order. The till's quote and the order that follows ask the same function.

Amounts are rounded down to a whole minor unit, never above what was reserved, and never above what the lines still come
to after the promises before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from domain.contents import product_of
from domain.experiences import Kind


class PricedLine(Protocol):
    """A line of an order or of a basket; `price_minor` is a unit price."""

    @property
    def product_id(self) -> str:
        """The product."""
        ...

    @property
    def quantity(self) -> int:
        """Pieces, 1 or more."""
        ...

    @property
    def price_minor(self) -> int:
        """Of one piece, minor units."""
        ...


class Promise(Protocol):
    """What an experience promised; the shopper's state keeps it as a `Reservation`."""

    @property
    def kind(self) -> Kind:
        """Of the experience."""
        ...

    @property
    def content(self) -> dict[str, Any]:
        """As the page had it."""
        ...

    @property
    def cost_minor(self) -> int:
        """At most, minor units."""
        ...


class Redemption(NamedTuple):
    """What a promise comes to on an order.

    Attributes:
        discount_minor: that the till deducts.
        cost_minor: that the budget bears: the discount, or what a reward in kind costs.
    """

    discount_minor: int
    cost_minor: int


class Till:
    """An order's lines while one promise after the other is deducted.

    Attributes:
        total_minor: of the lines, before any discount.
    """

    def __init__(self, lines: Iterable[PricedLine], *, others_minor: int = 0) -> None:
        """Takes the lines.

        Args:
            lines: of the order.
            others_minor: what lines that are not known any more came to.
        """
        self._left: dict[str, int] = {}
        for line in lines:
            self._left[line.product_id] = self._left.get(line.product_id, 0) + line.quantity * line.price_minor
        self._others_minor = others_minor
        self.total_minor = sum(self._left.values()) + others_minor

    def redeem(self, promise: Promise) -> Redemption | None:
        """Deducts a promise; None where the order does not have what it asks for."""
        content = promise.content
        threshold_minor = content.get("threshold_minor")
        if threshold_minor is not None and self.total_minor < threshold_minor:
            return None
        products: Sequence[str] | None = None
        if promise.kind != "basket_tension":
            # A product named twice is one line, from which is taken once.
            named = dict.fromkeys(product_of(item) for item in content["products"])
            products = [product for product in named if product in self._left]
            if not products:
                return None
        if promise.kind == "recommendation":
            return Redemption(0, 0)
        if promise.kind == "gamified_promotion":
            return self._won(content, products, promise.cost_minor)
        worth = content["generosity" if promise.kind == "personalised_promotion" else "reward"]
        return self._deduct(worth, products, promise.cost_minor)

    def _won(self, content: Mapping[str, Any], products: Sequence[str] | None, cost_minor: int) -> Redemption | None:
        """Deducts what a game gave; the price of the basket is paid out apart, and nothing is taken off for it."""
        outcome = content.get("outcome")
        if outcome is None:
            return None
        if "value_minor" in outcome:
            return Redemption(0, min(self.total_minor, cost_minor))
        return self._deduct(content["prize"], products, cost_minor)

    def _deduct(self, worth: Mapping[str, Any], products: Sequence[str] | None, cost_minor: int) -> Redemption:
        names = list(self._left) if products is None else products
        eligible_minor = sum(self._left[name] for name in names) + (self._others_minor if products is None else 0)
        if worth["type"] == "percent":
            discount_minor = eligible_minor * round(worth["value"] * 100) // 10_000
        elif worth["type"] == "amount":
            discount_minor = worth["value_minor"]
        else:
            return Redemption(0, cost_minor)
        discount_minor = min(discount_minor, eligible_minor, cost_minor)
        rest = discount_minor
        for name in names:
            taken = min(rest, self._left[name])
            self._left[name] -= taken
            rest -= taken
        self._others_minor -= rest
        return Redemption(discount_minor, discount_minor)
