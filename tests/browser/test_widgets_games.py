"""Scratch cards and wheels in a real Chromium: one play, by keyboard, mouse or finger, and the server's result."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.browser.tracker_browser import Visit
from tests.browser.widget_visit import press_until_focused, reported, sent, shop, slot_of, text, violations

pytestmark = pytest.mark.browser
LABELS = {"scratch": "Scratch to see what you win", "wheel": "Spin the wheel"}
COFFEE = {"prize_id": "coffee", "label": "a pack of coffee"}
UNDER_THE_POINTER = """async (wheel) => {
  const disc = wheel.querySelector('.hotbasket-disc');
  await Promise.all(disc.getAnimations().map((one) => one.finished));
  const turned = new DOMMatrix(getComputedStyle(disc).transform);
  const above = (sector) => turned.multiply(sector.transform.baseVal.consolidate().matrix).transformPoint({y: -1});
  const [top] = [...disc.querySelectorAll('.hotbasket-sector')].sort((one, other) => above(one).y - above(other).y);
  return top.classList[1];
}"""
PIXELS = """async ([picture, points]) => {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes]));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  return points.map(([x, y]) => [...canvas.getImageData(x * image.width, y * image.height, 1, 1).data.slice(0, 3)]);
}"""
TURNED = "(disc) => getComputedStyle(disc).transform"
WATCH = """() => {
  window.told = [];
  const status = document.querySelector('.hotbasket-status');
  const state = () => document.querySelector('.hotbasket-disc').getAnimations().map((one) => one.playState).join();
  new MutationObserver(() => told.push([status.textContent, state()])).observe(status, {childList: true});
}"""
RECORD = """() => {
  window.turns = new Set();
  const look = () => {
    const disc = document.querySelector('.hotbasket-disc');
    if (disc) turns.add(getComputedStyle(disc).transform);
    requestAnimationFrame(look);
  };
  look();
}"""


def drawn(game: str, number: int = 2, **content: Any) -> str:
    """The experience as the server emits it after a play."""
    return sent("gamified_promotion", number=number, campaign="spring", game=game, **content)


def offered(visit: Visit, game: str, *, calm: bool = False) -> Page:
    """A page with a game of a campaign, not played yet."""
    page = visit.context.new_page()
    page.emulate_media(reduced_motion="reduce" if calm else "no-preference")
    shop(visit, page)
    visit.collector.push(sent("gamified_promotion", campaign="spring", game=game))
    expect(page.get_by_role("button", name=LABELS[game])).to_be_visible()
    return page


def box_of(page: Page, selector: str) -> FloatRect:
    """Where an element is."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box


def rub(page: Page, lines: int) -> None:
    """Rubs a scratch card with the mouse, line by line."""
    box = box_of(page, ".hotbasket-foil")
    for line in range(lines):
        y = box["y"] + 10 + line * 20
        page.mouse.move(box["x"] + 5, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 5, y, steps=30)
        page.mouse.up()


def colours(page: Page, points: list[tuple[float, float]]) -> list[list[int]]:
    """What is on the screen at points of the scratch card, as shares of its width and height: red, green, blue."""
    picture = b64encode(page.locator(".hotbasket-scratch").screenshot()).decode()
    found: list[list[int]] = page.evaluate(PIXELS, [picture, points])
    return found


