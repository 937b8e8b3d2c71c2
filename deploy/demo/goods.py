"""The demo shop's goods: an invented catalogue, read from two small tables, for the control store and for the pages."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from domain.ports.retailers import CatalogueItem

TABLES = Path(__file__).parent / "data"


class Category(Struct, frozen=True, kw_only=True):
    """One shelf of the shop; `tint` is the colour behind its products, six hex digits."""

    category_id: str
    name_fr: str
    name_en: str
    tint: str


class Good(Struct, frozen=True, kw_only=True):
    """One product as the shop shows it.

    Attributes:
        brand: empty for loose goods.
        size: what one piece is, as on the shelf.
        price_minor: euro cents.
        shape: of its package, a group of `shapes.svg`, or `loose`.
        colour, accent: names in `pictures.PALETTE`.
        motif: on its label, a group of `motifs.svg`; empty = none.
    """

    product_id: str
    category_id: str
    brand: str
    name_fr: str
    name_en: str
    size: str
    price_minor: int
    shape: str
    colour: str
    accent: str
    motif: str


class Goods(Struct, frozen=True, kw_only=True):
    """Everything on the shelves, in the order in which the shop shows it."""

    categories: tuple[Category, ...]
    products: tuple[Good, ...]


def read_goods() -> Goods:
    """Reads both tables."""
    return Goods(
        categories=tuple(msgspec.convert(row, Category) for row in _rows("categories.csv")),
        products=tuple(msgspec.convert(row, Good, strict=False) for row in _rows("products.csv")),
    )


def catalogue_items(products: Sequence[Good]) -> list[CatalogueItem]:
    """Gives the products in the form that `catalogue import` takes."""
    return [
        CatalogueItem(
            product_id=good.product_id,
            name=good.name_en,
            category_id=good.category_id,
            brand=good.brand or None,
            price_minor=good.price_minor,
        )
        for good in products
    ]


def page_data(goods: Goods) -> dict[str, Any]:
    """Gives what the pages need to draw the shelves, as JSON."""
    return {
        "categories": [
            {"id": shelf.category_id, "name": {"fr": shelf.name_fr, "en": shelf.name_en}, "tint": shelf.tint}
            for shelf in goods.categories
        ],
        "products": [
            {
                "id": good.product_id,
                "category": good.category_id,
                "brand": good.brand,
                "name": {"fr": good.name_fr, "en": good.name_en},
                "size": good.size,
                "price_minor": good.price_minor,
            }
            for good in goods.products
        ],
    }


def _rows(table: str) -> Iterator[dict[str, str]]:
    with (TABLES / table).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
