"""The orders that the shop's own server has taken since it started, and what promises took off them: its cash book."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

RECEIPTS_MAX: Final = 20_000


class Receipt(NamedTuple):
    """One verified order.

    Attributes:
        shopper: hash.
        at_ms: before it was posted, Unix milliseconds.
        total_minor: what was paid.
        products: that it has.
    """

    shopper: str
    at_ms: int
    total_minor: int
    products: frozenset[str]


class Receipts:
    """The last orders, in memory: a start of the demo begins with none.

    Args:
        hash_of: gives the hash under which hotbasket knows a shopper.
        since_ms: when this start was, Unix milliseconds.
    """

    def __init__(self, hash_of: Callable[[str], str], since_ms: int) -> None:
        self.since_ms = since_ms
        self._hash_of = hash_of
        self._kept: deque[Receipt] = deque(maxlen=RECEIPTS_MAX)

    def note(self, order: Mapping[str, Any], at_ms: int) -> None:
        """Keeps a paid order.

        Args:
            order: the `OrderPaid` that hotbasket stored.
            at_ms: before it was posted, Unix milliseconds.
        """
        lines: Sequence[Mapping[str, Any]] = order["lines"]
        products = frozenset(line["product_id"] for line in lines)
        self._kept.append(Receipt(self._hash_of(order["shopper_id"]), at_ms, order["total_minor"], products))

    def __iter__(self) -> Iterator[Receipt]:
        """Oldest first."""
        return iter(self._kept)

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)
