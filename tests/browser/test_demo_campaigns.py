"""The demo's campaigns in a real Chromium: budgets that go down, the button that pauses, and the till that pays."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser.demo_campaigns import RunningCampaigns
from tests.browser.demo_visitor import SCREENSHOTS, Visit, Visitor, visits
from tests.cli.running import CHECKOUT, hotbasket

pytestmark = pytest.mark.browser
# Read once, before the tests' environment is cleared of settings.
PICTURE = CHECKOUT / "docs" / "images" / "campaigns.png" if os.environ.get("HOTBASKET_UPDATE_IMAGES") == "1" else None
SAUCES, TENSION, CHEESE, GAME = "10-on-sauces", "5-from-40", "cheese-board", "scratch-coffee"
NAME = "10 % on pasta sauces"
HELD_OUT_PPM = 200_000
PAUSED = "Paused: it promises nothing more. What was promised is kept."
NOW = re.compile(r"/demo/campaigns/now$")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCampaigns]:
    """One system with its demo for the file."""
    running = RunningCampaigns(tmp_path_factory.mktemp("campaigns") / "data")
    with running:
        yield running


@pytest.fixture
def visit(browser: Browser, running: RunningCampaigns) -> Iterator[Visit]:
    """Gives visitors with a browser profile of their own."""
    with visits(browser, running) as visit:
        yield visit


def opened(visitor: Visitor) -> Visitor:
    """The visitor at the campaigns' page."""
    visitor.go("/demo/campaigns")
    return visitor


def card(visitor: Visitor, campaign_id: str = SAUCES) -> Locator:
    """One campaign's card."""
    return visitor.page.locator(f"[data-campaign='{campaign_id}']")


def seen(visitor: Visitor, campaign_id: str = SAUCES) -> dict[str, Any]:
    """What the shop's server says of a campaign now."""
    told = visitor.page.evaluate("async () => (await fetch('/demo/campaigns/now')).json()")
    found: dict[str, Any] = next(one for one in told["campaigns"] if one["campaign_id"] == campaign_id)
    return found


def widths(visitor: Visitor) -> tuple[int, int]:
    """How wide the page is, and how wide the screen."""
    found: list[int] = visitor.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    return found[0], found[1]


def test_the_page_lists_every_campaign_with_its_names(visit: Visit) -> None:
    """From the shop's bar to the page and back: each campaign with stage, budget, counts and uplift, by name."""
    visitor = visit().enter()
    visitor.page.get_by_role("link", name="Campaigns").click()
    visitor.page.wait_for_url("**/demo/campaigns")
    visitor.page.wait_for_selector("body[data-ready]")
    expect(visitor.page.locator("article")).to_have_count(4)
    for campaign_id in (SAUCES, TENSION, CHEESE, GAME):
        expect(card(visitor, campaign_id).locator(".stage")).to_have_text("live")
    expect(card(visitor)).to_contain_text("20% held out")
    expect(card(visitor)).to_match_aria_snapshot(
        f"""
        - article "{NAME}":
          - heading "{NAME}" [level=2]
          - text: live
          - paragraph: /personalised promotion · until/
          - button "Pause {NAME}"
          - img /Budget of €150.00. €\\d+.\\d\\d redeemed, €\\d+.\\d\\d reserved, €\\d+.\\d\\d left/
          - list:
            - listitem: /€\\d+.\\d\\d redeemed/
            - listitem: /€\\d+.\\d\\d reserved/
            - listitem: /€\\d+.\\d\\d left of €150.00/
        """
    )
    uplift = card(visitor).locator(".uplift")
    expect(uplift).to_contain_text(re.compile(r"Not measured yet: \d+ with it and \d+ held out so far, and 30 of each"))
    expect(card(visitor, TENSION).locator(".uplift")).to_contain_text("nobody is held out")
    visitor.page.get_by_role("link", name="Back to the shop").click()
    visitor.page.wait_for_url("**/")
    visitor.page.wait_for_selector("body[data-ready]")
    assert [] == visitor.complaints


def test_bars_move_when_the_crowd_shops(visit: Visit) -> None:
    """Without a reload the bar, the numbers and the line follow what the crowd is promised and buys."""
    visitor = opened(visit())
    for campaign_id in (SAUCES, TENSION):
        bar = card(visitor, campaign_id).locator(".bar")
        before = bar.get_attribute("aria-label")
        assert before is not None
        expect(bar).not_to_have_attribute("aria-label", before, timeout=60_000)
    first = card(visitor, TENSION).locator(".amounts li").first
    expect(first).not_to_contain_text("€0.00", timeout=120_000)
    redeemed = card(visitor, TENSION).locator(".bar-redeemed")
    assert redeemed.evaluate("(part) => part.getBoundingClientRect().width") > 1
    expect(
        card(visitor, TENSION).get_by_role("img", name=re.compile("In the last .* min, redeemed went"))
    ).to_be_visible()
    found = seen(visitor, TENSION)
    used = found["reserved_minor"] + found["committed_minor"]
    assert 0 < used <= found["leased_minor"] <= found["budget_minor"]
    assert 0 < found["shoppers"] <= found["shown"]
    visitor.screenshot("campaigns-moving")
    assert [] == visitor.complaints


