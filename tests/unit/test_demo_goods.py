"""The demo shop's goods and their pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.demo.goods import Good, catalogue_items, page_data, read_goods
from deploy.demo.pictures import PALETTE, Studio
from deploy.demo.routes import STATIC

GOODS = read_goods()
STUDIO = Studio()


def test_the_shelves_are_full() -> None:
    """There are at least 120 products on at least 20 shelves, and no shelf is empty."""
    filled = Counter(good.category_id for good in GOODS.products)
    assert len(GOODS.products) >= 120
    assert len(GOODS.categories) >= 20
    assert {shelf.category_id for shelf in GOODS.categories} == set(filled)


def test_every_product_is_complete() -> None:
    """Ids are unique; each product has two names, a size and a price."""
    assert len({good.product_id for good in GOODS.products}) == len(GOODS.products)
    incomplete = [
        good.product_id
        for good in GOODS.products
        if not (good.name_fr and good.name_en and good.size and good.price_minor > 0)
    ]
    assert [] == incomplete
    assert [] == [shelf for shelf in GOODS.categories if not (shelf.name_fr and shelf.name_en)]


def test_the_catalogue_says_what_the_shelf_says() -> None:
    """What is imported for the gateway is what pages show: product, shelf, brand and price."""
    imported = {
        item.product_id: (item.category_id, item.brand or "", item.price_minor)
        for item in catalogue_items(GOODS.products)
    }
    shown = {
        product["id"]: (product["category"], product["brand"], product["price_minor"])
        for product in page_data(GOODS)["products"]
    }
    assert shown == imported


@pytest.mark.parametrize("good", GOODS.products, ids=lambda good: good.product_id)
def test_every_product_can_be_drawn(good: Good) -> None:
    """A picture is one SVG with every colour filled in, and its two colours come from the palette."""
    picture = STUDIO.draw(good)
    assert "{http://www.w3.org/2000/svg}svg" == ET.fromstring(picture).tag
    assert "$" not in picture
    assert {good.colour, good.accent} <= PALETTE.keys()


def test_no_two_products_look_the_same() -> None:
    """A shopper can tell any two products apart, or they stand on different shelves."""
    twins = Counter((good.category_id, STUDIO.draw(good)) for good in GOODS.products)
    assert [] == [shelf for (shelf, _), number in twins.items() if number > 1]


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.js")), ids=lambda file: file.name)
def test_no_script_makes_markup_from_text(file: Path) -> None:
    """The pages need no exception in their policy: no markup from strings, no styles in markup."""
    text = file.read_text(encoding="utf-8")
    refused = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "cssText")
    assert [] == [word for word in refused if word in text]


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    """The document carries no script, style or handler of its own, and loads from the shop alone."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert [] == [word for word in ("<style", " style=", " onclick=", " onload=", "://") if word in page]
    assert page.count("<script") == page.count("<script src=")
