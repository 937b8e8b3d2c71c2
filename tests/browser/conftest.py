"""What the tracker's tests in a real Chromium share: the browser, a scripted gateway, a shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.tracker_browser import Visit, launched
from tests.browser.tracker_collector import Collector, Shop


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for the file."""
    with launched(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Collector, Shop]]:
    """The scripted gateway and the shop, on two origins."""
    collector = Collector()
    shop = Shop()
    shop.collector_url = collector.url
    yield collector, shop
    shop.stop()
    collector.stop()


@pytest.fixture
def visit(browser: Browser, servers: tuple[Collector, Shop]) -> Iterator[Visit]:
    """A fresh browser profile before servers that remember nothing."""
    collector, shop = servers
    collector.reset()
    shop.reset()
    context = browser.new_context()
    yield Visit(context, shop, collector)
    context.close()
    collector.end_streams()
