"""Backups of an embedded system: made under load, restored after everything is lost, and unreadable in time."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import msgspec.structs
import pytest

from adapters.backup_keys import BackupKeys, KeyFile, beside
from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_canary import lookup
from tests.cli.test_commands import SAUCE, written
from tests.cli.test_privacy import wait_until_done
from tests.gateway.standing import added

pytestmark = pytest.mark.timeout(300)

BASKETS = 40
SAVED_WITHIN_S = 20.0
FORGOTTEN, STAYS = "c-forgotten", "c-stays"
FILES = ("control.db", "log.db", "state.db", "vault.db")


class Made(NamedTuple):
    """A system that was backed up, and has ended since.

    Attributes:
        data: its directory, as it was when it was killed.
        path: of the backup.
        secret: the retailer's key.
        acknowledged: shoppers whose events were acknowledged before the backup was begun.
        erased: in the backup, and erased from the system afterwards.
    """

    data: Path
    path: Path
    secret: str
    acknowledged: tuple[str, ...]
    erased: str


def put(running: Running, secret: str, shopper_id: str) -> bool:
    """Puts pasta into a basket; tells whether that was acknowledged."""
    event = added("pasta", shopper_id)
    status, answer = running.post("/v1/events", secret, {"events": [event]})
    return status == 200 and answer["results"][0]["status"] == "stored"


def known(running: Running, secret: str, shopper_id: str) -> tuple[int, Any]:
    """What the system says of a shopper."""
    return running.post("/v1/shoppers/lookup", secret, {"shopper_id": shopper_id})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Backs a system up while events come in, erases a shopper, and kills it."""
    folder = tmp_path_factory.mktemp("backup")
    data = folder / "data"
    with Running(data) as running:
        secret: str = hotbasket_json("retailer", "add", "shop", "--data", data)["secret_key"]
        hotbasket_json("tree", "push", written(folder / "tree.json", SAUCE), "--data", data)
        table = data / "warehouse" / "events"
        table.mkdir(parents=True)
        (table / "part.parquet").write_bytes(bytes(range(256)) * 9_000)
        shoppers = (FORGOTTEN, STAYS, *(f"c-{number}" for number in range(BASKETS)))
        assert {True} == {put(running, secret, one) for one in shoppers}
        is_over = threading.Event()

        def load() -> None:
            number = 0
            while not is_over.is_set():
                put(running, secret, f"c-load-{number % 50}")
                number += 1

        loading = threading.Thread(target=load)
        loading.start()
        try:
            backup = hotbasket_json("backup", "create", folder / "backups", "--data", data)
        finally:
            is_over.set()
            loading.join()
        hashed = lookup(running, secret, FORGOTTEN)["shopper"]
        opened = hotbasket_json("privacy", "erase", FORGOTTEN, "--data", data)
        wait_until_done(running, opened["request_id"])
    return Made(data, Path(backup["path"]), secret, shoppers, hashed)


def emptied(made: Made, target: Path, *kept: str) -> Path:
    """Gives a directory with the secrets of a system, and its keys beside, as after a lost disk."""
    target.mkdir()
    for name in ("secrets.json", "vault-secret.json", *kept):
        shutil.copy2(made.data / name, target / name)
    shutil.copytree(beside(made.data), beside(target), dirs_exist_ok=True)
    return target


def test_nothing_readable_is_in_a_backup(made: Made) -> None:
    """Neither hashes nor words stand in any file of it, and what it says of itself names nobody."""
    texts = [path.read_bytes() for path in made.path.iterdir()]
    assert {"manifest.json", "warehouse.tar", *FILES} == {path.name for path in made.path.iterdir()}
    assert [] == [word for word in (b"pasta", made.erased.encode()) for text in texts if word in text]
    assert [] == list(made.data.glob(".*.copy"))


def quantity(running: Running, secret: str, shopper_id: str) -> int:
    """How much a saved state has in its basket; none of a shopper who is not known yet."""
    status, told = known(running, secret, shopper_id)
    return sum(line["quantity"] for line in told["basket"]["lines"]) if status == 200 else 0


def test_everything_acknowledged_is_restored(made: Made, tmp_path: Path) -> None:
    """After a lost disk: states, tree, keys and the warehouse, as of the backup."""
    data = emptied(made, tmp_path / "data")
    told = hotbasket_json("restore", made.path, "--data", data)
    assert ["events", "control", "vault", "warehouse"] == told["restored"]
    assert bytes(range(256)) * 9_000 == (data / "warehouse" / "events" / "part.parquet").read_bytes()
    with Running(data) as running:
        assert {True} == {put(running, made.secret, one) for one in made.acknowledged}
        running.wait_until_processed(len(made.acknowledged))
        deadline_s = time.monotonic() + SAVED_WITHIN_S
        wanted = dict.fromkeys(made.acknowledged, 2)
        # A state is seen when it is saved, which is up to a second later.
        while wanted != (seen := {one: quantity(running, made.secret, one) for one in made.acknowledged}):
            assert time.monotonic() < deadline_s, seen
            time.sleep(0.2)
        assert 2 == sum(
            line["quantity"] for line in hotbasket_json("explain", STAYS, "--data", data)["basket"]["lines"]
        )
        status, answer = running.post("/v1/events", made.secret, added("pasta", "c-new"), prefer="wait=2")
        assert (200, 1) == (status, len(answer["experiences"]))


