"""What becomes of experiences, as it is counted: told by the event and by what stood on the page before it."""

from __future__ import annotations

from typing import Any

import pytest

from domain.fates import fates
from domain.records import Record
from tests.story import TreeStory
from tests.unit.test_decide import PASTA, SAUCE, add, edge, recommendation, tension


class Watched(TreeStory):
    """A story that tells what each event makes of experiences."""

    def tell(self, kind: str, at_s: float = 0, **fields: Any) -> Any:
        """Applies and decides the next event; `fated` is what became of experiences, as `kind fate`."""
        before = self.state
        applied = super().tell(kind, at_s, **fields)
        last = applied.state.last
        assert isinstance(last, Record)
        told = () if applied.repeat else fates(before, last, self.decided)
        self.fated = [f"{one.kind} {one.fate}" for one in told]
        return applied


@pytest.fixture
def story() -> Watched:
    """Pasta brings a recommendation into the main slot, and sauce another into the same one."""
    told = Watched(
        {
            "start": {"edges": [edge("sauce", PASTA)]},
            "sauce": {"experiences": [recommendation("main", "p-77")], "edges": [edge("wine", SAUCE)]},
            "wine": {"experiences": [recommendation("main", "p-78")]},
        }
    )
    add(told, "pasta")
    assert [] == told.fated
    return told


def id_of(story: TreeStory) -> str:
    """The id of what is in the main slot."""
    (slot,) = story.state.slots
    return slot.experience.experience_id


@pytest.mark.parametrize(
    ("kind", "fated"),
    [
        ("ExperienceShown", ["recommendation shown"]),
        ("ExperienceClicked", ["recommendation clicked"]),
        ("ExperienceDismissed", ["recommendation dismissed"]),
    ],
)
def test_what_a_page_says_is_counted_by_kind(story: Watched, kind: str, fated: list[str]) -> None:
    """Shown, clicked and dismissed count under the kind that the shopper's own page has."""
    story.tell(kind, 1, experience_id=id_of(story))
    assert fated == story.fated


@pytest.mark.parametrize("kind", ["ExperienceShown", "ExperienceClicked", "ExperienceDismissed"])
def test_what_is_not_on_the_page_counts_nowhere(story: Watched, kind: str) -> None:
    """Whoever makes ids up counts nothing."""
    story.tell(kind, 1, experience_id="x-made-up")
    assert [] == story.fated


def test_a_dismissal_said_twice_counts_once(story: Watched) -> None:
    """The second time nothing is on the page any more."""
    known = id_of(story)
    story.tell("ExperienceDismissed", 1, experience_id=known)
    story.tell("ExperienceDismissed", 2, experience_id=known)
    assert [] == story.fated


@pytest.mark.parametrize(("at_s", "fate"), [(59, "replaced"), (60, "expired")])
def test_the_next_one_in_a_slot_ends_the_one_before(story: Watched, at_s: float, fate: str) -> None:
    """One that could still be seen is replaced, one whose time was over has expired."""
    add(story, "sauce", at_s=at_s)
    assert [f"recommendation {fate}"] == story.fated


def test_what_was_dismissed_is_not_replaced(story: Watched) -> None:
    """Nothing stood in the slot when the next one came."""
    story.tell("ExperienceDismissed", 1, experience_id=id_of(story))
    add(story, "sauce", at_s=2)
    assert [] == story.fated


def test_a_tension_that_is_reached_is_withdrawn() -> None:
    """What the system takes off the page counts as withdrawn, under its kind."""
    story = Watched({"start": {"edges": [edge("near", PASTA)]}, "near": {"experiences": [tension("bar", 2_000)]}})
    add(story, "pasta", price_minor=1_000)
    add(story, "milk", price_minor=500, at_s=1)
    assert ["basket_tension replaced"] == story.fated
    add(story, "milk", price_minor=500, at_s=2)
    assert ["basket_tension withdrawn"] == story.fated


def test_consent_taken_back_withdraws_all(story: Watched) -> None:
    """What was on the page when consent ended is withdrawn."""
    story.tell("ConsentWithdrawn", 1)
    assert ["recommendation withdrawn"] == story.fated
