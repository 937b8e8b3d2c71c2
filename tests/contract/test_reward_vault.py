"""The contract of `domain.ports.reward_vault.RewardVault`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from adapters.settings import load_settings
from adapters.vault_wiring import OpenedVault, migrate_vault, open_vault
from domain.ports.reward_vault import Claim, ClaimId, Payout, RewardVault
from tests.conftest import SERVERS
from tests.contract.conftest import StoppedClock
from tests.contract.production import SCHEMAS, Stores
from tests.story import NOON_MS, RETAILER

DAY_MS = 86_400_000
MIDNIGHT_MS = NOON_MS // DAY_MS * DAY_MS
EMAIL = "winner@post.example"
USER = "hotbasket"


class Family(NamedTuple):
    """One adapter.

    Attributes:
        opened: opens the vault; what was stored through an earlier opening is there again.
        bytes_kept: gives what its database holds, as whoever has only the database sees it.
    """

    opened: Callable[[], AbstractAsyncContextManager[OpenedVault]]
    bytes_kept: Callable[[], bytes]


@asynccontextmanager
async def sqlite(place: Path, clock: StoppedClock, _: Stores) -> AsyncIterator[Family]:
    """The embedded vault in a directory."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[OpenedVault]:
        vault = await open_vault(place, load_settings(), clock)
        try:
            yield vault
        finally:
            await vault.close()

    yield Family(opened, lambda: b"".join(path.read_bytes() for path in place.glob("vault.db*")))


@asynccontextmanager
async def postgres(_: Path, clock: StoppedClock, stores: Stores) -> AsyncIterator[Family]:
    """The production vault over an empty database on a real server."""
    async with stores.database() as address:
        settings = load_settings(vault=address, vault_user=USER, vault_secret=secrets.token_hex(32))
        files = [(file.name, file.read_text(encoding="utf-8")) for file in SCHEMAS.glob("postgres_vault/*.sql")]
        assert [name for name, _ in files] == list(await migrate_vault(settings, files))

        @asynccontextmanager
        async def opened() -> AsyncIterator[OpenedVault]:
            vault = await open_vault(None, settings, clock)
            try:
                yield vault
            finally:
                await vault.close()

        def bytes_kept() -> bytes:
            with psycopg.connect(address, user=USER) as connection:
                rows: list[tuple[Any, ...]] = connection.execute("SELECT * FROM claims").fetchall()
            return b"\n".join(one if isinstance(one, bytes) else str(one).encode() for row in rows for one in row)

        yield Family(opened, bytes_kept)


@pytest.fixture(params=(sqlite, postgres) if SERVERS.postgres else (sqlite,), ids=lambda adapter: adapter.__name__)
async def family(
    request: pytest.FixtureRequest, tmp_path: Path, clock: StoppedClock, stores: Stores
) -> AsyncIterator[Family]:
    """An adapter over an empty database."""
    async with request.param(tmp_path / "data", clock, stores) as made:
        yield made


@pytest.fixture
async def vault(family: Family) -> AsyncIterator[RewardVault]:
    """The vault, empty."""
    async with family.opened() as opened:
        yield opened.vault


def claim(
    number: int = 1, *, retailer_id: str = RETAILER, campaign_id: str = "spring", value_minor: int = 4_723
) -> Claim:
    """The right to one reward."""
    return Claim(
        claim_id=claim_id(number),
        retailer_id=retailer_id,
        campaign_id=campaign_id,
        value_minor=value_minor,
        currency="EUR",
    )


def claim_id(number: int) -> ClaimId:
    """The id of a claim."""
    return ClaimId(sha256(b"%d" % number).hexdigest())


async def only(vault: RewardVault) -> Payout:
    """The one payout that there is."""
    (payout,) = await vault.payouts(RETAILER)
    return payout


async def test_a_claim_becomes_a_payout(vault: RewardVault, clock: StoppedClock) -> None:
    """Whoever pays gets the address, the amount, the campaign and the time, under an id that is not the claim's."""
    clock.ms += 1
    assert "stored" == await vault.put(claim(), EMAIL)
    payout = await only(vault)
    assert payout == Payout(
        payout_id=payout.payout_id,
        campaign_id="spring",
        email=EMAIL,
        value_minor=4_723,
        currency="EUR",
        claimed_at_ms=NOON_MS + 1,
        state="due",
        settled_at_ms=None,
    )
    assert (64, False) == (len(payout.payout_id), str(payout.payout_id) == str(claim_id(1)))


@pytest.mark.parametrize("email", [EMAIL, "stranger@post.example"])
async def test_a_claim_counts_once(vault: RewardVault, email: str) -> None:
    """A second claim is refused in the same words for the same address and for another, and the first stays."""
    await vault.put(claim(), EMAIL)
    assert "claimed_already" == await vault.put(claim(value_minor=1), email)
    payout = await only(vault)
    assert (EMAIL, 4_723) == (payout.email, payout.value_minor)


async def test_of_claims_at_once_one_counts(family: Family) -> None:
    """However many come at the same moment through several gateways, one address is kept."""
    async with family.opened() as one, family.opened() as other:
        answers = await asyncio.gather(
            *((one, other)[number % 2].vault.put(claim(), f"{number}@post.example") for number in range(8))
        )
        assert ["claimed_already"] * 7 + ["stored"] == sorted(answers)
        assert f"{answers.index('stored')}@post.example" == (await only(other.vault)).email


async def test_a_right_withdrawn_before_the_claim_is_gone(vault: RewardVault) -> None:
    """The mark refuses the claim that comes later, is no payout, and is left once."""
    assert 2 == await vault.withdraw([claim_id(1), claim_id(2), claim_id(1)])
    assert 0 == await vault.withdraw([claim_id(1), claim_id(2)])
    assert "withdrawn" == await vault.put(claim(1), EMAIL)
    assert [] == list(await vault.payouts(RETAILER))
    assert "stored" == await vault.put(claim(3), EMAIL)


