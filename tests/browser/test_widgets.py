"""widgets.js in a real Chromium: the four kinds of experience on a page under a strict CSP, and what they report."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.tracker_browser import Visit
from tests.browser.tracker_collector import message
from tests.browser.widget_visit import (
    CONTENTS,
    press_until_focused,
    reported,
    sent,
    shop,
    slot_of,
    text,
    violations,
)
from tests.cli.running import CHECKOUT

pytestmark = pytest.mark.browser
# Read once, before the tests' environment is cleared of settings.
PICTURE = CHECKOUT / "docs" / "images" / "widgets.png" if os.environ.get("HOTBASKET_UPDATE_IMAGES") == "1" else None
SCREENSHOTS = CHECKOUT / "build" / "screenshots"
CARDS = {
    "recommendation": """
      - region "Goes well with your basket":
        - heading "Goes well with your basket" [level=2]
        - 'button "Close: Goes well with your basket"'
        - list:
          - listitem:
            - link "Product p-77"
            - text: €2.50 often bought with pasta
          - listitem:
            - link "Product p-78"
            - text: €2.50
      """,
    "personalised_promotion": """
      - region "For you":
        - heading "For you" [level=2]
        - 'button "Close: For you"'
        - paragraph: 15% off
        - paragraph: from a basket of €30.00
        - timer: /Ends in (10:00|9:\\d\\d)/
        - list:
          - listitem:
            - link "Product p-77"
            - text: €2.50 often bought with pasta
          - listitem:
            - link "Product p-78"
            - text: €2.50
      """,
    "gamified_promotion": """
      - region "Try your luck":
        - heading "Try your luck" [level=2]
        - 'button "Close: Try your luck"'
        - button "Scratch to see what you win"
        - status
      """,
    "basket_tension": """
      - region "Almost there":
        - heading "Almost there" [level=2]
        - 'button "Close: Almost there"'
        - paragraph: "Only €4.20 to go: €5.00 off"
        - 'progressbar "Your basket on its way to: €5.00 off"'
      """,
}
BASKET: dict[str, Any] = {"outcome": {"prize_id": "basket", "label": "Your basket"}, "claim": "token"}
NAMES = """() => hotbasket.widgets.mount({
  product: (id) => ({name: {pesto: 'Basil pesto', basil: 'Fresh basil'}[id], price_minor: 250, url: '#'}),
})"""
# What is drawn in an svg is cut off at its edge.
OVERFLOWING = """() => [...document.querySelectorAll('.hotbasket-card *:not(svg *)')].filter((one) => {
  const box = one.getBoundingClientRect(), card = one.closest('.hotbasket-card').getBoundingClientRect();
  return box.width && (box.left < card.left - 1 || box.right > card.right + 1);
}).map((one) => one.className.baseVal ?? one.className)"""
# Source: WCAG 2.2, relative luminance and contrast ratio; opaque colours only, which is all the widgets have.
CONTRASTS = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => rgb(text).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (one) => {
    const {backgroundColor: colour} = getComputedStyle(one);
    return rgb(colour)[3] === 0 ? behind(one.parentElement) : colour;
  };
  const ratios = {};
  for (const one of document.querySelectorAll('.hotbasket-card *')) {
    if (one.closest('svg') || ![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [low, high] = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => a - b);
    ratios[one.className] = (high + 0.05) / (low + 0.05);
  }
  return ratios;
}"""


def four_kinds(visit: Visit, page: Page) -> Page:
    """A page with a card of each kind."""
    shop(visit, page, file="kinds.html")
    visit.collector.push(
        sent("recommendation", "one"),
        sent("personalised_promotion", "two", products=["p-78"]),
        sent("gamified_promotion", "three", game="wheel", campaign="spring"),
        sent("basket_tension", "four"),
    )
    expect(page.locator(".hotbasket-card")).to_have_count(4)
    return page


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_each_kind_has_a_widget(visit: Visit, kind: str) -> None:
    """A card of each kind is a region with a name, says what it offers, is reported shown, and its × dismisses it."""
    page = shop(visit)
    visit.collector.push(sent(kind))
    expect(slot_of(page)).to_match_aria_snapshot(CARDS[kind])
    visit.until(lambda: reported(visit, "ExperienceShown"))
    page.get_by_role("button", name="Close").click()
    visit.until(lambda: not text(page))
    visit.until(lambda: reported(visit, "ExperienceDismissed"))
    assert ([f"{kind}-1"], [f"{kind}-1"], []) == (
        reported(visit, "ExperienceShown"),
        reported(visit, "ExperienceDismissed"),
        violations(page),
    )


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_each_kind_is_closed_by_keyboard_alone(visit: Visit, kind: str) -> None:
    """Tab comes to the close button of every kind, Enter presses it, and the place on the page is kept."""
    page = shop(visit)
    visit.collector.push(sent(kind))
    expect(page.locator(".hotbasket-card")).to_be_visible()
    press_until_focused(page, page.get_by_role("button", name="Close"))
    page.keyboard.press("Enter")
    expect(page.locator(".hotbasket-card")).to_have_count(0)
    expect(slot_of(page)).to_be_focused()
    visit.until(lambda: reported(visit, "ExperienceDismissed"))


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


