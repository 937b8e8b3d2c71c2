"""Games against the real system: a play is drawn, and the winner of a basket leaves an address that the vault gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.tracker_collector import Shop
from tests.browser.widget_visit import press_until_focused, violations
from tests.cli.running import Running, hotbasket, hotbasket_json

pytestmark = pytest.mark.browser
EMAIL = "winner@post.example"
WITHIN_MS = 20_000
SURE_PPM = 1_000_000
PRIZE = {"type": "amount", "value_minor": 200}
ADDED = """(product) => hotbasket.track('AddedToBasket', {
  product: {product_id: product, category_id: product, price_minor: 250, currency: 'EUR'}, quantity: 1})"""


def game(campaign_id: str, kind: str, product: str) -> dict[str, Any]:
    """A node that proposes a game of a campaign."""
    content = {"game": kind, "products": [product], "prize": PRIZE}
    shown = {"slot": "main", "kind": "gamified_promotion", "campaign_id": campaign_id, "content": content}
    return {"experiences": [shown]}


def edge(product: str) -> dict[str, Any]:
    """The way to the node of a product, once that is in the basket."""
    return {"to": product, "when": {"kind": "product", "action": "added", "category_ids": [product]}}


TREE = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {"edges": [edge("pasta"), edge("wine")]},
        "pasta": game("wheel", "wheel", "pasta"),
        "wine": game("basket", "scratch", "wine"),
    },
}
CAMPAIGNS: dict[str, dict[str, Any]] = {
    "wheel": {
        "game": "wheel",
        "products": ["pasta"],
        "prizes": [{"prize_id": "two-euros", "reward": PRIZE, "chance_ppm": SURE_PPM, "cost_minor": 200}],
    },
    "basket": {"game": "scratch", "products": ["wine"], "reward": {"chance_ppm": SURE_PPM, "at_most_minor": 10_000}},
}


class Site:
    """A retailer's site on a running system.

    Attributes:
        shop: serves its pages.
    """

    def __init__(self, running: Running, folder: Path) -> None:
        self._running = running
        self.shop = Shop(self._subscribe)
        added = ("retailer", "add", "shop", "--data", running.data, "--origin", self.shop.url)
        keys = hotbasket_json(*added, "--currency", "EUR")
        self._secret_key: str = keys["secret_key"]
        self.shop.collector_url, self.shop.write_key = running.url, keys["write_key"]
        starts = datetime.now(UTC) - timedelta(hours=1)
        for campaign_id, fields in CAMPAIGNS.items():
            document = {
                "campaign_id": campaign_id,
                "name": campaign_id,
                "kind": "gamified_promotion",
                "starts_at": starts.isoformat(),
                "ends_at": (starts + timedelta(days=7)).isoformat(),
                "budget": {"money_minor": 1_000_000},
            }
            self._command("campaign", "create", self._written(folder / f"{campaign_id}.json", document | fields))
            self._command("campaign", "schedule", campaign_id)
        self._command("tree", "push", "--retailer", "shop", self._written(folder / "tree.json", TREE))

    def order(self, shopper_id: str, product: str) -> None:
        """Posts a verified order, as the retailer's server does."""
        line = {"product_id": product, "category_id": product, "quantity": 1, "price_minor": 250}
        event = {
            "event_id": str(uuid4()),
            "type": "OrderPaid",
            "occurred_at": datetime.now(UTC).isoformat(),
            "shopper_id": shopper_id,
            "consent": "granted",
            "order_id": "o-1",
            "lines": [line],
            "total_minor": 250,
            "currency": "EUR",
        }
        status, answer = self._running.post("/v1/events", self._secret_key, event)
        assert (200, "stored") == (status, answer["results"][0]["status"])

    def payouts(self) -> list[dict[str, Any]]:
        """What is due to winners."""
        found: list[dict[str, Any]] = hotbasket_json("rewards", "payouts", "--data", self._running.data)
        return found

    def _subscribe(self, shopper: str) -> str:
        status, answer = self._running.post("/v1/subscriptions", self._secret_key, {"shopper_id": shopper})
        assert 200 == status, answer
        token: str = answer["subscription"]
        return token

    def _command(self, *arguments: str | Path) -> None:
        ran = hotbasket(*arguments, "--data", self._running.data)
        assert 0 == ran.returncode, ran.stderr

    @staticmethod
    def _written(path: Path, document: dict[str, Any]) -> Path:
        path.write_text(json.dumps(document), encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One system for the file."""
    folder = tmp_path_factory.mktemp("games")
    with Running(folder / "data") as running:
        site = Site(running, folder)
        yield site
        site.shop.stop()


def visited(browser: Browser, site: Site, shopper: str, product: str, brings: str) -> Page:
    """A shopper's page with a product in the basket, and what this brings."""
    page = browser.new_context(reduced_motion="reduce").new_page()
    page.goto(f"{site.shop.url}/shop.html?consent=granted&shopper={shopper}&stream=1&widgets=en")
    page.evaluate(ADDED, product)
    expect(page.locator(brings)).to_be_visible(timeout=WITHIN_MS)
    return page


def test_a_play_is_drawn_by_the_server(browser: Browser, site: Site) -> None:
    """Tab and Enter play, the prize that the campaign gives for sure comes back, and another page shows it as won."""
    page = visited(browser, site, "c-1", "pasta", ".hotbasket-play")
    press_until_focused(page, page.get_by_role("button", name="Spin the wheel"))
    page.keyboard.press("Enter")
    won = "You win: €2.00 off"
    expect(page.get_by_role("status")).to_have_text(won, timeout=WITHIN_MS)
    page.reload()
    expect(page.get_by_role("status")).to_have_text(won, timeout=WITHIN_MS)
    expect(page.get_by_role("button", name="Spin the wheel")).to_have_count(0)
    assert [] == violations(page)
    page.context.close()


def test_the_winner_of_a_basket_leaves_an_address(browser: Browser, site: Site) -> None:
    """A verified order wins its price, the page asks for an address, the vault has it, and a second one is refused."""
    page = visited(browser, site, "c-2", "wine", ".hotbasket-order")
    expect(page.locator(".hotbasket-play")).to_have_count(0)
    site.order("c-2", "wine")
    status = page.get_by_role("status")
    expect(status).to_have_text("You win: the price of your basket, €2.50", timeout=WITHIN_MS)
    field = page.get_by_role("textbox", name="E-mail address")
    send = page.get_by_role("button", name="Claim your prize")
    field.fill("=cmd@post.example")
    send.click()
    expect(field).to_have_accessible_description(re.compile("^We can’t write to that address"), timeout=WITHIN_MS)
    field.fill(EMAIL)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Thank you. We will write to you about your prize.")).to_be_focused(timeout=WITHIN_MS)
    assert [("basket", 250)] == [(due["campaign_id"], due["value_minor"]) for due in site.payouts()]
    page.reload()
    page.get_by_role("textbox", name="E-mail address").fill("other@post.example")
    page.keyboard.press("Enter")
    expect(page.get_by_text("An address was left for this prize before.")).to_be_visible(timeout=WITHIN_MS)
    assert [] == violations(page)
    page.context.close()
