"""Who can name shoppers on real servers, and the key-encryption key changed under them by commands."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from adapters.clock import SystemClock
from adapters.key_wrapping import KeyEncryptionKey
from adapters.settings import Settings
from adapters.wiring import Role, production
from domain.errors import Refused
from monitoring.metrics import Metrics
from tests.cli.running import hotbasket, hotbasket_json
from tests.services.postgres import USER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVERS = ("kafka", "kafka_topics", "scylla", "scylla_keyspace", "postgres")


def variables(settings: Settings, identity: str, before: str = "") -> dict[str, str]:
    """The environment of a command with these key-encryption keys."""
    given = {f"HOTBASKET_{name.upper()}": str(getattr(settings, name)) for name in SERVERS}
    given["HOTBASKET_SUBSCRIPTION_SECRET"] = settings.subscription_secret.get_secret_value()
    return given | {"HOTBASKET_IDENTITY_SECRET": identity, "HOTBASKET_IDENTITY_SECRET_BEFORE": before}


async def command(*arguments: str, **environment: str) -> Any:
    """Runs a command that must succeed, beside the event loop."""
    return await asyncio.to_thread(hotbasket_json, *arguments, **environment)


async def shopper_key(settings: Settings, identity: str, retailer_id: str) -> bytes:
    """The key that a command with this key-encryption key opens."""
    with_it = settings.model_copy(update={"identity_secret": SecretStr(identity)})
    ports = await production(with_it, Metrics(), SystemClock(), role="command")
    try:
        return ports.identity.shopper_key(retailer_id)
    finally:
        await ports.close()


@pytest.mark.parametrize("role", ["worker", "archiver", "batch"])
async def test_who_works_on_hashes_can_name_nobody(settings: Settings, role: Role) -> None:
    """Even where the environment holds the secret: its ports refuse to give a key, to wrap one and to change one."""
    made = await command("retailer", "add", "shop", **variables(settings, settings.identity_secret.get_secret_value()))
    retailer_id: str = made["retailer_id"]
    ports = await production(settings, Metrics(), SystemClock(), role=role, member="one")
    try:
        assert retailer_id in ports.retailers.current().wrapped
        for ask in (ports.identity.shopper_key, ports.identity.privacy_key):
            with pytest.raises(Refused, match="this process holds no HOTBASKET_IDENTITY_SECRET"):
                ask(retailer_id)
        with pytest.raises(Refused, match="holds no"), ports.identity.fresh(retailer_id):
            pass
        with pytest.raises(Refused, match="holds no"):
            await ports.identity.renew_shopper_key(retailer_id)
        assert (b"", b"", b"") == tuple(ports.secrets)
    finally:
        await ports.close()


async def test_the_key_is_changed_and_every_shopper_stays(settings: Settings) -> None:
    """Stored keys and derived ones: read under both while it changes, under the new one alone afterwards."""
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    stored = (await command("retailer", "add", "shop", **variables(settings, old)))["retailer_id"]
    derived = (await command("retailer", "add", "older", **variables(settings, old)))["retailer_id"]
    with psycopg.connect(settings.postgres, user=USER) as control:
        control.execute("DELETE FROM identity_keys WHERE retailer_id = %s", (derived,))
    before = {one: await shopper_key(settings, old, one) for one in (stored, derived)}
    done = await command("retailer", "rewrap-keys", **variables(settings, new, old))
    assert ({stored, derived}, 0) == (set(done["rewrapped"]), done["unchanged"])
    assert KeyEncryptionKey(bytes.fromhex(new)).name == done["key_encryption_key"]
    assert before == {one: await shopper_key(settings, new, one) for one in (stored, derived)}
    again = await command("retailer", "rewrap-keys", **variables(settings, new))
    assert ([], 2) == (again["rewrapped"], again["unchanged"])


async def test_a_wrong_key_is_told_and_a_leaked_one_replaced(settings: Settings) -> None:
    """A command with another key-encryption key tells so without a byte; the right one makes a new shopper key."""
    right, wrong = secrets.token_hex(32), secrets.token_hex(32)
    retailer_id = (await command("retailer", "add", "shop", **variables(settings, right)))["retailer_id"]
    before = await shopper_key(settings, right, retailer_id)
    for arguments in (("rewrap-keys",), ("new-shopper-key", "shop", "--yes")):
        ran = await asyncio.to_thread(hotbasket, "retailer", *arguments, "--json", **variables(settings, wrong))
        (line,) = ran.stderr.splitlines()[-1:]
        assert (1, "") == (ran.returncode, ran.stdout)
        name = KeyEncryptionKey(bytes.fromhex(wrong)).name
        assert line.startswith(f"key-encryption key {name} does not open the keys of retailer {retailer_id}")
        assert [] == [one for one in (right, wrong, before.hex()) if one in ran.stderr]
        looked = await asyncio.to_thread(hotbasket, "doctor", "--json", **variables(settings, wrong))
        assert ["identity keys"] == [one["check"] for one in json.loads(looked.stdout)["checks"] if not one["good"]]
    assert before == await shopper_key(settings, right, retailer_id)
    await command("retailer", "new-shopper-key", "shop", "--yes", **variables(settings, right))
    assert before != await shopper_key(settings, right, retailer_id)
    trail = await command("audit", "--retailer", "shop", **variables(settings, right))
    told = [(entry["action"], entry["outcome"]) for entry in trail]
    assert [
        ("retailer.add", "done"),
        ("retailer.rewrap-keys", "failed"),
        ("retailer.new-shopper-key", "failed"),
        ("retailer.new-shopper-key", "done"),
    ] == told
