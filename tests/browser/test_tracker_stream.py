"""tracker.js in a real Chromium: an experience is on the page while it is open, once, in every tab, and never after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.browser.tracker_browser import Visit
from tests.browser.tracker_collector import Answer, message

pytestmark = pytest.mark.browser
STATE = "() => JSON.parse(localStorage.getItem('hotbasket.wk_test.s.c-1') || '{}')"
HOLD_LEAD = "() => { navigator.locks.request('hotbasket.wk_test.s.c-1', {steal: true}, () => new Promise(() => {})); }"
JUMP = "(ms) => { const now = Date.now; Date.now = () => now() + ms; }"


def experience(id_: str, slot: str = "main", *, ttl_s: float = 600, age_s: float = 0) -> dict[str, Any]:
    """A recommendation, decided `age_s` ago and open for `ttl_s`."""
    decided = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "experience_id": id_,
        "kind": "recommendation",
        "slot": slot,
        "decided_at": decided.isoformat(),
        "expires_at": (decided + timedelta(seconds=ttl_s)).isoformat(),
        "trigger_event_id": "0197f6f0-0000-7000-8000-000000000001",
        "tree_generation": 1,
        "node_id": "sauce",
        "content": {"products": [{"product_id": "p-77", "reason": "often bought with pasta"}]},
    }


def sent(id_: str, position: str, slot: str = "main", *, ttl_s: float = 600, age_s: float = 0) -> str:
    """The same as a message of the stream."""
    return message("experience", experience(id_, slot, ttl_s=ttl_s, age_s=age_s), position)


def withdrawn(id_: str, position: str, slot: str = "main") -> str:
    """A withdrawal as a message of the stream."""
    return message("withdrawn", {"experience_id": id_, "slot": slot}, position)


def reported(visit: Visit, kind: str) -> list[str]:
    """Experience ids of the distinct events of one type."""
    return [event["experience_id"] for event in visit.collector.of_type(kind)]


def test_an_experience_reaches_the_listener_and_is_reported_shown(visit: Visit) -> None:
    """What the stream brings is handed over whole and reported once, under a strict CSP, without preflight."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: reported(visit, "ExperienceShown"))
    card = page.evaluate("() => seen[0]")
    assert ("x-1", "p-77") == (card["experience_id"], card["content"]["products"][0]["product_id"])
    assert ["x-1"] == reported(visit, "ExperienceShown")
    assert ([], 0) == (page.evaluate("() => violations"), visit.collector.preflights)
    assert ["c-1-token-1"] == visit.shop.tokens_given


def test_a_new_page_shows_what_is_still_open_and_what_was_decided_meanwhile(visit: Visit) -> None:
    """The next page resumes after the last position: unchanged slots reappear, replaced ones never do."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"), sent("y-1", "2", "footer"), sent("z-1", "3", "side"))
    visit.until(lambda: len(reported(visit, "ExperienceShown")) == 3)
    page.goto("about:blank")
    visit.until(lambda: not visit.collector.open_streams)
    visit.collector.opening = [sent("x-2", "4"), sent("y-2", "5", "footer")]
    visit.listening(page)
    visit.until(lambda: len(visit.seen(page)) == 3)
    assert ["x-2", "y-2", "z-1"] == visit.seen(page)
    assert "3" == visit.collector.streams[-1].position
    visit.until(lambda: len(reported(visit, "ExperienceShown")) == 5)
    assert ["x-1", "y-1", "z-1", "x-2", "y-2"] == reported(visit, "ExperienceShown")


def test_an_unreachable_stream_does_not_hide_what_is_open(visit: Visit) -> None:
    """A page that gets no stream within a second shows what the last one knew."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(page))
    page.goto("about:blank")
    visit.context.route("**/v1/experiences*", lambda route: route.abort())
    visit.shopping(page, stream="1", listen="1")
    visit.until(lambda: visit.seen(page))
    assert ["x-1"] == visit.seen(page)


def test_repeats_are_ignored(visit: Visit) -> None:
    """The same experience again, or an older one that was already replaced, changes nothing on the page."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"), sent("x-1", "1"), sent("x-2", "2"), sent("x-1", "1"), sent("x-2", "2"))
    visit.collector.push(withdrawn("x-1", "3"), sent("y-1", "4", "footer"))
    visit.until(lambda: "y-1" in visit.seen(page))
    assert (["x-1", "x-2", "y-1"], []) == (visit.seen(page), visit.gone(page))


def test_a_withdrawn_experience_leaves(visit: Visit) -> None:
    """A withdrawal empties the slot, also where it names an experience that this browser never saw."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"), sent("y-1", "2", "footer"))
    visit.until(lambda: len(visit.seen(page)) == 2)
    visit.collector.push(withdrawn("x-1", "3"), withdrawn("y-2", "4", "footer"))
    visit.until(lambda: len(visit.gone(page)) == 2)
    assert ["x-1", "y-1"] == visit.gone(page)
    assert {} == page.evaluate(STATE)["slots"]


