"""Rewards in production: the gateway and the commands reach the vault, the worker is never told of it."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest

from adapters.vault_keys import VaultKeys
from tests.cli.running import hotbasket, hotbasket_json
from tests.contract.production import Stores
from tests.kept_values import Cell, atoms, forms_of, in_postgres, shared
from tests.services.given import Servers
from tests.services.system import Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EMAIL = "winner@post.example"
Variables = dict[str, str]


async def test_a_claim_reaches_the_vault_and_nothing_else(tmp_path: Path, servers: Servers) -> None:
    """Migrated, a gateway with the vault takes a claim, and a worker lives that was given none of its variables."""
    stores = Stores(servers)
    name = f"rewards_{secrets.token_hex(4)}"
    try:
        async with stores.database() as control, stores.database() as vault:
            common = {
                "HOTBASKET_KAFKA": servers.kafka,
                "HOTBASKET_SCYLLA": servers.scylla,
                "HOTBASKET_POSTGRES": control,
                "HOTBASKET_KAFKA_TOPICS": name,
                "HOTBASKET_SCYLLA_KEYSPACE": name,
            }
            named = {
                "HOTBASKET_SUBSCRIPTION_SECRET": secrets.token_hex(32),
                "HOTBASKET_IDENTITY_SECRET": secrets.token_hex(32),
                "HOTBASKET_VAULT": vault,
                "HOTBASKET_VAULT_USER": (role := f"vault_{secrets.token_hex(4)}"),
                "HOTBASKET_VAULT_SECRET": secrets.token_hex(32),
            }
            with psycopg.connect(vault, user="hotbasket", autocommit=True) as admin:
                admin.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
                await asyncio.to_thread(live, tmp_path, common, named)
                admin.execute(f"DROP OWNED BY {role}")
                admin.execute(f"DROP ROLE {role}")
    finally:
        stores.close()


def live(folder: Path, common: Variables, named: Variables) -> None:
    """Prepares the servers, starts gateway and worker, claims, pays."""
    operator = common | named
    made = hotbasket_json("migrate", "--partitions", "4", "--replication", "1", **operator)["made"]
    assert "0001_vault.sql" in made
    shop = hotbasket_json("retailer", "add", "shop", **operator)
    gateway = Process("gateway", "gateway", folder, ("--port", "0"), operator)
    worker = Process("worker", "worker", folder, ("--processes", "1"), common)
    try:
        for process in (gateway, worker):
            process.start()
        for process in (gateway, worker):
            process.wait_ready()
        keys = VaultKeys(bytes.fromhex(named["HOTBASKET_VAULT_SECRET"])).claims
        token = issued(keys.tokens, keys.claim_id("e-1"), shop["retailer_id"])
        assert [200, 409] == [claimed(gateway.url, shop["write_key"], token) for _ in range(2)]
        assert 404 == posted(gateway.url, shop["secret_key"], "/v1/shoppers/lookup", {"shopper_id": "loyalty-no-9"})
        (payout,) = hotbasket_json("rewards", "payouts", "--csv", folder / "due.csv", **operator)
        assert (4_723, True) == (payout["value_minor"], EMAIL in (folder / "due.csv").read_text())
        assert {"paid": 1} == hotbasket_json("rewards", "paid", "--from", folder / "due.csv", **operator)
        look_across(operator, shop["retailer_id"], payout)
        assert [0, 0] == [gateway.stop(), worker.stop()]
        said = gateway.log.read_text() + worker.log.read_text()
        assert ([], []) == (
            [word for word in (EMAIL, token) if word in said],
            [] if "Traceback" not in said else [said],
        )
    finally:
        gateway.kill()
        worker.kill()
    without = hotbasket("rewards", "payouts", **common)
    assert (1, True) == (without.returncode, "HOTBASKET_VAULT is not set" in without.stderr)


def look_across(operator: Variables, retailer_id: str, payout: Any) -> None:
    """Reads the vault's database and the control plane's whole: nothing that they share names anybody.

    The control plane has seen a shopper looked up, whose digest would be found.
    """
    inside = in_postgres(operator["HOTBASKET_VAULT"], "hotbasket")
    opened = [Cell(f"opened.{name}", value) for name, value in payout.items()]
    others = in_postgres(operator["HOTBASKET_POSTGRES"], "hotbasket")
    explained = {
        retailer_id: "whose reward it is",
        "EUR": "the currency, sealed in the vault",
        1: "the number of a schema's first step",
    }
    assert explained.keys() == shared([*inside, *opened], others)
    digests = {one["target"] for one in hotbasket_json("audit", **operator) if one["action"] == "lookup"}
    assert (1, digests, set()) == (len(digests), digests & atoms(others), digests & atoms(inside))
    names = forms_of(VaultKeys(bytes.fromhex(operator["HOTBASKET_VAULT_SECRET"])), "e-1")
    assert {payout["payout_id"]} == {names["payout id"]} == set(names.values()) & atoms(inside)
    assert set() == {EMAIL, *names.values()} & atoms(others)


def issued(key: bytes, claim_id: str, retailer_id: str) -> str:
    """Gives a token as the gateway issues it."""
    fields = {"aud": "hotbasket/claims", "jti": claim_id, "retailer": retailer_id, "campaign": "spring"}
    return jwt.encode({**fields, "value_minor": 4_723, "currency": "EUR", "exp": 4_000_000_000}, key)


def claimed(url: str, key: str, token: str) -> int:
    """Posts a claim and gives the status."""
    return posted(url, key, "/v1/rewards/claims", {"claim": token, "email": EMAIL})


def posted(url: str, key: str, path: str, body: Any) -> int:
    """Posts JSON with a key and gives the status."""
    headers = {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