@pytest.mark.parametrize("key", ["Enter", "Space"])
@pytest.mark.parametrize("game", sorted(LABELS))
def test_a_game_is_played_by_keyboard_alone(visit: Visit, game: str, key: str) -> None:
    """Tab, Enter or the space bar, and a live region tells the result; the focus is where it was; one click is sent."""
    page = offered(visit, game)
    play = page.get_by_role("button", name=LABELS[game])
    press_until_focused(page, play)
    page.keyboard.press(key)
    status = page.get_by_role("status")
    expect(status).to_have_text("Drawing…")
    page.keyboard.press(key)
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    visit.collector.push(drawn(game, state="drawing"))
    visit.until(lambda: slot_of(page).get_attribute("data-hotbasket-experience") == "gamified_promotion-2")
    expect(status).to_have_text("Drawing…")
    visit.collector.push(drawn(game, 3, outcome=COFFEE))
    expect(status).to_have_text("You win: a pack of coffee")
    played = page.get_by_role("button", name="Played")
    expect(played).to_be_focused()
    expect(played).to_be_disabled()
    expect(page.get_by_role("link", name="Product p-77")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Product p-77")).to_be_focused()
    expect(played).to_have_count(0)
    page.keyboard.press("Enter")
    visit.until(lambda: "gamified_promotion-3" in reported(visit, "ExperienceShown"))
    assert ["gamified_promotion-1"] == reported(visit, "ExperienceClicked")
    assert [] == violations(page)


@pytest.mark.parametrize("game", sorted(LABELS))
def test_roles_and_names_of_a_game_that_is_over(visit: Visit, game: str) -> None:
    """A page that opens after the play shows the result and the prize's products, and offers no second play."""
    page = shop(visit)
    visit.collector.push(drawn(game, outcome=COFFEE))
    expect(slot_of(page)).to_match_aria_snapshot(
        """
        - region "Try your luck":
          - /children: equal
          - heading "Try your luck" [level=2]
          - 'button "Close: Try your luck"'
          - status: "You win: a pack of coffee"
          - list:
            - listitem:
              - link "Product p-77"
              - text: €2.50 often bought with pasta
            - listitem:
              - link "Product p-78"
              - text: €2.50
        """
    )
    assert 0 == page.get_by_role("button", name=LABELS[game]).count()


@pytest.mark.parametrize(
    ("outcome", "sector", "words"),
    [
        (COFFEE, "hotbasket-win", "You win: a pack of coffee"),
        ({"prize_id": None}, "hotbasket-blank", "No luck this time."),
    ],
)
@pytest.mark.parametrize("calm", [False, True])
def test_the_wheel_stops_where_the_server_says(
    visit: Visit, outcome: dict[str, Any], sector: str, words: str, calm: bool
) -> None:
    """The sector under the pointer is a winning one for a prize and a blank one without; calm, it never turns."""
    page = offered(visit, "wheel", calm=calm)
    page.evaluate(RECORD)
    page.locator(".hotbasket-wheel").click()
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    visit.collector.push(drawn("wheel", outcome=outcome))
    status = page.get_by_role("status")
    expect(status).to_have_text(words)
    assert sector == page.locator(".hotbasket-wheel").evaluate(UNDER_THE_POINTER)
    turns = page.evaluate("() => turns.size")
    assert turns == 2 if calm else turns > 20
    assert ["gamified_promotion-1"] == reported(visit, "ExperienceClicked")


def test_a_wheel_that_waits_does_not_turn_for_ever(visit: Visit) -> None:
    """Within five seconds the wheel rests, a word says that the play counts, and a late result still turns it."""
    page = offered(visit, "wheel")
    disc = page.locator(".hotbasket-disc")
    page.get_by_role("button", name="Spin the wheel").click()
    page.wait_for_timeout(5_000)
    assert 1 == len({disc.evaluate(TURNED) for _ in range(5)})
    status = page.get_by_role("status")
    expect(status).to_have_text(
        "This takes longer than usual. Your play counts, and the result will appear here.", timeout=5_000
    )
    visit.collector.push(drawn("wheel", outcome={"prize_id": None}))
    expect(status).to_have_text("No luck this time.")
    assert "hotbasket-blank" == page.locator(".hotbasket-wheel").evaluate(UNDER_THE_POINTER)


def test_the_result_waits_for_the_wheel(visit: Visit) -> None:
    """The result is not told before the wheel rests."""
    page = offered(visit, "wheel")
    page.evaluate(WATCH)
    page.get_by_role("button", name="Spin the wheel").click()
    visit.collector.push(drawn("wheel", outcome=COFFEE))
    expect(page.get_by_role("status")).to_have_text("You win: a pack of coffee")
    assert [["Drawing…", "running"], ["You win: a pack of coffee", "finished"]] == page.evaluate("() => told")


def test_a_scratch_card_is_rubbed_with_the_mouse(visit: Visit) -> None:
    """A touch of the foil is no play; a quarter of it rubbed away is one, however much more is rubbed."""
    page = offered(visit, "scratch")
    box = box_of(page, ".hotbasket-foil")
    page.mouse.click(box["x"] + 20, box["y"] + 20)
    rub(page, 1)
    assert "" == page.get_by_role("status").inner_text()
    rub(page, 4)
    expect(page.get_by_role("status")).to_have_text("Drawing…")
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    visit.collector.push(drawn("scratch", outcome=COFFEE))
    expect(page.locator(".hotbasket-under")).to_have_text("a pack of coffee")
    expect(page.locator(".hotbasket-foil")).to_be_hidden()
    expect(page.get_by_role("status")).to_have_text("You win: a pack of coffee")
    visit.emptied(page)
    clicks = [event for event in visit.collector.answered if event["type"] == "ExperienceClicked"]
    assert (1, []) == (len(clicks), violations(page))


def test_the_foil_covers_all_that_is_not_rubbed(visit: Visit) -> None:
    """The foil reaches every corner of the card, and is gone where the mouse went, and only there."""
    page = offered(visit, "scratch", calm=True)
    corners = [(0.02, 0.08), (0.98, 0.08), (0.02, 0.92), (0.98, 0.92)]
    white = [255, 255, 255]
    assert white not in colours(page, corners)
    box = box_of(page, ".hotbasket-foil")
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3, steps=10)
    page.mouse.up()
    rubbed, *covered = colours(page, [(0.5, 0.3), *corners])
    assert white == rubbed
    assert white not in covered