def test_an_expired_experience_leaves_and_never_comes(visit: Visit) -> None:
    """At expires_at an experience leaves the page; one born expired is never handed over."""
    page = visit.listening()
    visit.collector.push(sent("old", "1", ttl_s=60, age_s=120), sent("x-1", "2", "footer", ttl_s=1.5))
    visit.until(lambda: visit.gone(page))
    assert (["x-1"], ["x-1"]) == (visit.seen(page), visit.gone(page))


def test_a_clock_set_forward_or_behind_shows_nothing_expired(visit: Visit) -> None:
    """A jump of the clock past expires_at takes the experience away; a clock that is behind still shows new ones."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(page))
    page.evaluate(JUMP, 3600_000)
    visit.until(lambda: visit.gone(page))
    page.evaluate(JUMP, -7200_000)
    visit.collector.push(sent("x-2", "2"), sent("y-1", "3", "footer", ttl_s=1))
    visit.until(lambda: "y-1" in visit.gone(page))
    assert (["x-1", "x-2", "y-1"], ["x-1", "y-1"]) == (visit.seen(page), visit.gone(page))


def test_a_clock_set_back_prolongs_nothing(visit: Visit) -> None:
    """An experience leaves when its time is over, whatever the wall clock says by then."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1", ttl_s=2))
    visit.until(lambda: visit.seen(page))
    page.evaluate(JUMP, -3600_000)
    visit.until(lambda: visit.gone(page))


def test_the_end_of_a_token_renews_it(visit: Visit) -> None:
    """On `expired` the tracker asks for a new token and resumes after the last position."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "7"), message("expired", {}))
    visit.until(lambda: len(visit.collector.streams) == 2)
    second = visit.collector.streams[1]
    assert ("c-1-token-2", "7") == (second.query["subscription"], second.position)
    assert ["x-1"] == visit.seen(page)


def test_a_refused_token_is_renewed(visit: Visit) -> None:
    """A 401 asks for a new token."""
    visit.collector.bad_tokens = {"c-1-token-1"}
    visit.listening()
    assert ["c-1-token-1"] == visit.collector.refused_streams
    assert "c-1-token-2" == visit.collector.streams[0].query["subscription"]


def test_a_cut_stream_resumes(visit: Visit) -> None:
    """A stream that the gateway closed is opened again after its hint, after the last position, with the same token."""
    page = visit.listening()
    visit.collector.push("retry: 50\n\n", sent("x-1", "5"))
    visit.until(lambda: visit.seen(page))
    visit.collector.end_streams()
    visit.until(lambda: len(visit.collector.streams) == 2)
    again = visit.collector.streams[1]
    assert ("c-1-token-1", "5") == (again.query["subscription"], again.position)


def test_tabs_share_one_stream(visit: Visit) -> None:
    """Two tabs have one connection; both show the experience, which is reported shown once; a tab takes over."""
    first, second = visit.listening(), visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(first) and visit.seen(second))
    visit.add(second, "p-1")
    visit.until(lambda: reported(visit, "ExperienceShown") and visit.collector.of_type("AddedToBasket"))
    assert (["x-1"], 1) == (reported(visit, "ExperienceShown"), len(visit.collector.streams))
    third = visit.listening()
    visit.until(lambda: visit.seen(third))
    first.close()
    visit.until(lambda: len(visit.collector.streams) == 2)
    assert "1" == visit.collector.streams[1].position
    visit.collector.push(sent("x-2", "2"))
    visit.until(lambda: "x-2" in visit.seen(second) and "x-2" in visit.seen(third))
    visit.until(lambda: len(reported(visit, "ExperienceShown")) == 2)


def test_a_frozen_leading_tab_is_replaced(visit: Visit) -> None:
    """A tab that leads but answers nobody loses the lead to a visible one."""
    frozen = visit.open()
    frozen.evaluate(HOLD_LEAD)
    page = visit.context.new_page()
    page.clock.install()
    visit.shopping(page, stream="1", listen="1")
    page.clock.run_for(5000)
    assert [] == visit.collector.streams
    page.clock.run_for(12000)
    visit.until(lambda: visit.collector.open_streams)


def test_a_leader_that_was_replaced_listens_to_the_new_one(visit: Visit) -> None:
    """A tab that loses the lead closes its stream, and leads again when the other tab is gone."""
    page = visit.listening()
    thief = visit.open()
    thief.evaluate(HOLD_LEAD)
    visit.until(lambda: not visit.collector.open_streams)
    thief.close()
    visit.until(lambda: visit.collector.open_streams)
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(page))


def test_a_dismissed_experience_leaves_every_tab_for_good(visit: Visit) -> None:
    """dismissed() is reported once, empties the slot in all tabs, and neither reload nor repeat brings it back."""
    first, second = visit.listening(), visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(first) and visit.seen(second))
    second.evaluate("() => { seen[0].clicked(); seen[0].dismissed(); seen[0].dismissed(); }")
    visit.until(lambda: visit.gone(first) and visit.gone(second))
    visit.listening(second)
    visit.collector.push(sent("x-1", "1"), sent("y-1", "2", "footer"))
    visit.until(lambda: visit.seen(second))
    assert ["y-1"] == visit.seen(second)
    visit.until(lambda: reported(visit, "ExperienceDismissed") and len(reported(visit, "ExperienceShown")) == 2)
    assert (["x-1"], ["x-1"]) == (reported(visit, "ExperienceDismissed"), reported(visit, "ExperienceClicked"))
    assert ["x-1", "y-1"] == reported(visit, "ExperienceShown")


def test_a_listener_that_does_not_display_is_not_shown(visit: Visit) -> None:
    """A listener that returns false has shown nothing until it says shown()."""
    page = visit.listening(listen="unseen")
    visit.collector.push(sent("x-1", "1"), sent("y-1", "2", "footer"))
    visit.until(lambda: len(visit.seen(page)) == 2)
    page.evaluate("() => { seen[1].shown(); seen[1].shown(); }")
    visit.until(lambda: reported(visit, "ExperienceShown"))
    visit.emptied(page)
    assert ["y-1"] == reported(visit, "ExperienceShown")


def test_a_late_listener_hears_what_is_open(visit: Visit) -> None:
    """A widget that loads after the experience came is handed it; nothing is reported shown before."""
    page = visit.shopping(stream="1")
    visit.until(lambda: visit.collector.open_streams)
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: page.evaluate(STATE).get("slots"))
    assert [] == reported(visit, "ExperienceShown")
    page.evaluate("() => { hotbasket.on('experience', (card) => { seen.push(card); }); }")
    assert ["x-1"] == visit.seen(page)
    visit.until(lambda: reported(visit, "ExperienceShown"))


def test_another_shopper_sees_nothing_of_the_first(visit: Visit) -> None:
    """Another id in `identify` takes the first shopper's experiences away and starts a stream of its own."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "9"))
    visit.until(lambda: reported(visit, "ExperienceShown"))
    page.evaluate("() => become('c-2')")
    visit.until(lambda: len(visit.collector.streams) == 2)
    second = visit.collector.streams[1]
    assert ("c-2-token-2", None) == (second.query["subscription"], second.position)
    assert (["x-1"], {}) == (visit.gone(page), page.evaluate(STATE))
    page.evaluate("() => seen[0].clicked()")
    page.evaluate("() => hotbasket.reset()")
    visit.until(lambda: not visit.collector.open_streams)
    visit.emptied(page)
    assert [] == reported(visit, "ExperienceClicked")
    assert [] == page.evaluate("() => Object.keys(localStorage).filter((key) => key.includes('.s.'))")


