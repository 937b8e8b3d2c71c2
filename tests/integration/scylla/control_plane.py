"""The control plane's two promises (`adapters.control_plane`) in memory, shared by all who open the same stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.errors import PortError


class MemoryGenerations:
    """Generations of trees; can be told to fail when it is asked to show one."""

    def __init__(self) -> None:
        self.fails_to_show = False
        self._version = 1
        self._reserved: dict[str, int] = {}
        self._visible: dict[str, frozenset[int]] = {}

    def version(self) -> int:
        """Counts what was shown."""
        return self._version

    def visible(self) -> Mapping[str, frozenset[int]]:
        """What was shown."""
        return self._visible

    async def reserve(self, retailer_id: str) -> int:
        """The next number."""
        self._reserved[retailer_id] = self._reserved.get(retailer_id, 0) + 1
        return self._reserved[retailer_id]

    async def show(self, retailer_id: str, generation: int) -> None:
        """Makes it count."""
        if self.fails_to_show:
            raise PortError("the control plane is down", retriable=True)
        self._visible = {
            **self._visible,
            retailer_id: self._visible.get(retailer_id, frozenset()) | {generation},
        }
        self._version += 1


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
