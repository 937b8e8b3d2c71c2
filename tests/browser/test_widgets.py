"""widgets.js in a real Chromium: the four kinds of experience on a page under a strict CSP, and what they report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.tracker_browser import Visit
from tests.browser.tracker_collector import message

pytestmark = pytest.mark.browser
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
TITLES = {
    "recommendation": [
        "Goes well with your basket",
        "Product p-77",
        "€2.50",
        "often bought with pasta",
        "Product p-78",
    ],
    "personalised_promotion": ["For you", "15% off", "from a basket of €30.00", "Product p-77"],
    "gamified_promotion": ["Try your luck", "Scratch to see what you win"],
    "basket_tension": ["Almost there", "Only €4.20 to go: €5.00 off"],
}


def sent(kind: str, slot: str = "main", number: int = 1, **content: Any) -> str:
    """One experience of a kind as a message of the stream."""
    now = datetime.now(UTC)
    body = {
        "experience_id": f"{kind}-{number}",
        "kind": kind,
        "slot": slot,
        "decided_at": now.isoformat(),
        "expires_at": (now + timedelta(minutes=10)).isoformat(),
        "trigger_event_id": "0197f6f0-0000-7000-8000-000000000001",
        "tree_generation": 1,
        "node_id": "sauce",
        "content": CONTENTS[kind] | content,
    }
    return message("experience", body, f"{kind}-{number}")


def text(page: Page, slot: str = "main") -> str:
    """What a slot says."""
    return page.locator(f"[data-hotbasket-slot={slot}]").inner_text()


def shop(visit: Visit, page: Page | None = None, *, widgets: str = "en") -> Page:
    """A page with the default widgets and an open stream."""
    page = visit.shopping(page, stream="1", widgets=widgets)
    visit.until(lambda: visit.collector.open_streams)
    return page


def reported(visit: Visit, kind: str) -> list[str]:
    """Experience ids of the distinct events of one type."""
    return [event["experience_id"] for event in visit.collector.of_type(kind)]


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_each_kind_has_a_widget(visit: Visit, kind: str) -> None:
    """A card of each kind says what it offers, violates no CSP, is reported shown, and its × dismisses it."""
    page = shop(visit)
    visit.collector.push(sent(kind))
    visit.until(lambda: text(page))
    said = text(page)
    assert [] == [part for part in TITLES[kind] if part not in said]
    visit.until(lambda: reported(visit, "ExperienceShown"))
    page.get_by_role("button", name="Close").click()
    visit.until(lambda: not text(page))
    visit.until(lambda: reported(visit, "ExperienceDismissed"))
    assert ([f"{kind}-1"], []) == (reported(visit, "ExperienceDismissed"), page.evaluate("() => violations"))


@pytest.mark.parametrize(("game", "label"), [("scratch", "Scratch to see what you win"), ("wheel", "Spin the wheel")])
def test_a_game_reveals_its_prize(visit: Visit, game: str, label: str) -> None:
    """The prize stays hidden until the shopper plays; playing is reported as a click."""
    page = visit.context.new_page()
    page.emulate_media(reduced_motion="reduce")
    shop(visit, page)
    visit.collector.push(sent("gamified_promotion", game=game))
    visit.until(lambda: text(page))
    assert "You win" not in text(page)
    page.get_by_role("button", name=label).click()
    visit.until(lambda: "You win: €5.00 off" in text(page))
    visit.until(lambda: reported(visit, "ExperienceClicked"))


def test_a_later_experience_takes_the_slot(visit: Visit) -> None:
    """A slot holds one card: the latest; a withdrawal empties it."""
    page = shop(visit)
    visit.collector.push(
        sent("recommendation"), sent("basket_tension"), sent("basket_tension", number=2, missing_minor=99)
    )
    visit.until(lambda: "€0.99" in text(page))
    assert 1 == page.locator(".hotbasket-card").count()
    visit.collector.push(message("withdrawn", {"experience_id": "basket_tension-2", "slot": "main"}, "9"))
    visit.until(lambda: not text(page))


def test_a_card_out_of_sight_is_not_shown(visit: Visit) -> None:
    """A card below the fold is reported shown when the shopper scrolls to it."""
    page = shop(visit)
    visit.collector.push(sent("recommendation"), sent("basket_tension", "footer"))
    visit.until(lambda: text(page, "footer") and reported(visit, "ExperienceShown"))
    assert ["recommendation-1"] == reported(visit, "ExperienceShown")
    page.locator("[data-hotbasket-slot=footer]").scroll_into_view_if_needed()
    visit.until(lambda: len(reported(visit, "ExperienceShown")) == 2)


def test_a_followed_link_is_reported(visit: Visit) -> None:
    """A click on a product is reported, and the texts follow the language."""
    page = shop(visit, widgets="fr")
    visit.collector.push(sent("recommendation"))
    visit.until(lambda: "Va bien avec votre panier" in text(page))
    page.get_by_role("link", name="Product p-77").click()
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    assert ["recommendation-1"] == reported(visit, "ExperienceClicked")
