"""Seals documents about shoppers: compressed, then encrypted, so that the control plane holds what it can't read."""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Iterator
from typing import Final

from adapters.seals import Seals
from domain.errors import Refused

_PURPOSE: Final = b"sealed export"
_LEVEL: Final = 6
_CHUNK_BYTES: Final = 256 * 1_024


class ExportSealer:
    """Seals and opens under one retailer's privacy key. Both take a while for a large document: use a thread.

    Args:
        privacy_key: of the retailer, 32 bytes.
    """

    def __init__(self, privacy_key: bytes) -> None:
        self._seals = Seals(hmac.digest(privacy_key, _PURPOSE, "sha256"))

    def __repr__(self) -> str:
        """Shows nothing."""
        return "ExportSealer(***)"

    def seal(self, document: bytes, request_id: str, digest: str) -> bytes:
        """Gives what is kept of a document, which opens for this shopper of this request alone."""
        return self._seals.seal(zlib.compress(document, _LEVEL), _place(request_id, digest))

    def chunks(self, sealed: bytes, request_id: str, digest: str) -> Iterator[bytes]:
        """Gives a document in pieces of at most 256 KiB, so that nobody holds megabytes of it at once.

        Raises:
            Refused: before the first piece: it was sealed under another key or for another place, or is damaged.
        """
        packed = self._seals.opened(sealed, _place(request_id, digest))
        if packed is None:
            raise Refused("a sealed export can't be opened: the retailer's privacy key is another one now")
        return _inflated(packed)


def _inflated(packed: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    while not inflater.eof:
        yield inflater.decompress(packed, _CHUNK_BYTES)
        packed = inflater.unconsumed_tail


def _place(request_id: str, digest: str) -> str:
    return f"{request_id} {digest}"
