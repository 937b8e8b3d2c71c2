"""What the control plane forgets when its time is over: audit entries, requests that are done, words of gateways."""

from __future__ import annotations

from typing import Protocol


class ControlExpiry(Protocol):
    """Used once a day, for each retailer; every call may be repeated, and by several processes at once."""

    async def audit(self, retailer_id: str, before_ms: int) -> int:
        """Removes a retailer's audit entries of before a moment, and notes that moment; no entry goes any other way.

        Returns:
            How many were removed.

        Raises:
            PortError: some may be removed.
        """
        ...

    async def requests(self, retailer_id: str, before_ms: int) -> int:
        """Removes privacy requests that were done before a moment, with shoppers, exports, tombstones and receipts.

        A request stays as long as it keeps somebody on the list of the suppressed, and as long as an earlier one about
        the same shopper stays that is open or was done later: who is on the list, and who leaves it, is as before.

        Returns:
            How many were removed.

        Raises:
            PortError: some may be removed.
        """
        ...

    async def words(self, before_ms: int) -> int:
        """Forgets gateways that have said nothing since a moment; one that comes back speaks up by itself.

        Returns:
            How many were forgotten.

        Raises:
            PortError: some may be forgotten.
        """
        ...

    async def oldest_entry_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest audit entry of a retailer was made, None where none is older than a moment.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def oldest_request_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives since when the oldest request that should be gone is done, None where none is since before a moment.

        Raises:
            PortError: can't be read now.
        """
        ...
