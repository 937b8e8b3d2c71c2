"""Chromium as the tracker's tests drive it: pages of the shop, and what to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.tracker_collector import Collector, Shop, wait_for

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STORED = "() => Object.keys(localStorage)"
QUEUED = "() => Object.keys(localStorage).filter((key) => key.startsWith('hotbasket.wk_test.e.')).length"
ADD = "(ids) => ids.map((id) => hotbasket.track('AddedToBasket', {product: {product_id: id}}))"


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A headless Chromium, ended with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """One browser profile (a shopper's browser) on the shop."""

    def __init__(self, context: BrowserContext, shop: Shop, collector: Collector) -> None:
        self.context = context
        self.shop = shop
        self.collector = collector

    def open(self, page: Page | None = None, *, file: str = "shop.html", **asked: str) -> Page:
        """Opens a page of the shop in `page`, else in a new tab; `asked` tells the page's script what to do."""
        page = page or self.context.new_page()
        page.goto(f"{self.shop.url}/{file}?{urlencode(asked)}")
        return page

    def shopping(self, page: Page | None = None, *, file: str = "shop.html", **asked: str) -> Page:
        """A page whose shopper is known and agreed."""
        return self.open(page, file=file, **({"consent": "granted", "shopper": "c-1"} | asked))

    def listening(self, page: Page | None = None, **asked: str) -> Page:
        """The same with a stream and a listener; returns when some tab's stream is open."""
        page = self.shopping(page, **({"stream": "1", "listen": "1"} | asked))
        self.until(lambda: self.collector.open_streams)
        return page

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for a condition while the browser goes on."""
        page = self.context.pages[0] if self.context.pages else None
        wait_for(condition, step=lambda: page.wait_for_timeout(20) if page else time.sleep(0.02))

    def add(self, page: Page, *product_ids: str) -> list[str]:
        """Tracks one AddedToBasket a product; the event ids."""
        ids: list[str] = page.evaluate(ADD, list(product_ids))
        return ids

    def emptied(self, page: Page) -> None:
        """Waits until the queue in localStorage is empty."""
        self.holds(page, f"() => ({QUEUED})() === 0")

    def holds(self, page: Page, predicate: str) -> None:
        """Waits until a function of the page is true; Playwright's own way needs an eval that the CSP forbids."""
        self.until(lambda: page.evaluate(predicate))

    def seen(self, page: Page) -> list[str]:
        """Ids of the experiences that the page's listener was given, in order."""
        ids: list[str] = page.evaluate("() => seen.map((card) => card.experience_id)")
        return ids

    def gone(self, page: Page) -> list[str]:
        """Ids of the experiences that the page was told to take away, in order."""
        ids: list[str] = page.evaluate("() => gone.map((detail) => detail.experience_id)")
        return ids

    def faults(self, page: Page) -> list[dict[str, Any]]:
        """What the page's error listener was given."""
        faults: list[dict[str, Any]] = page.evaluate("() => faults")
        return faults
