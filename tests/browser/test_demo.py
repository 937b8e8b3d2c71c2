"""The demo shop of a real `hotbasket run --demo`, driven in a real Chromium as a visitor would."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.demo_visitor import GUEST, SCREENSHOTS, Visit, milliseconds, visits
from tests.cli.running import CHECKOUT, Running

pytestmark = pytest.mark.browser
# Read once, before the tests' environment is cleared of settings.
PICTURE = CHECKOUT / "docs" / "images" / "demo.png" if os.environ.get("HOTBASKET_UPDATE_IMAGES") == "1" else None
USUAL_SAUCES = {
    "demo-1": "Basil pesto",
    "demo-2": "Arrabbiata sauce",
    "demo-3": "Lentil bolognese",
    "demo-4": "Porcini cream sauce",
    "demo-5": "Lemon and clam sauce",
    GUEST: "Tomato and basil sauce",
}
PAGES = ("/", "/c/pasta", "/p/pesto-basil", "/search?q=penne", "/checkout", "/thanks/demo-1", "/c/nothing")
SHARE_SEEN = """() => {
  const panel = document.getElementById('glass').getBoundingClientRect();
  let seen = 0, all = 0;
  for (const section of document.querySelectorAll('#glass section > :last-child')) {
    const box = section.getBoundingClientRect();
    const height = Math.min(box.bottom, panel.bottom, innerHeight) - Math.max(box.top, panel.top, 0);
    seen += Math.max(0, Math.min(height, section.scrollHeight));
    all += section.scrollHeight;
  }
  return seen / all;
}"""
STOPPED = re.compile("Content Security Policy|TrustedScript")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One system with its demo shop for the file."""
    with Running(tmp_path_factory.mktemp("demo") / "data", "--demo") as running:
        yield running


@pytest.fixture
def visit(browser: Browser, running: Running) -> Iterator[Visit]:
    """Gives visitors with a browser profile of their own."""
    with visits(browser, running) as visit:
        yield visit


def test_the_panel_shows_an_events_whole_way(visit: Visit) -> None:
    """The panel has the event as it left, the basket, the way through the tree, milliseconds, and the reason."""
    visitor = visit().enter()
    visitor.add("penne")
    panel = visitor.page.locator("#glass")
    event = panel.locator(".glass-events li.stored", has_text="AddedToBasket")
    expect(event).to_contain_text("Penne rigate × 1")
    milliseconds(event.locator("code").inner_text())
    arrival = panel.locator(".glass-experiences li[data-kind=recommendation]")
    expect(arrival).to_contain_text("main · sauce")
    milliseconds(arrival.locator("code").inner_text())
    expect(panel.locator(".glass-basket")).to_contain_text("Penne rigate × 1")
    expect(panel.locator(".glass-total")).to_contain_text("€1.49")
    expect(panel.locator(".glass-why .held")).to_contain_text("product added: pasta")
    expect(panel.locator("path.taken")).to_have_count(1)
    expect(panel.locator(".tree-node.passed")).to_have_attribute("data-node", "start")


def test_the_panel_fits_beside_the_shop(visit: Visit) -> None:
    """At 1280 x 800 at least four fifths of what the panel has to say is on the screen at once."""
    visitor = visit().enter()
    visitor.add("penne")
    visitor.expect_lit("sauce")
    expect(visitor.page.locator(".glass-why .held")).to_be_visible()
    assert visitor.page.evaluate(SHARE_SEEN) >= 0.8


def test_what_was_added_offline_arrives_once_when_online_again(visit: Visit) -> None:
    """Offline the shop goes on and events wait; online again every one of them arrives, exactly once."""
    visitor = visit().enter()
    visitor.add("penne")
    visitor.wait_for_basket({"penne": 1})
    # What the page then says of the sauce and the bar is to have left, or it would wait with the others.
    expect(visitor.slot("main").locator(".hotbasket-card")).to_be_visible()
    expect(visitor.slot("basket").locator(".hotbasket-card")).to_be_visible()
    visitor.wait_until(lambda: visitor.has_told_of(2))
    visitor.context.set_offline(True)
    for product_id in ("tomatoes", "red-wine", "red-wine", "avocados"):
        visitor.add(product_id)
    expect(visitor.page.locator(".glass-state.offline")).to_be_visible()
    expect(visitor.page.locator(".glass-events li.waiting")).to_have_count(4)
    expect(visitor.page.locator("#basket-count")).to_have_text("5")
    visitor.screenshot("offline")
    visitor.context.set_offline(False)
    visitor.wait_for_basket({"penne": 1, "tomatoes": 1, "red-wine": 2, "avocados": 1})
    visitor.wait_until(lambda: {"stored"} == {event["status"] for event in visitor.sent()})
    known = visitor.lookup()
    visitor.wait_until(lambda: len(visitor.sent()) == (visitor.lookup() or known)["session"]["events"])


