"""The generations of trees (`adapters.control_plane`): the row that makes a release count, and takes it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from adapters.control_plane import GenerationRow, releases_of
from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Session
from domain.ports.tree_releases import Release

_SUBJECT = "generations"


class _Visible(NamedTuple):
    """What is visible, by retailer id."""

    generations: Mapping[str, frozenset[int]]
    newest: Mapping[str, Release]


class PostgresGenerations:
    """Reserved, visible and rolled back generations, by retailer."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        self._kept = cache.keep(_SUBJECT, _load, _Visible({}, {}))

    def version(self) -> int:
        """Gives the version of what was last loaded."""
        return self._kept.version

    def visible(self) -> Mapping[str, frozenset[int]]:
        """Gives what was last loaded."""
        return self._kept.value.generations

    def newest(self) -> Mapping[str, Release]:
        """Gives what was last loaded."""
        return self._kept.value.newest

    async def rows(self, retailer_id: str) -> Sequence[GenerationRow]:
        """Asks the server."""
        async with self._cache.database.session() as session:
            return await _rows(session, retailer_id)

    async def reserve(self, retailer_id: str) -> int:
        """Takes the next number; who reserves for the same retailer at the same time waits."""

        async def write(session: Session) -> int:
            await _lock(session, retailer_id)
            ((generation,),) = await session.rows(
                "INSERT INTO generations (retailer_id, generation)"
                " SELECT %s, COALESCE(MAX(generation), 0) + 1 FROM generations"
                " WHERE retailer_id = %s RETURNING generation",
                (retailer_id, retailer_id),
            )
            return int(generation)

        # No version is raised: nobody sees a generation that is only reserved.
        return await self._cache.change((), write)

    async def show(self, retailer_id: str, generation: int, trees: int) -> None:
        """Makes a generation visible; one that is visible stays so.

        Raises:
            PortError: it may be visible or not; the call may be repeated.
            Refused: it can't be shown.
        """
        if generation in releases_of(await self.rows(retailer_id)).visible:
            return

        async def write(session: Session) -> None:
            await _lock(session, retailer_id)
            releases = releases_of(await _rows(session, retailer_id))
            if generation not in releases.visible:
                releases.check_open(generation)
                await session.rows(
                    "UPDATE generations SET visible_at = now(), trees = %s WHERE retailer_id = %s AND generation = %s",
                    (trees, retailer_id, generation),
                )

        await self._cache.change((_SUBJECT,), write)

    async def hide(self, retailer_id: str) -> int:
        """Rolls the generation shown last back, and gives the newest visible one.

        Raises:
            PortError: it may be hidden or not.
            Refused: there is nothing to go back to.
        """

        async def write(session: Session) -> int:
            await _lock(session, retailer_id)
            hidden, newest = releases_of(await _rows(session, retailer_id)).to_roll_back()
            await session.rows(
                "UPDATE generations SET visible_at = NULL, rolled_back_at = now()"
                " WHERE retailer_id = %s AND generation = %s",
                (retailer_id, hidden),
            )
            return newest

        return await self._cache.change((_SUBJECT,), write)

    async def forgotten(self, retailer_id: str, generations: Collection[int]) -> None:
        """Notes it; nobody needs to look for that."""

        async def write(session: Session) -> None:
            await session.rows(
                "UPDATE generations SET is_forgotten = true WHERE retailer_id = %s AND generation = ANY(%s)",
                (retailer_id, sorted(generations)),
            )

        await self._cache.change((), write)


async def _lock(session: Session, retailer_id: str) -> None:
    """Makes whoever changes generations of the same retailer wait until the transaction ends."""
    await session.rows("SELECT pg_advisory_xact_lock(hashtextextended('generations ' || %s, 0))", (retailer_id,))


async def _rows(session: Session, retailer_id: str) -> list[GenerationRow]:
    return [
        GenerationRow(*row)
        for row in await session.rows(
            "SELECT generation, (extract(epoch FROM visible_at) * 1000)::bigint, rolled_back_at IS NOT NULL, trees,"
            " is_forgotten FROM generations WHERE retailer_id = %s ORDER BY generation DESC",
            (retailer_id,),
        )
    ]


async def _load(session: Session, versions: Versions) -> _Visible:
    visible: dict[str, set[int]] = {}
    newest: dict[str, Release] = {}
    for retailer_id, *release in await session.rows(
        "SELECT retailer_id, generation, (extract(epoch FROM visible_at) * 1000)::bigint, trees FROM generations"
        " WHERE visible_at IS NOT NULL ORDER BY retailer_id, generation"
    ):
        newest[retailer_id] = Release(*release)
        visible.setdefault(retailer_id, set()).add(newest[retailer_id].generation)
    return _Visible({retailer_id: frozenset(generations) for retailer_id, generations in visible.items()}, newest)