def test_the_next_page_of_another_shopper_knows_nothing_of_the_first(visit: Visit) -> None:
    """Without a log-out in between, the other shopper's page neither shows nor keeps what was the first one's."""
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: page.evaluate(STATE).get("slots"))
    page.goto("about:blank")
    visit.until(lambda: not visit.collector.open_streams)
    visit.listening(page, shopper="c-2")
    visit.collector.push(sent("y-1", "2"))
    visit.until(lambda: visit.seen(page))
    assert (["y-1"], {}) == (visit.seen(page), page.evaluate(STATE))


def test_a_logout_reaches_every_tab(visit: Visit) -> None:
    """reset() in one tab takes the shopper's experiences off the others too."""
    first, second = visit.listening(), visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: visit.seen(first) and visit.seen(second))
    second.evaluate("() => hotbasket.reset()")
    visit.until(lambda: visit.gone(first) and visit.gone(second) and not visit.collector.open_streams)
    assert {} == first.evaluate(STATE)


def test_an_older_browser_streams_by_itself(visit: Visit) -> None:
    """Without Web Locks each visible tab has its own stream, and shown is still reported."""
    visit.context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})")
    page = visit.listening()
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: reported(visit, "ExperienceShown"))
    assert ["x-1"] == visit.seen(page)


def test_a_failing_token_service_is_asked_again(visit: Visit) -> None:
    """A getSubscription that fails is told to the page and tried again with backoff."""
    failing = [True]
    visit.context.route("**/token*", lambda route: route.abort() if failing[0] else route.continue_())
    page = visit.shopping(stream="1", listen="1")
    visit.until(lambda: visit.faults(page))
    failing[0] = False
    visit.until(lambda: visit.collector.open_streams)
    assert {"subscription"} == {fault["code"] for fault in visit.faults(page)}


def test_shown_survives_a_gateway_that_is_down(visit: Visit) -> None:
    """What the shopper saw while events could not leave is reported later, once."""
    page = visit.listening()
    visit.collector.answers.extend([Answer(status=503)])
    visit.collector.push(sent("x-1", "1"))
    visit.until(lambda: len(visit.collector.posted) == 2)
    visit.emptied(page)
    assert ["x-1"] == reported(visit, "ExperienceShown")
