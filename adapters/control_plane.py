"""What production stores ask of the control plane: which generations are visible, which replays are wanted.

Two technologies meet behind `TreeStore` and `FailedEvents`: blobs in the hot store, one small row in the control plane
that makes them count. These protocols are that seam; `adapters.postgres` implements them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Generations(Protocol):
    """The generations of trees, by retailer: reserved first, visible once everything of them is stored."""

    def version(self) -> int:
        """Gives a number that changes when any visible generation does; from memory, at most 2 s old."""
        ...

    def visible(self) -> Mapping[str, frozenset[int]]:
        """Gives the visible generations by retailer id; from memory, as of `version`."""
        ...

    async def reserve(self, retailer_id: str) -> int:
        """Gives the next generation of a retailer, from 1; nobody else gets it, used or not.

        Raises:
            PortError: none was reserved.
        """
        ...

    async def show(self, retailer_id: str, generation: int) -> None:
        """Makes a reserved generation visible; this process sees it when the call returns.

        Raises:
            PortError: it may be visible or not; the call may be repeated.
        """
        ...


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
