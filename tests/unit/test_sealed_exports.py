"""Sealed exports: nothing of them is readable, and they open in their place alone, in pieces."""

from __future__ import annotations

import pytest

from adapters.sealed_exports import ExportSealer
from adapters.sealed_shoppers import Sealer
from domain.errors import Refused
from domain.ids import ShopperHash

SHOPPER = ShopperHash("ab" * 32)
DOCUMENT = b'{"shopper": "%s", "query": "quillonaut sauce"}' % SHOPPER.encode()
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def opened(sealed: bytes, key: bytes = KEY, request_id: str = "r-1", digest: str = "d-1") -> bytes:
    """Opens a document whole."""
    return b"".join(ExportSealer(key).chunks(sealed, request_id, digest))


def test_what_is_sealed_says_nothing() -> None:
    """Neither the hash nor a word can be read, and the same document never looks the same."""
    sealer = ExportSealer(KEY)
    sealed = sealer.seal(DOCUMENT, "r-1", "d-1")
    assert DOCUMENT == opened(sealed)
    needles = (SHOPPER.encode(), bytes.fromhex(SHOPPER), b"quillonaut", b"shopper", b"d-1")
    assert [] == [needle for needle in needles if needle in sealed]
    assert sealed != sealer.seal(DOCUMENT, "r-1", "d-1")
    assert "ExportSealer(***)" == repr(sealer)


@pytest.mark.parametrize(
    "place", [{"key": OTHER_KEY}, {"request_id": "r-2"}, {"digest": "d-2"}, {"request_id": "r-1 d", "digest": "-1"}]
)
def test_it_opens_in_its_place_alone(place: dict[str, str]) -> None:
    """Not under another key, for another request or another shopper."""
    sealed = ExportSealer(KEY).seal(DOCUMENT, "r-1", "d-1")
    with pytest.raises(Refused, match="can't be opened"):
        opened(sealed, **place)  # type: ignore[arg-type]  # one is bytes


def test_what_seals_hashes_opens_no_export() -> None:
    """Each purpose has a key of its own."""
    subject = Sealer(KEY).subject(SHOPPER)
    with pytest.raises(Refused, match="can't be opened"):
        opened(subject.sealed, digest=subject.digest)


def test_a_large_document_comes_in_pieces() -> None:
    """None is larger than a quarter of a megabyte, however well it was compressed."""
    large = b"pasta " * 1_000_000
    sealed = ExportSealer(KEY).seal(large, "r-1", "d-1")
    pieces = list(ExportSealer(KEY).chunks(sealed, "r-1", "d-1"))
    assert large == b"".join(pieces)
    assert 256 * 1_024 == max(map(len, pieces))
    assert len(sealed) < len(large) // 50