def test_a_shopper_erased_since_does_not_come_back(made: Made, tmp_path: Path) -> None:
    """The control file survived and says who is gone: logs and states are restored without them, to the byte."""
    data = emptied(made, tmp_path / "data", *(path.name for path in made.data.glob("control.db*")))
    told = hotbasket_json("restore", made.path, "--only", "events", "--data", data)
    assert 1 == told["erased_again"]
    holding = [path.name for path in data.iterdir() if path.is_file() and made.erased.encode() in path.read_bytes()]
    assert [] == holding
    with Running(data) as running:
        assert lookup(running, made.secret, STAYS) is not None
        assert 404 == known(running, made.secret, FORGOTTEN)[0]
        assert put(running, made.secret, STAYS)


def test_what_holds_data_is_not_overwritten(made: Made) -> None:
    """A directory that has files is refused."""
    ran = hotbasket("restore", made.path, "--data", made.data)
    assert (1, True) == (ran.returncode, "is not empty" in ran.stderr), ran.stderr
    ran = hotbasket("restore", made.path, "--only", "control", "--data", made.data)
    assert (1, True) == (ran.returncode, "is there already" in ran.stderr), ran.stderr


def test_secrets_are_asked_for(made: Made, tmp_path: Path) -> None:
    """No backup holds them, so new ones would open nothing."""
    ran = hotbasket("restore", made.path, "--data", tmp_path / "data")
    assert (1, True) == (ran.returncode, "secrets.json is not there" in ran.stderr), ran.stderr


def test_a_damaged_byte_is_refused(made: Made, tmp_path: Path) -> None:
    """By `verify`, and before anything is restored."""
    copy = tmp_path / made.path.name
    shutil.copytree(made.path, copy)
    assert hotbasket_json("backup", "verify", copy)["whole"]
    damaged = bytearray((copy / "log.db").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (copy / "log.db").write_bytes(damaged)
    data = emptied(made, tmp_path / "data")
    for arguments in (("backup", "verify", copy), ("restore", copy, "--data", data)):
        ran = hotbasket(*arguments)
        assert (1, True) == (ran.returncode, "log.db is damaged" in ran.stderr), ran.stderr
    assert [] == list(data.glob("*.db"))


def test_an_altered_manifest_is_refused(made: Made, tmp_path: Path) -> None:
    """Who leaves a part out of it, with everything else right, is found by its seal."""
    copy = tmp_path / made.path.name
    shutil.copytree(made.path, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["parts"] = [part for part in manifest["parts"] if part["name"] != "vault.db"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    ran = hotbasket("restore", copy, "--data", emptied(made, tmp_path / "data"))
    assert (1, True) == (ran.returncode, "was altered" in ran.stderr), ran.stderr


def test_an_expired_backup_is_refused(made: Made, tmp_path: Path) -> None:
    """While its key is still there, by a key file whose end was moved, and once the key is removed."""
    data = emptied(made, tmp_path / "data")
    keys = BackupKeys(beside(data))
    path = keys.folder / f"{made.path.name}.key"
    kept = keys.held(made.path.name)
    assert kept is not None
    sentences = []
    for ends_at_ms in (1, kept.expires_at_ms + 1):
        moved = KeyFile(backup_id=kept.backup_id, expires_at_ms=ends_at_ms, kek=kept.kek, wrapped=kept.wrapped)
        path.write_bytes(msgspec.json.encode(moved))
        sentences.append(hotbasket("restore", made.path, "--data", data).stderr)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(kept, expires_at_ms=1)))
    assert {"expired": [made.path.name]} == hotbasket_json("backup", "expire", "--data", data)
    sentences.append(hotbasket("restore", made.path, "--data", data).stderr)
    assert [True, True, True] == [
        word in one for word, one in zip(("expired at", "was wrapped under", "has expired"), sentences, strict=True)
    ], sentences
    (listed,) = hotbasket_json("backup", "list", made.path.parent, "--data", data)
    assert not listed["has_key"]


def test_a_life_beyond_the_deadline_is_refused(made: Made, tmp_path: Path) -> None:
    """A backup may not keep whoever must be gone by then; and its key may not stand beside it."""
    ran = hotbasket("backup", "create", tmp_path, "--data", made.data, HOTBASKET_BACKUP_DAYS="30")
    assert (1, True) == (ran.returncode, "must be below HOTBASKET_PRIVACY_DUE_DAYS" in ran.stderr), ran.stderr
    ran = hotbasket("backup", "create", tmp_path, "--data", made.data, "--keys", tmp_path / "keys")
    assert (1, True) == (ran.returncode, "keep them apart" in ran.stderr), ran.stderr
