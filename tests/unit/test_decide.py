"""The decision: where events lead the shopper, and what the page shows."""

from typing import Any

from domain.ids import idle_event_id
from domain.lookup import view
from domain.shopper import SLOTS_MAX, decode, encode
from domain.told import read_told
from domain.tree import Tree
from domain.walk import MOVES_MAX
from tests.story import NOON_MS, TreeStory

PASTA = {"kind": "product", "action": "added", "category_ids": ["pasta"]}
SAUCE = {"kind": "product", "action": "added", "category_ids": ["sauce"]}
VIEW = {"kind": "page"}


def recommendation(slot: str, product: str, ttl_s: int = 60) -> dict[str, Any]:
    """A recommendation as a tree has it."""
    content = {"products": [{"product_id": product}]}
    return {"slot": slot, "kind": "recommendation", "ttl_s": ttl_s, "content": content}


def tension(slot: str, threshold_minor: int, ttl_s: int = 900) -> dict[str, Any]:
    """A basket tension as a tree has it."""
    reward = {"type": "amount", "value_minor": 500}
    content = {"threshold_minor": threshold_minor, "reward": reward}
    return {"slot": slot, "kind": "basket_tension", "ttl_s": ttl_s, "content": content}


def edge(to: str, when: dict[str, Any]) -> dict[str, Any]:
    """An edge as a tree has it."""
    return {"to": to, "when": when}


def add(story: TreeStory, category: str, price_minor: int = 0, at_s: float = 0) -> None:
    """Adds another product of a category."""
    story.add(f"p-{story.offset}", at_s, category_id=category, price_minor=price_minor, currency="EUR")


def test_pasta_in_the_basket_recommends_the_sauce() -> None:
    """The first edge that holds moves the shopper and emits the new node's experiences."""
    story = TreeStory(
        {"start": {"edges": [edge("sauce", PASTA)]}, "sauce": {"experiences": [recommendation("main", "p-77")]}}
    )
    add(story, "pasta", at_s=2)
    experience = story.shown()["main"]
    assert experience.content == {"products": [{"product_id": "p-77"}]}
    assert (experience.decided_at_ms, experience.expires_at_ms) == (NOON_MS + 2_000, NOON_MS + 62_000)
    assert (experience.node_id, experience.tree_generation) == ("sauce", 1)
    assert story.state.node_id == "sauce"


def test_the_first_event_places_the_shopper_at_the_root() -> None:
    """Being placed in a generation is a move that the log records; standing still is not."""
    story = TreeStory({"start": {"experiences": [recommendation("main", "p-1")]}})
    story.tell("PageViewed", page={"kind": "home"})
    assert story.decided is not None
    assert (story.decided.node_id, story.decided.decisions) == ("start", ())
    story.tell("PageViewed", page={"kind": "home"})
    assert story.decided is None


def test_without_a_tree_nothing_is_decided() -> None:
    """A shopper without own or default tree stands nowhere."""
    story = TreeStory({"start": {}})
    story.tree = None
    add(story, "pasta")
    assert story.decided is None
    assert (story.state.generation, story.state.node_id) == (0, "")


def test_an_event_passes_several_nodes_and_the_last_one_wins_the_slot() -> None:
    """One event fills one slot once; other slots of the nodes passed are filled too."""
    always = {"kind": "basket_lines", "at_least": 1}
    story = TreeStory(
        {
            "start": {"edges": [edge("one", PASTA)]},
            "one": {
                "experiences": [recommendation("main", "p-1"), recommendation("side", "p-2")],
                "edges": [edge("two", always)],
            },
            "two": {"experiences": [recommendation("main", "p-3")]},
        }
    )
    add(story, "pasta")
    shown = story.shown()
    assert shown["main"].content["products"] == [{"product_id": "p-3"}]
    assert shown["side"].content["products"] == [{"product_id": "p-2"}]
    assert story.decided is not None
    paths = {one.experience.slot: one.path for one in story.decided.decisions}
    assert paths == {"main": ("start", "one", "two"), "side": ("start", "one")}


def test_an_event_moves_at_most_eight_times() -> None:
    """The ninth node waits for the next event."""
    always = {"kind": "basket_lines", "at_least": 0}
    nodes: dict[str, Any] = {f"n{number}": {"edges": [edge(f"n{number + 1}", always)]} for number in range(1, 12)}
    nodes["start"] = {"edges": [edge("n1", always)]}
    nodes["n12"] = {}
    story = TreeStory(nodes)
    story.tell("PageViewed", page={"kind": "home"})
    assert story.state.node_id == f"n{MOVES_MAX}"
    story.tell("PageViewed", page={"kind": "home"})
    assert story.state.node_id == "n12"


