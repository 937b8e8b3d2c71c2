"""The key-encryption key: what is wrapped opens in its place alone, and nothing of a key shows."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from adapters.key_wrapping import IdentityPair, KeyEncryptionKey, fresh_pair
from domain.ports.identity_keys import WrappedKeys
from tests.identity import KEYS

SECRET = bytes(range(32))
KEK = KeyEncryptionKey(SECRET)


def test_what_is_wrapped_opens_again() -> None:
    """Another process with the same secret opens it; the same keys never look the same twice."""
    wrapped = [KEK.wrap("r-1", KEYS) for _ in range(3)]
    assert 6 == len({part for one in wrapped for part in (one.shopper, one.privacy)})
    assert [KEYS] * 3 == [KeyEncryptionKey(SECRET).unwrap("r-1", one) for one in wrapped]
    assert {KEK.name} == {one.kek for one in wrapped}


WRAPPED = KEK.wrap("r-1", KEYS)


@pytest.mark.parametrize(
    ("kek", "retailer_id", "kept"),
    [
        (KeyEncryptionKey(SECRET[::-1]), "r-1", WRAPPED),
        (KEK, "r-2", WRAPPED),
        (KEK, "r-1", WRAPPED._replace(shopper=WRAPPED.privacy, privacy=WRAPPED.shopper)),
        (KEK, "r-1", WRAPPED._replace(shopper=KEK.wrap("r-2", KEYS).shopper)),
        (KEK, "r-1", WRAPPED._replace(privacy=WRAPPED.privacy[:-1] + bytes([WRAPPED.privacy[-1] ^ 1]))),
        (KEK, "r-1", WRAPPED._replace(shopper=WRAPPED.shopper[:2] + bytes([WRAPPED.shopper[2] ^ 1]) + b"x" * 58)),
        (KEK, "r-1", WRAPPED._replace(shopper=b"\x02" + WRAPPED.shopper[1:])),
        (KEK, "r-1", WRAPPED._replace(shopper=WRAPPED.shopper[:9])),
        (KEK, "r-1", WRAPPED._replace(privacy=b"")),
    ],
    ids=["other key", "other row", "other purpose", "one moved", "altered", "scrambled", "other form", "cut", "empty"],
)
def test_nothing_opens_anywhere_else(kek: KeyEncryptionKey, retailer_id: str, kept: WrappedKeys) -> None:
    """Under another key, moved to another retailer or purpose, or damaged: it does not open."""
    assert kek.unwrap(retailer_id, kept) is None


def test_a_forged_name_opens_nothing_more() -> None:
    """The name says where to look, and is no part of what is wrapped."""
    other = KeyEncryptionKey(SECRET[::-1])
    assert KEYS == KEK.unwrap("r-1", WRAPPED._replace(kek=other.name))
    assert other.unwrap("r-1", WRAPPED._replace(kek=other.name)) is None


def test_fresh_keys_are_nobodys() -> None:
    """32 random bytes each, never twice."""
    made = [key for _ in range(3) for key in fresh_pair()]
    assert (6, {32}) == (len(set(made)), set(map(len, made)))


def test_derived_keys_are_those_of_before() -> None:
    """HMAC-SHA-256 of purpose and retailer under the secret itself: what was stored by an earlier version is found."""
    wanted = IdentityPair(
        hmac.new(SECRET, b"shopper-key:r-1", hashlib.sha256).digest(),
        hmac.new(SECRET, b"privacy-key:r-1", hashlib.sha256).digest(),
    )
    assert wanted == KEK.derived("r-1")
    assert 4 == len({*KEK.derived("r-1"), *KEK.derived("r-2")})


def test_what_is_kept_never_changes_its_form() -> None:
    """What an earlier version wrapped and named is opened by this one: the form is written down here."""
    kept = WrappedKeys(
        "95a6016c",
        bytes.fromhex(
            "018717ac956dd9587d2e1a64f62d6b07ceb22f575ae0e902b3f85c4d0ee2ea576daa9c5feaf27da3"
            "73cd8a5cc4e094ceab8f67a9e3d35263ddc9df352f"
        ),
        bytes.fromhex(
            "011677c2e9e9a4ad0ec0dc7653f5be790a495664ac0727f1ca85de86517375a820fe9c6b7874eabc"
            "38e0556d304a47b03b2688c2c4670a3967f81f295d"
        ),
    )
    assert (kept.kek, KEYS) == (KEK.name, KEK.unwrap("r-1", kept))


def test_keys_do_not_show() -> None:
    """Keys that are printed or logged by mistake say nothing but a name, which tells nothing of the secret."""
    assert ("IdentityPair(***)", f"KeyEncryptionKey({KEK.name})") == (repr(KEYS), str(KEK))
    assert (8, False) == (len(KEK.name), KEK.name in hashlib.sha256(SECRET).hexdigest() + SECRET.hex())
