"""Flat rows back to records: what training needs to run the live fold over the warehouse's years."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.events import (
    AddedToBasket,
    AnyEvent,
    ExperienceClicked,
    ExperienceDismissed,
    ExperienceShown,
    LinkClicked,
    OrderLine,
    OrderPaid,
    OrderStatusChanged,
    Page,
    PageViewed,
    Product,
    ProductsSearched,
    RemovedFromBasket,
    StatusLine,
)
from domain.records import SCHEMA_VERSION, Known, Record

FOLDED = (
    "PageViewed",
    "LinkClicked",
    "ProductsSearched",
    "AddedToBasket",
    "RemovedFromBasket",
    "OrderPaid",
)
"""Types that change basket or session in a way that hot features see."""
REPLAYED = (*FOLDED, "OrderStatusChanged", "ExperienceShown", "ExperienceClicked", "ExperienceDismissed")
"""All that come from outside."""


def record_of(row: Mapping[str, Any]) -> Record:
    """Gives the record of a row of the warehouse's `events`, of a type in `REPLAYED`; times are UTC.

    What the catalogue knew of a product stands in the event's own fields in the row; the fold reads either.
    """
    return Record(
        schema_version=SCHEMA_VERSION,
        retailer_id=row["retailer_id"],
        received_at_ms=_ms(row["received_at"]),
        event_time_ms=_ms(row["event_time"]),
        event=_event(row),
        verified=bool(row["verified"]),
        known=_known(row),
    )


def _event(row: Mapping[str, Any]) -> AnyEvent:
    about: dict[str, Any] = {
        "event_id": UUID(row["event_id"]),
        "occurred_at": _utc(row["occurred_at"]),
        "shopper_id": row["shopper_id"],
    }
    match row["type"]:
        case "PageViewed":
            return PageViewed(
                **about,
                page=Page(kind=row["page_kind"], category_id=row["category_id"], product_id=row["product_id"]),
            )
        case "LinkClicked":
            return LinkClicked(**about, target=row["target"] or "")
        case "ProductsSearched":
            return ProductsSearched(**about, query=row["query"] or "", result_count=row["result_count"])
        case "AddedToBasket":
            return AddedToBasket(**about, product=_product(row), quantity=row["quantity"] or 1)
        case "RemovedFromBasket":
            return RemovedFromBasket(**about, product=_product(row), quantity=row["quantity"] or 1)
        case "OrderPaid":
            lines = tuple(
                OrderLine(
                    product_id=line["product_id"],
                    category_id=line["category_id"],
                    quantity=line["quantity"],
                    price_minor=line["price_minor"] or 0,
                )
                for line in row["lines"] or ()
            )
            return OrderPaid(
                **about,
                order_id=row["order_id"],
                lines=lines,
                total_minor=row["total_minor"] or 0,
                currency=row["currency"],
            )
        case "OrderStatusChanged":
            back = tuple(
                StatusLine(product_id=line["product_id"], category_id=line["category_id"], quantity=line["quantity"])
                for line in row["lines"] or ()
            )
            return OrderStatusChanged(**about, order_id=row["order_id"], status=row["status"], lines=back)
        case other:
            return _answer(other, about, row)


def _answer(kind: str, about: dict[str, Any], row: Mapping[str, Any]) -> AnyEvent:
    for answer in (ExperienceShown, ExperienceClicked, ExperienceDismissed):
        if kind == answer.__name__:
            return answer(**about, experience_id=row["experience_id"])
    raise ValueError(f"{kind} is none of {', '.join(REPLAYED)}")


def _product(row: Mapping[str, Any]) -> Product:
    return Product(
        product_id=row["product_id"],
        category_id=row["category_id"],
        brand=row["brand"],
        price_minor=row["price_minor"],
        currency=row["currency"],
    )


def _known(row: Mapping[str, Any]) -> dict[str, Known]:
    if row["product_id"] is None or row["regular_price_minor"] is None:
        return {}
    return {row["product_id"]: Known(price_minor=row["regular_price_minor"], currency=row["currency"])}


def _utc(at: datetime) -> datetime:
    return at.astimezone()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
