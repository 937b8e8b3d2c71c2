"""An erased shopper leaves no byte: every file of a running embedded system is searched, before and after."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_commands import SAUCE
from tests.cli.test_privacy import wait_until_done
from tests.gateway.standing import added

CANARY, OTHER = "c-quillonaut-7731", "c-stays-here-2204"
WORDS = {
    CANARY: ("quillonaut-pasta", "quillonautsauce", "quillonaut-order", "quillonaut-page", "quillonaut-tree"),
    OTHER: ("stayer-pasta", "stayersauce", "stayer-order", "stayer-page", "stayer-tree"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running system of the file's own, whose checkpoints come fast."""
    with Running(tmp_path_factory.mktemp("canary") / "data") as running:
        yield running


def journey(shopper_id: str) -> list[dict[str, Any]]:
    """What a shopper does, in words of their own."""
    product, query, order, path, _ = WORDS[shopper_id]
    events = [added(product, shopper_id)]
    said: tuple[dict[str, Any], ...] = (
        {"type": "PageViewed", "page": {"kind": "category", "path": f"/{path}"}},
        {"type": "ProductsSearched", "query": query},
        {
            "type": "OrderPaid",
            "order_id": order,
            "lines": [{"product_id": product, "quantity": 1, "price_minor": 100}],
            "total_minor": 100,
            "currency": "EUR",
        },
    )
    for fields in said:
        common = added(shopper_id=shopper_id)
        del common["product"]
        events.append(common | fields)
    pasta = added("pasta", shopper_id)
    pasta["product"]["product_id"] = product
    return [*events, pasta]


@pytest.fixture(scope="module")
def planted(running: Running) -> tuple[str, Mapping[str, tuple[bytes, ...]]]:
    """Lets both shoppers go through the system; gives the secret key, and the bytes that name each."""
    secret: str = hotbasket_json("retailer", "add", "shop", "--data", running.data)["secret_key"]
    trees = running.data.parent / "trees.jsonl"
    lines = [SAUCE]
    for shopper_id in (CANARY, OTHER):
        text = json.dumps(SAUCE).replace("often bought with pasta", WORDS[shopper_id][-1])
        lines.append({**json.loads(text), "shopper": shopper_id})
    trees.write_text("".join(f"{json.dumps(one)}\n" for one in lines), encoding="utf-8")
    hotbasket_json("tree", "push", trees, "--data", running.data)
    named: dict[str, tuple[bytes, ...]] = {}
    for shopper_id in (CANARY, OTHER):
        status, answer = running.post("/v1/events", secret, {"events": journey(shopper_id)}, prefer="wait=2")
        assert (200, {"stored"}) == (status, {one["status"] for one in answer["results"]}), answer
        seen = lookup(running, secret, shopper_id)
        assert seen is not None
        hashed: str = seen["shopper"]
        words = tuple(word.encode() for word in WORDS[shopper_id])
        named[shopper_id] = (hashed.encode(), bytes.fromhex(hashed), shopper_id.encode(), *words)
    return secret, named


def lookup(running: Running, secret: str, shopper_id: str) -> Any:
    """What the system knows of a shopper, once it was saved; None of a stranger."""
    for _ in range(100):
        status, told = running.post("/v1/shoppers/lookup", secret, {"shopper_id": shopper_id})
        if status == 200:
            return told
        time.sleep(0.1)
    return None


def export(running: Running, shopper_id: str) -> Any:
    """Everything that is held about a shopper."""
    ran = hotbasket("privacy", "export", shopper_id, "--retailer", "shop", "--data", running.data)
    assert 0 == ran.returncode, ran.stderr
    return json.loads(ran.stdout)


def found(running: Running, needles: tuple[bytes, ...]) -> list[tuple[str, bytes]]:
    """Which files hold which of the bytes, and whether the metrics or the log do."""
    texts = {"metrics": running.metrics_page().encode()}
    files = [path for path in running.data.rglob("*") if path.is_file()]
    texts |= {path.name: path.read_bytes() for path in (*files, running.output)}
    return [(name, needle) for name, text in sorted(texts.items()) for needle in needles if needle in text]


