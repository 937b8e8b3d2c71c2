"""`hotbasket retailer rewrap-keys` and `new-shopper-key`: who is recognised afterwards, whatever kills them."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from adapters.key_wrapping import KeyEncryptionKey
from adapters.secret_source import DirectorySecrets
from adapters.secrets import load_secrets
from domain.ports.retailers import Retailer
from tests.cli.running import Running, environment, hotbasket, hotbasket_json
from tests.cli.test_commands import added
from tests.identity import older_directory, pair, shopper_key
from tests.services.processes import free_port

SEEN_WITHIN_S = 30
KILLED = """
import os, signal, sys
from pathlib import Path
from adapters.sqlite.identity_keys import SqliteIdentityKeyRows
from deploy import cli

owner, moment, nth = {"file": Path, "row": SqliteIdentityKeyRows}[sys.argv[1]], sys.argv[2], int(sys.argv[3])
replace, calls = owner.replace, []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replaced(*arguments, **options):
    calls.append(1)
    if len(calls) == nth and moment == "before":
        die()
    result = replace(*arguments, **options)
    if len(calls) == nth and moment == "after":
        die()
    return result

async def replaced_row(*arguments, **options):
    calls.append(1)
    result = await replace(*arguments, **options)
    if len(calls) == nth:
        die()
    return result

owner.replace = replaced if owner is Path else replaced_row
sys.argv = ["hotbasket", *sys.argv[4:]]
cli.main()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a retailer."""
    there = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", there)
    return there


def older(tmp_path: Path) -> Path:
    """A data directory of two retailers, made before identity keys were stored."""
    there = tmp_path / "data"
    older_directory(there, Retailer(retailer_id="r-1", name="shop"), Retailer(retailer_id="r-2", name="other"))
    return there


def by_definition(data: Path, retailer_id: str) -> bytes:
    """The shopper key of a retailer that was added before such keys were stored."""
    return hmac.new(load_secrets(data).identity, f"shopper-key:{retailer_id}".encode(), hashlib.sha256).digest()


def stored(data: Path) -> dict[str, tuple[str, bytes, bytes]]:
    """The rows of wrapped keys, by retailer id."""
    with sqlite3.connect(data / "control.db") as control:
        rows = control.execute("SELECT * FROM identity_keys").fetchall()
    control.close()
    return {retailer_id: (kek, shopper, privacy) for retailer_id, kek, shopper, privacy in rows}


def kek(data: Path) -> str:
    """The name of the key-encryption key in force."""
    return KeyEncryptionKey(load_secrets(data).identity).name


def retailer_id_of(data: Path) -> str:
    """The id of the only retailer."""
    (listed,) = hotbasket_json("retailer", "list", "--data", data)
    found: str = listed["retailer_id"]
    return found


def trail(data: Path, retailer: str) -> list[tuple[str, str | None, str]]:
    """The retailer's entries in the audit trail: action, target, outcome."""
    entries = hotbasket_json("audit", "--data", data, "--retailer", retailer)
    return [(entry["action"], entry["target"], entry["outcome"]) for entry in entries]


def look_up(running: Running, key: str) -> tuple[int, Any]:
    """Asks for the shopper c-1."""
    return running.post("/v1/shoppers/lookup", key, {"shopper_id": "c-1"})


