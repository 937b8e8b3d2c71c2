"""The Procfile as an operator starts it: honcho, three kinds of processes, one signal to end them all."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.running import environment, hotbasket, hotbasket_json
from tests.contract.production import Stores
from tests.services.given import Servers
from tests.services.processes import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITHIN_S = 90.0
PAGES = {"gateway", "worker", "archiver", "privacy"}
TREE: dict[str, Any] = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}}]
        },
        "sauce": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "recommendation",
                    "ttl_s": 1_800,
                    "content": {"products": [{"product_id": "p-77"}]},
                }
            ]
        },
    },
}


def eventually(holds: Callable[[], bool], said: Callable[[], str]) -> None:
    """Waits until a condition holds, within the deadline."""
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s, said()
        time.sleep(0.1)


def get(url: str) -> tuple[int, str]:
    """Status and body; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""
    except OSError:
        return 0, ""


async def test_honcho_runs_the_procfile(checkout: Path, tmp_path: Path, servers: Servers) -> None:
    """Migrated, doctor is content; pasta brings the sauce; SIGTERM ends every process with nothing left behind."""
    stores = Stores(servers)
    try:
        async with stores.database() as database:
            variables = {
                "HOTBASKET_KAFKA": servers.kafka,
                "HOTBASKET_SCYLLA": servers.scylla,
                "HOTBASKET_POSTGRES": database,
                "HOTBASKET_KAFKA_TOPICS": (name := f"procfile_{secrets.token_hex(4)}"),
                "HOTBASKET_SCYLLA_KEYSPACE": name,
                "HOTBASKET_SUBSCRIPTION_SECRET": secrets.token_hex(32),
                "HOTBASKET_IDENTITY_SECRET": secrets.token_hex(32),
            }
            live(checkout, tmp_path, variables)
    finally:
        stores.close()


def live(checkout: Path, folder: Path, variables: dict[str, str]) -> None:
    """Prepares the servers, starts honcho, shops once, and stops."""
    assert hotbasket("doctor", **variables).returncode == 1, "nothing is there yet"
    assert hotbasket("migrate", "--partitions", "4", "--replication", "1", **variables).returncode == 0
    found = hotbasket("doctor", **variables)
    assert found.returncode == 0, found.stdout
    key = hotbasket_json("retailer", "add", "shop", **variables)["secret_key"]
    tree = folder / "tree.json"
    tree.write_text(json.dumps(TREE))
    assert hotbasket_json("tree", "push", "--retailer", "shop", tree, **variables) == {
        "generation": 1,
        "suppressed": 0,
        "trees": 1,
    }
    port, archiver_port = free_port(), free_port()
    output = folder / "honcho.txt"
    ports = {"WORKER_METRICS_PORT": "0", "PRIVACY_METRICS_PORT": "0", "ARCHIVER_METRICS_PORT": str(archiver_port)}
    with output.open("wb") as sink:
        honcho = subprocess.Popen(
            [sys.executable, "-m", "honcho", "--no-colour", "start", "--port", str(port)],
            cwd=checkout,
            env=environment(**variables, **ports) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: get(f"{url}/health/ready")[0] == 200, output.read_text)
        eventually(lambda: '"working"' in output.read_text(), output.read_text)
        eventually(lambda: bool(experiences(url, key)), output.read_text)
        metrics = f"http://127.0.0.1:{archiver_port}/metrics"
        eventually(lambda: 'archived_records_total{kind="event"}' in get(metrics)[1], output.read_text)
        eventually(lambda: PAGES <= titles(output.read_text()), output.read_text)
        follow(experiences(url, key)[0]["trigger_event_id"], variables)
    finally:
        honcho.send_signal(signal.SIGTERM)
        honcho.wait(WITHIN_S)
    ended = output.read_text()
    assert ended.count('"event": "stopped"') >= 4, ended[-3_000:]
    assert "Traceback" not in ended, ended


def follow(event_id: str, variables: dict[str, str]) -> None:
    """Asks for the event's story: at once of the log, and of the event store alone when the archiver has been there."""

    def told(**more: str) -> dict[str, Any]:
        ran = hotbasket("trace", event_id, "--json", **(variables | more))
        return {step["what"]: step for step in json.loads(ran.stdout)["steps"]} if ran.returncode == 0 else {}

    at_once = told()
    assert "event log" == at_once["stored"]["found_in"]
    assert at_once["processed"]["ms"] >= 0
    assert "sauce" == at_once["decided"]["path"][-1]
    eventually(lambda: {"archived", "decided", "saved"} <= set(told(HOTBASKET_KAFKA="")), lambda: repr(told()))
    assert "event store" == told(HOTBASKET_KAFKA="")["stored"]["found_in"]


def titles(output: str) -> set[str]:
    """What the operator's page of each process that has begun calls it, without its name."""
    pages = [get(url)[1] for url in set(re.findall(r'"page_url": "(.*?)"', output))]
    return {found[1] for page in pages if (found := re.search(r"<title>[a-z]+: hotbasket (\w+), \S+</title>", page))}


def experiences(url: str, key: str) -> list[Any]:
    """Puts pasta into a new shopper's basket and gives what that brings."""
    event = {
        "event_id": str(uuid4()),
        "type": "AddedToBasket",
        "occurred_at": datetime.now(UTC).isoformat(),
        "shopper_id": f"c-{uuid4()}",
        "product": {"product_id": "p-12", "category_id": "pasta"},
    }
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, url, key, "", is_authenticated=True)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
    )
    request = urllib.request.Request(
        f"{url}/v1/events", json.dumps(event).encode(), {"content-type": "application/json", "prefer": "wait=2"}
    )
    with opener.open(request, timeout=10) as answer:
        found: list[Any] = json.loads(answer.read())["experiences"]
        return found
