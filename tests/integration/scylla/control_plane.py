"""The control plane's promises (`adapters.control_plane`) in memory, shared by all who open the same stores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from adapters.control_plane import GenerationRow, releases_of
from domain.errors import PortError
from domain.ports.tree_releases import Release
from tests.story import NOON_MS


class MemoryGenerations:
    """Generations of trees; can be told to fail when it is asked to show one."""

    def __init__(self) -> None:
        self.fails_to_show = False
        self._version = 1
        self._rows: dict[str, dict[int, GenerationRow]] = {}

    def version(self) -> int:
        """Counts what was shown and hidden."""
        return self._version

    def visible(self) -> Mapping[str, frozenset[int]]:
        """What was shown and not hidden."""
        return {retailer_id: releases_of(rows.values()).visible for retailer_id, rows in self._rows.items()}

    def newest(self) -> Mapping[str, Release]:
        """The newest of what is visible."""
        return {
            retailer_id: Release(max(generations), NOON_MS, 0)
            for retailer_id, generations in self.visible().items()
            if generations
        }

    async def rows(self, retailer_id: str) -> Sequence[GenerationRow]:
        """Newest first."""
        return sorted(self._rows.get(retailer_id, {}).values(), reverse=True)

    async def reserve(self, retailer_id: str) -> int:
        """The next number."""
        rows = self._rows.setdefault(retailer_id, {})
        generation = len(rows) + 1
        rows[generation] = GenerationRow(generation, None, False, 0, False)
        return generation

    async def show(self, retailer_id: str, generation: int, trees: int) -> None:
        """Makes it count."""
        if self.fails_to_show:
            raise PortError("the control plane is down", retriable=True)
        rows = self._rows[retailer_id]
        now = releases_of(rows.values())
        if generation not in now.visible:
            now.check_open(generation)
            rows[generation] = rows[generation]._replace(visible_at_ms=NOON_MS, trees=trees)
            self._version += 1

    async def hide(self, retailer_id: str) -> int:
        """Makes the last one count no more."""
        rows = self._rows[retailer_id]
        hidden, newest = releases_of(rows.values()).to_roll_back()
        rows[hidden] = rows[hidden]._replace(visible_at_ms=None, is_rolled_back=True)
        self._version += 1
        return newest

    async def forgotten(self, retailer_id: str, generations: Collection[int]) -> None:
        """Notes it."""
        rows = self._rows[retailer_id]
        rows.update({generation: rows[generation]._replace(is_forgotten=True) for generation in generations})


class MemoryRequests:
    """Requests for replays."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}

    async def request(self, failed_ids: Sequence[str]) -> int:
        """Leaves requests."""
        new = [failed_id for failed_id in failed_ids if failed_id not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        return len(new)

    def wanted(self, partition: int) -> Sequence[str]:
        """Those of a partition, oldest first."""
        return [failed_id for failed_id in self._wanted if failed_id.startswith(f"{partition}-")]

    async def forget(self, failed_ids: Sequence[str]) -> None:
        """Removes requests."""
        for failed_id in failed_ids:
            self._wanted.pop(failed_id, None)