def test_edges_are_tried_in_order() -> None:
    """The first edge that holds is taken, and the refused ones are what `considered` tells."""
    story = TreeStory(
        {"start": {"edges": [edge("a", SAUCE), edge("b", PASTA), edge("c", PASTA)]}, "a": {}, "b": {}, "c": {}}
    )
    add(story, "pasta")
    assert story.state.node_id == "b"
    looked_up = view(decode(encode(story.state)), story.tree)
    assert [one["node_id"] for one in looked_up["considered"]] == ["start"]
    assert looked_up["considered"][0]["why"][0]["held"] is False


def test_a_new_session_returns_to_the_root_and_tries_its_edges() -> None:
    """The event that starts the session is tried on the root's edges; the root's own experiences are not emitted."""
    story = TreeStory(
        {
            "start": {"experiences": [recommendation("main", "p-0")], "edges": [edge("sauce", PASTA)]},
            "sauce": {"experiences": [recommendation("main", "p-77")]},
        }
    )
    add(story, "pasta", at_s=0)
    story.tell("PageViewed", at_s=5_000, page={"kind": "home"})
    assert (story.state.node_id, story.shown()) == ("start", {})
    add(story, "pasta", at_s=10_000)
    assert story.shown()["main"].content["products"] == [{"product_id": "p-77"}]


def test_a_paid_order_returns_to_the_root() -> None:
    """The order is then tried on the root's edges."""
    paid = {"kind": "order", "states": ["paid"]}
    story = TreeStory(
        {
            "start": {"edges": [edge("sauce", PASTA), edge("thanks", paid)]},
            "sauce": {},
            "thanks": {"experiences": [recommendation("main", "p-9")]},
        }
    )
    add(story, "pasta")
    story.pay(at_s=1)
    assert story.state.node_id == "thanks"
    assert "main" in story.shown()


def test_a_new_generation_keeps_the_node_or_returns_to_the_root() -> None:
    """It takes effect at the shopper's next event and is recorded even where the node stays."""
    nodes: dict[str, Any] = {"start": {"edges": [edge("sauce", PASTA)]}, "sauce": {}}
    story = TreeStory(nodes)
    add(story, "pasta")
    story.plant(nodes, generation=2)
    story.tell("PageViewed", page={"kind": "home"})
    assert (story.state.generation, story.state.node_id) == (2, "sauce")
    assert story.decided is not None
    story.plant({"start": {}}, generation=3)
    story.tell("PageViewed", page={"kind": "home"})
    assert (story.state.generation, story.state.node_id) == (3, "start")


TENSION_TREE = {
    "start": {"edges": [edge("nudge", PASTA)]},
    "nudge": {"experiences": [tension("banner", 5_000)], "edges": [edge("other", SAUCE)]},
    "other": {"experiences": [recommendation("banner", "p-5")]},
}


def test_a_basket_tension_says_what_is_missing_and_follows_the_total() -> None:
    """Each event that changes the total emits it again; its end stays what was promised first."""
    story = TreeStory(TENSION_TREE)
    add(story, "pasta", 1_000)
    first = story.shown()["banner"]
    assert first.content["missing_minor"] == 4_000
    add(story, "rice", 1_500, at_s=10)
    second = story.shown()["banner"]
    assert second.content["missing_minor"] == 2_500
    assert second.experience_id != first.experience_id
    assert second.expires_at_ms == first.expires_at_ms
    story.tell("PageViewed", at_s=11, page={"kind": "home"})
    assert story.decided is None


def test_a_reached_threshold_withdraws_the_tension() -> None:
    """At or past the threshold it leaves the page, once."""
    story = TreeStory(TENSION_TREE)
    add(story, "pasta", 1_000)
    banner = story.shown()["banner"].experience_id
    add(story, "rice", 4_000)
    assert story.decided is not None
    assert [(one.experience_id, one.slot) for one in story.decided.withdrawals] == [(banner, "banner")]
    add(story, "rice", 1)
    assert story.decided is None


def test_a_tension_at_its_threshold_is_not_emitted() -> None:
    """Entered at or past the threshold there is nothing to reach."""
    story = TreeStory(TENSION_TREE)
    add(story, "pasta", 5_000)
    assert story.state.node_id == "nudge"
    assert story.shown() == {}


def test_a_paid_order_withdraws_an_open_tension() -> None:
    """Whatever was still missing."""
    story = TreeStory(TENSION_TREE)
    add(story, "pasta", 1_000)
    story.pay(at_s=3)
    assert story.decided is not None
    assert [one.slot for one in story.decided.withdrawals] == ["banner"]


def test_a_closed_tension_is_not_emitted_again() -> None:
    """Dismissed, expired or replaced, it is no longer open."""
    dismissed = TreeStory(TENSION_TREE)
    add(dismissed, "pasta", 1_000)
    banner = dismissed.shown()["banner"].experience_id
    dismissed.tell("ExperienceDismissed", experience_id=banner)
    assert dismissed.decided is not None
    assert dismissed.decided.dismissals == (banner,)
    add(dismissed, "rice", 100)
    assert dismissed.decided is None

    expired = TreeStory(TENSION_TREE)
    add(expired, "pasta", 1_000)
    add(expired, "rice", 100, at_s=900)
    assert expired.decided is None

    replaced = TreeStory(TENSION_TREE)
    add(replaced, "pasta", 1_000)
    add(replaced, "sauce", 100)
    assert replaced.shown()["banner"].kind == "recommendation"
    add(replaced, "rice", 100)
    assert replaced.decided is None


