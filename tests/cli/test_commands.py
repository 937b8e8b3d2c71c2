"""The commands beside a running system: what they answer, what they refuse, and that both are in force at once."""

from __future__ import annotations

import json
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import embedded
from domain.ids import Position, shopper_hash
from domain.ports.failed_events import FailedEvent
from domain.records import encode
from monitoring.metrics import Metrics
from tests.cli.running import Running, hotbasket, hotbasket_json, started
from tests.identity import shopper_key
from tests.story import record

WITHIN_S = 30
SAUCE: dict[str, Any] = {
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
                    "content": {"products": [{"product_id": "p-77", "reason": "often bought with pasta"}]},
                }
            ]
        },
    },
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def keys(data: Path) -> dict[str, str]:
    """The keys of a retailer in it."""
    made: dict[str, str] = hotbasket_json("retailer", "add", "shop", "--data", data)
    return made


@pytest.fixture
def running(data: Path, keys: dict[str, str]) -> Iterator[Running]:
    """The system on this directory, with the retailer."""
    with Running(data) as system:
        yield system


def added(shopper_id: str = "c-1", **product: object) -> dict[str, Any]:
    """Pasta goes in the basket."""
    fields = {"product_id": "p-1"} | product
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "type": "AddedToBasket",
        "event_id": str(uuid4()),
        "occurred_at": at,
        "shopper_id": shopper_id,
        "product": fields,
    }


def written(path: Path, *documents: Any) -> Path:
    """A file with one JSON document a line."""
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")
    return path


def explained(data: Path, shopper_id: str, events: int) -> Any:
    """The lookup of a shopper, once it has so many events of the session."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        ran = hotbasket("explain", shopper_id, "--data", data, "--json")
        if ran.returncode == 0:
            found = json.loads(ran.stdout)
            if found["session"]["events"] >= events:
                return found
        assert time.monotonic() < deadline, ran.stdout + ran.stderr


def test_a_retailer_is_added_listed_and_changed(data: Path) -> None:
    """Keys are shown once, by scope; the list and the rules never show them."""
    origins = ("--origin", "https://Shop.example:443", "--origin", "http://localhost:3000")
    keys = hotbasket_json("retailer", "add", "Fresh & Co", "--data", data, *origins)
    assert ["retailer_id", "write_key", "secret_key"] == list(keys)
    assert (True, True) == (keys["write_key"].startswith("wk_"), keys["secret_key"].startswith("sk_"))
    rules = ("--consent-default", "denied", "--retention-days", "30", "--time-zone", "Europe/Paris", "--pii", "refuse")
    more = ("--currency", "chf", "--on-withdrawal", "erase_verified", "--keep", "history=730", "--keep", "audit=365")
    hotbasket_json("retailer", "set", "Fresh & Co", "--data", data, *rules, *more)
    assert [
        {
            "retailer_id": keys["retailer_id"],
            "name": "Fresh & Co",
            "origins": ["https://shop.example", "http://localhost:3000"],
            "consent_default": "denied",
            "retention_days": 30,
            "currency": "CHF",
            "time_zone": "Europe/Paris",
            "pii": "refuse",
            "on_withdrawal": "erase_verified",
            "kept_days": {"history": 730, "audit": 365},
        }
    ] == hotbasket_json("retailer", "list", "--data", data)
    kept = b"".join(path.read_bytes() for path in data.iterdir())
    assert not any(keys[name].encode() in kept for name in ("write_key", "secret_key"))
    assert 0o700 == stat.S_IMODE(data.stat().st_mode)


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        (("retailer", "add", "shop"), ["'shop'"]),
        (("retailer", "add", " "), ["1 to 128 printable characters"]),
        (
            ("retailer", "add", "b", "--origin", "https://b.example/", "--currency", "XXX", "--time-zone", "Mars/Base"),
            ["no web origin", "no ISO 4217 currency", "no IANA time zone"],
        ),
        (("retailer", "set", "other", "--pii", "refuse"), ["no retailer 'other'; there are: shop"]),
        (("retailer", "rotate-key", "other"), ["no retailer 'other'"]),
        (("explain", "nobody"), ["no shopper 'nobody' yet"]),
        (("explain", "nobody", "--retailer", "other"), ["no retailer 'other'"]),
        (("tree", "show"), ["no default tree"]),
        (("failed", "replay", "0-1-7"), ["no failed event 0-1-7"]),
        (("catalogue", "import", "absent.csv"), ["No such file"]),
        (("tree", "push", "absent.json"), ["No such file"]),
    ],
)
def test_a_refusal_is_one_sentence_a_fault(
    arguments: tuple[str, ...], faults: list[str], data: Path, keys: dict[str, str]
) -> None:
    """Exit code 1, nothing on stdout, no traceback, every fault with its cure."""
    ran = hotbasket(*arguments, "--data", data)
    assert (1, "") == (ran.returncode, ran.stdout)
    assert len(faults) == len(ran.stderr.splitlines()), ran.stderr
    assert [] == [fault for fault in faults if fault not in ran.stderr]
    assert [keys["retailer_id"]] == [one["retailer_id"] for one in hotbasket_json("retailer", "list", "--data", data)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("walk",),
        ("retailer", "add"),
        ("retailer", "set", "shop"),
        ("retailer", "set", "shop", "--retention-days", "0"),
        ("retailer", "set", "shop", "--pii", "maybe"),
        ("retailer", "set", "shop", "--on-withdrawal", "forget"),
        ("run", "--port", "70000"),
        ("replay", "events.jsonl"),
        ("replay", "events.jsonl", "--key", "wk_x", "--rate", "1", "--speed", "1"),
        ("failed", "replay"),
        ("failed", "replay", "0-1-7", "--all"),
        ("convert", "complete-journey", "--baskets", "b", "--products", "p", "--json"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """What can't be understood says so on stderr, with the usage."""
    ran = hotbasket(*arguments)
    assert (2, "") == (ran.returncode, ran.stdout)
    assert "Usage:" in ran.stderr


