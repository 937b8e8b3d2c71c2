"""The stages of a tree: which pages stand at which size of the basket, under a budget of bytes and nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from batch.journeys.pages import Page, asked, further, going_with, stripe, timely, usual
from batch.journeys.shelf import Shelf

STAGES_MAX = 5
LINES_A_STAGE = 4
"""Shoppers with small baskets have fewer stages: two, and one for each so many lines of a usual basket."""
BYTES_AIM = 3_200
"""Bytes that pages may take by their estimated cost: trees come to about 3 KB, as memory is reckoned with."""
PAGES_MAX = 31
"""With as many hubs as stages, the root and two tensions, at most 40 nodes."""
GROWTH = 0.12
"""Each stage is longer than the one before by this share of a usual basket's lines."""

_STAGE_BYTES = 24
"""What a hub takes beside its edges."""
_NAMES_BYTES = 60
"""By how much a page as it is measured here, with its fields' names, is larger than one at rest with its edges."""
_encoder = msgspec.msgpack.Encoder()


class Stage(NamedTuple):
    """One stage of a basket's growth.

    Attributes:
        lines: products in the basket from which it begins.
        pages: tried in order.
    """

    lines: int
    pages: tuple[Page, ...]


def stages_of(shelf: Shelf) -> list[Stage]:
    """Gives the stages of a shopper's tree, each with at least one page; none where there is nothing to show."""
    lines = shelf.plan.lines or shelf.shop.lines
    count = min(STAGES_MAX, 2 + int(lines / LINES_A_STAGE))
    chosen: list[list[tuple[int, Page]]] = [[] for _ in range(count)]
    spent, pages = _STAGE_BYTES * count, 0
    for number, place, page in _wanted(shelf, count):
        cost = _cost(page)
        if pages < PAGES_MAX and spent + cost <= BYTES_AIM:
            chosen[number].append((place, page))
            spent, pages = spent + cost, pages + 1
    made: list[Stage] = []
    least = 1
    for number, placed in enumerate(chosen):
        if placed:
            made.append(Stage(least, tuple(page for _, page in sorted(placed, key=lambda one: one[0]))))
        least += max(1, round(lines * GROWTH * number))
    return made


# (stage, place in its hub, page, rank): what is worth its bytes most comes first. Within a hub, pages that wait for
# something stand before those that only need an empty place.
_Maker = Callable[[Shelf, int], Page | None]
_WORTH: tuple[tuple[int, int, _Maker, int], ...] = (
    *((stage, 30, usual, stage) for stage in range(STAGES_MAX)),
    (0, 10, going_with, 0),
    (0, 11, going_with, 1),
    (1, 10, going_with, 0),
    (1, 41, stripe, 0),
    (1, 42, stripe, 1),
    (1, 50, further, 0),
    (0, 0, asked, 0),
    (1, 0, asked, 0),
    (1, 20, timely, 0),
    (2, 41, stripe, 0),
    (2, 42, stripe, 1),
    (2, 20, timely, 1),
    (2, 50, further, 0),
    (0, 12, going_with, 2),
    (0, 1, asked, 1),
    (1, 11, going_with, 1),
    (3, 41, stripe, 0),
    (3, 42, stripe, 1),
    (1, 1, asked, 1),
    (4, 41, stripe, 0),
    (4, 42, stripe, 1),
    (2, 10, going_with, 0),
    (1, 12, going_with, 2),
    (2, 11, going_with, 1),
)


def _wanted(shelf: Shelf, count: int) -> Iterator[tuple[int, int, Page]]:
    """Gives stage, place and page, the most worthwhile first."""
    for stage, place, make, rank in _WORTH:
        if stage < count:
            page = make(shelf, rank)
            if page is not None:
                yield stage, place, page


def _cost(page: Page) -> int:
    """Gives about how many bytes a page takes, the edge that leads to it included.

    A page that may be asked for is named on every page of the stage before.
    """
    named = 0 if page.asked is None else 6 * (len(page.asked.encode()) + 4)
    return len(_encoder.encode(page.when)) + len(_encoder.encode(page.shown)) - _NAMES_BYTES + named
