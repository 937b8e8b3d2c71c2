"""A shopper's own id stays outside: whatever is wrong with what brings it, no file, metric, log or error has it."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_commands import SAUCE, written
from tests.gateway.standing import added, basic
from tests.gateway.test_bad_input import ACCESS, BODIES, EVENTS, ORDER, SERVER_SIDE, SHOP

RAW = "loyalty-quillonaut-7731"
UNREADABLE = "planted-quillonaut-88"
IN_TESTS = b"c-1842"
WITHIN_S = 30.0
BODY_BYTES_MAX = 100_000
"""Of what is sent here; no larger one holds an id."""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Sent(NamedTuple):
    """A request that can't be granted; `says_names`: its answer repeats a name of the request, which is the id here."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    says_names: bool = False


class Keys(NamedTuple):
    """The headers that carry the keys of the running system's retailer, and its write key alone."""

    write: dict[str, str]
    secret: dict[str, str]
    write_key: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running system of the file's own."""
    with Running(tmp_path_factory.mktemp("raw") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def keys(running: Running) -> Keys:
    """The keys of its retailer."""
    made = hotbasket_json("retailer", "add", "shop", "--origin", "https://shop.example", "--data", running.data)
    return Keys(basic(made["write_key"]), basic(made["secret_key"]), made["write_key"])


def bad_rows(keys: Keys) -> Iterator[Sent]:
    """Every bad request that the gateway's own tests know, with the id in place of theirs."""
    real = {
        SHOP.write["authorization"]: keys.write["authorization"],
        SHOP.secret["authorization"]: keys.secret["authorization"],
    }
    paths = (("/v1/events", (*BODIES, *EVENTS, *ACCESS, *ORDER)), ("/v1/shoppers/lookup", SERVER_SIDE))
    for path, rows in paths:
        # A body that is refused for its size is left unread, which may cut the connection before the answer is seen.
        for row in (one for one in rows if len(one.content) < BODY_BYTES_MAX):
            headers = {name: real.get(value, value) for name, value in row.all_headers().items()}
            query = "?" + "&".join(f"{name}={quote(value)}" for name, value in row.params.items())
            yield Sent(
                "POST", path + (query if row.params else ""), headers, row.content.replace(IN_TESTS, RAW.encode())
            )


def misplaced(keys: Keys) -> Iterator[Sent]:
    """The id where none belongs: in addresses, headers, other fields, and in JSON that ends behind it."""
    json_type = {"content-type": "application/json"}
    whole = json.dumps(added(shopper_id=RAW))
    for body in (
        whole[: whole.index(RAW) + len(RAW)],
        whole.replace(RAW, RAW + "\\"),
        json.dumps(added(shopper_id=RAW, event_id=RAW)),
        json.dumps(added(shopper_id=RAW, type=RAW)),
        json.dumps(added(shopper_id=RAW, occurred_at=RAW)),
        json.dumps(added(shopper_id=RAW, consent=RAW)),
        json.dumps({"type": "track", "event": RAW, "messageId": RAW, "userId": RAW}),
        json.dumps({"client_id": RAW, "user_id": RAW, "events": [{"name": "add_to_cart", "params": {"items": RAW}}]}),
        json.dumps({"events": [added(shopper_id=f"{RAW}@example.org")]}),
    ):
        yield Sent("POST", "/v1/events", keys.write | json_type, body.encode())
    yield Sent("POST", "/v1/events", keys.write | json_type, json.dumps(added() | {RAW: 1}).encode(), says_names=True)
    yield Sent("POST", f"/v1/events?write_key={RAW}", json_type, whole.encode())
    yield Sent("POST", "/v1/events", {**json_type, "authorization": f"Basic {RAW}"}, whole.encode())
    yield Sent("POST", "/v1/events", {**json_type, **keys.write, "origin": f"https://{RAW}"}, whole.encode())
    yield Sent("POST", "/v1/events", {**json_type, **keys.write, "content-encoding": RAW}, whole.encode())
    for asked in ({"kind": RAW, "shopper_ids": [RAW]}, {"kind": "erase", "shopper_ids": [RAW], "request_id": RAW}):
        yield Sent("POST", "/v1/privacy/requests", keys.secret | json_type, json.dumps(asked).encode())
    for path in ("/v1/quotes", "/v1/subscriptions", "/v1/rewards/claims", "/v1/campaigns"):
        other = {"shopper_id": [RAW], "claim": RAW, "email": RAW, "name": RAW}
        yield Sent("POST", path, keys.secret | json_type, json.dumps(other).encode())
    for path in (f"/{RAW}", f"/v1/campaigns/{RAW}", f"/v1/privacy/requests/{RAW}", f"/v1/audit?since={RAW}"):
        yield Sent("GET", path, keys.secret, None)
    yield Sent("GET", f"/v1/experiences?subscription={RAW}", {}, None)


def answered(running: Running, sent: Sent) -> tuple[int, str]:
    """Sends a request: the status and text of the answer."""
    request = urllib.request.Request(running.url + sent.path, sent.body, sent.headers, method=sent.method)
    if "content-type" not in sent.headers and sent.body is not None:
        request.add_header("content-type", "")  # urllib would say that it is a form
    try:
        with _OPENER.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


def texts(running: Running) -> dict[str, bytes]:
    """Everything that the system keeps, counts or says, by where it stands."""
    files = {path.name: path.read_bytes() for path in running.data.rglob("*") if path.is_file()}
    return files | {"metrics": running.metrics_page().encode(), "log": running.output.read_bytes()}


def holding(running: Running, word: str) -> list[str]:
    """Where a word stands."""
    return [where for where, text in texts(running).items() if word.encode() in text]


def failed(running: Running, reason: str) -> Any:
    """The failed event of a reason, once there is one."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        listed = hotbasket_json("failed", "list", "--data", running.data)
        found = [one for one in listed if one["reason"] == reason]
        if found:
            return found[0]
        assert time.monotonic() < deadline_s, listed
        time.sleep(0.1)


def hash_of(running: Running, keys: Keys, shopper_id: str) -> str:
    """The hash under which a shopper is stored, when it was saved."""
    key = keys.secret["authorization"]
    request = Sent(
        "POST",
        "/v1/shoppers/lookup",
        {"authorization": key, "content-type": "application/json"},
        json.dumps({"shopper_id": shopper_id}).encode(),
    )
    deadline_s = time.monotonic() + WITHIN_S
    while (answer := answered(running, request))[0] != 200:
        assert time.monotonic() < deadline_s, answer
        time.sleep(0.1)
    hashed: str = json.loads(answer[1])["shopper"]
    return hashed


def test_what_is_refused_leaves_no_id(running: Running, keys: Keys) -> None:
    """More than a hundred bad requests: the id is in no answer's text, no file, no metric and no line of the log."""
    assert IN_TESTS.decode() == added()["shopper_id"]
    sent = [*bad_rows(keys), *misplaced(keys)]
    naming = [one for one in sent if RAW.encode() in (one.body or b"") or RAW in f"{one.path} {one.headers}"]
    assert len(naming) > 60
    for one in sent:
        status, text = answered(running, one)
        assert 400 <= status < 500, (one, text)
        assert one.says_names == (RAW in text), (one, text)
    assert [] == holding(running, RAW)


def test_a_poisonous_event_leaves_no_id(running: Running, keys: Keys) -> None:
    """One that can't be processed is kept under the hash, and neither shown nor logged with more than its reason."""
    tree = {**SAUCE, "shopper": RAW}
    hotbasket_json("tree", "push", written(running.data.parent / "tree.json", tree), "--data", running.data)
    with sqlite3.connect(running.data / "control.db", timeout=10) as control:
        assert 1 == control.execute("UPDATE trees SET blob = ? WHERE shopper != 'default'", (b"\xc1",)).rowcount
        control.execute("UPDATE versions SET version = version + 1 WHERE subject = 'trees'")
    control.close()
    sent = Sent(
        "POST",
        "/v1/events",
        {**keys.write, "content-type": "application/json"},
        json.dumps(added("pasta", RAW)).encode(),
    )
    assert 200 == answered(running, sent)[0]
    entry = failed(running, "tree_unreadable")
    assert 64 == len(entry["shopper"])
    assert RAW not in json.dumps(entry)
    assert [] == holding(running, RAW)
    # The same search finds the hash where it belongs, and nowhere else.
    kept = holding(running, entry["shopper"])
    assert {"log.db", "state.db"} <= {name.removesuffix("-wal") for name in kept}
    assert [] == [name for name in kept if name in ("metrics", "log")]


def test_commands_leave_no_id(running: Running, keys: Keys) -> None:
    """Those that are asked about a shopper keep a digest at most; what they refuse out of a file is not repeated."""
    data = running.data
    seen = Sent(
        "POST",
        "/v1/events",
        {**keys.write, "content-type": "application/json"},
        json.dumps(added("wine", f"{RAW}-seen")).encode(),
    )
    assert 200 == answered(running, seen)[0]
    hashed = hash_of(running, keys, f"{RAW}-seen")
    for arguments in (
        ("explain", RAW),
        ("explain", f"{RAW}-seen"),
        ("explain", RAW, "--retailer", "nobody"),
        ("tree", "show", RAW),
        ("replay-shopper", RAW, "--tree", data.parent / "absent.json"),
        ("privacy", "export", f"{RAW}-seen"),
        ("privacy", "suppress", RAW),
        ("privacy", "unsuppress", RAW),
        ("privacy", "erase", RAW, "--request-id", "seven"),
        ("privacy", "status", RAW),
    ):
        said = hotbasket(*arguments, "--data", data)
        assert "Traceback" not in said.stderr, said.stderr
    address = written(data.parent / "address.json", {**SAUCE, "shopper": f"{RAW}@example.org"})
    events = written(
        data.parent / "events.jsonl", added("pasta", RAW, quantity=0), added("pasta", f"{RAW}@example.org")
    )
    listed = data.parent / "shoppers.txt"
    listed.write_text(f"c-1\n{RAW}@example.org\n", encoding="utf-8")
    for command in (
        ("tree", "push", address, "--data", data),
        ("tree", "validate", address),
        ("privacy", "suppress", "--file", listed, "--data", data),
    ):
        said = hotbasket(*command)
        assert (True, False) == (said.returncode != 0, RAW in said.stdout + said.stderr), said.stderr
    said = hotbasket("replay", events, "--url", running.url, "--key", keys.write_key, "--json")
    assert (2, False) == (json.loads(said.stdout)["rejected"], RAW in said.stdout + said.stderr), said.stderr
    assert [] == holding(running, RAW)
    assert [] == [name for name in holding(running, hashed) if name in ("metrics", "log")]


def test_bytes_that_nobody_can_read_are_not_shown(running: Running, keys: Keys) -> None:
    """A damaged record that holds an id, as none ever should: neither the log, the metrics nor the commands show it."""
    assert keys
    assert 0 == running.stop()
    with sqlite3.connect(running.data / "log.db") as log:
        (last,) = log.execute("SELECT MAX(first_offset + count) FROM events").fetchone()
        blob = msgspec.msgpack.encode([b"\xc1" + UNREADABLE.encode()])
        log.execute("INSERT INTO events VALUES (?, 1, ?, ?)", (last, round(time.time() * 1_000), blob))
    log.close()
    with Running(running.data) as again:
        entry = failed(again, "undecodable")
        assert UNREADABLE not in json.dumps(entry)
        said = hotbasket("failed", "list", "--data", again.data)
        assert [] == [text for text in (said.stdout, said.stderr) if UNREADABLE in text]
        assert {"log.db", "state.db"} == {name.removesuffix("-wal") for name in holding(again, UNREADABLE)}
        assert [] == [name for name in holding(again, RAW) if name in ("metrics", "log")]