def test_an_experience_decided_during_a_page_change_is_on_the_next_page(visit: Visit) -> None:
    """Pasta on one page, away at once: the sauce stands on the page that comes next."""
    visitor = visit().enter(path="/c/pasta")
    visitor.page.evaluate(
        """() => {
          document.querySelector('article[data-product=linguine] .step.more').click();
          location.assign('/c/fruit');
        }"""
    )
    visitor.page.wait_for_url("**/c/fruit")
    expect(visitor.slot("main").locator(".hotbasket-name").first).to_have_text(USUAL_SAUCES[GUEST])
    visitor.go("/p/lemons")
    expect(visitor.slot("main").locator(".hotbasket-name").first).to_have_text(USUAL_SAUCES[GUEST])


def test_without_consent_nothing_leaves(visit: Visit) -> None:
    """Neither before the banner is answered nor after a no does anything about the shopper leave the page."""
    visitor = visit().enter(consent=False)
    visitor.add("penne")
    visitor.screenshot("consent")
    visitor.go("/c/wine")
    visitor.page.click("#deny")
    visitor.add("red-wine")
    visitor.go("/checkout")
    expect(visitor.page.locator(".bill-line")).to_have_count(2)
    visitor.press("#pay")
    visitor.page.wait_for_url("**/thanks/*")
    visitor.page.wait_for_selector("body[data-ready]")
    about_shopper = ("/v1/", "/demo/subscription", "/demo/glass", "/demo/quote", "/demo/order")
    assert [] == [path for path in visitor.requests if path.startswith(about_shopper)]
    assert None is visitor.lookup()


def test_consent_given_later_counts_from_then_on(visit: Visit) -> None:
    """Who says no may say yes later, and the next product is known."""
    visitor = visit().enter(consent=False)
    visitor.page.click("#deny")
    visitor.add("penne")
    visitor.page.click("#privacy")
    visitor.page.click("#allow")
    visitor.add("tomatoes")
    visitor.wait_for_basket({"tomatoes": 1})


def test_the_tension_follows_the_basket_and_gives_way_to_the_game(visit: Visit) -> None:
    """The bar says what is missing, changes with the basket, leaves at the threshold; the reward is paid out."""
    visitor = visit().enter()
    visitor.add("penne")
    tension = visitor.slot("basket")
    expect(tension).to_contain_text("€38.51")
    visitor.add("salmon")
    expect(tension).to_contain_text("€31.02")
    for _ in range(5):
        visitor.add("salmon")
    expect(tension.locator(".hotbasket-card")).to_have_count(0)
    expect(visitor.slot("game").locator(".hotbasket-wheel")).to_be_visible()
    visitor.screenshot("game")
    visitor.page.click("#basket-open")
    # By a campaign once they are in force, by the shop itself before.
    expect(visitor.page.locator(".drawer .won")).to_contain_text(re.compile("€[35].00"))


def test_a_paid_order_empties_the_basket_and_returns_to_the_start(visit: Visit) -> None:
    """After the checkout hotbasket's basket is empty, and the shopper is thanked from the root of the tree."""
    visitor = visit().enter()
    visitor.add("red-wine")
    visitor.wait_for_basket({"red-wine": 1})
    visitor.page.click("#basket-open")
    visitor.press(".drawer a.primary")
    visitor.press("#pay")
    visitor.page.wait_for_url("**/thanks/*")
    visitor.expect_lit("thanks")
    expect(visitor.slot("game").locator(".hotbasket-card")).to_be_visible()
    visitor.wait_for_basket({})
    visitor.screenshot("thanks")


def test_the_basket_works_by_keyboard_alone(visit: Visit) -> None:
    """Open, more, less until the line is gone, Escape: the focus is never lost."""
    visitor = visit().enter()
    visitor.add("penne")
    keyboard = visitor.page.keyboard
    visitor.page.focus("#basket-open")
    keyboard.press("Enter")
    expect(visitor.page.locator("#drawer")).to_be_visible()
    line = visitor.page.locator(".line[data-product=penne]")
    while not line.locator(".more").evaluate("(button) => button === document.activeElement"):
        keyboard.press("Tab")
        assert visitor.page.evaluate("() => document.activeElement !== null")
    keyboard.press("Enter")
    expect(line.locator(".many")).to_have_text("2")
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    keyboard.press("Enter")
    expect(line).to_have_count(0)
    assert visitor.page.evaluate("() => document.getElementById('drawer').contains(document.activeElement)")
    keyboard.press("Escape")
    expect(visitor.page.locator("#drawer")).to_be_hidden()
    expect(visitor.page.locator("#basket-open")).to_be_focused()


