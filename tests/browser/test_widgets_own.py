"""A retailer's own widgets in a real Chromium: own rendering, own words, own looks, beside the default ones."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from gateway.scripts import whole
from tests.browser.tracker_browser import Visit
from tests.browser.widget_visit import reported, sent, shop, slot_of, violations

pytestmark = pytest.mark.browser
OWN = """() => {
  window.back = hotbasket.widgets.render('recommendation', (card, help) => {
    const mine = document.createElement('article');
    const see = help.button('see', 'See the recipe', card.clicked);
    const hide = help.button('hide', 'Hide', () => help.cardOf(mine).dismissed());
    mine.append(`Cook it with ${card.content.products.length} products`, see, hide);
    return mine;
  });
}"""
ARABIC = """() => {
  document.documentElement.lang = 'ar';
  document.documentElement.dir = 'rtl';
  hotbasket.widgets.words({direction: 'rtl', personalised_promotion: 'لك', off: 'خصم {what}'}, 'ar');
  hotbasket.widgets.mount({product: (id) => ({name: `Produit ${id}`})});
}"""


def test_a_retailer_renders_one_kind(visit: Visit) -> None:
    """An own element stands in for the default of its kind alone, and shown, clicked and dismissed are reported."""
    page = shop(visit)
    page.evaluate(OWN)
    visit.collector.push(sent("recommendation"), sent("basket_tension", "footer"))
    expect(page.get_by_role("article")).to_contain_text("Cook it with 2 products")
    expect(slot_of(page).locator(".hotbasket-card")).to_have_count(0)
    expect(slot_of(page, "footer").get_by_role("region", name="Almost there")).to_have_count(1)
    visit.until(lambda: ["recommendation-1"] == reported(visit, "ExperienceShown"))
    page.get_by_role("button", name="See the recipe").click()
    page.get_by_role("button", name="Hide").click()
    expect(page.get_by_role("article")).to_have_count(0)
    visit.until(lambda: ["recommendation-1"] == reported(visit, "ExperienceDismissed"))
    assert (["recommendation-1"], []) == (reported(visit, "ExperienceClicked"), violations(page))


def test_an_own_rendering_can_be_taken_back(visit: Visit) -> None:
    """After what `render` returned is called, the default renders the kind again."""
    page = shop(visit)
    page.evaluate(OWN)
    page.evaluate("() => back()")
    visit.collector.push(sent("recommendation"))
    expect(page.get_by_role("region", name="Goes well with your basket")).to_be_visible()


@pytest.mark.parametrize(
    ("body", "cards"), [("return null;", 1), ("throw new Error('of the shop');", 1), ("return false;", 0)]
)
def test_who_does_not_render_leaves_it_to_the_default(visit: Visit, body: str, cards: int) -> None:
    """Nothing, or a fault, and the default shows the experience; `false`, and nobody does."""
    page = shop(visit)
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(fault.message))
    page.evaluate(f"() => {{ hotbasket.widgets.render('recommendation', () => {{ {body} }}); }}")
    visit.collector.push(sent("recommendation"), sent("basket_tension", "footer"))
    expect(slot_of(page, "footer").locator(".hotbasket-card")).to_have_count(1)
    expect(slot_of(page).locator(".hotbasket-card")).to_have_count(cards)
    assert (["of the shop"] if "throw" in body else []) == faults


def test_an_own_widget_may_stay_and_change(visit: Visit) -> None:
    """An element that takes a later experience stays in its place; what it reports is about the later one."""
    page = shop(visit)
    page.evaluate(
        """() => hotbasket.widgets.render('basket_tension', (card, help) => {
          const mine = document.createElement('article');
          const draw = ({content}) => { mine.firstChild.data = help.money(content.missing_minor); };
          mine.append('', help.button('hide', 'Hide', () => help.cardOf(mine).dismissed()));
          draw(card);
          help.update(mine, draw);
          return mine;
        })"""
    )
    visit.collector.push(sent("basket_tension"))
    expect(page.get_by_role("article")).to_contain_text("€4.20")
    page.evaluate("() => { window.first = document.querySelector('article'); }")
    visit.collector.push(sent("basket_tension", number=2, missing_minor=150))
    expect(page.get_by_role("article")).to_contain_text("€1.50")
    assert page.evaluate("() => first.isConnected")
    page.get_by_role("button", name="Hide").click()
    visit.until(lambda: ["basket_tension-2"] == reported(visit, "ExperienceDismissed"))


def test_words_of_another_language_and_direction(visit: Visit) -> None:
    """With words of an Arabic page its widgets say them, from right to left; names keep their own direction."""
    page = shop(visit)
    page.evaluate(ARABIC)
    visit.collector.push(sent("personalised_promotion", products=["p-1"]))
    region = page.get_by_role("region", name="لك")
    expect(region).to_have_attribute("dir", "rtl")
    expect(region).to_have_attribute("lang", "ar")
    expect(region.locator(".hotbasket-worth")).to_contain_text("خصم")
    expect(region.locator(".hotbasket-name")).to_have_attribute("dir", "auto")
    close, title = region.get_by_role("button").bounding_box(), region.get_by_role("heading").bounding_box()
    assert close is not None
    assert title is not None
    assert close["x"] < title["x"]


def test_without_words_of_a_language_english_is_marked_as_english(visit: Visit) -> None:
    """A Hungarian page without Hungarian words gets English ones, said to be English; its products stay Hungarian."""
    page = shop(visit)
    page.evaluate(
        """() => {
          document.documentElement.lang = 'hu';
          hotbasket.widgets.mount({product: () => ({name: 'Paprika', price_minor: 99900, currency: 'HUF'})});
        }"""
    )
    visit.collector.push(sent("recommendation"))
    region = page.get_by_role("region", name="Goes well with your basket")
    expect(region).to_have_attribute("lang", "en")
    expect(region.locator(".hotbasket-name").first).to_have_attribute("lang", "hu")
    expect(region.locator(".hotbasket-price").first).to_have_text("999\u00a0Ft")


def test_a_single_word_is_replaced(visit: Visit) -> None:
    """Words without a language replace those of the page's, whatever it is; the others stay."""
    page = shop(visit)
    page.evaluate("() => hotbasket.widgets.words({recommendation: 'Cook with it', 'often bought with pasta': 'Yum'})")
    visit.collector.push(sent("recommendation"))
    expect(page.get_by_role("region", name="Cook with it")).to_contain_text("Yum")
    expect(page.get_by_role("button", name="Close: Cook with it")).to_be_visible()


def test_looks_follow_the_custom_properties(visit: Visit) -> None:
    """A rule of the page that sets a custom property is enough, wherever it stands."""
    page = shop(visit)
    page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.insertRule('[data-hotbasket-slot] { --hotbasket-accent: rgb(90, 40, 140); --hotbasket-radius: 0 }');
          document.adoptedStyleSheets = [sheet];
        }"""
    )
    visit.collector.push(sent("personalised_promotion"))
    worth = page.locator(".hotbasket-worth")
    expect(worth).to_have_css("color", "rgb(90, 40, 140)")
    expect(page.locator(".hotbasket-card")).to_have_css("border-radius", "0px")


def test_its_name_of_the_first_version_still_works(visit: Visit) -> None:
    """`hotbasketWidgets` is the same object, and a page may load the script twice."""
    page = shop(visit)
    assert page.evaluate("() => hotbasketWidgets === hotbasket.widgets")
    page.evaluate("() => { window.once = hotbasket.widgets; }")
    source = whole("widgets.js").decode()
    run = visit.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": source})
    assert "exceptionDetails" not in run
    assert page.evaluate("() => once === hotbasket.widgets")
    visit.collector.push(sent("recommendation"))
    expect(page.locator(".hotbasket-card")).to_have_count(1)
