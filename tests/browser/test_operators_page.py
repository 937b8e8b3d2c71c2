"""The operator's page of a real `hotbasket run`, read in a real Chromium: a phone's, in the dark too."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.demo_visitor import SCREENSHOTS
from tests.browser.tracker_collector import wait_for
from tests.cli.running import Running, hotbasket_json

pytestmark = pytest.mark.browser
EVENTS = 60
SHOPPERS = 6
CONTRASTS = """() => {
  const parsed = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => parsed(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const back = light(getComputedStyle(document.body).backgroundColor);
  const found = {};
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const fore = light(getComputedStyle(element).color);
    found[element.textContent] = (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A system that has just processed some events."""
    with Running(tmp_path_factory.mktemp("operator") / "data") as running:
        key = hotbasket_json("retailer", "add", "shop", "--data", running.data)["write_key"]
        for number in range(EVENTS):
            assert 200 == running.post("/v1/events", key, viewed(f"c-{number % SHOPPERS}"))[0]
        running.wait_until_processed(EVENTS)
        yield running


def viewed(shopper: str) -> dict[str, Any]:
    """A shopper looks at the home page."""
    return {
        "event_id": str(uuid.uuid4()),
        "type": "PageViewed",
        "occurred_at": datetime.now(UTC).isoformat(),
        "shopper_id": shopper,
        "page": {"kind": "home"},
    }


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    """A phone's browser that complains of whatever the page may not do."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [] == complaints


def shown(page: Page, words: str) -> str:
    """The value beside some words."""
    row = page.locator("tr").filter(has=page.get_by_role("rowheader", name=words, exact=True))
    return row.locator("td").first.inner_text()


def test_it_shows_what_metrics_say(page: Page, running: Running) -> None:
    """Under a load that is over, numbers on the page are those of a scrape, and rates of them are right."""
    page.goto(f"{running.page_url}?still")
    caption = page.locator("caption").first.inner_text()
    over = re.search(r"over the last (\d+) s", caption)
    assert over is not None
    assert running.metric("hotbasket_events_total") == EVENTS
    rate = float(shown(page, "Events answered").removesuffix(" a second"))
    assert EVENTS == pytest.approx(rate * int(over[1]), abs=0.05 * int(over[1]) + rate / 2 + 1)
    assert SHOPPERS == running.metric("hotbasket_residents")
    assert f"{SHOPPERS} of 200,000" == shown(page, "Shoppers in memory")
    assert f"{running.metric('hotbasket_partitions_owned'):.0f}" == shown(page, "Partitions owned")
    assert ("yes", "0", "0") == tuple(shown(page, words) for words in ("Ready", "Past their deadline", "None"))
    expect(page.get_by_role("rowheader", name="Lag")).to_have_attribute("title", "hotbasket_worker_lag_seconds")
    expect(page.get_by_role("table", name="Since the start, by reason")).to_be_visible()


def test_it_comes_again_by_itself(page: Page, running: Running) -> None:
    """The page is loaded anew every five seconds, without a script, until its reader stops it."""
    page.goto(running.page_url)
    first = page.locator(".faint").first.inner_text()
    wait_for(lambda: page.locator(".faint").first.inner_text() != first, step=lambda: page.wait_for_timeout(100))
    page.get_by_role("link", name="Stop refreshing").click()
    expect(page.get_by_role("link", name="Refresh every 5 seconds")).to_be_visible()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_phone(scheme: Literal["light", "dark"], page: Page, running: Running) -> None:
    """At 360 px nothing is cut off or needs sideways scrolling, and every text has a contrast of 4.5 or more."""
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{running.page_url}?still")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"operators-page-{scheme}.png", full_page=True)
    assert 360 == page.evaluate("document.documentElement.scrollWidth")
    contrasts: dict[str, float] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert {} == {text: ratio for text, ratio in contrasts.items() if ratio < 4.5}
