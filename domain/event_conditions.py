"""Conditions on the event itself: its type, its product, its page, its search."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from domain.events import AddedToBasket, PageKind, PageViewed, ProductsSearched, RemovedFromBasket
from domain.leaves import Facts, Identifiers, Leaf
from domain.records import Record
from domain.text import words, words_of_term

Term = Annotated[str, Meta(min_length=1, max_length=200)]
Action = Literal["added", "removed", "viewed"]
_EVENT_OF = {"added": AddedToBasket, "removed": RemovedFromBasket, "viewed": PageViewed}


class EventIs(Leaf[str], frozen=True, kw_only=True, tag="event"):
    """This event is of one of the types."""

    types: Identifiers

    def observe(self, facts: Facts) -> str:
        """Gives the event's type."""
        return type(facts.record.event).__name__

    def judge(self, seen: str) -> bool:
        """Tells whether the type is one of those asked for."""
        return seen in self.types


class ProductSeen(Struct, frozen=True, gc=False):
    """The product of an event, with what event or catalogue know of it."""

    product_id: str
    category_id: str | None
    brand: str | None


class ProductIs(Leaf[ProductSeen | None], frozen=True, kw_only=True, tag="product"):
    """This event did `action` to a product that passes every filter given."""

    action: Action
    product_ids: Identifiers | None = None
    category_ids: Identifiers | None = None
    brands: Identifiers | None = None

    def observe(self, facts: Facts) -> ProductSeen | None:
        """Gives the product to which this event did the action, None where it did nothing of the kind."""
        known = facts.seen
        if self.action not in known:
            known[self.action] = _product_of(facts.record, self.action)
        seen: ProductSeen | None = known[self.action]
        return seen

    def judge(self, seen: ProductSeen | None) -> bool:
        """Tells whether there is such a product and it passes every filter."""
        return (
            seen is not None
            and (self.product_ids is None or seen.product_id in self.product_ids)
            and (self.category_ids is None or seen.category_id in self.category_ids)
            and (self.brands is None or seen.brand in self.brands)
        )

    def show(self, seen: ProductSeen | None) -> Any:
        """Gives the product's known fields by name."""
        return msgspec.to_builtins(seen)


class PageSeen(Struct, frozen=True, gc=False):
    """The page of a `PageViewed`, its category completed from the catalogue."""

    kind: str
    category_id: str | None


class PageIs(Leaf[PageSeen | None], frozen=True, kw_only=True, tag="page"):
    """This event viewed a page that passes every filter given."""

    page_kinds: Annotated[tuple[PageKind, ...], Meta(min_length=1)] | None = None
    category_ids: Identifiers | None = None

    def observe(self, facts: Facts) -> PageSeen | None:
        """Gives the page viewed, None where this event is no page view."""
        event = facts.record.event
        if not isinstance(event, PageViewed):
            return None
        page = event.page
        category_id = page.category_id
        if category_id is None and page.product_id is not None:
            known = facts.record.known.get(page.product_id)
            category_id = known.category_id if known is not None else None
        return PageSeen(page.kind, category_id)

    def judge(self, seen: PageSeen | None) -> bool:
        """Tells whether a page was viewed and passes every filter."""
        return (
            seen is not None
            and (self.page_kinds is None or seen.kind in self.page_kinds)
            and (self.category_ids is None or seen.category_id in self.category_ids)
        )

    def show(self, seen: PageSeen | None) -> Any:
        """Gives the page's fields by name."""
        return msgspec.to_builtins(seen)


class SearchHas(Leaf[str | None], frozen=True, kw_only=True, tag="search"):
    """This event searched all words of some term, case and accents folded."""

    terms: Annotated[tuple[Term, ...], Meta(min_length=1)]

    def observe(self, facts: Facts) -> str | None:
        """Gives the query, None where this event is no search."""
        event = facts.record.event
        return event.query if isinstance(event, ProductsSearched) else None

    def judge(self, seen: str | None) -> bool:
        """Tells whether the query has all words of some term."""
        if seen is None:
            return False
        searched = words(seen)
        for term in self.terms:
            asked = words_of_term(term)
            if asked and asked <= searched:
                return True
        return False


def _product_of(record: Record, action: Action) -> ProductSeen | None:
    event = record.event
    if type(event) is not _EVENT_OF[action]:
        return None
    if isinstance(event, PageViewed):
        product_id, category_id, brand = event.page.product_id, event.page.category_id, None
        if product_id is None:
            return None
    else:
        product = cast("AddedToBasket | RemovedFromBasket", event).product
        product_id, category_id, brand = product.product_id, product.category_id, product.brand
    known = record.known.get(product_id)
    if known is not None:
        category_id, brand = category_id or known.category_id, brand or known.brand
    return ProductSeen(product_id, category_id, brand)
