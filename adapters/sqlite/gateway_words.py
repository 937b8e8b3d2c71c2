"""The embedded words of gateways (`domain.ports.privacy_requests`), in the control file."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.privacy_rows import CONFIRM, CONFIRMATIONS, LEAVE
from adapters.sqlite.control_file import ControlFile
from domain.ports.privacy_requests import Confirmation


class SqliteGatewayWords:
    """Words, one row a gateway; no version is raised, since nobody's control data change."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._database = control.database

    async def confirm(self, gateway_id: str, version: int, now_ms: int) -> None:
        """Writes the gateway's row."""
        await self._database.write(lambda connection: connection.execute(CONFIRM, (gateway_id, version, now_ms)))

    async def leave(self, gateway_id: str) -> None:
        """Deletes the gateway's row."""
        await self._database.write(lambda connection: connection.execute(LEAVE, (gateway_id,)))

    async def confirmations(self) -> Sequence[Confirmation]:
        """Reads every row."""
        rows = await self._database.read(lambda connection: connection.execute(CONFIRMATIONS).fetchall())
        return [Confirmation(*row) for row in rows]