@pytest.mark.timeout(600)
def test_the_picture_of_the_document(visit: Visit) -> None:
    """Budgets on their way down; with HOTBASKET_UPDATE_IMAGES=1 what is on the screen becomes the document's."""
    visitor = opened(visit(view={"width": 1100, "height": 760}))
    redeemed = card(visitor).locator(".counts b").nth(2)
    # A document deserves fuller bars than a test needs.
    expect(redeemed).to_have_text(re.compile(r"^([3-9]|\d\d)$" if PICTURE is None else "^[3-9]\\d$"), timeout=280_000)
    expect(card(visitor).locator(".burn figcaption")).to_contain_text("redeemed +€")
    visitor.screenshot("campaigns", PICTURE)
    assert (SCREENSHOTS / "campaigns.png").stat().st_size > 0


def test_pause_stops_a_campaign_and_the_button_says_so(visit: Visit, running: RunningCampaigns) -> None:
    """Within two seconds the paused campaign is given to nobody any more, while the others are; then it goes on."""
    visitor = opened(visit())
    visitor.wait_until(lambda: seen(visitor)["shown"] > 0)
    button = card(visitor).get_by_role("button")
    button.click()
    expect(button).to_have_text("Resume", timeout=2_000)
    expect(button).to_have_accessible_name(f"Resume {NAME}")
    expect(card(visitor).locator(".stage")).to_have_text("paused")
    expect(card(visitor).locator(".said")).to_have_text(PAUSED)
    expect(visitor.page.locator("#spoken")).to_have_text(f"{NAME}: {PAUSED}")
    visitor.screenshot("campaigns-paused")
    visitor.page.wait_for_timeout(1_500)
    before, others = seen(visitor), seen(visitor, GAME)["shown"]
    visitor.wait_until(lambda: seen(visitor, GAME)["shown"] >= others + 2)
    after = seen(visitor)
    assert [before[name] for name in ("shown", "held_out")] == [after[name] for name in ("shown", "held_out")]
    shopper = visit()
    guest = running.guest(SAUCES, HELD_OUT_PPM, held_out=False)
    shopper.context.add_init_script(f"localStorage.setItem('demo.guest', '{guest}')")
    shopper.enter().add("penne")
    expect(shopper.slot("main").locator(".hotbasket-card")).to_be_visible()
    expect(shopper.slot("offer").locator(".hotbasket-card")).to_have_count(0)
    button.click()
    expect(button).to_have_text("Pause", timeout=2_000)
    expect(card(visitor).locator(".stage")).to_have_text("live")
    visitor.wait_until(lambda: seen(visitor)["shown"] > after["shown"])
    assert [] == visitor.complaints


def test_a_campaign_of_the_terminal_is_on_the_page_at_once(visit: Visit, running: RunningCampaigns) -> None:
    """What `hotbasket campaign` writes and pauses is on the page within seconds, its name as text, not as markup."""
    visitor = opened(visit())
    file = running.data.parent / "mine.json"
    file.write_text(
        json.dumps(
            {
                "campaign_id": "mine",
                "name": "<b>Croissants</b>",
                "kind": "recommendation",
                "starts_at": "2020-01-01T00:00:00Z",
                "ends_at": "2090-01-01T00:00:00Z",
                "products": ["croissants"],
                "hours": [{"from_time": "00:00", "until_time": "00:01"}],
            }
        ),
        encoding="utf-8",
    )
    for command in (("create", str(file)), ("schedule", "mine"), ("pause", "mine")):
        ran = hotbasket("campaign", *command, "--data", running.data, "--retailer", "demo")
        assert 0 == ran.returncode, ran.stderr
    expect(card(visitor, "mine").get_by_role("heading", level=2)).to_have_text("<b>Croissants</b>")
    expect(card(visitor, "mine").locator(".stage")).to_have_text("paused")
    expect(card(visitor, "mine").locator(".amounts")).to_contain_text("no limit")
    assert 0 == hotbasket("campaign", "end", "mine", "--data", running.data, "--retailer", "demo").returncode
    expect(card(visitor, "mine").locator(".stage")).to_have_text("ended")
    expect(card(visitor, "mine").get_by_role("button")).to_have_count(0)
    assert [] == visitor.complaints


