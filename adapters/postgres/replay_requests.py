"""Failed events that somebody wants processed again (`adapters.control_plane.ReplayRequests`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Session
from domain.errors import Refused

WANTED_MAX = 1_000
"""Requests of one log partition in memory; as they are forgotten, others take their place."""

_SUBJECT = "replays"


class PostgresReplayRequests:
    """Requests by log partition, which is the number before the first dash of a failed id."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        nothing: Mapping[int, Sequence[str]] = {}
        self._kept = cache.keep(_SUBJECT, _load, nothing)

    async def request(self, failed_ids: Sequence[str]) -> int:
        """Leaves requests; one that is there stays.

        Raises:
            PortError: it may have been done or not; the call may be repeated.
            Refused: an id is none of a failed event; nothing was requested.
        """
        if not failed_ids:
            return 0
        # Sorted, so that two processes that request the same never wait for each other in a circle.
        asked = sorted(set(failed_ids))
        partitions = [_partition(failed_id) for failed_id in asked]

        async def write(session: Session) -> int:
            return await session.count(
                "INSERT INTO replays SELECT * FROM unnest(%s::text[], %s::integer[]) ON CONFLICT DO NOTHING",
                (asked, partitions),
            )

        return await self._cache.change((_SUBJECT,), write)

    def wanted(self, partition: int) -> Sequence[str]:
        """Gives what was last loaded: the first `WANTED_MAX` of a partition, by failed id."""
        return self._kept.value.get(partition, ())

    async def forget(self, failed_ids: Sequence[str]) -> None:
        """Removes requests; what is not there is gone already."""
        if not failed_ids:
            return

        async def write(session: Session) -> None:
            await session.rows("DELETE FROM replays WHERE failed_id = ANY(%s::text[])", (sorted(failed_ids),))

        await self._cache.change((_SUBJECT,), write)


def _partition(failed_id: str) -> int:
    number = failed_id.partition("-")[0]
    if not (number.isascii() and number.isdigit()):
        raise Refused(f"{failed_id!r} is no id of a failed event: hotbasket failed list shows them")
    return int(number)


async def _load(session: Session, versions: Versions) -> Mapping[int, Sequence[str]]:
    wanted: dict[int, list[str]] = {}
    query = (
        "SELECT partition, failed_id FROM (SELECT partition, failed_id,"
        " row_number() OVER (PARTITION BY partition ORDER BY failed_id) AS place FROM replays) AS placed"
        " WHERE place <= %s ORDER BY partition, failed_id"
    )
    async for rows in session.slices(query, (WANTED_MAX,)):
        for partition, failed_id in rows:
            wanted.setdefault(partition, []).append(failed_id)
    return wanted
