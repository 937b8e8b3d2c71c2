"""tracker.js in a real Chromium: events leave once, in order, whatever fails on the way, and never without consent."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.tracker_browser import QUEUED, STORED, Visit
from tests.browser.tracker_collector import Answer, distinct

pytestmark = pytest.mark.browser
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
WITHOUT_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})"
WITHOUT_STORAGE = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
)
PRIVACY_CONTROL = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})"
FULL_STORAGE = """() => {
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    try { for (;;) localStorage.setItem('shop.' + size + Math.random(), 'x'.repeat(size)); } catch { }
  }
}"""
CLOCK_BACK = "(() => { const now = Date.now; Date.now = () => now() - 3600000; })()"


def test_an_event_is_one_plain_post_without_preflight(visit: Visit) -> None:
    """Under a strict CSP a tracked action reaches another origin as one text/plain request with the write key."""
    page = visit.shopping()
    ids = visit.add(page, "p-1", "p-2")
    visit.emptied(page)
    (posted,) = visit.collector.posted
    assert ids == posted.ids
    assert {"write_key": "wk_test"} == posted.query
    assert posted.headers["content-type"].startswith("text/plain")
    assert {"sent_at", "events"} == set(posted.envelope)
    assert all(UUID7.fullmatch(id_) for id_ in ids)
    first = posted.events[0]
    assert ("AddedToBasket", "c-1", "granted") == (first["type"], first["shopper_id"], first["consent"])
    assert {"product_id": "p-1"} == first["product"]
    assert (0, []) == (visit.collector.preflights, page.evaluate("() => violations"))


def test_before_identify_events_wait_in_memory(visit: Visit) -> None:
    """Nothing is stored or sent before the shopper is known; then the newest 50 leave as they were tracked."""
    page = visit.open(consent="granted")
    ids = visit.add(page, *[f"p-{n}" for n in range(55)])
    assert ([], []) == (page.evaluate(STORED), visit.collector.posted)
    page.evaluate("() => hotbasket.identify('c-9')")
    visit.emptied(page)
    assert ids[5:] == distinct(visit.collector.answered)
    assert {"c-9"} == {event["shopper_id"] for event in visit.collector.answered}
    assert ids[:5] == [fault["event"]["event_id"] for fault in visit.faults(page)]


@pytest.mark.parametrize(
    ("script", "asked"),
    [("", {}), ("", {"consent": "denied"}), (PRIVACY_CONTROL, {"consent": "granted"})],
    ids=["not yet asked", "denied", "global privacy control"],
)
def test_without_consent_nothing_is_stored_or_sent(visit: Visit, script: str, asked: dict[str, str]) -> None:
    """No consent, a refusal, or Global Privacy Control: no key in the storage, no request, no token asked for."""
    visit.context.add_init_script(script)
    page = visit.context.new_page()
    page.clock.install()
    visit.open(page, shopper="c-1", stream="1", listen="1", **asked)
    visit.add(page, "p-1", "p-2")
    page.clock.run_for(5000)
    page.goto("about:blank")
    page = visit.open(page, shopper="c-1", **asked)
    assert ([], []) == (page.evaluate(STORED), visit.context.cookies())
    assert ([], [], []) == (visit.collector.posted, visit.collector.streams, visit.shop.tokens_given)


def test_consent_releases_what_waited(visit: Visit) -> None:
    """What was tracked before the question was answered leaves when the shopper agrees."""
    page = visit.open(shopper="c-1")
    ids = visit.add(page, "p-1", "p-2")
    page.evaluate("() => hotbasket.consent('granted')")
    visit.emptied(page)
    assert ids == distinct(visit.collector.answered)


def test_a_refusal_clears_the_queue_and_closes_the_stream_in_every_tab(visit: Visit) -> None:
    """consent('denied') in one tab empties the storage, takes experiences away and ends the stream of all tabs."""
    first, second = visit.listening(), visit.listening()
    visit.collector.otherwise = Answer(status=503)
    visit.add(first, "p-1", "p-2")
    visit.until(lambda: visit.collector.posted)
    second.evaluate("() => hotbasket.consent('denied')")
    visit.until(lambda: not visit.collector.open_streams)
    visit.holds(first, f"() => ({QUEUED})() <= 1")
    visit.collector.reset()
    assert [None] == first.evaluate("() => [hotbasket.track('LinkClicked', {target: 'x'})]")
    visit.open(first)
    visit.collector.otherwise = Answer()
    visit.until(lambda: visit.collector.answered)
    visit.holds(first, f"() => ({STORED})().length === 0")
    assert ["denied"] == [event["consent"] for event in visit.collector.answered]


def test_consent_taken_back_is_told_once(visit: Visit) -> None:
    """One event that refuses leaves, in whichever tab it was said, again until it is answered; then nothing is kept."""
    first, second = visit.shopping(), visit.shopping()
    visit.add(first, "p-1")
    visit.emptied(first)
    visit.collector.reset()
    visit.collector.answers.append(Answer(status=503))
    second.evaluate("() => hotbasket.consent('denied')")
    visit.until(lambda: visit.collector.answered)
    assert [("c-1", "denied", "PageViewed")] == [
        (event["shopper_id"], event["consent"], event["type"]) for event in visit.collector.answered
    ]
    assert 1 == len({event_id for posted in visit.collector.posted for event_id in posted.ids})
    visit.holds(first, f"() => ({STORED})().length === 0")
    second.evaluate("() => hotbasket.consent('denied')")
    second.wait_for_timeout(300)
    assert 2 == len(visit.collector.posted)


def test_a_refusal_on_the_next_page_is_told_too(visit: Visit) -> None:
    """Who agreed on one page and refuses where the tracker starts anew is heard once it is known who they are."""
    page = visit.shopping()
    visit.collector.otherwise = Answer(status=503)
    visit.add(page, "p-1")
    visit.until(lambda: visit.collector.posted)
    visit.collector.reset()
    visit.collector.otherwise = Answer()
    visit.open(page, consent="denied", shopper="c-1")
    visit.until(lambda: visit.collector.answered)
    assert ["denied"] == [event["consent"] for event in visit.collector.answered]
    visit.holds(page, f"() => ({STORED})().length === 0")


def test_offline_then_online_all_arrive_once_in_order(visit: Visit) -> None:
    """What was tracked offline arrives when the browser is online again, in requests of at most 50."""
    page = visit.shopping()
    visit.context.set_offline(True)
    ids = visit.add(page, *[f"p-{n}" for n in range(120)])
    assert 120 == page.evaluate(QUEUED)
    visit.context.set_offline(False)
    visit.emptied(page)
    assert ids == [event["event_id"] for event in visit.collector.answered]
    assert [50, 50, 20] == [len(posted.ids) for posted in visit.collector.posted]


def test_events_survive_the_page(visit: Visit) -> None:
    """What one page could not deliver the next one delivers, before its own events and under the same ids."""
    page = visit.shopping()
    visit.collector.otherwise = Answer(status=503)
    ids = visit.add(page, "p-1", "p-2")
    visit.until(lambda: visit.collector.posted)
    visit.shopping(page)
    ids += visit.add(page, "p-3")
    visit.collector.otherwise = Answer()
    visit.emptied(page)
    assert ids == distinct(visit.collector.answered)


def test_a_clock_set_back_between_pages_keeps_the_order(visit: Visit) -> None:
    """The queue's order is the order of tracking, not of the clock."""
    page = visit.shopping()
    visit.collector.otherwise = Answer(status=503)
    ids = visit.add(page, "p-1", "p-2")
    visit.until(lambda: visit.collector.posted)
    visit.context.add_init_script(CLOCK_BACK)
    visit.shopping(page)
    ids += visit.add(page, "p-3", "p-4")
    visit.collector.otherwise = Answer()
    visit.emptied(page)
    assert ids == distinct(visit.collector.answered)
    assert sorted(ids) == ids


