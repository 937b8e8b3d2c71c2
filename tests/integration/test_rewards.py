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
            shared = {
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
                await asyncio.to_thread(live, tmp_path, shared, named)
                admin.execute(f"DROP OWNED BY {role}")
                admin.execute(f"DROP ROLE {role}")
    finally:
        stores.close()


def live(folder: Path, shared: Variables, named: Variables) -> None:
    """Prepares the servers, starts gateway and worker, claims, pays."""
    operator = shared | named
    made = hotbasket_json("migrate", "--partitions", "4", "--replication", "1", **operator)["made"]
    assert "0001_vault.sql" in made
    shop = hotbasket_json("retailer", "add", "shop", **operator)
    gateway = Process("gateway", "gateway", folder, ("--port", "0"), operator)
    worker = Process("worker", "worker", folder, ("--processes", "1"), shared)
    try:
        for process in (gateway, worker):
            process.start()
        for process in (gateway, worker):
            process.wait_ready()
        keys = VaultKeys(bytes.fromhex(named["HOTBASKET_VAULT_SECRET"])).claims
        token = issued(keys.tokens, keys.claim_id("e-1"), shop["retailer_id"])
        assert [200, 409] == [claimed(gateway.url, shop["write_key"], token) for _ in range(2)]
        (payout,) = hotbasket_json("rewards", "payouts", "--csv", folder / "due.csv", **operator)
        assert (4_723, True) == (payout["value_minor"], EMAIL in (folder / "due.csv").read_text())
        assert {"paid": 1} == hotbasket_json("rewards", "paid", "--from", folder / "due.csv", **operator)
        assert [0, 0] == [gateway.stop(), worker.stop()]
        said = gateway.log.read_text() + worker.log.read_text()
        assert ([], []) == (
            [word for word in (EMAIL, token) if word in said],
            [] if "Traceback" not in said else [said],
        )
    finally:
        gateway.kill()
        worker.kill()
    without = hotbasket("rewards", "payouts", **shared)
    assert (1, True) == (without.returncode, "HOTBASKET_VAULT is not set" in without.stderr)


def issued(key: bytes, claim_id: str, retailer_id: str) -> str:
    """Gives a token as the gateway issues it."""
    fields = {"aud": "hotbasket/claims", "jti": claim_id, "retailer": retailer_id, "campaign": "spring"}
    return jwt.encode({**fields, "value_minor": 4_723, "currency": "EUR", "exp": 4_000_000_000}, key)


def claimed(url: str, key: str, token: str) -> int:
    """Posts a claim and gives the status."""
    headers = {"authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}", "content-type": "application/json"}
    body: Any = {"claim": token, "email": EMAIL}
    request = urllib.request.Request(f"{url}/v1/rewards/claims", json.dumps(body).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code
