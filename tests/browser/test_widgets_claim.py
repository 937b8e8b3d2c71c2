"""A winner's e-mail address in a real Chromium: from the form to the gateway, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.tracker_browser import Visit
from tests.browser.tracker_collector import Answer
from tests.browser.widget_visit import press_until_focused, sent, shop, slot_of, violations

pytestmark = pytest.mark.browser
EMAIL = "winner@post.example"
BASKET = {"prize_id": "basket", "value_minor": 4723, "currency": "EUR"}
KEPT = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
FINAL = {
    "invalid_claim": (401, "This prize can’t be claimed from this page any more. Please ask the shop."),
    "expired_claim": (401, "The time to claim this prize is over."),
    "claimed_already": (409, "An address was left for this prize before. It stays as it is."),
    "withdrawn": (410, "The right to this prize was withdrawn."),
}


def refused(error: str, status: int) -> Answer:
    """The gateway's refusal."""
    return Answer(status=status, body=json.dumps({"error": error, "detail": "said by the gateway"}))


def won(visit: Visit, page: Page | None = None, *, widgets: str = "en") -> Page:
    """A page whose shopper has won the basket."""
    page = shop(visit, page, widgets=widgets)
    visit.collector.push(
        sent("gamified_promotion", campaign="spring", game="scratch", outcome=BASKET, claim="token-of-e-1")
    )
    expect(page.locator(".hotbasket-email")).to_be_visible()
    return page


def test_an_address_is_left_by_keyboard_alone(visit: Visit) -> None:
    """Tab to the field, type, Enter: the claim goes to the gateway once, without preflight; the page keeps nothing."""
    page = won(visit)
    expect(slot_of(page)).to_match_aria_snapshot(
        """
        - region "Try your luck":
          - heading "Try your luck" [level=2]
          - 'button "Close: Try your luck"'
          - status: "You win: the price of your basket, €47.23"
          - text: E-mail address
          - paragraph: So that we can tell you how you get your prize.
          - textbox "E-mail address"
          - button "Claim your prize"
        """
    )
    field = page.get_by_role("textbox", name="E-mail address")
    expect(field).to_have_attribute("autocomplete", "email")
    expect(field).to_have_accessible_description("So that we can tell you how you get your prize.")
    preflights = visit.collector.preflights
    press_until_focused(page, field)
    page.keyboard.type(f" {EMAIL} ")
    page.keyboard.press("Enter")
    thanks = page.get_by_text("Thank you. We will write to you about your prize.")
    expect(thanks).to_be_focused()
    expect(field).to_have_count(0)
    (posted,) = visit.collector.claims
    assert {"claim": "token-of-e-1", "email": EMAIL} == json.loads(posted.body)
    assert ({"write_key": "wk_test"}, "text/plain;charset=UTF-8") == (posted.query, posted.headers["content-type"])
    assert preflights == visit.collector.preflights
    assert EMAIL not in page.evaluate(KEPT) + page.content()
    assert [] == violations(page)


def test_what_is_wrong_with_an_address_is_told_at_its_field(visit: Visit) -> None:
    """The field has the focus and the error as its description, both for what the page and what the gateway finds."""
    page = won(visit)
    field, send = page.get_by_label("E-mail address"), page.get_by_role("button", name="Claim your prize")
    error = "We can’t write to that address. It should look like name@example.com."
    send.click()
    described = f"{error} So that we can tell you how you get your prize."
    expect(field).to_have_accessible_description(described)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert [] == visit.collector.claims
    visit.collector.claim_answers.append(refused("invalid_email", 400))
    field.fill("=1@post.example")
    send.click()
    visit.until(lambda: visit.collector.claims)
    expect(field).to_have_accessible_description(described)
    expect(field).to_have_value("=1@post.example")
    field.fill(EMAIL)
    send.click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert [EMAIL] == [json.loads(posted.body)["email"] for posted in visit.collector.claims[1:]]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, '{"error": "rate_limited", "detail": ""}'),
        (503, '{"error": "vault_unavailable", "detail": ""}'),
        (502, "<html>"),
    ],
)
def test_what_passes_can_be_sent_again(visit: Visit, status: int, body: str) -> None:
    """When the gateway is busy or away the address stays in the field, and the button sends it again."""
    page = won(visit)
    visit.collector.claim_answers.append(Answer(status=status, body=body, headers={"Retry-After": "2"}))
    field, send = page.get_by_label("E-mail address"), page.get_by_role("button", name="Claim your prize")
    field.fill(EMAIL)
    send.click()
    error = "That did not work just now. Please send it again in a moment."
    expect(page.locator(".hotbasket-error")).to_have_text(error)
    expect(page.locator(".hotbasket-announcer")).to_contain_text(error)
    expect(field).to_have_attribute("aria-invalid", "false")
    expect(field).to_have_value(EMAIL)
    send.click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    assert 2 == len(visit.collector.claims)


def test_without_a_network_nothing_is_lost(visit: Visit) -> None:
    """Offline the form says so, and works when the network is back."""
    page = won(visit)
    page.get_by_label("E-mail address").fill(EMAIL)
    visit.context.set_offline(True)
    page.get_by_role("button", name="Claim your prize").click()
    expect(page.locator(".hotbasket-error")).to_be_visible()
    visit.context.set_offline(False)
    page.get_by_role("button", name="Claim your prize").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()


@pytest.mark.parametrize("error", sorted(FINAL))
def test_what_can_not_be_claimed_any_more_is_said(visit: Visit, error: str) -> None:
    """The form gives way to why, and the focus is there."""
    page = won(visit)
    status, words = FINAL[error]
    visit.collector.claim_answers.append(refused(error, status))
    page.get_by_label("E-mail address").fill(EMAIL)
    page.keyboard.press("Enter")
    expect(page.get_by_text(words)).to_be_focused()
    expect(page.get_by_label("E-mail address")).to_have_count(0)


def test_other_prizes_ask_for_no_address(visit: Visit) -> None:
    """Only the basket is claimed: a coffee comes without a form, and a basket without a claim as well."""
    page = shop(visit)
    for number, (prize, claim) in enumerate((("coffee", {"claim": "token"}), ("basket", {})), start=1):
        outcome: dict[str, Any] = {"outcome": {"prize_id": prize, "label": f"a {prize}"}} | claim
        visit.collector.push(sent("gamified_promotion", number=number, campaign="spring", **outcome))
        expect(page.get_by_role("status")).to_have_text(f"You win: a {prize}")
        assert 0 == page.locator("form").count()


def test_the_form_speaks_french(visit: Visit) -> None:
    """On a French page label, hint and button are French."""
    page = won(visit, widgets="fr-FR")
    field = page.get_by_role("textbox", name="Adresse e-mail")
    expect(field).to_have_accessible_description("Pour vous dire comment recevoir votre lot.")
    expect(page.get_by_role("button", name="Demander mon lot")).to_be_visible()
