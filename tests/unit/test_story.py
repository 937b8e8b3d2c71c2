"""One event's story: which steps it has, what is known of their times, and what is not."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from deploy.trace_told import lines, told
from domain.ids import Position
from domain.ports.failed_events import FailedEvent
from domain.records import Decided, Record
from domain.story import Evidence, Step, clock_error_ms, story
from tests.story import NOON_MS, RETAILER, SHOPPER, TreeStory, record
from tests.unit import market_story
from tests.unit.test_decide import PASTA, SAUCE, add, edge, recommendation

NODES: dict[str, Any] = {
    "start": {"edges": [edge("sauce", PASTA)]},
    "sauce": {"experiences": [recommendation("main", "p-77")], "edges": [edge("cheese", SAUCE)]},
    "cheese": {"experiences": [recommendation("main", "p-78")]},
}


class Told:
    """A shopper in a tree; keeps every record and what was decided, each a tenth of a second after its receipt."""

    def __init__(self, nodes: dict[str, Any] = NODES, **more: Any) -> None:
        self.story = TreeStory(nodes, **more)
        self.records: list[Record] = []
        self.decided: list[Decided | None] = []

    def note(self) -> None:
        """Keeps what came of the last event."""
        assert self.story.state.last is not None
        self.records.append(self.story.state.last)
        said = self.story.decided
        self.decided.append(said and replace(said, processed_at_ms=said.received_at_ms + 100))

    def add(self, category: str, at_s: float) -> None:
        """Adds a product of a category."""
        add(self.story, category, at_s=at_s)
        self.note()

    def of(self, number: int = 0, **more: Any) -> Evidence:
        """What is found of the event with a number."""
        fields: dict[str, Any] = {
            "record": self.records[number],
            "partition": 3,
            "position": Position(1, number),
            "place": "event store",
            "decided": self.decided[number],
            "later": self.records[number + 1 :],
            "later_decided": [said for said in self.decided[number + 1 :] if said is not None],
            "state": self.story.state,
        }
        return Evidence(**(fields | more))


def names(steps: list[Step]) -> list[str]:
    """What the steps are called."""
    return [step.what for step in steps]


def at(steps: list[Step], what: str) -> int | None:
    """The time of the only step of a name, milliseconds after noon."""
    (found,) = (step for step in steps if step.what == what)
    return None if found.at_ms is None else found.at_ms - NOON_MS


def test_an_event_that_brought_an_experience() -> None:
    """From the client to the end of what it brought; what nobody wrote down has no time."""
    shop = Told()
    shop.add("pasta", 1)
    (decision,) = shop.story.decided.decisions if shop.story.decided else ()
    experience_id = decision.experience.experience_id
    for number, kind in enumerate(("ExperienceShown", "ExperienceClicked", "ExperienceDismissed")):
        shop.story.tell(kind, 2 + number, experience_id=experience_id)
        shop.note()
    steps = story(shop.of())
    assert [
        "created", "received", "stored", "processed", "decided", "saved", "shown", "clicked", "dismissed", "expires",
    ] == names(steps)  # fmt: skip
    assert [1_000, 1_000, None, 1_100, 1_100, None, 2_000, 3_000, 4_000, 61_000] == [
        at(steps, name) for name in names(steps)
    ]
    processed = next(step for step in steps if step.what == "processed")
    assert {"generation": 1, "from": "start", "to": "sauce"} == processed.about


def test_what_replaces_an_experience_ends_it() -> None:
    """Once, by the first that fills its slot; another shopper's experience is nobody's reaction."""
    shop = Told()
    shop.add("pasta", 1)
    shop.story.tell("ExperienceShown", 2, experience_id="e-of-another")
    shop.note()
    shop.add("sauce", 3)
    steps = story(shop.of())
    assert ["replaced", "expires"] == names(steps)[-2:]
    assert 3_100 == at(steps, "replaced")
    assert "shown" not in names(steps)


def test_an_event_that_brought_nothing_says_what_is_known() -> None:
    """Processed, though nobody wrote down when; the edges that did not hold, where the lookup still has them."""
    shop = Told()
    shop.add("bread", 1)
    shop.add("bread", 2)
    refused: dict[str, Any] = {"event_id": "x", "node_id": "start", "why": [], "flip": None}
    steps = story(shop.of(1, considered=[refused]))
    assert ["created", "received", "stored", "processed", "considered", "saved"] == names(steps)
    assert None is at(steps, "processed")
    text = "\n".join(lines(shop.of(1), NOON_MS))
    assert "   not known  processed: the shopper stayed where they were\n" in text
    assert "nothing was decided" in text


def test_what_is_not_processed_yet_is_told_so() -> None:
    """No decision, and no snapshot that reaches it; archived or not, where there is an archiver."""
    waiting = Evidence(record("PageViewed", 1, 0, page={"kind": "home"}), 0, Position(1, 9), "event log")
    assert ["created", "received", "stored", "not_processed"] == names(story(waiting))
    assert "not_archived" == names(story(waiting._replace(is_archived=False)))[-1]
    assert "archived" == names(story(waiting._replace(is_archived=True)))[-1]
    behind = waiting._replace(state=replace(Told().story.state, position=Position(1, 8)))
    assert "not_processed" == names(story(behind))[-1]


def test_a_timer_that_elapsed_is_part_of_the_story() -> None:
    """Because nothing followed the event; where it led stands beside it."""
    nudge = {**NODES, "start": {"edges": [edge("sauce", PASTA)], "after": {"idle_s": 45, "to": "cheese"}}}
    shop = Told(nudge)
    shop.add("bread", 1)
    shop.story.idle(46)
    shop.note()
    steps = story(shop.of())
    assert 46_000 == at(steps, "idle")
    text = "\n".join(lines(shop.of(), NOON_MS))
    assert "+45,000 ms  the timer of node 'start' elapsed and led to 'cheese', event " in text


def test_a_failed_event_says_why() -> None:
    """Under which id it can be replayed."""
    failed = FailedEvent(
        failed_id="0-1-9",
        partition=0,
        position=Position(1, 9),
        retailer_id=RETAILER,
        shopper=SHOPPER,
        event_id="x",
        reason="tree_unreadable",
        detail="tree version 9 is not 1",
        path="$.tree",
        payload=b"secret",
        failed_at_ms=NOON_MS,
        expires_at_ms=NOON_MS,
    )
    found = record("PageViewed", 1, 0, page={"kind": "home"})
    evidence = Evidence(found, 0, Position(1, 9), "event log", failed=failed)
    assert ["created", "received", "stored", "failed"] == names(story(evidence))
    text = "\n".join(lines(evidence, NOON_MS))
    assert "failed: tree_unreadable at $.tree: tree version 9 is not 1; failed event 0-1-9" in text
    assert "secret" not in text + repr(told(evidence))


def test_a_repeat_counts_from_the_first_receipt() -> None:
    """The store keeps the last copy of an event; what was decided knows when and where the first one came."""
    shop = Told()
    shop.add("pasta", 1)
    again = replace(shop.records[0], received_at_ms=NOON_MS + 9_000)
    steps = story(shop.of(record=again, position=Position(1, 7)))
    assert (1_000, 9_000) == (at(steps, "received"), at(steps, "repeated"))
    assert 0 == next(step for step in steps if step.what == "stored").about["offset"]
    assert 100 == next(step for step in told(shop.of(record=again))["steps"] if step["what"] == "processed")["ms"]


def test_a_campaign_that_lost_says_why() -> None:
    """The loser stands beside the winner, with its reason in words."""
    nodes = {
        "start": {"edges": [edge("offer", PASTA)]},
        "offer": {"experiences": [market_story.promotion("offer", "nobody-knows", "penne")]},
    }
    shop = Told(nodes, market=market_story.market([market_story.campaign("spring")]))
    shop.add("pasta", 1)
    assert "lost" in names(story(shop.of()))
    text = "\n".join(lines(shop.of(), NOON_MS))
    assert "campaign nobody-knows lost slot 'offer': there is no such campaign\n" in text
    assert text.endswith("nothing was shown: see above")


def test_a_withdrawal_ends_an_experience() -> None:
    """Consent that is taken back clears the page, and both events tell of it."""
    shop = Told()
    shop.add("pasta", 1)
    shop.story.tell("ConsentWithdrawn", 2)
    shop.note()
    assert ["withdrawn", "expires"] == names(story(shop.of()))[-2:]
    assert "withdrew" in names(story(shop.of(1)))


def test_the_error_of_a_clock_is_known_only_where_it_was_measured() -> None:
    """Ahead, behind, and unknown: without `sent_at`, or where the correction met the receipt."""
    came = record("PageViewed", 10, 0, received_s=20, page={"kind": "home"})
    moved = [replace(came, event_time_ms=came.event_time_ms + by_ms) for by_ms in (-4_000, 3_000, 0, 10_000)]
    assert [4_000, -3_000, None, None] == [clock_error_ms(one) for one in moved]


def test_the_lines_and_the_json_say_the_same_milliseconds() -> None:
    """What is not known is `null` there and said here; what is over by now is told so."""
    shop = Told()
    shop.add("pasta", 1)
    document = told(shop.of())
    assert [0, 0, None, 100, 100, None, 60_000] == [step["ms"] for step in document["steps"]]
    assert (None, False, SHOPPER) == (document["trace_id"], document["sampled"], document["shopper"])
    text = list(lines(shop.of(), NOON_MS))
    assert 100 == next(step for step in document["steps"] if step["what"] == "stored")["ms_at_most"]
    assert ["+0 ms", "+0 ms", "≤ +100 ms", "+100 ms", "+100 ms", "not known", "+60,000 ms"] == [
        line[:12].strip() for line in text[1:] if line[:12].strip()
    ]
    assert " ends at " in text[-1]
    assert " is over at " in list(lines(shop.of(), NOON_MS + 100_000))[-1]
