"""`hotbasket rewards`, beside a running system that takes claims: what people who pay see, and what nobody may."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.vault_keys import VaultKeys
from adapters.vault_wiring import embedded_vault
from domain.ports.reward_vault import Claim
from tests.cli.running import Running, hotbasket, hotbasket_json

EMAIL = "winner@post.example"


class Ticking(SystemClock):
    """A clock of which no two looks see the same millisecond: who claimed first is shown first."""

    def __init__(self) -> None:
        self._last_ms = 0

    def now_ms(self) -> int:
        """The time, or a millisecond after the last look."""
        self._last_ms = max(super().now_ms(), self._last_ms + 1)
        return self._last_ms


class Shop:
    """A retailer in a data directory, and its vault."""

    def __init__(self, data: Path, name: str) -> None:
        made = hotbasket_json("retailer", "add", name, "--data", data)
        self.data = data
        self.name = name
        self._clock = Ticking()
        self.retailer_id: str = made["retailer_id"]
        self.write_key: str = made["write_key"]

    def claim(self, *numbers: int, campaign_id: str = "spring") -> None:
        """Leaves the address of a winner for the experience `e-NUMBER` of each of these numbers."""
        asyncio.run(self._claim(numbers, campaign_id))

    async def _claim(self, numbers: tuple[int, ...], campaign_id: str) -> None:
        opened = embedded_vault(self.data, load_settings(), self._clock)
        for number in numbers:
            claim = Claim(
                claim_id=opened.keys.claims.claim_id(f"e-{number}"),
                retailer_id=self.retailer_id,
                campaign_id=campaign_id,
                value_minor=1_000 + number,
                currency="EUR",
            )
            assert "stored" == await opened.vault.put(claim, f"{number}-{EMAIL}")
        await opened.close()

    def rewards(self, command: str, *arguments: str | Path) -> Any:
        """Runs a command that must succeed, and gives what it says."""
        return hotbasket_json("rewards", command, *arguments, "--data", self.data, "--retailer", self.name)

    def refused(self, command: str, *arguments: str | Path) -> str:
        """Runs a command that must be refused, and gives the sentence."""
        ran = hotbasket("rewards", command, *arguments, "--data", self.data, "--retailer", self.name)
        assert (1, "", 1) == (ran.returncode, ran.stdout, len(ran.stderr.splitlines())), ran.stderr
        return ran.stderr


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A retailer in a new data directory."""
    return Shop(tmp_path / "data", "shop")


def test_payouts_are_exported_paid_and_gone(shop: Shop, tmp_path: Path) -> None:
    """What is due goes to a file that its owner alone may read, comes back as paid, and is due no more."""
    shop.claim(1, 2)
    shop.claim(3, campaign_id="summer")
    file = tmp_path / "due.csv"
    shown = shop.rewards("payouts", "--campaign", "spring", "--csv", file)
    assert 0o600 == file.stat().st_mode & 0o777
    with file.open(newline="") as exported:
        rows = list(csv.DictReader(exported))
    assert [(f"1-{EMAIL}", "1001", "EUR", "spring"), (f"2-{EMAIL}", "1002", "EUR", "spring")] == [
        (row["email"], row["value_minor"], row["currency"], row["campaign_id"]) for row in rows
    ]
    assert [row["payout_id"] for row in rows] == [payout["payout_id"] for payout in shown]
    assert {"paid": 2} == shop.rewards("paid", "--from", file)
    assert {"paid": 0} == shop.rewards("paid", "--from", file)
    assert [1_003] == [payout["value_minor"] for payout in shop.rewards("payouts")]
    assert [1_001, 1_002] == [payout["value_minor"] for payout in shop.rewards("payouts", "--state", "paid")]
    assert 3 == len(shop.rewards("payouts", "--state", "all"))


def test_addresses_leave_for_the_file_alone(shop: Shop, tmp_path: Path) -> None:
    """Neither a person's list nor the JSON document shows one, with or without an export."""
    shop.claim(1)
    for more in ([], ["--json"], ["--csv", tmp_path / "one.csv"], ["--csv", tmp_path / "two.csv", "--json"]):
        ran = hotbasket("rewards", "payouts", "--data", shop.data, *more)
        assert (0, False) == (ran.returncode, "post.example" in ran.stdout + ran.stderr)
        assert "1001" in ran.stdout
    assert EMAIL in (tmp_path / "one.csv").read_text()