def test_a_directory_without_data_is_refused(tmp_path: Path) -> None:
    """A mistyped --data makes nothing."""
    ran = hotbasket("retailer", "list", "--data", tmp_path / "typo")
    assert (1, 1) == (ran.returncode, len(ran.stderr.splitlines()))
    assert not (tmp_path / "typo").exists()


def test_the_retailer_must_be_named_only_where_there_are_several(data: Path, keys: dict[str, str]) -> None:
    """One retailer is meant anyway; of two, the message names both."""
    tree = written(data.parent / "tree.json", SAUCE)
    assert {"generation": 1, "trees": 1, "suppressed": 0} == hotbasket_json("tree", "push", "--data", data, tree)
    hotbasket_json("retailer", "add", "other", "--data", data)
    assert "--retailer: other, shop" in hotbasket("tree", "push", "--data", data, tree).stderr
    assert 0 == hotbasket("tree", "push", "--data", data, "--retailer", keys["retailer_id"], tree).returncode


def test_a_rotated_key_is_in_force_at_once(running: Running, data: Path, keys: dict[str, str]) -> None:
    """The new key works when the command has ended; the old one as long as it was given, and no longer."""
    fresh = hotbasket_json("retailer", "rotate-key", "shop", "--data", data, "--scope", "write")
    assert ["retailer_id", "write_key"] == list(fresh)
    assert [200, 200] == [running.post("/v1/events", key["write_key"], added())[0] for key in (fresh, keys)]
    last = hotbasket_json("retailer", "rotate-key", "shop", "--data", data, "--overlap-hours", "0")
    assert ["retailer_id", "write_key", "secret_key"] == list(last)
    assert [200, 401, 401] == [running.post("/v1/events", key["write_key"], added())[0] for key in (last, fresh, keys)]
    asked = {"shopper_id": "c-1"}
    assert [200, 401] == [running.post("/v1/subscriptions", key["secret_key"], asked)[0] for key in (last, keys)]


def test_a_pushed_tree_and_catalogue_are_in_force_at_once(running: Running, data: Path, keys: dict[str, str]) -> None:
    """The next event after the commands is met by both; a push with faults names each and leaves the old tree."""
    products = data.parent / "products.csv"
    products.write_text("product_id,name,category_id,price_minor\np-1,Penne,pasta,249\n", encoding="utf-8")
    assert {"imported": 1} == hotbasket_json("catalogue", "import", "--data", data, products)
    hotbasket_json("tree", "push", "--data", data, written(data.parent / "tree.json", SAUCE))
    bad = SAUCE | {"nodes": {"start": {"edges": [{"to": "nowhere", "when": {"kind": "order", "states": []}}]}}}
    ran = hotbasket("tree", "push", "--data", data, written(data.parent / "bad.json", bad))
    assert (1, "") == (ran.returncode, ran.stdout)
    assert '$.nodes.start.edges[0].to: no node "nowhere"' in ran.stderr
    assert len(ran.stderr.splitlines()) > 1
    assert 200 == running.post("/v1/events", keys["write_key"], added())[0]
    found = explained(data, "c-1", events=1)
    line = {"product_id": "p-1", "category_id": "pasta", "quantity": 1, "price_minor": 249}
    assert {"lines": [line], "total_minor": 249, "currency": "EUR"} == found["basket"]
    assert [["start", "sauce"]] == [decision["path"] for decision in found["decisions"]]
    told = hotbasket("explain", "c-1", "--data", data).stdout
    assert "1 × p-1 (pasta) at 2.49 EUR" in told
    assert "way: start → sauce" in told
    assert {"generation": 1, **SAUCE} == hotbasket_json("tree", "show", "--data", data)


