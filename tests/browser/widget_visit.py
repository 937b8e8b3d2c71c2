"""What the widgets' tests share: experiences as the stream brings them, the page that shows them, what it reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page

from tests.browser.tracker_browser import Visit
from tests.browser.tracker_collector import message

PRODUCTS = {"products": [{"product_id": "p-77", "reason": "often bought with pasta"}, "p-78"]}
CONTENTS: dict[str, dict[str, Any]] = {
    "recommendation": PRODUCTS,
    "personalised_promotion": PRODUCTS | {"generosity": {"type": "percent", "value": 15}, "threshold_minor": 3000},
    "gamified_promotion": PRODUCTS | {"game": "scratch", "prize": {"type": "amount", "value_minor": 500}},
    "basket_tension": {
        "threshold_minor": 5000,
        "missing_minor": 420,
        "reward": {"type": "amount", "value_minor": 500},
    },
}


def sent(
    kind: str, slot: str = "main", number: int = 1, *, campaign: str | None = None, lasts_s: float = 600, **content: Any
) -> str:
    """One experience of a kind as a message of the stream.

    Args:
        kind: of the experience.
        slot: where it goes.
        number: makes its id, with the kind.
        campaign: whose it is; a game of a campaign is drawn by the server.
        lasts_s: from now to its end.
        content: what is other than in `CONTENTS`.
    """
    now = datetime.now(UTC)
    body = {
        "experience_id": f"{kind}-{number}",
        "kind": kind,
        "slot": slot,
        "decided_at": now.isoformat(),
        "expires_at": (now + timedelta(seconds=lasts_s)).isoformat(),
        "trigger_event_id": "0197f6f0-0000-7000-8000-000000000001",
        "tree_generation": 1,
        "node_id": "sauce",
        "content": CONTENTS[kind] | content,
    }
    if campaign is not None:
        body["campaign_id"] = campaign
    return message("experience", body, f"{kind}-{number}")


def text(page: Page, slot: str = "main") -> str:
    """What a slot says."""
    return slot_of(page, slot).inner_text()


def slot_of(page: Page, slot: str = "main") -> Locator:
    """A slot of the page."""
    return page.locator(f"[data-hotbasket-slot={slot}]")


def shop(visit: Visit, page: Page | None = None, *, file: str = "shop.html", widgets: str = "en") -> Page:
    """A page with the default widgets and an open stream."""
    page = visit.shopping(page, file=file, stream="1", widgets=widgets)
    visit.until(lambda: visit.collector.open_streams)
    return page


def reported(visit: Visit, kind: str) -> list[str]:
    """Experience ids of the distinct events of one type."""
    return [event["experience_id"] for event in visit.collector.of_type(kind)]


def press_until_focused(page: Page, wanted: Locator, key: str = "Tab", presses_max: int = 20) -> None:
    """Presses a key until an element has the focus, as somebody without a mouse comes to it."""
    for _ in range(presses_max):
        if wanted.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{presses_max} times {key} did not lead to {wanted}")


def violations(page: Page) -> list[str]:
    """What the page's Content-Security-Policy stopped."""
    found: list[str] = page.evaluate("() => violations")
    return found
