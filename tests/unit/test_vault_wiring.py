"""Opening the vault: its secret, where it is, and what keeps it apart from everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.secrets import load_secrets
from adapters.settings import Settings, load_settings
from adapters.vault_wiring import open_vault
from domain.errors import PortError, Refused
from domain.ports.reward_vault import Claim, ClaimId
from tests.contract.conftest import StoppedClock

SECRET, OTHER = "ab" * 32, "cd" * 32
AWAY = "postgresql://127.0.0.1:1/vault"
CLAIM = Claim(claim_id=ClaimId("c" * 64), retailer_id="r-1", campaign_id="spring", value_minor=4_723, currency="EUR")


async def put(data: Path, claim: Claim = CLAIM) -> str:
    """Opens the embedded vault, puts a claim and closes it."""
    opened = await open_vault(data, load_settings(), StoppedClock())
    try:
        return await opened.vault.put(claim, "winner@post.example")
    finally:
        await opened.close()


def production(**fields: Any) -> Settings:
    """Settings of a production system with a vault, some changed."""
    return load_settings(**{"vault": AWAY, "vault_secret": SECRET, "vault_timeout_s": 1, **fields})


async def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """It has a file of its own, which nobody else may read; the next start finds what the first one sealed."""
    assert ["stored", "claimed_already"] == [await put(tmp_path), await put(tmp_path)]
    path = tmp_path / "vault-secret.json"
    assert 0o600 == path.stat().st_mode & 0o777
    load_secrets(tmp_path)
    assert path.read_bytes()[-20:] not in (tmp_path / "secrets.json").read_bytes()


async def test_a_lost_secret_is_not_replaced(tmp_path: Path) -> None:
    """A new one would open no address: the sentence asks for the backup."""
    await put(tmp_path)
    (tmp_path / "vault-secret.json").unlink()
    with pytest.raises(Refused, match=r"vault-secret\.json is gone: .*backup.*no e-mail address in the vault"):
        await put(tmp_path)


async def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The sentence says how to close the file."""
    await put(tmp_path)
    (tmp_path / "vault-secret.json").chmod(0o604)
    with pytest.raises(Refused, match="chmod 600"):
        await put(tmp_path)


async def test_another_secret_opens_nothing(tmp_path: Path) -> None:
    """With another installation's secret the payouts can't be read, and that is said."""
    await put(tmp_path / "one")
    await put(tmp_path / "other")
    (tmp_path / "other" / "vault-secret.json").replace(tmp_path / "one" / "vault-secret.json")
    opened = await open_vault(tmp_path / "one", load_settings(), StoppedClock())
    try:
        with pytest.raises(PortError, match="sealed under another secret"):
            await opened.vault.payouts("r-1")
    finally:
        await opened.close()


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"vault": ""}, "HOTBASKET_VAULT is not set"),
        ({"vault_secret": ""}, "HOTBASKET_VAULT_SECRET must be 64 hex digits"),
        ({"vault_secret": "ab" * 31}, "HOTBASKET_VAULT_SECRET must be 64 hex digits"),
        ({"vault_secret": "xy" * 32}, "HOTBASKET_VAULT_SECRET must be 64 hex digits"),
        ({"identity_secret": SECRET.upper()}, "HOTBASKET_VAULT_SECRET is HOTBASKET_IDENTITY_SECRET: make another"),
        ({"subscription_secret": SECRET}, "HOTBASKET_VAULT_SECRET is HOTBASKET_SUBSCRIPTION_SECRET: make another"),
        ({"postgres": "postgres://127.0.0.1:1/vault"}, "HOTBASKET_VAULT names the database of HOTBASKET_POSTGRES"),
        (
            {"postgres": "postgresql://127.0.0.1:1/control", "vault_user": "hotbasket"},
            "HOTBASKET_VAULT_USER is the role of HOTBASKET_POSTGRES_USER",
        ),
    ],
)
async def test_a_vault_that_is_not_kept_apart_is_refused(fields: dict[str, Any], fault: str) -> None:
    """What is missing, malformed or shared with the rest of the system is one sentence before anything is opened."""
    with pytest.raises(Refused, match=fault) as raised:
        await open_vault(None, production(**fields), StoppedClock())
    assert SECRET not in str(raised.value).lower()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"postgres": "postgresql://127.0.0.1:1/control", "identity_secret": OTHER, "subscription_secret": OTHER},
        {"postgres": "postgresql://127.0.0.2:1/vault", "vault_user": "hotbasket"},
    ],
    ids=["alone", "beside the control plane", "on another server"],
)
async def test_a_vault_that_is_away_opens_all_the_same(fields: dict[str, Any]) -> None:
    """A gateway starts without it: each claim fails, may be repeated, and the sentence names the vault's settings."""
    opened = await open_vault(None, production(**fields), StoppedClock())
    with pytest.raises(PortError, match=r"127\.0\.0\.1:1/vault.*correct HOTBASKET_VAULT;") as raised:
        await opened.vault.put(CLAIM, "winner@post.example")
    assert (True, False) == (raised.value.retriable, "winner" in str(raised.value))
    await opened.close()


def test_the_settings_show_no_secret() -> None:
    """Settings that are logged at start show neither the vault's secret nor its password."""
    shown = str(production(vault_password="hush-hush"))
    assert ("vault_user=hotbasket_vault" in shown, SECRET in shown, "hush" in shown) == (True, False, False)


def test_an_address_with_a_password_is_refused() -> None:
    """As with the control plane, credentials have settings of their own."""
    with pytest.raises(Refused, match=r"HOTBASKET_VAULT: .*user and password have settings of their own"):
        load_settings(vault="postgresql://me:word@127.0.0.1/vault")
