"""The vault's keys: what is sealed opens in its place alone, and nothing is derived twice for two purposes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.vault_keys import ClaimKeys, VaultKeys
from domain.errors import PortError
from domain.ports.reward_vault import ClaimId, PayoutId

SECRET = bytes(range(32))
HERE, ELSEWHERE = PayoutId("a" * 64), PayoutId("b" * 64)
EMAIL = b"winner@post.example"


def test_what_is_sealed_opens_again() -> None:
    """Another start with the same secret reads it; the same address never looks the same twice."""
    sealed = {VaultKeys(SECRET).seal(HERE, "email", EMAIL) for _ in range(3)}
    assert 3 == len(sealed)
    assert {EMAIL} == {VaultKeys(SECRET).unseal(HERE, "email", one) for one in sealed}
    assert not [one for one in sealed if b"winner" in one]


@pytest.mark.parametrize(
    "open_wrongly",
    [
        lambda sealed: VaultKeys(SECRET).unseal(ELSEWHERE, "email", sealed),
        lambda sealed: VaultKeys(SECRET).unseal(HERE, "terms", sealed),
        lambda sealed: VaultKeys(SECRET[::-1]).unseal(HERE, "email", sealed),
        lambda sealed: VaultKeys(SECRET).unseal(HERE, "email", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        lambda sealed: VaultKeys(SECRET).unseal(HERE, "email", b"\x02" + sealed[1:]),
        lambda sealed: VaultKeys(SECRET).unseal(HERE, "email", sealed[:10]),
        lambda _: VaultKeys(SECRET).unseal(HERE, "email", b""),
    ],
    ids=["other row", "other field", "other secret", "altered", "other form", "cut", "empty"],
)
def test_nothing_opens_anywhere_else(open_wrongly: Callable[[bytes], bytes]) -> None:
    """Moved, altered, or under another secret: one sentence that names the payout and the cure, not its content."""
    sealed = VaultKeys(SECRET).seal(HERE, "email", EMAIL)
    with pytest.raises(PortError, match=r"can't be opened: .*backup") as raised:
        open_wrongly(sealed)
    assert (False, False) == (raised.value.retriable, "winner" in str(raised.value))


def test_ids_are_hashes_under_keys_of_their_own() -> None:
    """An experience has one claim and a claim one payout; with another secret all are others, and no key is another."""
    keys, others = VaultKeys(SECRET), VaultKeys(SECRET[::-1])
    claim_id = keys.claims.claim_id("e-1")
    ids = {
        claim_id,
        keys.claims.claim_id("e-2"),
        others.claims.claim_id("e-1"),
        keys.payout_id(claim_id),
        others.payout_id(claim_id),
        keys.payout_id(ClaimId("e-1")),
        keys.claims.tokens.hex(),
        keys.claims.ids.hex(),
        SECRET.hex(),
    }
    assert (9, {64}) == (len(ids), {len(one) for one in ids})
    assert claim_id == VaultKeys(SECRET).claims.claim_id("e-1")


def test_derived_keys_never_change() -> None:
    """What was sealed and issued by an earlier version is read by this one: the derivation is written down here."""
    keys = VaultKeys(SECRET)
    assert (
        "c0071e4fbbb9a0af8a4e8cfaa3c4c52d53179444863ef20aa8fbffb915eb29e8",
        "733b37273454a3bcdcdad16c9c4c54f15c835dea1cae6ba9f36e77f069c70145",
    ) == (keys.claims.claim_id("e-1"), keys.payout_id(ClaimId("c-1")))
    assert EMAIL == keys.unseal(
        HERE,
        "email",
        bytes.fromhex(
            "01c5e1e561b8f8a335670a676515438a7d5bc2c0caf21fdf669df04725682a61db5193422a3e0f018d9c868f2b553581"
        ),
    )


def test_keys_do_not_show() -> None:
    """Keys that are printed or logged by mistake say nothing."""
    keys = VaultKeys(SECRET)
    assert ("VaultKeys(***)", "ClaimKeys(***)") == (repr(keys), str(keys.claims))
    assert isinstance(keys.claims, ClaimKeys)