def test_every_page_keeps_a_strict_policy(visit: Visit) -> None:
    """No page breaks its Content-Security-Policy, and the policy does stop a script that somebody injects."""
    visitor = visit().enter()
    for _ in range(6):
        visitor.add("salmon")
    visitor.add("penne")
    expect(visitor.slot("game").locator(".hotbasket-card")).to_be_visible()
    for path in PAGES:
        visitor.go(path)
        expect(visitor.slot("game").locator(".hotbasket-card")).to_be_visible()
    visitor.slot("game").locator(".hotbasket-wheel").click()
    expect(visitor.slot("game").locator(".hotbasket-won")).to_be_visible()
    assert [] == visitor.complaints
    visitor.page.evaluate(
        """() => { const script = document.createElement('script');
        script.append('window.injected = 1'); document.head.append(script); }"""
    )
    assert visitor.page.evaluate("() => window.injected === undefined")
    visitor.wait_until(lambda: any(STOPPED.search(complaint) for complaint in visitor.complaints))


def test_a_telephone_shows_shop_and_panel(visit: Visit) -> None:
    """On a narrow screen nothing sticks out sideways, and the panel comes up over the shop when asked for."""
    visitor = visit(view={"width": 390, "height": 844}).enter()
    visitor.add("penne")
    expect(visitor.slot("main").locator(".hotbasket-name").first).to_be_visible()
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    visitor.screenshot("telephone")
    visitor.page.click("#glass-toggle")
    visitor.expect_lit("sauce")
    visitor.screenshot("telephone-glass")


def test_simulated_shoppers_are_at_work(visit: Visit) -> None:
    """The panel counts events of the crowd, and they grow."""
    visitor = visit().enter()
    crowd = visitor.page.locator(".glass-crowd")
    expect(crowd).to_contain_text("12 simulated shoppers")
    before = crowd.inner_text()
    expect(crowd).not_to_have_text(before)


def test_the_picture_of_the_readme(visit: Visit) -> None:
    """A shopper meets the usual sauce; with HOTBASKET_UPDATE_IMAGES=1 what is on the screen becomes the README's."""
    visitor = visit().enter("demo-1")
    for product_id in ("tomatoes", "avocados", "tagliatelle"):
        visitor.add(product_id)
    expect(visitor.slot("main")).to_contain_text("Basil pesto")
    expect(visitor.slot("basket").locator("progress")).to_be_visible()
    expect(visitor.page.locator(".glass-why")).to_contain_text("product added: pasta")
    expect(visitor.page.locator(".glass-crowd")).not_to_contain_text("· 0 experiences")
    visitor.wait_until(lambda: {"stored"} == {event["status"] for event in visitor.sent()})
    visitor.screenshot("demo", PICTURE)
    assert (SCREENSHOTS / "demo.png").stat().st_size > 0


@pytest.mark.parametrize("persona", sorted(USUAL_SAUCES))
def test_pasta_brings_the_sauce_that_this_shopper_usually_buys(visit: Visit, persona: str) -> None:
    """Pasta in the basket, and the page recommends the persona's own sauce first, without being loaded again."""
    visitor = visit().enter(persona)
    visitor.add("penne")
    expect(visitor.slot("main").locator(".hotbasket-name").first).to_have_text(USUAL_SAUCES[persona])
    visitor.expect_lit("sauce")
    visitor.screenshot(f"sauce-{persona}")


def test_another_persona_sees_another_sauce(visit: Visit) -> None:
    """Who changes the persona in the same browser is another shopper: what the first one saw is gone."""
    visitor = visit().enter("demo-1")
    visitor.add("spaghetti")
    expect(visitor.slot("main").locator(".hotbasket-name").first).to_be_visible()
    visitor.page.select_option("#persona", "demo-2")
    visitor.page.wait_for_function("() => localStorage.getItem('demo.persona') === 'demo-2'")
    visitor.page.wait_for_selector("body[data-ready]")
    visitor.go("/c/pasta")
    visitor.add("spaghetti")
    main = visitor.slot("main")
    expect(main).to_contain_text("Arrabbiata sauce")
    expect(main).not_to_contain_text("Basil pesto")
    assert "demo-2" == visitor.shopper_id


def test_the_shop_speaks_french(visit: Visit) -> None:
    """A French browser gets French shelves, prices and reasons, and may change to English."""
    visitor = visit(locale="fr-FR").enter("demo-4", "/c/pasta")
    expect(visitor.page.locator("h1")).to_have_text("Pâtes")
    visitor.add("tagliatelle")
    expect(visitor.slot("main")).to_contain_text("Sauce crème et cèpes")
    expect(visitor.slot("main")).to_contain_text("votre habitude avec les pâtes")
    visitor.screenshot("french")
    visitor.page.click("[data-language=en]")
    expect(visitor.page.locator("h1")).to_have_text("Pasta")
