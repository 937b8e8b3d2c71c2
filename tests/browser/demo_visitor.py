"""A visitor of the demo shop in a real Chromium, and what the retailer's server can ask about this visitor."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect

from tests.browser.tracker_collector import wait_for
from tests.cli.running import CHECKOUT, Running

SCREENSHOTS = CHECKOUT / "build" / "screenshots"
WITHIN_MS = 30_000
VIEW: ViewportSize = {"width": 1280, "height": 800}
expect.set_options(timeout=WITHIN_MS)
GUEST = "guest"


class Visitor:
    """One browser profile in the shop.

    Attributes:
        page: its only tab.
        requests: addresses asked for so far, without the shop's address.
        complaints: errors of the console and of scripts.
    """

    def __init__(self, browser: Browser, running: Running, *, locale: str = "en-GB", view: ViewportSize = VIEW) -> None:
        self._running = running
        self.context = browser.new_context(viewport=view, locale=locale, reduced_motion="reduce")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WITHIN_MS)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url.removeprefix(running.url)))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def enter(self, persona: str = GUEST, path: str = "/", *, consent: bool = True) -> Visitor:
        """Opens the shop as somebody, and agrees to being known."""
        self.go(f"{path}?as={persona}")
        if consent:
            self.page.click("#allow")
        return self

    def go(self, path: str) -> None:
        """Opens a page of the shop and waits until it is drawn."""
        self.page.goto(self._running.url + path)
        self.page.wait_for_selector("body[data-ready]")

    def press(self, selector: str) -> None:
        """Activates a button or link by keyboard.

        What comes into a slot above moves it, and what is moved while a pointer is down on it is not clicked.
        """
        self.page.press(selector, "Enter")

    def add(self, product_id: str) -> None:
        """Puts one more of a product of this page into the basket."""
        self.press(f"article[data-product={product_id}] .step.more")

    def slot(self, name: str) -> Locator:
        """What stands in a slot of the page."""
        return self.page.locator(f"[data-hotbasket-slot={name}]")

    def expect_lit(self, node_id: str) -> None:
        """Waits until the panel lights this node of the tree, and no other."""
        expect(self.page.locator(".tree-node.lit")).to_have_attribute("data-node", node_id)

    @property
    def shopper_id(self) -> str:
        """The technical id under which this browser shops."""
        found: str = self.page.evaluate(
            "() => localStorage.getItem('demo.persona') === 'guest'"
            " ? localStorage.getItem('demo.guest') : localStorage.getItem('demo.persona')"
        )
        return found

    def lookup(self) -> Any:
        """What hotbasket knows of this visitor; None for nobody."""
        keys = json.loads((self._running.data / "demo.json").read_text(encoding="utf-8"))
        shopper_id = {"shopper_id": self.shopper_id}
        status, answer = self._running.post("/v1/shoppers/lookup", keys["secret_key"], shopper_id)
        assert status in (200, 404), answer
        return answer if status == 200 else None

    def wait_for_basket(self, quantities: dict[str, int]) -> None:
        """Waits until hotbasket's basket of this visitor is exactly this one."""
        self.wait_until(lambda: quantities == self._quantities())

    def _quantities(self) -> dict[str, int]:
        known = self.lookup()
        return {line["product_id"]: line["quantity"] for line in known["basket"]["lines"]} if known else {}

    def wait_until(self, condition: Any) -> None:
        """Waits for a condition while the browser goes on."""
        wait_for(condition, step=lambda: self.page.wait_for_timeout(50))

    def sent(self) -> list[dict[str, Any]]:
        """The events that the panel saw leave, newest first."""
        kept: str | None = self.page.evaluate("() => sessionStorage.getItem('demo.wire')")
        return list(reversed(json.loads(kept or "[]")))

    def has_told_of(self, experiences: int) -> bool:
        """Tells whether so many experiences or more were seen, and every event about it is stored."""
        sent = self.sent()
        seen = sum(event["type"] == "ExperienceShown" for event in sent)
        return seen >= experiences and {"stored"} == {event["status"] for event in sent}

    def screenshot(self, name: str, to: Path | None = None) -> None:
        """Keeps what is on the screen in the test output, from the top of the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("() => scrollTo(0, 0)")
        self.page.mouse.move(0, 0)
        self.page.wait_for_function("() => [...document.images].every((one) => one.complete || one.loading === 'lazy')")
        taken = self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        if to is not None:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(taken)


def milliseconds(text: str) -> int:
    """The number of a text like `14 ms`."""
    found = re.fullmatch(r"(\d+) ms", text)
    assert found is not None, text
    return int(found.group(1))


Visit = Callable[..., Visitor]


@contextmanager
def visits(browser: Browser, running: Running) -> Iterator[Visit]:
    """Gives visitors with a browser profile of their own, and closes it."""
    visitors: list[Visitor] = []

    def arrive(**manner: Any) -> Visitor:
        visitors.append(Visitor(browser, running, **manner))
        return visitors[-1]

    yield arrive
    for visitor in visitors:
        visitor.context.close()