def test_the_page_works_by_keyboard_alone(visit: Visit) -> None:
    """Tab leads to each button, Enter pauses and goes on, and the focus stays while the page redraws itself."""
    visitor = opened(visit())
    button = card(visitor, CHEESE).get_by_role("button")
    expect(button).to_have_text("Pause")
    visitor.page.keyboard.press("Tab")
    expect(visitor.page.locator(".skip")).to_be_focused()
    for _ in range(20):
        if button.evaluate("(one) => one === document.activeElement"):
            break
        visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    expect(button).to_have_text("Resume")
    expect(button).to_be_focused()
    visitor.page.wait_for_timeout(2_500)
    expect(button).to_be_focused()
    visitor.page.keyboard.press("Enter")
    expect(button).to_have_text("Pause")
    expect(card(visitor, CHEESE).locator(".stage")).to_have_text("live")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_a_small_telephone_shows_all_of_it(visit: Visit, locale: str) -> None:
    """At 320 pixels nothing sticks out sideways, on the page and in the shop's bar, in either language."""
    visitor = opened(visit(view={"width": 320, "height": 700}, locale=locale))
    expect(card(visitor, GAME).get_by_role("button")).to_be_visible()
    wide, screen = widths(visitor)
    assert wide <= screen
    boxes = visitor.page.evaluate(
        """() => [...document.querySelectorAll('.campaign *')].map((one) => {
          const {left, right} = one.getBoundingClientRect(); return [left, right]; })"""
    )
    assert [] == [box for box in boxes if box[0] < 0 or box[1] > screen]
    visitor.screenshot(f"campaigns-telephone-{locale[:2]}")
    visitor.go("/")
    wide, screen = widths(visitor)
    assert wide <= screen
    expect(visitor.page.locator("a[href='/demo/campaigns']")).to_be_in_viewport(ratio=1)
    visitor.screenshot(f"campaigns-shop-telephone-{locale[:2]}")


def test_the_page_speaks_french(visit: Visit) -> None:
    """A French browser gets French words and numbers, and may change to English."""
    visitor = opened(visit(locale="fr-FR"))
    expect(visitor.page.locator("h1")).to_have_text("Campagnes")
    expect(card(visitor).locator(".amounts")).to_contain_text(re.compile(r"restant sur 150,00\s€"))
    expect(card(visitor).get_by_role("button")).to_have_accessible_name(f"Mettre en pause {NAME}")
    visitor.page.click("[data-language=en]")
    expect(visitor.page.locator("h1")).to_have_text("Campaigns")
    visitor.page.wait_for_selector("body[data-ready]")


def scripted(visitor: Visitor, **fields: Any) -> None:
    """Makes the server say other things of the promotion on sauces."""

    def answer(route: Route) -> None:
        told = route.fetch().json()
        for one in told["campaigns"]:
            if one["campaign_id"] == SAUCES:
                one.update(fields)
        route.fulfill(json=told)

    visitor.page.route(NOW, answer)


def effect(treated: float, held_out: float, low: float, high: float) -> dict[str, float]:
    """An effect as the server tells it."""
    means = {"treated_mean": treated, "held_out_mean": held_out, "effect": treated - held_out}
    return {**means, "low": low, "high": high}


def test_an_uplift_is_told_with_its_interval(visit: Visit) -> None:
    """The difference, its interval, both means, and whether it may be chance; a split that is odd is warned of."""
    visitor = visit()
    measured = {
        "state": "measured",
        "treated": 160,
        "held_out": 40,
        "needed": 30,
        "is_split_odd": True,
        "trusted_from": 90,
    }
    spend, bought = effect(3_250.0, 3_100.0, -120.0, 420.0), effect(0.62, 0.47, 0.02, 0.28)
    scripted(visitor, uplift={**measured, "spend": spend, "conversion": bought})
    uplift = card(opened(visitor)).locator(".uplift")
    expect(uplift.locator("[data-effect=spend]")).to_have_text(
        "Paid in the first order +€1.50 (95 % interval −€1.20 to +€4.20) "
        "€32.50 with it, €31.00 without. The interval contains 0: this may be chance."
    )
    expect(uplift.locator("[data-effect=conversion]")).to_have_text(
        "Bought what it promotes +15 points (95 % interval +2 to +28) "
        "62% with it, 47% without. The interval leaves 0 out."
    )
    expect(uplift.locator(".odd").first).to_contain_text("do not trust the figures")
    expect(uplift.locator(".odd").last).to_contain_text("can be trusted from 90 in each group on")


