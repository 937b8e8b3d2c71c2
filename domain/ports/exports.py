"""What a request of the kind `export` has brought: one sealed document a shopper, kept for some days.

Shoppers are named by their digest, as in the request. What is sealed says nothing to whoever holds the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Export(NamedTuple):
    """One shopper's document.

    Attributes:
        sealed: compressed and encrypted; empty = it was made once and is gone: its time is over, or the shopper erased.
        made_at_ms: when reading began, Unix milliseconds: nothing in it is older news.
        until_ms: when it is removed.
    """

    sealed: bytes
    made_at_ms: int
    until_ms: int


class Made(NamedTuple):
    """That a shopper's document was made.

    Attributes:
        digest: how the request names the shopper.
        is_there: whether it still is.
        until_ms: when it is removed.
    """

    digest: str
    is_there: bool
    until_ms: int


class Exports(Protocol):
    """Documents of all requests. One that was made is never made again: whoever works goes on with those missing."""

    async def keep(self, request_id: str, digest: str, export: Export) -> None:
        """Keeps a shopper's document; one that was made before stays as it is, even if it is gone.

        Of a shopper who is being erased, or was since `made_at_ms`, nothing is kept but that it was made.

        Raises:
            PortError: it may be there or not; the call may be repeated.
        """
        ...

    async def get(self, retailer_id: str, request_id: str, digest: str) -> Export | None:
        """Gives a shopper's document, None where none was made in this request of this retailer.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def made(self, request_id: str) -> Sequence[Made]:
        """Gives whose documents were made, by digest, 5,000 at most.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def forget(self, retailer_id: str, digests: Sequence[str]) -> int:
        """Removes every document of a retailer's shoppers, and gives how many there were.

        Raises:
            PortError: some may be gone; the call may be repeated.
        """
        ...

    async def expire(self, now_ms: int) -> int:
        """Removes the documents whose time is over, and gives how many.

        Raises:
            PortError: some may be gone; the call may be repeated.
        """
        ...

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest document of a retailer was made before a moment; None where there is none.

        Raises:
            PortError: can't be read now.
        """
        ...