async def test_a_right_withdrawn_after_the_claim_is_gone(vault: RewardVault) -> None:
    """The payout is withdrawn, on that day, and a repeated claim hears so."""
    await vault.put(claim(), EMAIL)
    assert 1 == await vault.withdraw([claim_id(1)])
    payout = await only(vault)
    assert ("withdrawn", MIDNIGHT_MS) == (payout.state, payout.settled_at_ms)
    assert "withdrawn" == await vault.put(claim(), EMAIL)


async def test_what_is_paid_stays_paid(vault: RewardVault) -> None:
    """A paid claim is neither withdrawn nor claimed again."""
    await vault.put(claim(), EMAIL)
    assert 1 == await vault.settle(RETAILER, [(await only(vault)).payout_id], "paid")
    assert 0 == await vault.withdraw([claim_id(1)])
    assert 0 == await vault.settle(RETAILER, [(await only(vault)).payout_id], "withdrawn")
    payout = await only(vault)
    assert ("paid", MIDNIGHT_MS) == (payout.state, payout.settled_at_ms)
    assert "claimed_already" == await vault.put(claim(), EMAIL)


async def test_settle_touches_due_payouts_of_the_retailer(vault: RewardVault) -> None:
    """Another retailer's payouts, unknown ones and repeated ones change nothing and are not counted."""
    for number, retailer_id in ((1, RETAILER), (2, RETAILER), (3, "r-2")):
        await vault.put(claim(number, retailer_id=retailer_id), EMAIL)
    mine = [payout.payout_id for payout in await vault.payouts(RETAILER)]
    theirs = [payout.payout_id for payout in await vault.payouts("r-2")]
    assert 1 == await vault.settle(RETAILER, [mine[0], mine[0], *theirs], "withdrawn")
    assert 1 == await vault.settle(RETAILER, mine, "paid")
    assert 0 == await vault.settle(RETAILER, [], "paid")
    assert {mine[0]: "withdrawn", mine[1]: "paid"} == {
        payout.payout_id: payout.state for payout in await vault.payouts(RETAILER)
    }
    assert ["due"] == [payout.state for payout in await vault.payouts("r-2")]


async def test_payouts_are_chosen_and_ordered(vault: RewardVault, clock: StoppedClock) -> None:
    """By retailer, by campaign, by state; the oldest claim comes first, whatever its id."""
    for number, campaign_id in ((5, "spring"), (3, "summer"), (4, "spring"), (1, "spring")):
        clock.ms += 1_000
        await vault.put(claim(number, campaign_id=campaign_id, value_minor=number), EMAIL)
    await vault.put(claim(2, retailer_id="r-2", value_minor=2), EMAIL)
    await vault.withdraw([claim_id(4)])

    async def values(campaign_id: str | None = None, **state: Any) -> list[int]:
        return [payout.value_minor for payout in await vault.payouts(RETAILER, campaign_id, **state)]

    assert [5, 3, 4, 1] == await values()
    assert [5, 4, 1] == await values("spring")
    assert [5, 1] == await values("spring", state="due")
    assert [4] == await values(state="withdrawn")
    assert [] == await values("winter")


async def test_claims_are_there_after_reopening(family: Family) -> None:
    """What was put lasts, and so do marks; another process sees both at once."""
    async with family.opened() as running:
        await running.vault.put(claim(1), EMAIL)
        await running.vault.withdraw([claim_id(2)])
        async with family.opened() as command:
            assert EMAIL == (await only(command.vault)).email
    async with family.opened() as again:
        assert EMAIL == (await only(again.vault)).email
        assert "withdrawn" == await again.vault.put(claim(2), EMAIL)


async def test_expire_forgets_addresses_of_settled_payouts(vault: RewardVault, clock: StoppedClock) -> None:
    """Only whole days that have ended count; what is due keeps its address, and what is forgotten stays an account."""
    for number in (1, 2, 3):
        clock.ms += 1
        await vault.put(claim(number), EMAIL)
    first, *_ = await vault.payouts(RETAILER)
    await vault.settle(RETAILER, [first.payout_id], "paid")
    await vault.withdraw([claim_id(2)])
    assert 0 == await vault.expire(MIDNIGHT_MS + DAY_MS - 1)
    assert 2 == await vault.expire(MIDNIGHT_MS + DAY_MS)
    assert 0 == await vault.expire(MIDNIGHT_MS + DAY_MS)
    assert [("paid", None, 4_723), ("withdrawn", None, 4_723), ("due", EMAIL, 4_723)] == [
        (payout.state, payout.email, payout.value_minor) for payout in await vault.payouts(RETAILER)
    ]
    assert "claimed_already" == await vault.put(claim(1), EMAIL)


async def test_the_database_alone_says_nothing(family: Family) -> None:
    """Whoever has the database, and not the secret, finds neither address nor claim id, nor amount nor time."""
    async with family.opened() as opened:
        for number in range(1, 40):
            await opened.vault.put(claim(number, value_minor=987_654_321), f"{number}-{EMAIL}")
        await opened.vault.withdraw([claim_id(number) for number in range(20, 60)])
        kept = family.bytes_kept()
        assert RETAILER.encode() in kept
        told = [EMAIL.encode(), b"987654321", b"%d" % NOON_MS]
        told += [number.to_bytes(8, "big").lstrip(b"\0") for number in (987_654_321, NOON_MS)]
        for number in (10, 30, 50):
            told += [claim_id(number).encode(), bytes.fromhex(claim_id(number))]
        assert [] == [word for word in told if word in kept]
