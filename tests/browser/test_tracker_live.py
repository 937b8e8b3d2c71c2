"""tracker.js against the real system: pasta in the basket of a page on another origin, and the sauce appears there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.tracker_collector import Shop, wait_for
from tests.cli.running import Running, hotbasket, hotbasket_json

pytestmark = pytest.mark.browser
TREE = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}}]
        },
        "sauce": {
            "experiences": [
                {"slot": "main", "kind": "recommendation", "content": {"products": ["p-77"]}},
                {
                    "slot": "footer",
                    "kind": "basket_tension",
                    "content": {"threshold_minor": 1000, "reward": {"type": "amount", "value_minor": 100}},
                },
            ]
        },
    },
}
ADD_PASTA = """(quantity) => hotbasket.track('AddedToBasket', {
  product: {product_id: 'p-1', category_id: 'pasta', price_minor: 250, currency: 'EUR'}, quantity})"""
OPEN = "() => [...document.querySelectorAll('.hotbasket-title')].map((title) => title.textContent)"
BOTH = ["Goes well with your basket", "Almost there"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The shop as a retailer of a running system that lists its origin."""
    data, file = tmp_path / "data", tmp_path / "tree.json"
    file.write_text(json.dumps(TREE), encoding="utf-8")
    with Running(data) as running:
        keys: dict[str, str] = {}

        def subscribe(shopper: str) -> str:
            status, answer = running.post("/v1/subscriptions", keys["secret_key"], {"shopper_id": shopper})
            assert 200 == status, answer
            token: str = answer["subscription"]
            return token

        shop = Shop(subscribe)
        keys |= hotbasket_json("retailer", "add", "shop", "--data", data, "--origin", shop.url)
        pushed = hotbasket("tree", "push", "--data", data, "--retailer", "shop", file)
        assert 0 == pushed.returncode, pushed.stderr
        shop.collector_url, shop.write_key = running.url, keys["write_key"]
        yield shop
        shop.stop()


def until(page: Page, predicate: str, expected: object) -> None:
    """Waits until a function of the page gives a value."""
    wait_for(lambda: expected == page.evaluate(predicate), step=lambda: page.wait_for_timeout(20))


def test_pasta_brings_the_sauce(browser: Browser, shop: Shop) -> None:
    """Experiences appear, outlive the page, follow the basket, once dismissed are gone; a second tab shares them."""
    context = browser.new_context()
    page = context.new_page()
    address = f"{shop.url}/shop.html?consent=granted&shopper=c-1&stream=1&widgets=en"
    page.goto(address)
    page.evaluate(ADD_PASTA, 1)
    until(page, OPEN, BOTH)
    page.goto(address)
    until(page, OPEN, BOTH)
    other = context.new_page()
    other.goto(address)
    until(other, OPEN, BOTH)
    other.get_by_role("button", name="Close").first.click()
    until(page, OPEN, BOTH[1:])
    page.evaluate(ADD_PASTA, 1)
    until(page, "() => document.querySelector('progress').value", 500)
    page.evaluate(ADD_PASTA, 2)
    until(page, OPEN, [])
    page.goto(address)
    until(page, "() => Object.keys(localStorage).filter((key) => key.includes('.e.')).length", 0)
    assert ([], [], []) == (page.evaluate(OPEN), page.evaluate("() => faults"), page.evaluate("() => violations"))
    context.close()