@pytest.mark.parametrize("status", [408, 429, 500, 503, 0], ids=["408", "429", "500", "503", "cut"])
def test_what_may_pass_is_sent_again(visit: Visit, status: int) -> None:
    """A temporary refusal or a lost answer repeats the same events; only sent_at is new."""
    page = visit.shopping()
    if status:
        visit.collector.answers.append(Answer(status=status))
    else:  # the gateway has it, the browser never hears so
        lost = Answer(headers={"Content-Length": "999"}, body="{")
        visit.collector.answers.append(lost)
    visit.add(page, "p-1")
    visit.emptied(page)
    before, after = visit.collector.posted
    assert before.events == after.events
    assert before.envelope["sent_at"] < after.envelope["sent_at"]


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422])
def test_what_is_final_is_never_sent_again(visit: Visit, status: int) -> None:
    """Another 4xx drops the events, tells the page, and the next events go on."""
    page = visit.shopping()
    visit.collector.answers.append(Answer(status=status))
    refused = visit.add(page, "p-1", "p-2")
    visit.emptied(page)
    later = visit.add(page, "p-3")
    visit.emptied(page)
    assert [refused, later] == [posted.ids for posted in visit.collector.posted]
    faults = visit.faults(page)
    assert [("rejected", status, id_) for id_ in refused] == [
        (fault["code"], fault["status"], fault["event_id"]) for fault in faults
    ]


