"""The generations of trees (`adapters.control_plane.Generations`): the row that makes a push count."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Session
from domain.errors import Refused

_SUBJECT = "generations"


class PostgresGenerations:
    """Reserved and visible generations, by retailer."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        nothing: Mapping[str, frozenset[int]] = {}
        self._kept = cache.keep(_SUBJECT, _load, nothing)

    def version(self) -> int:
        """Gives the version of what was last loaded."""
        return self._kept.version

    def visible(self) -> Mapping[str, frozenset[int]]:
        """Gives what was last loaded."""
        return self._kept.value

    async def reserve(self, retailer_id: str) -> int:
        """Takes the next number; who reserves for the same retailer at the same time waits."""

        async def write(session: Session) -> int:
            await session.rows(
                "SELECT pg_advisory_xact_lock(hashtextextended('generations ' || %s, 0))", (retailer_id,)
            )
            ((generation,),) = await session.rows(
                "INSERT INTO generations SELECT %s, COALESCE(MAX(generation), 0) + 1 FROM generations"
                " WHERE retailer_id = %s RETURNING generation",
                (retailer_id, retailer_id),
            )
            return int(generation)

        # No version is raised: nobody sees a generation that is only reserved.
        return await self._cache.change((), write)

    async def show(self, retailer_id: str, generation: int) -> None:
        """Makes a generation visible; one that is visible stays so.

        Raises:
            PortError: it may be visible or not; the call may be repeated.
            Refused: nobody reserved it.
        """

        async def write(session: Session) -> None:
            shown = await session.count(
                "UPDATE generations SET visible_at = COALESCE(visible_at, now())"
                " WHERE retailer_id = %s AND generation = %s",
                (retailer_id, generation),
            )
            if not shown:
                raise Refused(
                    f"generation {generation} of retailer {retailer_id} was never reserved: push the trees again"
                )

        await self._cache.change((_SUBJECT,), write)


async def _load(session: Session, versions: Versions) -> Mapping[str, frozenset[int]]:
    visible: dict[str, set[int]] = {}
    for retailer_id, generation in await session.rows(
        "SELECT retailer_id, generation FROM generations WHERE visible_at IS NOT NULL"
    ):
        visible.setdefault(retailer_id, set()).add(generation)
    return {retailer_id: frozenset(generations) for retailer_id, generations in visible.items()}