def test_a_shopper_can_have_a_tree_of_its_own(data: Path, keys: dict[str, str]) -> None:
    """JSON Lines push many trees at once; who has none is shown the default one."""
    own = SAUCE | {"shopper": "loyalty-no-2", "nodes": {"start": {}}}
    trees = written(data.parent / "trees.jsonl", SAUCE, own)
    checked = hotbasket_json("tree", "validate", trees)
    assert 2 == checked["trees"]
    assert {"generation": 1, "trees": 2, "suppressed": 0} == hotbasket_json("tree", "push", "--data", data, trees)
    assert ["loyalty-no-2", "default"] == [
        hotbasket_json("tree", "show", shopper, "--data", data)["shopper"] for shopper in ("loyalty-no-2", "c-3")
    ]


def test_an_address_is_no_shopper(data: Path, keys: dict[str, str]) -> None:
    """A tree for an e-mail address is refused, and the address is not repeated."""
    ran = hotbasket(
        "tree", "push", "--data", data, written(data.parent / "tree.json", SAUCE | {"shopper": "ann@shop.example"})
    )
    assert (1, True, False) == (ran.returncode, "e-mail" in ran.stderr, "ann@" in ran.stderr)


async def keep_failed(data: Path, retailer_id: str, shopper: str) -> None:
    """Keeps an event of a shopper that failed."""
    product = {"product_id": "p-1", "price_minor": 100, "currency": "EUR"}
    told = record("AddedToBasket", 0, 7, product=product)
    told = replace(told, retailer_id=retailer_id, event=replace(told.event, shopper_id=shopper))
    failure = FailedEvent(
        failed_id="0-1-7",
        partition=0,
        position=Position(1, 7),
        retailer_id=retailer_id,
        shopper=shopper,
        event_id=str(told.event.event_id),
        reason="tree_unreadable",
        detail="tree version 9 is not 1",
        path="$.tree",
        payload=encode(told),
        failed_at_ms=SystemClock().now_ms(),
        expires_at_ms=SystemClock().now_ms() + 3_600_000,
    )
    ports = embedded(data, load_settings(), Metrics(), SystemClock())
    await ports.failed.put([failure])
    await ports.close()


def hash_in(data: Path, keys: dict[str, str], shopper_id: str) -> str:
    """Gives under which hash the retailer's shopper is stored."""
    return shopper_hash(shopper_key(data, keys["retailer_id"]), shopper_id)


async def test_a_failed_event_is_listed_and_replayed(data: Path, keys: dict[str, str]) -> None:
    """What failed is listed without its payload; a replay hands it to the running system under its own id."""
    await keep_failed(data, keys["retailer_id"], hash_in(data, keys, "c-1"))
    (listed,) = hotbasket_json("failed", "list", "--data", data)
    assert ["0-1-7", "tree_unreadable", "$.tree"] == [listed[name] for name in ("failed_id", "reason", "path")]
    assert "payload" not in listed
    with Running(data) as running:
        assert {"requested": 1, "suppressed": 0} == hotbasket_json("failed", "replay", "0-1-7", "--data", data)
        running.wait_until_processed(1)
        assert 0 == running.stop()
    assert [] == hotbasket_json("failed", "list", "--data", data)


async def test_a_replay_in_vain_is_said(data: Path, keys: dict[str, str]) -> None:
    """A failed event of a suppressed shopper is replayed as asked, with a word on stderr that it changes nothing."""
    await keep_failed(data, keys["retailer_id"], hash_in(data, keys, "c-objects"))
    hotbasket_json("privacy", "suppress", "c-objects", "--data", data)
    ran = hotbasket("failed", "replay", "--all", "--data", data, "--json")
    assert {"requested": 1, "suppressed": 1} == json.loads(ran.stdout)
    assert "1 of these is of a suppressed shopper: passed over, nothing changes\n" == ran.stderr


