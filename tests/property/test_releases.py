"""Whatever is begun, put, shown and rolled back in whatever order, forgetting never changes what a shopper sees."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.releases import Releases

SHOPPERS = range(2)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "put", "put", "show", "release", "release", "roll back", "roll back"]),
        st.integers(0, 2),
        st.sets(st.sampled_from(list(SHOPPERS)), min_size=1),
        st.integers(0, 4),
    ),
    min_size=8,
    max_size=40,
)


@settings(max_examples=300)
@given(STEPS)
def test_forgetting_is_never_noticed(steps: list[tuple[str, int, set[int], int]]) -> None:
    """A store that forgets, by views as old as they may be, answers like one that never forgets anything.

    Each step says which of the newest generations it is about, whom it names, and how many steps old the view is by
    which a put forgets.
    """
    now, views = Releases(), [Releases()]
    everything: dict[int, set[int]] = {shopper: set() for shopper in SHOPPERS}
    stored: dict[int, set[int]] = {shopper: set() for shopper in SHOPPERS}
    for what, back, shoppers, age in steps:
        if what in {"begin", "release"}:
            now = now._replace(begun=now.begun + 1)
        generation = now.begun - (0 if what == "release" else back)
        try:
            if what in {"put", "release"}:
                now.check_open(generation)
                for shopper in shoppers:
                    everything[shopper].add(generation)
                    stored[shopper].add(generation)
                    stored[shopper].difference_update(views[max(0, len(views) - 1 - age)].forgettable(stored[shopper]))
            if what in {"show", "release"}:
                now.check_open(generation)
                now = now._replace(visible=now.visible | {generation})
            if what == "roll back":
                hidden, newest = now.to_roll_back()
                now = Releases(now.begun, now.visible - {hidden}, now.rolled_back | {hidden})
                assert newest == max(now.visible)
        except Refused:
            pass
        views.append(now)
        for shopper in SHOPPERS:
            assert in_force(everything[shopper], now) == in_force(stored[shopper], now)


@given(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)))
def test_what_is_kept(visible: set[int], rolled_back: set[int], there: set[int]) -> None:
    """The two newest visible trees and what may still be shown are kept, and nothing else: memory is bounded."""
    now = Releases(12, frozenset(visible - rolled_back), frozenset(rolled_back))
    kept = there - set(now.forgettable(there))
    settled = {one for one in kept if one <= now.shown_last}
    assert settled == set(sorted(there & now.visible, reverse=True)[:2])
    assert {one for one in there if one > now.shown_last} == kept - settled
    assert not any(now.is_dead(one) for one in kept)


def in_force(there: set[int], now: Releases) -> int:
    """The newest visible generation of a shopper, 0 without one."""
    return max(there & now.visible, default=0)