def test_a_budget_that_is_spent_fills_the_bar(visit: Visit) -> None:
    """With nothing left the bar is full, and says so."""
    visitor = visit()
    scripted(visitor, committed_minor=14_990, reserved_minor=10)
    bar = card(opened(visitor)).locator(".bar")
    expect(bar).to_have_attribute("aria-label", "Budget of €150.00: €149.90 redeemed, €0.10 reserved, €0.00 left")
    parts = bar.evaluate(
        """(bar) => [bar.getBoundingClientRect().width,
          ...[...bar.children].map((one) => one.getBoundingClientRect().width)]"""
    )
    assert pytest.approx(parts[0], abs=1) == parts[1] + parts[2]


def test_a_server_that_is_away_leaves_the_last_figures(visit: Visit) -> None:
    """The page says as of when its figures are, says a failed pause with the reason, and goes on when it can."""
    visitor = opened(visit())
    visitor.page.route(re.compile("/demo/campaigns/"), lambda route: route.abort())
    expect(visitor.page.locator("#state")).to_contain_text("does not answer. The figures are as of")
    expect(visitor.page.locator("article")).not_to_have_count(0)
    card(visitor).get_by_role("button").click()
    expect(card(visitor).locator(".said")).to_contain_text("That did not work")
    expect(card(visitor).get_by_role("button")).to_have_text("Pause")
    visitor.page.unroute_all()
    expect(visitor.page.locator("#state")).to_contain_text("Live, as of")


def test_the_till_takes_off_what_a_campaign_promised(visit: Visit, running: RunningCampaigns) -> None:
    """Pasta brings ten percent on sauces, the bill has it, and the verified order redeems it."""
    visitor = visit()
    guest = running.guest(SAUCES, HELD_OUT_PPM, held_out=False)
    visitor.context.add_init_script(f"localStorage.setItem('demo.guest', '{guest}')")
    visitor.enter(path="/c/pasta")
    visitor.add("penne")
    expect(visitor.slot("offer")).to_contain_text("10% off")
    visitor.go("/c/sauces")
    expect(visitor.page.locator("article[data-product=tomato-basil-sauce] .price")).to_contain_text("−10 % at the till")
    visitor.add("tomato-basil-sauce")
    visitor.page.click("#basket-open")
    expect(visitor.page.locator(".drawer .won")).to_contain_text("Your offer-€0.19")
    visitor.screenshot("campaigns-drawer")
    visitor.press(".drawer a.primary")
    expect(visitor.page.locator(".bill .won")).to_contain_text("Your offer")
    expect(visitor.page.locator("#pay")).to_have_text("Pay €3.29")
    visitor.screenshot("campaigns-bill")
    open_promises = [one for one in running.promises(guest) if one["campaign_id"] == SAUCES]
    assert ["open"] == [one["state"] for one in open_promises]
    visitor.press("#pay")
    visitor.page.wait_for_url("**/thanks/*")
    visitor.expect_lit("thanks")
    expect(visitor.slot("game").locator(".hotbasket-card")).to_be_visible()
    visitor.wait_until(
        lambda: ["redeemed"] == [one["state"] for one in running.promises(guest) if one["campaign_id"] == SAUCES]
    )
    assert ("OrderPaid", "stored", 329) == next(
        (one["type"], one["status"], one["event"]["total_minor"])
        for one in visitor.sent()
        if one["type"] == "OrderPaid"
    )
    visitor.wait_for_basket({})
    assert [] == visitor.complaints


def test_who_is_held_out_is_shown_nothing_and_pays_the_price(visit: Visit, running: RunningCampaigns) -> None:
    """A held-out shopper sees the sauce but no offer, and the bill takes nothing off."""
    visitor = visit()
    guest = running.guest(SAUCES, HELD_OUT_PPM, held_out=True)
    visitor.context.add_init_script(f"localStorage.setItem('demo.guest', '{guest}')")
    visitor.enter(path="/c/pasta")
    visitor.add("penne")
    expect(visitor.slot("main").locator(".hotbasket-card")).to_be_visible()
    visitor.go("/checkout")
    expect(visitor.page.locator("#pay")).to_have_text("Pay €1.49")
    expect(visitor.slot("offer").locator(".hotbasket-card")).to_have_count(0)
    assert [] == [one for one in running.promises(guest) if one["campaign_id"] == SAUCES]


def test_a_till_that_is_away_takes_nothing(visit: Visit) -> None:
    """The bill says that nothing was paid and keeps the basket; asked again, the order goes through."""
    visitor = visit().enter()
    visitor.add("penne")
    visitor.go("/checkout")
    visitor.page.route(re.compile("/demo/order"), lambda route: route.abort())
    visitor.press("#pay")
    expect(visitor.page.get_by_role("alert")).to_have_text("The till does not answer. Nothing was paid: try again.")
    expect(visitor.page.locator("#basket-count")).to_have_text("1")
    visitor.page.unroute_all()
    visitor.press("#pay")
    visitor.page.wait_for_url("**/thanks/*")
    expect(visitor.page.locator("#basket-count")).to_have_text("0")
