"""The trade in other vocabularies: their products, orders and pages become events of ours.

`domain.segment` and `domain.ga4` know names and envelopes; what an item or an order says is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, TypedDict
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.admission import QUERY_MAX
from domain.door import Door
from domain.events import (
    AddedToBasket,
    Consent,
    LinkClicked,
    OrderLine,
    OrderPaid,
    OrderStatus,
    OrderStatusChanged,
    OutsideEvent,
    Page,
    PageKind,
    PageViewed,
    Product,
    ProductsSearched,
    RemovedFromBasket,
    StatusLine,
)
from domain.faults import Fault
from domain.foreign import Fields
from domain.ids import derived_event_id
from domain.pages import page_kind, path_of_url

ITEMS_MAX: Final = 200
"""Items of one basket or view event: each becomes an event, and a small body must not become a large one."""
LINES_MAX: Final = 5_000
ITEMS: Final = ("items", "products")
PRODUCT_ID: Final = ("product_id", "productId", "item_id", "itemId", "sku", "id")
CATEGORY_ID: Final = ("category_id", "categoryId", "category", "item_category", "itemCategory")
BRAND: Final = ("brand", "item_brand", "itemBrand")
ORDER_ID: Final = ("order_id", "orderId", "transaction_id", "transactionId")
PAID: Final = ("revenue", "value", "total")


class CommonFields(TypedDict):
    """The fields that every event has, as arguments."""

    event_id: UUID
    occurred_at: datetime
    shopper_id: str
    session_id: str | None
    consent: Consent | None


class Source(Struct, frozen=True):
    """A source event whose envelope is read.

    Attributes:
        common: what every event made from it carries; only the id differs.
        fields: Segment's properties, GA4's params.
        flat: without a list of items, `fields` may describe the one product.
        door: the retailer's rules.
    """

    common: CommonFields
    fields: Fields
    flat: bool
    door: Door

    def nth(self, index: int) -> CommonFields:
        """Gives the common fields of the event made from item `index`: the first keeps the source's id."""
        if index == 0:
            return self.common
        source_id = self.common["event_id"]
        return {**self.common, "event_id": derived_event_id("item", str(source_id), str(index))}

    def items(self, length_max: int = LINES_MAX) -> tuple[Fields, ...]:
        """Gives its list of products; empty if it has none."""
        return self.fields.parts(*ITEMS, length_max=length_max)

    def products(self) -> tuple[Fields, ...]:
        """Gives the products that a basket or view event is about: at least one."""
        items = self.items(ITEMS_MAX)
        if items:
            return items
        if self.flat:
            return (self.fields,)
        raise self.fields.missing(*ITEMS)


class Translation(Struct, frozen=True):
    """A source event in our types.

    Attributes:
        events: at least one; the first carries the source's id.
        origins: path in our event → path in the source, for faults found later.
    """

    events: tuple[OutsideEvent, ...]
    origins: Mapping[str, str] = {}


Reading = Callable[[Source], Translation]


def page_viewed(source: Source, *hints: str) -> Translation:
    """Reads a page that says itself what it is; `hints` are better than its own fields."""
    fields = source.fields
    path = fields.text("path", "page_path")
    if path is None:
        url = fields.text("url", "page_location")
        path = None if url is None else path_of_url(url)
    at = fields.find("path", "page_path", "url", "page_location")[0]
    product_id = fields.identifier("product_id", "productId", "item_id", "sku")
    own = [fields.word(name) for name in ("kind", "page_type", "pageType", "content_group", "category", "name")]
    guess: PageKind = "other" if product_id is None else "product"
    kind = page_kind(path, *own[:4], *hints, *own[4:]) or guess
    category_id = fields.identifier("category_id", "categoryId", "item_category")
    if category_id is None and kind in {"category", "product"} and page_kind(None, fields.word("category")) is None:
        category_id = fields.identifier("category")
    page = Page(kind=kind, category_id=category_id, product_id=product_id, path=path)
    return Translation((PageViewed(**source.common, page=page),), {"$.page.path": at})


def page_of(kind: PageKind) -> Reading:
    """Gives the reading of an event that tells a page of this kind was viewed."""
    return lambda source: Translation((PageViewed(**source.common, page=Page(kind=kind)),))


def products_viewed(source: Source) -> Translation:
    """Reads product pages: one event an item."""
    pages = [
        Page(
            kind="product",
            category_id=item.identifier(*CATEGORY_ID),
            product_id=item.required_identifier(*PRODUCT_ID),
        )
        for item in source.products()
    ]
    return Translation(tuple(PageViewed(**source.nth(index), page=page) for index, page in enumerate(pages)))


def list_viewed(source: Source) -> Translation:
    """Reads a page that lists products: one event, whose category is the list's, else the one that all items share."""
    category_id = source.fields.identifier("category_id", "categoryId", "category", "item_category")
    if category_id is None:
        shared = {item.identifier(*CATEGORY_ID) for item in source.items()}
        category_id = shared.pop() if len(shared) == 1 else None
    return Translation((PageViewed(**source.common, page=Page(kind="category", category_id=category_id)),))


