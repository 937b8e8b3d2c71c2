"""What production stores ask of the control plane: which generations are visible, which replays are wanted.

Two technologies meet behind `TreeStore`, `TreeReleases` and `FailedEvents`: blobs in the hot store, one small row in
the control plane that makes them count. These protocols are that seam; `adapters.postgres` implements them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.ports.tree_releases import Release
from domain.releases import Releases


class Generations(Protocol):
    """The visible generations of trees, by retailer, from memory."""

    def version(self) -> int:
        """Gives a number that changes when any visible generation does; from memory, at most 2 s old."""
        ...

    def visible(self) -> Mapping[str, frozenset[int]]:
        """Gives the visible generations by retailer id; from memory, as of `version`."""
        ...

    def newest(self) -> Mapping[str, Release]:
        """Gives the newest visible generation by retailer id; from memory, as of `version`."""
        ...


class GenerationRow(NamedTuple):
    """One generation of a retailer.

    Attributes:
        generation: its number.
        visible_at_ms: since when it is visible; None while it is not, or not any more.
        is_rolled_back: whether it was visible once and never will be again.
        trees: how many it brought, once shown.
        is_forgotten: whether its trees are deleted.
    """

    generation: int
    visible_at_ms: int | None
    is_rolled_back: bool
    trees: int
    is_forgotten: bool


class GenerationRows(Protocol):
    """The rows behind `Generations`: reserved first, visible once everything of them is stored."""

    async def rows(self, retailer_id: str) -> Sequence[GenerationRow]:
        """Gives all generations of a retailer as they are now, newest first.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def reserve(self, retailer_id: str) -> int:
        """Gives the next generation of a retailer, from 1; nobody else gets it, used or not.

        Raises:
            PortError: none was reserved.
        """
        ...

    async def show(self, retailer_id: str, generation: int, trees: int) -> None:
        """Makes a reserved generation visible; this process sees it when the call returns.

        Raises:
            Refused: `domain.releases` says why.
            PortError: it may be visible or not; the call may be repeated.
        """
        ...

    async def hide(self, retailer_id: str) -> int:
        """Rolls the generation shown last back, gives the newest visible one; this process sees it on return.

        Raises:
            Refused: `domain.releases` says why.
            PortError: it may be hidden or not.
        """
        ...

    async def forgotten(self, retailer_id: str, generations: Collection[int]) -> None:
        """Notes that the trees of generations are deleted.

        Raises:
            PortError: it may be noted or not; the call may be repeated.
        """
        ...


def releases_of(rows: Iterable[GenerationRow]) -> Releases:
    """Gives what the rows of a retailer say."""
    found = list(rows)
    return Releases(
        begun=max((row.generation for row in found), default=0),
        visible=frozenset(row.generation for row in found if row.visible_at_ms is not None),
        rolled_back=frozenset(row.generation for row in found if row.is_rolled_back),
    )


class ReplayRequests(Protocol):
    """Failed events that somebody wants processed again."""

    async def request(self, failed_ids: Sequence[str]) -> int:
        """Leaves requests; gives how many are new."""
        ...

    def wanted(self, partition: int) -> Sequence[str]:
        """Gives the failed ids requested for a log partition; from memory, at most 2 s old."""
        ...

    async def forget(self, failed_ids: Sequence[str]) -> None:
        """Removes requests; this process sees it when the call returns."""
        ...