def test_a_file_that_is_there_is_not_written(shop: Shop, tmp_path: Path) -> None:
    """It might be readable by others: the command refuses it and leaves it as it is."""
    shop.claim(1)
    (tmp_path / "due.csv").write_text("mine")
    assert "is there already" in shop.refused("payouts", "--csv", tmp_path / "due.csv")
    assert "mine" == (tmp_path / "due.csv").read_text()


def test_rewards_are_withdrawn_by_payout_and_by_experience(shop: Shop) -> None:
    """A due payout, a claimed experience and one that nobody claimed yet: each counts once, and none is paid then."""
    shop.claim(1, 2)
    (first, _) = [payout["payout_id"] for payout in shop.rewards("payouts")]
    assert {"withdrawn": 1} == shop.rewards("withdraw", first)
    assert {"withdrawn": 2} == shop.rewards(
        "withdraw", "--experience", "e-1", "--experience", "e-2", "--experience", "e-3"
    )
    assert {"withdrawn": 0} == shop.rewards("withdraw", first, "--experience", "e-3")
    assert [] == shop.rewards("payouts")
    assert "is withdrawn, so it can't be paid" in shop.refused("paid", first)


def test_faults_are_one_sentence(shop: Shop, tmp_path: Path) -> None:
    """Unknown payouts, another retailer's, what is paid already and a file of another kind change nothing."""
    shop.claim(1)
    (payout_id,) = [payout["payout_id"] for payout in shop.rewards("payouts")]
    other = Shop(shop.data, "other")
    assert "other has no payout" in other.refused("paid", payout_id)
    assert "shop has no payout 00" in shop.refused("withdraw", "00")
    (tmp_path / "list.csv").write_text("name\nx\n")
    assert "no column payout_id" in shop.refused("paid", "--from", tmp_path / "list.csv")
    assert "No such file" in shop.refused("paid", "--from", tmp_path / "nothing.csv")
    assert {"paid": 1} == shop.rewards("paid", payout_id)
    assert "is paid, so it can't be withdrawn" in shop.refused("withdraw", payout_id)
    for command in ("paid", "withdraw"):
        assert 2 == hotbasket("rewards", command, "--data", shop.data).returncode


def test_a_running_system_takes_claims(shop: Shop) -> None:
    """A claim posted to the running system is a payout of the command, and a withdrawal of the command is in force."""
    with Running(shop.data) as system:
        secret = json.loads((shop.data / "vault-secret.json").read_text())["vault"]
        keys = VaultKeys(bytes.fromhex(secret)).claims
        body = {"claim": _token(keys.tokens, keys.claim_id("e-1"), shop.retailer_id), "email": EMAIL}
        assert (200, {"status": "stored"}) == system.post("/v1/rewards/claims", shop.write_key, body)
        assert [4_723] == [payout["value_minor"] for payout in shop.rewards("payouts")]
        shop.rewards("withdraw", "--experience", "e-2")
        body["claim"] = _token(keys.tokens, keys.claim_id("e-2"), shop.retailer_id)
        status, answer = system.post("/v1/rewards/claims", shop.write_key, body)
        assert (410, "withdrawn") == (status, answer["error"])
        assert 0 == system.stop()
        assert EMAIL not in system.output.read_text()


def test_production_needs_its_vault(tmp_path: Path) -> None:
    """On servers that name no vault the command says which setting is missing before it reaches any of them."""
    servers = {"HOTBASKET_KAFKA": "127.0.0.1:1", "HOTBASKET_SCYLLA": "127.0.0.1:1"}
    servers["HOTBASKET_POSTGRES"] = "postgresql://127.0.0.1:1/control"
    ran = hotbasket("rewards", "payouts", **servers)
    assert (1, "", True) == (ran.returncode, ran.stdout, "HOTBASKET_VAULT is not set" in ran.stderr)


def _token(key: bytes, claim_id: str, retailer_id: str) -> str:
    """A token as the gateway issues it."""
    fields = {"aud": "hotbasket/claims", "jti": claim_id, "retailer": retailer_id, "campaign": "spring"}
    return jwt.encode({**fields, "value_minor": 4_723, "currency": "EUR", "exp": 4_000_000_000}, key)
