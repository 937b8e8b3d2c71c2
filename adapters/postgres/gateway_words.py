"""The production words of gateways (`domain.ports.privacy_requests`), in Postgres.

One connection is kept: each gateway speaks every few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from adapters.postgres.database import Database, Row, Value, in_postgres
from adapters.postgres.kept_session import KeptSession
from adapters.privacy_rows import CONFIRM, CONFIRMATIONS, LEAVE
from domain.ports.privacy_requests import Confirmation


class PostgresGatewayWords:
    """Words, one row a gateway; no version is raised, since nobody's control data change."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._kept = KeptSession(database)

    async def confirm(self, gateway_id: str, version: int, now_ms: int) -> None:
        """Writes the gateway's row."""
        await self._rows(CONFIRM, (gateway_id, version, now_ms))

    async def leave(self, gateway_id: str) -> None:
        """Deletes the gateway's row."""
        await self._rows(LEAVE, (gateway_id,))

    async def confirmations(self) -> Sequence[Confirmation]:
        """Reads every row."""
        return [Confirmation(*row) for row in await self._rows(CONFIRMATIONS)]

    async def close(self) -> None:
        """Closes the connection, under a call in flight too; may be repeated."""
        await self._kept.close()

    async def _rows(self, query: LiteralString, parameters: Sequence[Value] = ()) -> list[Row]:
        return await self._kept.once_more(lambda session: session.rows(in_postgres(query), parameters))