def test_an_erased_shopper_leaves_no_byte(
    running: Running, planted: tuple[str, Mapping[str, tuple[bytes, ...]]]
) -> None:
    """Neither id, hash, nor words, in any file, while it runs and when it has stopped; others keep theirs."""
    secret, named = planted
    before = found(running, named[CANARY])
    holding = {needle for _, needle in before}
    assert {"control.db", "log.db", "state.db"} <= {name.split("-")[0] for name, _ in before}, before
    # The id itself is nowhere even now, and the hash stands as text.
    assert set(named[CANARY]) - holding == {named[CANARY][1], named[CANARY][2]}
    whole = export(running, CANARY)
    assert [] == [word for word in WORDS[CANARY] if word not in json.dumps(whole)]
    assert all(part["held"] for name, part in whole.items() if name in ("state", "tree", "events", "decisions"))
    assert [] == [word for word in WORDS[OTHER] if word in json.dumps(whole)]
    exported = {"kind": "export", "shopper_ids": [CANARY]}
    kept_at = running.post("/v1/privacy/requests", secret, exported)[1]["request_id"]
    assert 1 == wait_until_done(running, kept_at)["documents_ready"]
    opened = hotbasket_json("privacy", "erase", CANARY, "--data", running.data)
    told = wait_until_done(running, opened["request_id"])
    assert [] == found(running, named[CANARY])
    after = export(running, CANARY)
    assert (None, None, [], [], []) == tuple(
        after[name]["held"] for name in ("state", "tree", "events", "decisions", "failed_events")
    )
    assert ["privacy.export"] == [entry["action"] for entry in after["looked_at"]["held"]][-1:]
    stores = {"failed events", "trees", "snapshots", "event log", "experience log", "warehouse", "exports"}
    receipts = {one["store"]: one for one in told["receipts"]}
    assert stores == set(receipts)
    assert {(0, None)} == {(one["left"], one["waits_for"]) for one in receipts.values()}
    assert {name for name in stores if receipts[name]["removed"]} == stores - {"failed events", "warehouse"}
    assert all(one["found"] == one["removed"] and one["visits"] >= 2 for one in receipts.values())
    status, refused = running.post(f"/v1/privacy/requests/{kept_at}/export", secret, {"shopper_id": CANARY})
    assert (404, "unknown_shopper") == (status, refused["error"])
    kept = {needle for _, needle in found(running, named[OTHER])}
    assert set(named[OTHER]) - kept == {named[OTHER][1], named[OTHER][2]}
    assert lookup(running, secret, OTHER)["session"]["events"] >= 5
    returned(running, secret)
    said = hotbasket("privacy", "status", opened["request_id"], "--data", running.data).stdout
    assert "event log" in said
    assert CANARY not in said


def returned(running: Running, secret: str) -> None:
    """Lets the shopper come back: a stranger, who meets the default tree."""
    fresh = {**added("pasta", CANARY), "event_id": str(uuid4())}
    status, answer = running.post("/v1/events", secret, {"events": [fresh]}, prefer="wait=2")
    assert (200, ["stored"]) == (status, [one["status"] for one in answer["results"]])
    (experience,) = answer["experiences"]
    assert "often bought with pasta" in json.dumps(experience)
    assert 1 == lookup(running, secret, CANARY)["session"]["visits"]


@pytest.mark.usefixtures("planted")
def test_a_stranger_is_erased_and_told_so(running: Running) -> None:
    """Receipts that say that nothing was found; asked again under the same id, the same receipts."""
    request_id = str(uuid4())
    asked = ("privacy", "erase", "c-never-seen", "--and-suppress", "--request-id", request_id, "--data", running.data)
    hotbasket_json(*asked)
    told = wait_until_done(running, request_id)
    counted = {one["store"]: one["found"] for one in told["receipts"]}
    # What the request itself brought: its records in the log, and the state that passes over what comes late.
    assert (0, 0) == (counted["trees"], counted["failed events"])
    again = hotbasket_json(*asked)
    assert ("done", told["done_at"]) == (again["state"], again["done_at"])


def test_after_a_stop_nothing_is_left_either(tmp_path: Path) -> None:
    """What a process writes on its way out names nobody who was erased."""
    with Running(tmp_path / "data") as running:
        secret: str = hotbasket_json("retailer", "add", "shop", "--data", running.data)["secret_key"]
        word = "quillonaut-second"
        event = added("pasta", "c-second")
        event["product"]["product_id"] = word
        assert 200 == running.post("/v1/events", secret, {"events": [event]}, prefer="wait=2")[0]
        assert [] != holding(running, word)
        opened = hotbasket_json("privacy", "erase", "c-second", "--data", running.data)
        wait_until_done(running, opened["request_id"])
        assert 0 == running.stop()
        assert [] == holding(running, word)


def holding(running: Running, word: str) -> list[str]:
    """Gives the files that hold a word."""
    files = [path for path in running.data.rglob("*") if path.is_file()]
    return [path.name for path in files if word.encode() in path.read_bytes()]