def test_the_tension_changes_in_its_place(visit: Visit) -> None:
    """With each emission the bar and its texts change, the focus stays, the news is told once; × closes the newest."""
    page = shop(visit)
    visit.collector.push(sent("basket_tension"))
    close = page.get_by_role("button", name="Close")
    press_until_focused(page, close)
    for number, missing_minor in ((2, 300), (3, 150)):
        visit.collector.push(sent("basket_tension", number=number, missing_minor=missing_minor))
    bar = page.get_by_role("progressbar", name="Your basket on its way to: €5.00 off")
    expect(bar).to_have_attribute("aria-valuetext", "€48.50 of €50.00")
    expect(bar).to_have_js_property("value", 4850)
    expect(close).to_be_focused()
    news = page.locator(".hotbasket-announcer p", has_text="to go")
    expect(news).to_have_text(["Only €1.50 to go: €5.00 off"])
    visit.until(lambda: "basket_tension-3" in reported(visit, "ExperienceShown"))
    page.keyboard.press("Enter")
    visit.until(lambda: ["basket_tension-3"] == reported(visit, "ExperienceDismissed"))
    expect(page.locator(".hotbasket-card")).to_have_count(0)


def test_a_card_that_replaces_the_focused_one_takes_the_focus(visit: Visit) -> None:
    """Who stands on a card that another replaces is on the new one, not at the top of the page."""
    page = shop(visit)
    visit.collector.push(sent("recommendation"))
    press_until_focused(page, page.get_by_role("link", name="Product p-77"))
    visit.collector.push(sent("recommendation", number=2, products=["p-90"]))
    expect(page.get_by_role("region", name="Goes well with your basket")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Close")).to_be_focused()


def test_shown_means_half_in_sight_for_a_second(visit: Visit) -> None:
    """A card below the fold is not shown, nor one that is scrolled past; one that stays in sight is, once."""
    page = shop(visit)
    visit.collector.push(sent("recommendation"), sent("basket_tension", "footer"))
    visit.until(lambda: text(page, "footer") and reported(visit, "ExperienceShown"))
    footer = slot_of(page, "footer")
    footer.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_timeout(1_200)
    assert ["recommendation-1"] == reported(visit, "ExperienceShown")
    footer.scroll_into_view_if_needed()
    visit.until(lambda: len(reported(visit, "ExperienceShown")) == 2)
    page.evaluate("() => scrollTo(0, 0)")
    footer.scroll_into_view_if_needed()
    page.wait_for_timeout(1_200)
    assert 2 == len([event for event in visit.collector.answered if event["type"] == "ExperienceShown"])


def test_a_card_higher_than_the_screen_can_be_shown(visit: Visit) -> None:
    """A card of which no screen holds the half is shown when it fills half the screen."""
    page = visit.context.new_page()
    page.set_viewport_size({"width": 320, "height": 300})
    shop(visit, page)
    visit.collector.push(sent("recommendation", products=[f"p-{number}" for number in range(50)]))
    visit.until(lambda: reported(visit, "ExperienceShown"))
    assert page.locator(".hotbasket-card").evaluate("(card) => card.offsetHeight") > 2 * 300


def test_a_followed_link_is_reported(visit: Visit) -> None:
    """A click on a product is reported, and the texts follow the language."""
    page = shop(visit, widgets="fr")
    visit.collector.push(sent("recommendation"))
    visit.until(lambda: "Va bien avec votre panier" in text(page))
    page.get_by_role("link", name="Product p-77").click()
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    assert ["recommendation-1"] == reported(visit, "ExperienceClicked")


def test_the_countdown_runs_without_a_word(visit: Visit) -> None:
    """The time left counts down for who looks, and no live region tells it to who listens."""
    page = shop(visit)
    visit.collector.push(sent("personalised_promotion", lasts_s=90))
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"Ends in 1:2\d"))
    expect(timer).to_have_text(re.compile(r"Ends in 1:(1\d|2[0-6])"))
    assert "off" == timer.get_attribute("aria-live")
    live = "() => [...document.querySelectorAll('[aria-live=polite], [role=status]')].map((one) => one.textContent)"
    assert ["For you"] == page.evaluate(live)
    for lasts_s, words in ((7_500, "Ends in 2 hours 4 minutes"), (200_000, "Ends in 2 days")):
        visit.collector.push(sent("personalised_promotion", number=int(lasts_s), lasts_s=lasts_s))
        expect(timer).to_have_text(words)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(visit: Visit, scheme: str) -> None:
    """Every text of every kind has the contrast of WCAG AA, on a light page and on a dark one."""
    page = visit.context.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    four_kinds(visit, page)
    visit.collector.push(sent("gamified_promotion", "three", 2, campaign="spring", game="wheel", **BASKET))
    page.get_by_role("button", name="Claim your prize").click()
    expect(page.locator(".hotbasket-error")).to_be_visible()
    ratios = page.evaluate(CONTRASTS)
    assert {} == {name: ratio for name, ratio in ratios.items() if ratio < 4.5}
    assert {"hotbasket-title", "hotbasket-reason", "hotbasket-hint", "hotbasket-error", "hotbasket-send"} <= set(ratios)
    surface = page.locator(".hotbasket-card").first.evaluate("(card) => getComputedStyle(card).backgroundColor")
    assert {"light": "rgb(255, 255, 255)", "dark": "rgb(25, 33, 29)"}[scheme] == surface
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.set_viewport_size({"width": 1120, "height": 560})
    page.screenshot(path=SCREENSHOTS / f"widgets-{scheme}.png")


