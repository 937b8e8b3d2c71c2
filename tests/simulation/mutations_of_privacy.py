"""Bugs planted in suppression and erasure, as those of `mutations.py`: the simulation must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from msgspec import structs

from domain import fold
from domain.events import InsideEvent, ShopperErased, ShopperSuppressed
from domain.fold import Applied
from domain.ids import Position
from domain.records import Record
from domain.shopper import Shopper
from tests.simulation.mutations_of_budgets import Plant


def erasures_keep_the_basket(patch: pytest.MonkeyPatch) -> None:
    """Who is erased finds the basket of before."""
    _spoil(patch, ShopperErased, lambda before, after: structs.replace(after, basket=before.basket))


def erasures_lift_suppression(patch: pytest.MonkeyPatch) -> None:
    """Who is erased, and objected, is taken in again."""
    _spoil(patch, ShopperErased, lambda _, after: structs.replace(after, is_suppressed=False))


def erasures_suppress(patch: pytest.MonkeyPatch) -> None:
    """Who is erased, and never objected, may never come back."""
    _spoil(patch, ShopperErased, lambda _, after: structs.replace(after, is_suppressed=True))


def erasures_keep_what_was_promised(patch: pytest.MonkeyPatch) -> None:
    """What was promised to who is erased is lost to the budget."""
    patch.setattr(fold, "released_all", lambda _: ())


def erasures_leave_the_page(patch: pytest.MonkeyPatch) -> None:
    """What is on the page of who is erased stays there."""
    erase = fold._INSIDE[ShopperErased]
    patch.setitem(fold._INSIDE, ShopperErased, lambda *given: erase(*given)._replace(forgotten=()))


def what_came_before_an_erasure_is_heard(patch: pytest.MonkeyPatch) -> None:
    """Who is erased finds in the basket what a replay brings that was under way."""
    _spoil(patch, ShopperErased, lambda _, after: structs.replace(after, erased_at_ms=0))


def the_suppressed_are_heard(patch: pytest.MonkeyPatch) -> None:
    """What a gateway takes that knows no list counts."""
    _spoil(patch, ShopperSuppressed, lambda _, after: structs.replace(after, is_suppressed=False))


def _spoil(patch: pytest.MonkeyPatch, kind: type[InsideEvent], spoiled: Callable[[Shopper, Shopper], Shopper]) -> None:
    """Changes what the fold makes of an event's kind."""
    fold_it = fold._INSIDE[kind]

    def folded(state: Shopper, record: Record, event: Any, position: Position) -> Applied:
        applied = fold_it(state, record, event, position)
        return applied if applied.repeat else applied._replace(state=spoiled(state, applied.state))

    patch.setitem(fold._INSIDE, kind, folded)


PLANTED: Final[Mapping[Plant, int | None]] = {
    erasures_keep_the_basket: 4,
    erasures_lift_suppression: 60,
    erasures_suppress: 0,
    erasures_keep_what_was_promised: 17,
    erasures_leave_the_page: 1,
    the_suppressed_are_heard: 0,
    what_came_before_an_erasure_is_heard: 7,
}
"""Every bug, and a seed whose run finds it."""
