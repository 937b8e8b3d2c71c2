"""One event as one flat row: what the warehouse's `events` keep of a record. Pure, so that it is tested without Spark.

Between the event store, whose records come by day and partition, and the Arrow batches that Spark takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from domain.events import (
    AddedToBasket,
    ConsentWithdrawn,
    DrawRetried,
    ExperienceClicked,
    ExperienceDismissed,
    ExperienceShown,
    IdleElapsed,
    LinkClicked,
    OrderLine,
    OrderPaid,
    OrderStatusChanged,
    PageViewed,
    ProductsSearched,
    RemovedFromBasket,
    ReservationExpired,
    ShopperErased,
    ShopperSuppressed,
    ShopperUnsuppressed,
    StatusLine,
)
from domain.ids import Position
from domain.money import MINOR_MAX
from domain.records import SCHEMA_VERSION, Known, Record, Undecodable
from domain.timestamps import EPOCH

DAY_MS: Final = 86_400_000
_LATEST_MS: Final = 253_402_300_800_000
"""The year 10000, where datetime ends."""
_NOTHING: Final = Known()


class Line(NamedTuple):
    """One line of an order; `regular_price_minor` is what the catalogue knew, in the order's currency."""

    product_id: str
    category_id: str | None
    brand: str | None
    quantity: int
    price_minor: int | None
    regular_price_minor: int | None


class About(NamedTuple):
    """The columns that depend on the event's type, in the table's order."""

    page_kind: str | None = None
    category_id: str | None = None
    product_id: str | None = None
    brand: str | None = None
    path: str | None = None
    target: str | None = None
    label: str | None = None
    query: str | None = None
    result_count: int | None = None
    price_minor: int | None = None
    regular_price_minor: int | None = None
    currency: str | None = None
    quantity: int | None = None
    order_id: str | None = None
    total_minor: int | None = None
    status: str | None = None
    lines: Sequence[Line] | None = None
    experience_id: str | None = None
    after_event_id: str | None = None
    node_id: str | None = None


FIRST: Final = (
    "retailer_id",
    "day",
    "event_id",
    "type",
    "shopper_id",
    "occurred_at",
    "received_at",
    "event_time",
    "schema_version",
    "verified",
    "consent",
    "session_id",
)
PLACE: Final = ("log_epoch", "log_partition", "log_offset")
COLUMNS: Final = (*FIRST, *About._fields, *PLACE)
"""The columns of a row, in order. Days are counted from 1970-01-01, times are Unix microseconds, both UTC."""


class Unusable(NamedTuple):
    """A record that makes no row.

    Attributes:
        reason: a short stable name.
        event_id: where it could be read.
    """

    reason: str
    event_id: str | None = None


def flat(record: Record | Undecodable, partition: int, position: Position) -> tuple[Any, ...] | Unusable:
    """Gives the row of a record, or why there is none.

    Args:
        record: as the event store keeps it.
        partition: of the log.
        position: in the partition.
    """
    if isinstance(record, Undecodable):
        return Unusable("unknown_version" if "schema_version" in record.reason else "undecodable")
    event = record.event
    event_id = str(event.event_id)
    about = _ABOUT.get(type(event))
    if record.schema_version > SCHEMA_VERSION or about is None:
        return Unusable("unknown_version", event_id)
    if not (0 <= record.received_at_ms < _LATEST_MS and 0 <= record.event_time_ms < _LATEST_MS):
        return Unusable("time_out_of_range", event_id)
    occurred_us = unix_us(event.occurred_at)
    return (
        record.retailer_id,
        occurred_us // (DAY_MS * 1_000),
        event_id,
        type(event).__name__,
        event.shopper_id,
        occurred_us,
        record.received_at_ms * 1_000,
        record.event_time_ms * 1_000,
        record.schema_version,
        record.verified,
        event.consent,
        event.session_id,
        *about(event, record.known),
        position.epoch,
        partition,
        position.offset,
    )


def unix_us(moment: datetime) -> int:
    """Gives the Unix microseconds of a moment with zone."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _page(event: PageViewed, known: dict[str, Known]) -> About:
    page = event.page
    fact = known.get(page.product_id or "", _NOTHING)
    return About(
        page_kind=page.kind,
        category_id=page.category_id or fact.category_id,
        product_id=page.product_id,
        brand=fact.brand,
        path=page.path,
        regular_price_minor=_regular(fact, None),
        currency=fact.currency,
    )


def _basket(event: AddedToBasket | RemovedFromBasket, known: dict[str, Known]) -> About:
    product = event.product
    fact = known.get(product.product_id, _NOTHING)
    return About(
        category_id=product.category_id or fact.category_id,
        product_id=product.product_id,
        brand=product.brand or fact.brand,
        price_minor=product.price_minor,
        regular_price_minor=_regular(fact, product.currency),
        currency=product.currency or fact.currency,
        quantity=event.quantity,
    )


def _paid(event: OrderPaid, known: dict[str, Known]) -> About:
    return About(
        currency=event.currency,
        order_id=event.order_id,
        total_minor=event.total_minor,
        lines=[_line(line, known, event.currency) for line in event.lines],
    )


def _status(event: OrderStatusChanged, known: dict[str, Known]) -> About:
    lines = [_line(line, known, None) for line in event.lines]
    return About(order_id=event.order_id, status=event.status, lines=lines)


def _line(line: OrderLine | StatusLine, known: dict[str, Known], currency: str | None) -> Line:
    fact = known.get(line.product_id, _NOTHING)
    return Line(
        line.product_id,
        line.category_id or fact.category_id,
        fact.brand,
        line.quantity,
        line.price_minor,
        _regular(fact, currency),
    )


def _regular(fact: Known, currency: str | None) -> int | None:
    """Gives the catalogue's price where it is one and in the same money."""
    price = fact.price_minor
    if price is None or not 0 <= price <= MINOR_MAX:
        return None
    return price if currency is None or fact.currency in (None, currency) else None


def _searched(event: ProductsSearched, _known: dict[str, Known]) -> About:
    return About(query=event.query, result_count=event.result_count)


def _clicked(event: LinkClicked, _known: dict[str, Known]) -> About:
    return About(target=event.target, label=event.label)


def _about_experience(event: Any, _known: dict[str, Known]) -> About:  # Any: of every type that names one
    return About(experience_id=event.experience_id)


def _idle(event: IdleElapsed, _known: dict[str, Known]) -> About:
    return About(after_event_id=str(event.after_event_id), node_id=event.node_id)


def _of_nothing(_event: Any, _known: dict[str, Known]) -> About:
    return About()


_ABOUT: dict[type, Callable[[Any, dict[str, Known]], About]] = {
    PageViewed: _page,
    LinkClicked: _clicked,
    ProductsSearched: _searched,
    AddedToBasket: _basket,
    RemovedFromBasket: _basket,
    OrderPaid: _paid,
    OrderStatusChanged: _status,
    ExperienceShown: _about_experience,
    ExperienceClicked: _about_experience,
    ExperienceDismissed: _about_experience,
    ReservationExpired: _about_experience,
    DrawRetried: _about_experience,
    IdleElapsed: _idle,
    ConsentWithdrawn: _of_nothing,
    ShopperSuppressed: _of_nothing,
    ShopperErased: _of_nothing,
    ShopperUnsuppressed: _of_nothing,
}