def seen(running: Running, key: str, quantity: int) -> Any:
    """The shopper c-1, once a checkpoint has so much pasta in the basket."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while True:
        status, found = look_up(running, key)
        if status == 200 and found["basket"]["lines"][0]["quantity"] == quantity:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def answered(answer: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command for somebody who types this."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment(),
        input=answer,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def killed(point: tuple[str, str, int], *arguments: str | Path) -> None:
    """Runs a command that is killed at this point."""
    what, moment, nth = point
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, what, moment, str(nth), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (-9, "", "") == (ran.returncode, ran.stdout, ran.stderr)


def test_a_new_retailer_has_stored_keys(data: Path) -> None:
    """Wrapped under the key-encryption key of the directory, and not derived from it."""
    ((retailer_id, row),) = stored(data).items()
    assert (kek(data), True) == (row[0], shopper_key(data, retailer_id) != by_definition(data, retailer_id))


def test_shoppers_of_before_are_recognised_for_ever(tmp_path: Path) -> None:
    """A directory that is older than stored keys: before the rewrap, after it, and under another key-encryption key."""
    data = older(tmp_path)
    wanted = by_definition(data, "r-1")
    name = hmac.new(wanted, b"c-1", hashlib.sha256).hexdigest()
    with Running(data) as running:
        assert 200 == running.post("/v1/events", "r-1-secret", added())[0]
        running.wait_until_processed(1)
        assert 0 == running.stop()
    assert {} == stored(data)
    looked = {
        one["check"]: one for one in hotbasket_json("doctor", "--data", data, "--port", str(free_port()))["checks"]
    }
    detail = "every retailer's can be opened; 2 derived, which hotbasket retailer rewrap-keys stores"
    assert (True, detail) == (looked["identity keys"]["good"], looked["identity keys"]["detail"])
    for arguments, again in (((), True), (("--new-secret",), False)):
        done = hotbasket_json("retailer", "rewrap-keys", "--data", data, *arguments)
        wrapped = {"key_encryption_key": kek(data), "rewrapped": ["r-2", "r-1"], "unchanged": 0}
        assert wrapped == done
        assert {"r-1": kek(data), "r-2": kek(data)} == {one: row[0] for one, row in stored(data).items()}
        assert (again, wanted) == (wanted == by_definition(data, "r-1"), shopper_key(data, "r-1"))
        with Running(data) as running:
            status, found = look_up(running, "r-1-secret")
            assert (200, name, 1) == (status, found["shopper"], len(found["basket"]["lines"]))
            assert 0 == running.stop()


def test_the_key_is_changed_beside_a_running_system(data: Path) -> None:
    """The same shoppers from one request to the next, without a restart, and after one."""
    key = hotbasket_json("retailer", "rotate-key", "shop", "--scope", "server", "--data", data)["server_key"]
    with Running(data) as running:
        running.post("/v1/events", key, added())
        before = seen(running, key, 1)["shopper"]
        for _ in range(2):
            hotbasket_json("retailer", "rewrap-keys", "--data", data, "--new-secret")
            assert (200, before) == ((answer := look_up(running, key))[0], answer[1]["shopper"])
        assert 0 == running.stop()
    with Running(data) as running:
        assert before == look_up(running, key)[1]["shopper"]
        assert 0 == running.stop()


def test_a_rewrap_of_what_is_wrapped_already_changes_nothing(data: Path) -> None:
    """It says so, and leaves no entry in the trail; what it did leaves one."""
    before = stored(data)
    done = hotbasket("retailer", "rewrap-keys", "--data", data)
    assert (0, f"0 rewrapped, 1 unchanged: all are under key-encryption key {kek(data)}\n") == (
        done.returncode,
        done.stdout,
    )
    assert before == stored(data)
    assert [("retailer.add", None, "done")] == trail(data, "shop")
    hotbasket_json("retailer", "rewrap-keys", "--data", data, "--new-secret")
    assert [("retailer.add", None, "done"), ("retailer.rewrap-keys", None, "done")] == trail(data, "shop")


@pytest.mark.parametrize(
    "point",
    [
        ("file", "before", 1),
        ("file", "after", 1),
        ("row", "after", 1),
        ("row", "after", 2),
        ("file", "before", 2),
        ("file", "after", 2),
    ],
    ids=[
        "new key written",
        "new key in force",
        "one rewrapped",
        "all rewrapped",
        "old key left out",
        "old key dropped",
    ],
)
def test_a_kill_at_any_step_is_made_up_for(tmp_path: Path, point: tuple[str, str, int]) -> None:
    """What is left starts and knows its shoppers; the same command again ends the change, and nothing is left of it."""
    data = older(tmp_path)
    wanted = {one: by_definition(data, one) for one in ("r-1", "r-2")}
    first = load_secrets(data).identity
    command = ("retailer", "rewrap-keys", "--data", data, "--new-secret")
    killed(point, *command)
    assert wanted == {one: shopper_key(data, one) for one in wanted}
    if point == ("row", "after", 1):
        assert 1 == len(stored(data))
        with Running(data) as running:
            statuses = [running.post("/v1/events", f"{one}-secret", added())[0] for one in wanted]
            assert ([200, 200], 0) == (statuses, running.stop())
    hotbasket_json(*command)
    assert wanted == {one: shopper_key(data, one) for one in wanted}
    kept = json.loads((data / "secrets.json").read_bytes())
    assert (["identity", "subscription"], True) == (sorted(kept), kept["identity"] != first.hex())
    assert {"r-1": kek(data), "r-2": kek(data)} == {one: row[0] for one, row in stored(data).items()}
    assert [] == [path.name for path in data.iterdir() if path.name.startswith(".secrets")]


def test_a_key_that_cannot_be_opened_keeps_the_one_before(tmp_path: Path) -> None:
    """The others are rewrapped, the fault is one sentence without bytes, and nothing that may open it is dropped."""
    data = older(tmp_path)
    hotbasket_json("retailer", "rewrap-keys", "--data", data)
    with sqlite3.connect(data / "control.db") as control:
        control.execute("UPDATE identity_keys SET shopper = privacy, privacy = shopper WHERE retailer_id = 'r-2'")
    control.close()
    old = kek(data)
    ran = hotbasket("retailer", "rewrap-keys", "--data", data, "--new-secret", "--json")
    assert (1, "") == (ran.returncode, ran.stdout)
    new = kek(data)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("neither")]
    assert line.startswith(f"neither key-encryption key {new} nor {old} opens the keys of retailer r-2")
    assert {"r-1": new, "r-2": old} == {one: row[0] for one, row in stored(data).items()}
    assert old == KeyEncryptionKey(load_secrets(data).identity_before).name
    assert ("retailer.rewrap-keys", None, "failed") == trail(data, "other")[-1]
    looked = json.loads(hotbasket("doctor", "--data", data, "--json").stdout)
    (found,) = [one for one in looked["checks"] if one["check"] == "identity keys"]
    assert (False, line) == (found["good"], f"{found['detail']}: {found['cure']}")


def test_a_change_in_progress_is_left_alone(data: Path) -> None:
    """One command at a time changes the key-encryption key, and no retailer is added under one that may go."""
    before = load_secrets(data)
    with DirectorySecrets(data).changing():
        for command in (("rewrap-keys", "--new-secret"), ("new-shopper-key", "shop", "--yes"), ("add", "other")):
            ran = hotbasket("retailer", *command, "--data", data)
            assert (1, f"the secrets of {data} are in use by another command: try again\n") == (
                ran.returncode,
                ran.stderr,
            )
    assert (before, 1) == (load_secrets(data), len(stored(data)))


def test_a_new_shopper_key_makes_shoppers_start_anew(data: Path) -> None:
    """In force when the command exits: the shopper is not found, then is another one with an empty past."""
    key = hotbasket_json("retailer", "rotate-key", "shop", "--scope", "server", "--data", data)["server_key"]
    retailer_id = retailer_id_of(data)
    with Running(data) as running:
        for _ in range(3):
            running.post("/v1/events", key, added())
        before = seen(running, key, 3)
        made = hotbasket_json("retailer", "new-shopper-key", "shop", "--yes", "--data", data)
        assert {"retailer_id": retailer_id} == made
        assert 404 == look_up(running, key)[0]
        running.post("/v1/events", key, added())
        after = seen(running, key, 1)
        assert 0 == running.stop()
    assert before["shopper"] != after["shopper"]
    name = hmac.new(shopper_key(data, retailer_id), b"c-1", hashlib.sha256).hexdigest()
    assert name == after["shopper"]
    assert ("retailer.new-shopper-key", None, "done") in trail(data, "shop")


def test_a_new_shopper_key_is_made_for_who_means_it(data: Path) -> None:
    """Without --yes it asks, and anything but a yes changes nothing; nobody's retailer is refused before it asks."""
    before = stored(data)
    for answer in ("", "n\n", "\n"):
        ran = answered(answer, "retailer", "new-shopper-key", "shop", "--data", data)
        asked, refused = ran.stderr.splitlines()
        assert (1, "", True) == (ran.returncode, ran.stdout, asked.startswith("Every shopper of shop starts anew"))
        assert "nothing was changed: type y, or give --yes where nobody is asked" == refused
    assert before == stored(data)
    assert [("retailer.add", None, "done")] == trail(data, "shop")
    ran = answered("y\n", "retailer", "new-shopper-key", "shop", "--data", data)
    assert (0, "shop has a new shopper key: every shopper starts anew\n") == (ran.returncode, ran.stdout)
    assert before != stored(data)
    ran = hotbasket("retailer", "new-shopper-key", "nobody", "--data", data)
    assert (1, "there is no retailer 'nobody'; there are: shop\n") == (ran.returncode, ran.stderr)