def clicked(source: Source) -> Translation:
    """Reads a click on a link, a product or a promotion; the target is its address or, without one, its id."""
    items = source.items()
    about = items[0] if items else source.fields
    addresses = ("link_url", "url", "href")
    ids = ("link_id", *PRODUCT_ID, "promotion_id", "promotionId", "content_id", "creative_slot", "position")
    names = ("link_text", "label", "item_name", "name", "promotion_name", "content_type", "item_list_name", "list")
    where = next((place for place in (source.fields, about) if place.find(*addresses)[1] is not None), about)
    target = where.text(*addresses) or about.text(*ids) or source.fields.text(*ids)
    if target is None:
        raise about.missing(*addresses, *ids)
    labelled = about if about.find(*names)[1] is not None else source.fields
    event = LinkClicked(**source.common, target=target, label=labelled.text(*names))
    return Translation((event,), {"$.target": where.find(*addresses, *ids)[0], "$.label": labelled.find(*names)[0]})


def searched(source: Source) -> Translation:
    """Reads a search."""
    names = ("query", "search_term", "searchTerm", "search_query")
    query = source.fields.text(*names, length_max=QUERY_MAX)
    if query is None:
        raise source.fields.missing(*names[:2])
    results = source.fields.count("result_count", "results_count", "resultCount")
    event = ProductsSearched(**source.common, query=query, result_count=results)
    return Translation((event,), {"$.query": source.fields.find(*names)[0]})


def basket_changed(kind: type[AddedToBasket | RemovedFromBasket]) -> Reading:
    """Gives the reading of an event that puts products into the basket or takes them out: one event an item."""

    def read(source: Source) -> Translation:
        currency = source.fields.currency()
        changes = [(_product(item, currency, source.door), item.quantity()) for item in source.products()]
        return Translation(
            tuple(
                kind(**source.nth(index), product=product, quantity=quantity)
                for index, (product, quantity) in enumerate(changes)
            )
        )

    return read


def order_paid(source: Source) -> Translation:
    """Reads a paid order: one event with its lines; a line without a price has the catalogue's, else none."""
    order = source.fields
    currency = order.currency() or source.door.currency
    if currency is None:
        raise order.missing("currency")
    order_id = order.required_identifier(*ORDER_ID)
    total_minor = order.minor(currency, *PAID)
    if total_minor is None:
        raise order.missing(*PAID)
    lines = tuple(_order_line(item, currency, source.door) for item in source.items())
    return Translation(
        (OrderPaid(**source.common, order_id=order_id, lines=lines, total_minor=total_minor, currency=currency),)
    )


def order_became(status: OrderStatus) -> Reading:
    """Gives the reading of an event that tells an order's new status."""
    return lambda source: _status_changed(source, status)


def order_refunded(source: Source) -> Translation:
    """Reads a refund: of the items that it names, else of the whole order."""
    return _status_changed(source, "partially_returned" if source.items() else "returned")


def order_updated(source: Source) -> Translation:
    """Reads an order whose new status stands in its fields."""
    path, value = source.fields.find("status", "order_status", "orderStatus")
    if value is None:
        raise source.fields.missing("status")
    status = _STATUSES.get(source.fields.word("status", "order_status", "orderStatus"))
    if status is None:
        raise Fault("invalid_value", f"a status is one of {', '.join(sorted(set(_STATUSES.values())))}", path)
    return _status_changed(source, status)


def identifier_as_uuid(text: str, vocabulary: str) -> UUID:
    """Gives the UUID that the text is, else the UUIDv5 of it."""
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return derived_event_id(vocabulary, text)


def _product(item: Fields, currency: str | None, door: Door) -> Product:
    currency = item.currency() or currency or door.currency
    price_minor = item.minor(currency, "price")
    return Product(
        product_id=item.required_identifier(*PRODUCT_ID),
        category_id=item.identifier(*CATEGORY_ID),
        brand=item.identifier(*BRAND),
        price_minor=price_minor,
        currency=None if price_minor is None else currency,
    )


def _order_line(item: Fields, currency: str, door: Door) -> OrderLine:
    product_id = item.required_identifier(*PRODUCT_ID)
    price_minor = item.minor(currency, "price")
    if price_minor is None:
        known = door.catalogue.get(product_id)
        same_money = known is not None and (known.currency or door.currency) in {None, currency}
        price_minor = (known.price_minor if known is not None and same_money else None) or 0
    return OrderLine(
        product_id=product_id,
        quantity=item.quantity(),
        price_minor=price_minor,
        category_id=item.identifier(*CATEGORY_ID),
    )


def _status_changed(source: Source, status: OrderStatus) -> Translation:
    order_id = source.fields.required_identifier(*ORDER_ID)
    currency = source.fields.currency() or source.door.currency
    lines = tuple(
        StatusLine(
            product_id=item.required_identifier(*PRODUCT_ID),
            quantity=item.quantity(),
            price_minor=item.minor(currency, "price"),
            category_id=item.identifier(*CATEGORY_ID),
        )
        for item in source.items()
    )
    return Translation((OrderStatusChanged(**source.common, order_id=order_id, status=status, lines=lines),))


_STATUSES: Final[dict[str, OrderStatus]] = {
    "prepared": "prepared",
    "ready": "prepared",
    "shipped": "shipped",
    "delivered": "delivered",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "returned": "returned",
    "refunded": "returned",
    "partially returned": "partially_returned",
    "partially refunded": "partially_returned",
}
