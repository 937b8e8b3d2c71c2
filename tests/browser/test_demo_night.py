"""The night's card in the panel of the demo shop: a real Chromium presses the button, and the new tree appears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.demo_night import PAGES, STAGES, RunningNight
from tests.browser.demo_visitor import Visit, Visitor, visits

pytestmark = pytest.mark.browser
GROWN_NODES = 1 + STAGES * (1 + PAGES) + 1


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningNight]:
    """A system of its own for each test, whose night the test leads."""
    running = RunningNight(tmp_path / "data")
    with running:
        yield running


@pytest.fixture
def visit(browser: Browser, running: RunningNight) -> Iterator[Visit]:
    """Gives visitors with a browser profile of their own."""
    with visits(browser, running) as visit:
        yield visit


def card(visitor: Visitor) -> Locator:
    """The night's card."""
    return visitor.page.locator(".glass-night")


def button(visitor: Visitor) -> Locator:
    """The button, once the past is told and a night may start."""
    there = card(visitor).get_by_role("button")
    expect(there).to_have_attribute("aria-disabled", "false", timeout=60_000)
    return there


def test_a_night_shows_its_steps_and_then_the_new_tree(visit: Visit, running: RunningNight) -> None:
    """The button starts it, each step says what came of it, and the panel draws the grown tree without a reload."""
    visitor = visit().enter("demo-1")
    visitor.add("penne")
    visitor.expect_lit("sauce")
    start = button(visitor)
    expect(card(visitor)).to_contain_text("Learns from all that was bought")
    visitor.screenshot("night-before")
    start.click()
    expect(card(visitor).locator("li.done")).to_contain_text("5,812 events")
    expect(card(visitor).locator("li.running")).to_contain_text("3/12")
    expect(start).to_have_attribute("aria-disabled", "true")
    visitor.screenshot("night-running")
    start.click(force=True)
    running.tell("train")
    expect(card(visitor).locator("li[data-step=grow]")).to_contain_text("12/67")
    running.tell("end")
    expect(visitor.page.locator(".glass-generation")).to_have_text("new tree, generation 2")
    expect(card(visitor)).to_contain_text("New trees are in force: generation 2.")
    expect(card(visitor).locator("li.done")).to_have_count(5)
    expect(visitor.page.locator(".tree-node")).to_have_count(GROWN_NODES)
    visitor.add("spaghetti")
    visitor.expect_lit("s0w0")
    expect(visitor.page.locator(".glass-why")).to_contain_text("in basket: arrabbiata, pesto-basil, lemons")
    expect(visitor.slot("main")).to_contain_text("Tuscan red")
    visitor.screenshot("night-after")
    assert [] == visitor.complaints


def test_a_grown_tree_is_readable_on_a_telephone(visit: Visit, running: RunningNight) -> None:
    """On 350 pixels no pill sticks out, no two overlap, none is made smaller, and the current node is in sight."""
    running.tell("train")
    running.tell("end")
    visitor = visit(view={"width": 350, "height": 760}, locale="fr-FR").enter("demo-1")
    visitor.page.click("#glass-toggle")
    button(visitor).click()
    expect(visitor.page.locator(".tree-node")).to_have_count(GROWN_NODES)
    visitor.page.click("#glass-toggle")
    for product_id in ("penne", "spaghetti", "tagliatelle", "ravioli-ricotta"):
        visitor.add(product_id)
    visitor.page.click("#glass-toggle")
    visitor.expect_lit(f"s{STAGES - 1}w0")
    expect(visitor.page.locator(".tree-node.lit")).to_be_in_viewport()
    visitor.screenshot("night-telephone")
    boxes = visitor.page.evaluate(
        """() => [...document.querySelectorAll('.tree-node rect')].map((one) => {
          const {left, right, top, bottom} = one.getBoundingClientRect();
          return [left, right, top, bottom];
        })"""
    )
    frame = visitor.page.locator(".glass-tree").bounding_box()
    assert frame is not None
    assert all(frame["x"] <= left and right <= frame["x"] + frame["width"] for left, right, _, _ in boxes)
    overlaps = [
        (one, other)
        for at, one in enumerate(boxes)
        for other in boxes[:at]
        if one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
    ]
    assert [] == overlaps
    assert all(bottom - top >= 19 for _, _, top, bottom in boxes)
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    card(visitor).scroll_into_view_if_needed()
    expect(card(visitor).locator("li.done").last).to_contain_text("génération 2")
    visitor.screenshot("night-telephone-card")
    assert [] == visitor.complaints


def test_a_failed_night_says_why_and_may_be_run_again(visit: Visit, running: RunningNight) -> None:
    """The reason stands there, the trees stay, and by keyboard the next night starts and succeeds."""
    running.tell("train")
    running.tell("fail")
    visitor = visit().enter()
    start = button(visitor)
    start.focus()
    visitor.page.keyboard.press("Enter")
    expect(card(visitor).locator(".failed").first).to_contain_text("not better than the best baseline")
    expect(card(visitor).get_by_role("status")).to_contain_text("not better than the best baseline")
    expect(card(visitor).locator("li.failed")).to_contain_text("train")
    expect(visitor.page.locator(".glass-generation")).to_have_text("generation 1")
    visitor.screenshot("night-failed")
    running.forget("fail")
    running.tell("end")
    expect(start).to_be_focused()
    expect(start).to_have_text("Run it again")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator(".glass-generation")).to_have_text("new tree, generation 2")


def test_where_something_is_missing_the_card_says_what_to_install(visit: Visit, running: RunningNight) -> None:
    """The button does nothing, and the sentence beside it, which describes it, says what to do."""
    running.tell("missing")
    visitor = visit().enter()
    expect(card(visitor)).to_contain_text("install a JDK 17 or 21")
    start = card(visitor).get_by_role("button")
    expect(start).to_have_attribute("aria-disabled", "true")
    expect(start).to_have_accessible_description(
        "To run it here, install a JDK 17 or 21, and set JAVA_HOME or the PATH to it."
    )
    start.click(force=True)
    assert not visitor.page.evaluate("async () => (await (await fetch('/demo/night')).json()).running")
    visitor.screenshot("night-missing")


def test_a_night_ends_with_the_demo(visit: Visit, running: RunningNight) -> None:
    """Stopped while a night runs, the demo takes it along and ends as it should."""
    visitor = visit().enter()
    button(visitor).click()
    expect(card(visitor).locator("li.running")).to_contain_text("train")
    assert 0 == running.stop()
    assert any(line["event"] == "night failed" and "stopped" in line["detail"] for line in running.lines())