@pytest.mark.parametrize("game", sorted(LABELS))
def test_a_finger_plays(visit: Visit, browser: Browser, game: str) -> None:
    """On a touch screen a tap on the button plays, and the foil lets the page scroll under the finger."""
    context = browser.new_context(has_touch=True, viewport={"width": 320, "height": 640})
    phone = Visit(context, visit.shop, visit.collector)
    page = offered(phone, game, calm=True)
    if game == "scratch":
        assert "pan-y" == page.locator(".hotbasket-foil").evaluate("(foil) => getComputedStyle(foil).touchAction")
    page.get_by_role("button", name=LABELS[game]).tap()
    phone.until(lambda: reported(visit, "ExperienceClicked"))
    visit.collector.push(drawn(game, outcome=COFFEE))
    expect(page.get_by_role("status")).to_have_text("You win: a pack of coffee")
    context.close()


def test_a_play_in_another_tab_shows_here_too(visit: Visit) -> None:
    """The tab that was not played in waits with the other, tells the same result, and sends no click."""
    page = offered(visit, "wheel", calm=True)
    other = visit.context.new_page()
    other.emulate_media(reduced_motion="reduce")
    shop(visit, other)
    other.get_by_role("button", name="Spin the wheel").click()
    visit.until(lambda: reported(visit, "ExperienceClicked"))
    visit.collector.push(drawn("wheel", state="drawing"))
    expect(page.get_by_role("status")).to_have_text("Drawing…")
    visit.collector.push(drawn("wheel", 3, outcome=COFFEE))
    for tab in (page, other):
        expect(tab.get_by_role("status")).to_have_text("You win: a pack of coffee")
    assert ["gamified_promotion-1"] == reported(visit, "ExperienceClicked")


def test_without_a_campaign_everybody_wins_the_prize(visit: Visit) -> None:
    """A game that no campaign pays has no draw: its prize is revealed by the play, and every sector wins."""
    page = visit.context.new_page()
    page.emulate_media(reduced_motion="reduce")
    shop(visit, page)
    visit.collector.push(sent("gamified_promotion", game="wheel"))
    expect(page.get_by_role("button", name="Spin the wheel")).to_be_visible()
    assert (8, 0) == (page.locator(".hotbasket-win").count(), page.locator(".hotbasket-blank").count())
    assert "You win" not in text(page)
    page.get_by_role("button", name="Spin the wheel").click()
    expect(page.get_by_role("status")).to_have_text("You win: €5.00 off")
    visit.until(lambda: reported(visit, "ExperienceClicked"))


def test_a_new_game_takes_the_place_of_the_one_before(visit: Visit) -> None:
    """After a result a game that may be played is another game, with a button of its own."""
    page = offered(visit, "wheel", calm=True)
    page.get_by_role("button", name="Spin the wheel").click()
    visit.collector.push(drawn("wheel", outcome={"prize_id": None}))
    expect(page.get_by_role("status")).to_have_text("No luck this time.")
    visit.collector.push(sent("gamified_promotion", number=3, campaign="spring", game="scratch"))
    play = page.get_by_role("button", name="Scratch to see what you win")
    play.click()
    visit.until(lambda: len(reported(visit, "ExperienceClicked")) == 2)
    assert ["gamified_promotion-1", "gamified_promotion-3"] == reported(visit, "ExperienceClicked")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"outcome": {"prize_id": "five"}}, "You win: €5.00 off"),
        ({"outcome": {"prize_id": "five", "label": "five"}}, "You win: €5.00 off"),
        (
            {"outcome": {"prize_id": "cup"}, "prize": {"type": "product", "product_id": "p-9"}},
            "You win: a free Product p-9",
        ),
        ({"outcome": {"prize_id": "basket"}}, "You win: the price of your basket"),
        (
            {"outcome": {"prize_id": "basket", "value_minor": 4723, "currency": "USD"}},
            "You win: the price of your basket, $47.23",
        ),
        ({"outcome": {"prize_id": "five"}, "currency": "GBP"}, "You win: £5.00 off"),
    ],
)
def test_a_prize_without_a_label_is_put_into_words(visit: Visit, content: dict[str, Any], words: str) -> None:
    """Without a label the prize's worth is said, in the currency that comes with it; who only listens hears it too."""
    page = shop(visit)
    visit.collector.push(drawn("scratch", **content))
    expect(page.get_by_role("status")).to_have_text(words)
    expect(page.locator(".hotbasket-announcer")).to_have_text(f"Try your luck. {words}")


def test_a_draw_at_the_order_shows_nothing_to_play(visit: Visit) -> None:
    """What a paid order draws has no button on the page; it says what to do, and names the products."""
    page = visit.context.new_page()
    shop(visit, page)
    visit.collector.push(sent("gamified_promotion", campaign="spring", game="scratch", draws_on="order"))
    card = page.locator(".hotbasket-order")
    expect(card).to_have_text("Buy one of these, and your order may win its whole price back.")
    expect(page.locator(".hotbasket-play")).to_have_count(0)