def test_each_result_is_obeyed(visit: Visit) -> None:
    """stored, dropped and rejected are final, retry is sent again alone; a rejected event is told to the page."""
    page = visit.shopping()
    visit.collector.answers.append(Answer(statuses=["stored", "retry", "rejected", "dropped", "retry"]))
    ids = visit.add(page, "p-1", "p-2", "p-3", "p-4", "p-5")
    visit.emptied(page)
    assert [ids, [ids[1], ids[4]]] == [posted.ids for posted in visit.collector.posted]
    assert [ids[2]] == [fault["event_id"] for fault in visit.faults(page)]


def test_a_page_that_answers_for_the_gateway_is_no_answer(visit: Visit) -> None:
    """A captive portal's 200 with HTML acknowledges nothing."""
    page = visit.shopping()
    visit.collector.answers.append(Answer(body="<html>please log in</html>"))
    ids = visit.add(page, "p-1")
    visit.emptied(page)
    assert [ids, ids] == [posted.ids for posted in visit.collector.posted]


def test_retry_after_is_honoured_by_the_next_page_too(visit: Visit) -> None:
    """Nobody of this browser asks again before the time the gateway named, not even a page opened meanwhile."""
    page = visit.shopping()
    visit.collector.answers.append(Answer(status=429, headers={"Retry-After": "2"}))
    visit.add(page, "p-1")
    visit.until(lambda: visit.collector.posted)
    visit.holds(page, "() => localStorage.getItem('hotbasket.wk_test.b')")
    visit.shopping(page)
    visit.add(page, "p-2")
    visit.emptied(page)
    first, *later = visit.collector.posted
    assert later[0].at - first.at >= 2.0


def test_two_tabs_have_one_request_in_flight(visit: Visit) -> None:
    """The tabs of a browser take turns; each tab's events arrive once and in its order."""
    tabs = [visit.shopping(), visit.shopping()]
    visit.collector.stall_s = 0.1
    ids: list[list[str]] = [[], []]
    for n in range(5):
        for tab, mine in zip(tabs, ids, strict=True):
            mine.extend(visit.add(tab, f"p-{n}"))
    visit.emptied(tabs[0])
    arrived = distinct(visit.collector.answered)  # a tab may see the other's queue late: a repeat has the same ids
    assert (1, sorted(ids[0] + ids[1])) == (visit.collector.in_flight_max, sorted(arrived))
    for mine in ids:
        assert mine == [id_ for id_ in arrived if id_ in mine]


def test_a_frozen_tab_does_not_hold_the_others_up(visit: Visit) -> None:
    """A tab that stopped running while it held the sending lock loses it to the one that waits."""
    frozen = visit.open()
    frozen.evaluate("() => { navigator.locks.request('hotbasket.wk_test.send', () => new Promise(() => {})); }")
    page = visit.context.new_page()
    page.clock.install()
    visit.shopping(page)
    ids = visit.add(page, "p-1")
    page.clock.run_for(2000)
    assert [] == visit.collector.posted
    page.clock.run_for(41000)
    visit.until(lambda: visit.collector.posted)
    assert ids == visit.collector.posted[0].ids


@pytest.mark.parametrize("script", [WITHOUT_LOCKS, WITHOUT_STORAGE], ids=["no Web Locks", "no localStorage"])
def test_an_older_or_stricter_browser_delivers_too(visit: Visit, script: str) -> None:
    """Without Web Locks a lease stands in, without localStorage the page's memory."""
    visit.context.add_init_script(script)
    tabs = [visit.shopping(), visit.shopping()]
    ids = [id_ for tab in tabs for id_ in visit.add(tab, "p-1", "p-2")]
    visit.until(lambda: set(ids) == set(distinct(visit.collector.answered)))
    assert sorted(ids) == sorted(distinct(visit.collector.answered))


