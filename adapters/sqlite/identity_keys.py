"""The embedded rows of wrapped keys (`domain.ports.identity_keys`), in the control file."""

from __future__ import annotations

import sqlite3

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.retailers import check_known, put_wrapped, wrapped_keys
from domain.ports.identity_keys import WrappedKeys


class SqliteIdentityKeyRows:
    """Wrapped keys by retailer; `SqliteRetailers` reads them."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control

    async def replace(self, retailer_id: str, wrapped: WrappedKeys, *, instead_of: WrappedKeys | None) -> bool:
        """Looks and replaces in one transaction."""

        def write(connection: sqlite3.Connection) -> bool:
            check_known(connection, retailer_id)
            if wrapped_keys(connection).get(retailer_id) != instead_of:
                return False
            put_wrapped(connection, retailer_id, wrapped)
            return True

        return await self._file.change("retailers", write)