IDLE_TREE = {
    "start": {"edges": [edge("wait", PASTA)]},
    "wait": {"after": {"idle_s": 45, "to": "nudge"}},
    "nudge": {"experiences": [recommendation("main", "p-1")]},
}


def test_a_timer_moves_the_shopper_who_still_stands_there() -> None:
    """It is no activity: session and last event from outside stay."""
    story = TreeStory(IDLE_TREE)
    add(story, "pasta")
    session = story.state.session
    story.idle(at_s=45)
    assert story.state.node_id == "nudge"
    assert story.shown()["main"].decided_at_ms == NOON_MS + 45_000
    assert story.state.session == session
    assert story.state.timer is None


def test_every_event_starts_the_timer_anew() -> None:
    """The old timer, arriving late, changes nothing."""
    story = TreeStory(IDLE_TREE)
    add(story, "pasta")
    old = story.state.timer
    assert old is not None
    story.tell("PageViewed", at_s=30, page={"kind": "home"})
    story.tell("IdleElapsed", at_s=45, after_event_id=str(old.after_event_id), node_id=old.node_id)
    assert story.applied is not None
    assert story.applied.repeat
    assert story.state.timer is not None
    assert story.state.timer.due_at_ms == NOON_MS + 75_000


def test_a_lookup_tells_the_newest_decisions_first_with_their_reasons() -> None:
    """At most ten; each with path and why; refused edges of the last event only."""
    story = TreeStory(TENSION_TREE)
    add(story, "pasta", 10)
    for _ in range(11):
        add(story, "rice", 10)
    looked_up = view(decode(encode(story.state)), story.tree)
    assert len(looked_up["decisions"]) == 10
    newest = looked_up["decisions"][0]
    assert newest["experience_id"] == story.shown()["banner"].experience_id
    assert newest["path"] == ("nudge",)
    assert newest["why"][0]["seen"] == story.state.basket.total_minor
    assert [one["node_id"] for one in looked_up["considered"]] == ["nudge"]
    assert looked_up["tree"] == {"generation": 1, "node_id": "nudge"}
    assert looked_up["basket"]["total_minor"] == 120
    told = [read_told(one).path for one in story.state.decisions]
    assert told == [one["path"] for one in looked_up["decisions"]]


def test_a_lookup_without_the_tree_considers_nothing() -> None:
    """A generation that is no longer kept can't be walked again."""
    story = TreeStory(TENSION_TREE)
    add(story, "rice")
    assert view(story.state, None)["considered"] == []
    assert story.tree is not None
    assert view(story.state, Tree(story.tree.blob, 9))["considered"] == []


def test_the_slots_of_a_shopper_are_bounded() -> None:
    """The least recently changed slot is forgotten first."""
    story = TreeStory({"start": {}})
    for generation in range(1, 4):
        slots = [recommendation(f"s{generation}-{number}", "p-1") for number in range(16)]
        story.plant(
            {"start": {"edges": [edge(f"go{generation}", VIEW)]}, f"go{generation}": {"experiences": slots}},
            generation=generation + 1,
        )
        story.tell("PageViewed", page={"kind": "home"})
    assert len(story.state.slots) == SLOTS_MAX
    assert {slot.experience.slot.split("-")[0] for slot in story.state.slots} == {"s2", "s3"}


def test_a_timer_elapses_once_for_an_event_and_a_node() -> None:
    """A new generation that brings the shopper back to a node arms no timer whose id has elapsed: it never could."""

    def elapse(at_s: float) -> None:
        timer = story.state.timer
        assert timer is not None
        event_id = str(idle_event_id(timer.after_event_id, timer.node_id))
        fields = {"after_event_id": str(timer.after_event_id), "node_id": timer.node_id, "event_id": event_id}
        assert not story.tell("IdleElapsed", at_s, **fields).repeat

    wait = {"idle_s": 5}
    story = TreeStory({"start": {"after": {**wait, "to": "one"}}, "one": {"after": {**wait, "to": "two"}}, "two": {}})
    story.add("pasta")
    elapse(5)
    story.plant({"start": {"after": {**wait, "to": "other"}}, "other": {"after": {**wait, "to": "end"}}, "end": {}}, 2)
    elapse(10)
    assert "other" == story.state.node_id
    story.plant({"start": {"after": {**wait, "to": "one"}}, "one": {"after": {**wait, "to": "end"}}, "end": {}}, 3)
    elapse(15)
    assert ("one", None) == (story.state.node_id, story.state.timer)
