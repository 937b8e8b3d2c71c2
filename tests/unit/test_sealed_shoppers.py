"""Sealed shoppers of privacy requests: opened under the retailer's key, for their own digest, whole."""

from __future__ import annotations

import pytest

from adapters.sealed_shoppers import Sealer
from domain.errors import Refused
from domain.ids import ShopperHash, shopper_digest
from domain.ports.privacy_requests import Subject

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
SHOPPER, OTHER = ShopperHash("ab" * 32), ShopperHash("cd" * 32)


def test_a_shopper_comes_out_as_it_went_in() -> None:
    """Named by the digest, sealed anew each time, and nothing of the hash can be seen."""
    sealer = Sealer(KEY)
    first, second = sealer.subject(SHOPPER), sealer.subject(SHOPPER)
    assert shopper_digest(KEY, SHOPPER) == first.digest == second.digest
    assert first.sealed != second.sealed
    assert SHOPPER.encode() not in first.sealed
    assert [SHOPPER] * 2 == [sealer.shopper(one) for one in (first, second)]
    assert "Sealer(***)" == repr(sealer)


def test_what_was_tampered_with_stays_closed() -> None:
    """Under another key, beside another digest, with a changed byte, cut short, or forgotten."""
    sealer = Sealer(KEY)
    subject, other = sealer.subject(SHOPPER), sealer.subject(OTHER)
    flipped = subject.sealed[:-1] + bytes([subject.sealed[-1] ^ 1])
    for opens, closed in (
        (Sealer(OTHER_KEY), subject),
        (sealer, Subject(other.digest, subject.sealed)),
        (sealer, Subject(subject.digest, flipped)),
        (sealer, Subject(subject.digest, subject.sealed[:10])),
        (sealer, Subject(subject.digest, b"")),
    ):
        with pytest.raises(Refused, match="can't be opened"):
            opens.shopper(closed)