def test_nothing_to_rewrap_is_not_made(tmp_path: Path) -> None:
    """A directory without data is named, and no secrets are made in it."""
    ran = hotbasket("retailer", "rewrap-keys", "--data", tmp_path, "--new-secret")
    assert (1, True, []) == (ran.returncode, "holds no hotbasket data" in ran.stderr, list(tmp_path.iterdir()))


def test_servers_are_not_given_a_new_secret() -> None:
    """Their key-encryption key is nowhere that a command could write."""
    ran = hotbasket("retailer", "rewrap-keys", "--new-secret", HOTBASKET_POSTGRES="postgresql://127.0.0.1:1/control")
    assert (2, True) == (ran.returncode, "HOTBASKET_IDENTITY_SECRET" in ran.stderr)


def test_no_key_ever_shows(tmp_path: Path) -> None:
    """Not in the control store, not in a log, not in what commands print: old ones, new ones, of both kinds."""
    data = older(tmp_path)
    said: list[str] = []
    secrets = [load_secrets(data)]
    keys = {*pair(data, "r-1"), *pair(data, "r-2")}
    with Running(data) as running:
        for command in (
            ("add", "third", "--json"),
            ("rewrap-keys", "--json"),
            ("rewrap-keys", "--new-secret"),
            ("new-shopper-key", "shop", "--yes", "--json"),
            ("list", "--json"),
        ):
            ran = hotbasket("retailer", *command, "--data", data)
            assert 0 == ran.returncode, ran.stderr
            said += (ran.stdout, ran.stderr)
            keys |= {key for one in stored(data) for key in pair(data, one)}
            secrets.append(load_secrets(data))
        assert 200 == running.post("/v1/events", "r-1-secret", added())[0]
        assert 0 == running.stop()
    assert 7 == len(keys)
    hidden = keys | {secret for one in secrets for secret in one if secret}
    forms = [form for key in hidden for form in (key, key.hex().encode(), b64encode(key)[:42])]
    spoken = "".join([*said, running.output.read_text()]).encode()
    kept = b"".join(path.read_bytes() for path in data.iterdir() if path.name != "secrets.json")
    assert [] == [form for form in forms if form in spoken or form in kept]