@pytest.mark.parametrize("enlarged", [1, 2])
def test_a_narrow_screen_and_large_text_lose_nothing(visit: Visit, enlarged: int) -> None:
    """At 320 px, also with text of twice the size, nothing sticks out of a card and nothing scrolls sideways."""
    page = visit.context.new_page()
    page.set_viewport_size({"width": 320, "height": 640})
    page.emulate_media(reduced_motion="reduce")
    page.add_init_script("Math.random = () => 0.999")  # the wheel stops where its corners stand out farthest
    four_kinds(visit, page)
    visit.collector.push(sent("gamified_promotion", "three", 2, campaign="spring", game="wheel", **BASKET))
    expect(page.get_by_label("E-mail address")).to_be_visible()
    page.evaluate("(times) => { document.documentElement.style.fontSize = `${100 * times}%`; }", enlarged)
    width = page.evaluate("() => document.documentElement.scrollWidth")
    assert (320, []) == (width, page.evaluate(OVERFLOWING))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"widgets-320-{enlarged}.png", full_page=True)


def test_the_picture_of_the_manual(visit: Visit, browser: Browser) -> None:
    """The four kinds side by side; with HOTBASKET_UPDATE_IMAGES=1 that picture becomes the manual's."""
    context = browser.new_context(viewport={"width": 1080, "height": 364}, reduced_motion="reduce")
    page = context.new_page()
    shop(Visit(context, visit.shop, visit.collector), page, file="kinds.html")
    page.evaluate(NAMES)
    visit.collector.push(
        sent("recommendation", "one", products=[{"product_id": "pesto", "reason": "your usual with pasta"}, "basil"]),
        sent("personalised_promotion", "two", products=["basil"]),
        sent("gamified_promotion", "three", game="wheel", campaign="spring"),
        sent("basket_tension", "four"),
    )
    expect(page.locator(".hotbasket-card")).to_have_count(4)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    taken = page.screenshot(path=SCREENSHOTS / "widgets.png")
    if PICTURE is not None:
        PICTURE.write_bytes(taken)
    context.close()
    assert (SCREENSHOTS / "widgets.png").stat().st_size > 0