def test_a_full_storage_loses_nothing(visit: Visit) -> None:
    """What localStorage has no room for waits in memory."""
    page = visit.shopping()
    page.evaluate(FULL_STORAGE)
    visit.collector.answers.append(Answer(status=503))
    ids = visit.add(page, "p-1", "p-2")
    visit.until(lambda: len(visit.collector.posted) == 2)
    assert [ids, ids] == [posted.ids for posted in visit.collector.posted]


def test_the_queue_is_bounded(visit: Visit) -> None:
    """At most 1,000 events wait; the oldest give way, and the page is told."""
    page = visit.shopping()
    visit.context.set_offline(True)
    ids = visit.add(page, *[f"p-{n}" for n in range(1003)])
    assert 1000 == page.evaluate(QUEUED)
    assert [("queue_full", id_) for id_ in ids[:3]] == [
        (fault["code"], fault["event"]["event_id"]) for fault in visit.faults(page)
    ]
    visit.context.set_offline(False)
    visit.emptied(page)
    assert ids[3:] == distinct(visit.collector.answered)


def test_a_request_fits_what_a_browser_keeps_alive(visit: Visit) -> None:
    """Large events make smaller batches: no body is over 60 KB, and no event over the limit is even queued."""
    page = visit.shopping()
    big = "(size) => hotbasket.track('LinkClicked', {target: 'é'.repeat(size / 2)})"
    assert page.evaluate(big, 40_000) is None
    visit.context.set_offline(True)
    ids = [page.evaluate(big, 20_000) for _ in range(8)]
    visit.context.set_offline(False)
    visit.emptied(page)
    assert ids == distinct(visit.collector.answered)
    assert max(len(posted.body) for posted in visit.collector.posted) <= 60_000
    assert ["unsendable"] == [fault["code"] for fault in visit.faults(page)]


def test_leaving_the_page_hands_the_queue_to_the_browser(visit: Visit) -> None:
    """What waits for its next attempt leaves by sendBeacon with the page, and stays queued until it is answered."""
    page = visit.shopping()
    page.route("**/v1/events*", lambda route: route.abort())
    ids = visit.add(page, "p-1", "p-2")
    visit.holds(page, "() => localStorage.getItem('hotbasket.wk_test.b')")
    page.unroute("**/v1/events*")
    page.goto("about:blank")
    visit.until(lambda: visit.collector.posted)
    (beacon,) = visit.collector.posted
    assert (ids, True) == (beacon.ids, beacon.beacon)
    assert beacon.headers["content-type"].startswith("text/plain")
    visit.shopping(page)
    visit.emptied(page)
    assert ids == distinct(visit.collector.answered)


def test_each_event_keeps_the_shopper_who_did_it(visit: Visit) -> None:
    """After reset or another identify the queue still carries the first shopper's id; what waits then is nobody's."""
    page = visit.shopping()
    visit.collector.otherwise = Answer(status=503)
    visit.add(page, "p-1")
    page.evaluate("() => hotbasket.reset()")
    visit.add(page, "p-2")
    page.evaluate("() => hotbasket.identify('c-2')")
    visit.add(page, "p-3")
    page.evaluate("() => hotbasket.identify('c-3')")
    visit.add(page, "p-4")
    visit.collector.otherwise = Answer()
    visit.emptied(page)
    whose = {event["product"]["product_id"]: event["shopper_id"] for event in visit.collector.answered}
    assert {"p-1": "c-1", "p-2": "c-2", "p-3": "c-2", "p-4": "c-3"} == whose


def test_a_damaged_entry_is_passed_over(visit: Visit) -> None:
    """What another script wrote into the queue's keys neither stops nor spoils a request."""
    page = visit.shopping()
    page.evaluate("() => localStorage.setItem('hotbasket.wk_test.e.0', '{\"event_id\":')")
    ids = visit.add(page, "p-1")
    visit.emptied(page)
    assert [ids] == [posted.ids for posted in visit.collector.posted]
    assert json.loads(visit.collector.posted[0].body)
