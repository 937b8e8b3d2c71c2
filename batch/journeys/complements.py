"""Which products go with which categories: lifts from counts of baskets; from the warehouse, to the shop's plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

PRIOR_BASKETS = 2.0
"""Baskets that are added both to those seen and to those expected: rare pairs stay near 1."""
TOGETHER_MIN = 3
"""Fewer baskets with both say nothing."""
LINES_MAX = 80
"""Larger baskets tell little of what goes together, and cost the square."""


class Counts(NamedTuple):
    """In how many baskets things are; each basket counts a product or category once.

    Attributes:
        baskets: all of them.
        lines: their products, summed.
        products, categories: by id.
        category_of: product → its category.
        together: (category, product of another category) → baskets of at most LINES_MAX lines with both.
    """

    baskets: int
    lines: int
    products: Mapping[str, int]
    categories: Mapping[str, int]
    category_of: Mapping[str, str]
    together: Mapping[tuple[str, str], int]


def lift(both: float, category: float, product: float, baskets: float) -> float:
    """Gives how many times more often than by chance a product is in a basket with the category, shrunk towards 1.

    lift = (both + k) / (category x product / baskets + k), k = PRIOR_BASKETS.

    Args:
        both: baskets with the product and the category.
        category, product: baskets with each.
        baskets: all baskets, above 0.

    Source: Brin, Motwani, Ullman and Tsur 1997, Dynamic itemset counting (there: interest); the prior is ours.
    """
    return (both + PRIOR_BASKETS) / (category * product / baskets + PRIOR_BASKETS)


def goes_with(counts: Counts) -> dict[str, dict[str, float]]:
    """Gives category → product of another category → lift, of pairs that were seen often enough."""
    made: dict[str, dict[str, float]] = {}
    for (category, product), both in sorted(counts.together.items()):
        if both >= TOGETHER_MIN:
            expected = counts.categories[category], counts.products[product]
            made.setdefault(category, {})[product] = lift(both, *expected, counts.baskets)
    return made


def counted(baskets: Iterable[Sequence[tuple[str, str]]]) -> Counts:
    """Counts baskets, each given as its (product, category) pairs."""
    together: Counter[tuple[str, str]] = Counter()
    categories: Counter[str] = Counter()
    products: Counter[str] = Counter()
    category_of: dict[str, str] = {}
    number = lines = 0
    for basket in baskets:
        own = dict(basket)
        number, lines = number + 1, lines + len(own)
        category_of |= own
        products.update(own.keys())
        here = sorted(set(own.values()))
        categories.update(here)
        if len(own) <= LINES_MAX:
            together.update(
                (other, product) for product, category in own.items() for other in here if other != category
            )
    return Counts(number, lines, products, categories, category_of, together)