def test_a_replay_reports_and_refuses(running: Running, data: Path, keys: dict[str, str]) -> None:
    """Exactly one JSON document on stdout; rejected events with their line on stderr; a wrong key ends with 1."""
    file = written(data.parent / "events.jsonl", added(), added() | {"quantity": 0}, added("loyalty-no-2"))
    ran = hotbasket("replay", "--url", running.url, "--key", keys["write_key"], "--json", file)
    result = json.loads(ran.stdout)
    assert (0, 3, 2, 1) == (ran.returncode, result["sent"], result["stored"], result["rejected"])
    assert f"{file} line 2 was rejected" in ran.stderr
    assert {"sent", "stored", "rejected", "dropped", "retried", "seconds", "ack_ms"} == set(result)
    ran = hotbasket("replay", "--url", running.url, "--key", "wk_wrong", file)
    assert (1, True) == (ran.returncode, "check --url and --key" in ran.stderr)
    assert keys["write_key"] not in running.output.read_text()
    assert "loyalty-no-2" not in running.output.read_text()


def test_an_interrupted_replay_says_how_far_it_came(running: Running, data: Path, keys: dict[str, str]) -> None:
    """Ctrl+C ends a replay with its result so far and one sentence; running it again sends the rest."""
    file = written(data.parent / "events.jsonl", *(added() for _ in range(50)))
    arguments = ("--url", running.url, "--key", keys["write_key"], "--rate", "1", "--json", file)
    with started("replay", *arguments) as replay:
        running.wait_until_processed(1)
        replay.send_signal(signal.SIGINT)
        stdout, stderr = replay.communicate(timeout=WITHIN_S)
    assert (1, True) == (replay.returncode, 1 <= json.loads(stdout)["stored"] < 50), stderr
    assert "interrupted after" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_a_replay_waits_for_a_gateway_that_comes_back(data: Path, keys: dict[str, str]) -> None:
    """Nobody at the address: it tries for as long as it was told, then says what to do."""
    file = written(data.parent / "events.jsonl", added())
    arguments = ("--url", "http://127.0.0.1:9", "--key", keys["write_key"], "--give-up-after", "0.5")
    ran = hotbasket("replay", *arguments, "--json", file)
    assert (1, 1, 0) == (ran.returncode, json.loads(ran.stdout)["sent"], json.loads(ran.stdout)["stored"])
    assert "gave up on the event of line 1" in ran.stderr.splitlines()[-1]


def test_the_doctor_finds_a_healthy_system_healthy(running: Running, data: Path) -> None:
    """Beside a running system every check is good, the ports are known as its own, and nothing is changed."""
    found = hotbasket_json(
        "doctor",
        "--data",
        data,
        "--port",
        running.url.rpartition(":")[2],
        HOTBASKET_METRICS_PORT=running.metrics_url.removesuffix("/metrics").rpartition(":")[2],
    )
    details = {one["check"]: one["detail"] for one in found["checks"]}
    assert (True, []) == (found["good"], [one for one in found["checks"] if not one["good"]])
    assert "taken by a hotbasket that is ready" in details["port"]
    assert "taken by a running hotbasket" in details["metrics port"]
    assert {"log.db", "state.db", "control.db", "secrets", "snapshots", "identity keys"} <= set(details)
    assert "no night has come to it yet" == details["warehouse"]


def test_the_doctor_looks_for_the_warehouse(data: Path) -> None:
    """A disk that is not mounted would stop every erasure."""
    ran = hotbasket("doctor", "--data", data, HOTBASKET_WAREHOUSE=str(data / "not-mounted"))
    (line,) = [one for one in (ran.stdout + ran.stderr).splitlines() if one.startswith("BAD")]
    assert (1, f"BAD   warehouse: the warehouse {data / 'not-mounted'} is not there") == (
        ran.returncode,
        line.partition(";")[0],
    )
    assert "mount it" in line


def test_the_doctor_finds_what_is_wrong(data: Path, keys: dict[str, str]) -> None:
    """Each fault comes with its cure, and the exit code is 1."""
    (data / "secrets.json").unlink()
    for beside in data.glob("state.db-*"):
        beside.unlink()
    (data / "state.db").write_bytes(b"no database " * 4_096)
    ran = hotbasket("doctor", "--data", data, "--json", HOTBASKET_DRAIN_S="0")
    bad = {one["check"]: one["cure"] for one in json.loads(ran.stdout)["checks"] if not one["good"]}
    assert (1, {"settings", "secrets", "state.db", "snapshots"}) == (ran.returncode, set(bad)), ran.stdout
    assert all(bad.values())
    assert not (data / "secrets.json").exists()
