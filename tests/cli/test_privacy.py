"""`hotbasket privacy`: a shopper objects at a running system, changes their mind, withdraws; what can't be asked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_commands import SAUCE, written
from tests.gateway.standing import added

DONE_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running system for the file."""
    with Running(tmp_path_factory.mktemp("privacy") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def secret(running: Running) -> str:
    """The secret key of a retailer of that system, who has a tree."""
    added_retailer = hotbasket_json("retailer", "add", "shop", "--data", running.data)
    hotbasket_json("tree", "push", written(running.data.parent / "tree.json", SAUCE), "--data", running.data)
    key: str = added_retailer["secret_key"]
    return key


def shown(running: Running, secret: str, shopper_id: str) -> tuple[str, int]:
    """Puts pasta into a basket: what became of the event, and how many experiences it brought."""
    status, answer = running.post("/v1/events", secret, added("pasta", shopper_id), prefer="wait=2")
    assert 200 == status, answer
    (result,) = answer["results"]
    return result["status"], len(answer["experiences"])


def wait_until_done(running: Running, request_id: str, within_s: float = DONE_WITHIN_S) -> dict[str, Any]:
    """Asks for a request until it is done."""
    deadline_s = time.monotonic() + within_s
    while True:
        told: dict[str, Any] = hotbasket_json("privacy", "status", request_id, "--data", running.data)
        if told["state"] == "done":
            return told
        assert time.monotonic() < deadline_s, told


def test_a_shopper_objects_and_changes_their_mind(running: Running, secret: str, tmp_path: Path) -> None:
    """From the command's end on events are dropped; from the opposite's end on they are taken, and decided, again."""
    objections = tmp_path / "objections.txt"
    objections.write_text("c-objects\n\nc-never-seen\nc-objects\n", encoding="utf-8")
    assert ("stored", 1) == shown(running, secret, "c-objects")
    opened = hotbasket_json("privacy", "suppress", "--file", objections, "--data", running.data)
    assert ("suppress", 2, "open") == (opened["kind"], opened["shoppers"], opened["state"])
    assert ("dropped", 0) == shown(running, secret, "c-objects")
    assert ("stored", 1) == shown(running, secret, "c-stays")
    assert 2 == wait_until_done(running, opened["request_id"])["shoppers"]
    said = hotbasket("privacy", "status", opened["request_id"], "--data", running.data).stdout
    assert f"request {opened['request_id']}: suppress 2 shoppers\n  done at " in said
    assert "c-objects" not in said
    back = hotbasket_json("privacy", "unsuppress", "c-objects", "--data", running.data)
    wait_until_done(running, back["request_id"])
    assert ("stored", 1) == shown(running, secret, "c-objects")
    actions = [entry["action"] for entry in hotbasket_json("audit", "--data", running.data)]
    assert ["privacy.suppress", "privacy.unsuppress"] == actions[-2:]
    assert 0 == running.metric("hotbasket_privacy_requests_overdue")


def test_trees_of_suppressed_shoppers_are_left_out(running: Running, secret: str, tmp_path: Path) -> None:
    """They are counted, and never named; where there is no other, nothing is pushed."""
    assert secret
    opened = hotbasket_json("privacy", "suppress", "c-no-tree", "c-nor-this", "--data", running.data)
    wait_until_done(running, opened["request_id"])
    trees = tmp_path / "trees.jsonl"
    own = json.dumps(SAUCE).replace("often bought with pasta", "a tree of their own")
    lines = [json.dumps(SAUCE)]
    lines += [json.dumps({**json.loads(own), "shopper": one}) for one in ("c-no-tree", "c-has-one", "c-nor-this")]
    trees.write_text("\n".join(lines), encoding="utf-8")
    pushed = hotbasket("tree", "push", trees, "--data", running.data, "--json")
    assert (0, "2 shoppers are suppressed: left out\n") == (pushed.returncode, pushed.stderr)
    document = json.loads(pushed.stdout)
    assert (2, 2) == (document["trees"], document["suppressed"])
    shown_of = [
        hotbasket_json("tree", "show", one, "--data", running.data)["shopper"] for one in ("c-has-one", "c-no-tree")
    ]
    assert ["c-has-one", "default"] == shown_of
    trees.write_text(lines[1], encoding="utf-8")
    refused = hotbasket("tree", "push", trees, "--data", running.data)
    assert 1 == refused.returncode
    assert "every tree is of a suppressed shopper" in refused.stderr
    assert "c-no-tree" not in refused.stderr


def test_who_withdraws_consent_is_erased_where_the_retailer_says_so(running: Running, secret: str) -> None:
    """By the page's key: the request is opened before the answer and comes to its end, and others keep everything."""

    def known(shopper_id: str) -> int:
        status, _ = running.post("/v1/shoppers/lookup", secret, {"shopper_id": shopper_id})
        return status

    def wait_until_known(*shopper_ids: str) -> None:
        deadline_s = time.monotonic() + DONE_WITHIN_S
        while {200} != {known(one) for one in shopper_ids}:
            assert time.monotonic() < deadline_s, shopper_ids
            time.sleep(0.05)

    denied = {**added("pasta", "c-leaves"), "consent": "denied"}
    said = hotbasket_json("retailer", "rotate-key", "shop", "--scope", "write", "--data", running.data)
    for shopper_id in ("c-leaves", "c-remains"):
        assert ("stored", 1) == shown(running, secret, shopper_id)
    wait_until_known("c-leaves", "c-remains")
    assert 200 == running.post("/v1/events", said["write_key"], {**added("pasta", "c-remains"), "consent": "denied"})[0]
    hotbasket_json("retailer", "set", "shop", "--on-withdrawal", "erase", "--data", running.data)
    status, answer = running.post("/v1/events", said["write_key"], denied)
    assert (200, ["no_consent"]) == (status, [one["reason"] for one in answer["results"]])
    entry = next(one for one in hotbasket_json("audit", "--data", running.data) if one["who"] == "withdrawal")
    assert ("privacy.erase", "done") == (entry["action"], entry["outcome"])
    told = wait_until_done(running, entry["target"].removeprefix("privacy request "))
    assert ("erase", 1) == (told["kind"], told["shoppers"])
    assert [] == [one for one in told["receipts"] if one["left"] or one["waits_for"]]
    assert (404, 200) == (known("c-leaves"), known("c-remains"))
    assert 1 == running.metric("hotbasket_erased_on_withdrawal_total")
    hotbasket_json("retailer", "set", "shop", "--on-withdrawal", "keep", "--data", running.data)


def test_what_can_not_be_asked(running: Running, secret: str, tmp_path: Path) -> None:
    """Nobody, too many, an e-mail address, which is not repeated; and a request that nobody made."""
    assert secret
    many = tmp_path / "many.txt"
    many.write_text("\n".join(str(number) for number in range(5_001)), encoding="utf-8")
    address = tmp_path / "address.txt"
    address.write_text("c-1\nann@example.org\n", encoding="utf-8")
    for arguments, said in (
        ((), "name 1 to 5000 shoppers"),
        (("--file", str(many)), "these are 5001"),
        (("--file", str(address)), "number 2 holds an e-mail address"),
        (("c-1", "--request-id", "seven"), "Input should be a valid UUID"),
    ):
        refused = hotbasket("privacy", "suppress", *arguments, "--data", running.data, COLUMNS="200")
        assert (2, True) == (refused.returncode, said in refused.stderr), refused.stderr
        assert "example.org" not in refused.stderr
    request_id = str(uuid4())
    unknown = hotbasket("privacy", "status", request_id, "--data", running.data)
    assert (1, f"shop has made no request {request_id}\n") == (unknown.returncode, unknown.stderr)


def test_an_export_by_http(running: Running, secret: str) -> None:
    """Asked for with a key, made by the running system, and fetched; the command tells how far it is."""
    assert "stored" == shown(running, secret, "c-exported")[0]
    status, opened = running.post(
        "/v1/privacy/requests", secret, {"kind": "export", "shopper_ids": ["c-exported", "c-never-seen"]}
    )
    assert (202, "export") == (status, opened["kind"])
    told = wait_until_done(running, opened["request_id"])
    assert (2, 2) == (told["shoppers"], told["documents_ready"])
    path = f"/v1/privacy/requests/{opened['request_id']}/export"
    status, document = running.post(path, secret, {"shopper_id": "c-exported"})
    assert (200, ["p-pasta"]) == (status, [one["event"]["product"]["product_id"] for one in document["events"]["held"]])
    assert [opened["request_id"]] == [one["request_id"] for one in document["requests"]["held"]]
    assert (404, "unknown_shopper") == _refused(running.post(path, secret, {"shopper_id": "c-else"}))
    said = hotbasket("privacy", "status", opened["request_id"], "--data", running.data).stdout
    assert "export 2 shoppers" in said
    assert "2 ready; the first expires at " in said


def _refused(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]


def test_exports_into_files(running: Running, secret: str, tmp_path: Path) -> None:
    """One a shopper, named by the hash and readable by its owner; run again, it makes those that are missing."""
    assert "stored" == shown(running, secret, "c-filed")[0]
    ids, out = tmp_path / "ids.txt", tmp_path / "out"
    ids.write_text("c-filed\nc-nobody\n", encoding="utf-8")
    arguments = ("privacy", "export", "--file", ids, "--out", out, "--data", running.data)
    first = hotbasket(*arguments)
    assert (0, f"2 made, 0 were there: {out}\n") == (first.returncode, first.stdout), first.stderr
    files = {json.loads(path.read_bytes())["shopper"]: path for path in out.iterdir()}
    assert {f"{shopper}.json" for shopper in files} == {path.name for path in out.iterdir()}
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files.values()}
    assert 0o700 == out.stat().st_mode & 0o777
    gone, stays = files.values()
    before = stays.stat().st_mtime_ns
    gone.unlink()
    assert f"1 made, 1 were there: {out}\n" == hotbasket(*arguments).stdout
    assert (True, before) == (gone.exists(), stays.stat().st_mtime_ns)
    for wrong in (("--file", ids), ("--out", out), ("c-1", "--file", ids, "--out", out), ()):
        assert 2 == hotbasket("privacy", "export", *wrong, "--data", running.data).returncode
