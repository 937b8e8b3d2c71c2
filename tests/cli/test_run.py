"""`hotbasket run` as an operator meets it: what it needs, what it makes, what it refuses, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json, status

SECRET_MODE = 0o600


def event(shopper_id: str = "c-1", **more: object) -> dict[str, object]:
    """A page view of a shopper."""
    view = {"type": "PageViewed", "page": {"kind": "home"}, "occurred_at": "2026-01-01T10:00:00Z"}
    return view | {"event_id": str(uuid4()), "shopper_id": shopper_id} | more


def refused(*arguments: str | Path, **more: str) -> str:
    """Runs a command that must be refused, and gives the one sentence that it says."""
    ran = hotbasket(*arguments, **more)
    assert (1, "") == (ran.returncode, "".join(line for line in ran.stdout.splitlines() if "Traceback" in line))
    sentences = ran.stderr.splitlines()
    assert 1 == len(sentences), ran.stderr
    return sentences[0]


def test_it_needs_nothing_but_a_directory(tmp_path: Path) -> None:
    """It makes the directory and its secrets, for their owner alone, and is ready without a retailer."""
    with Running(tmp_path / "new" / "data") as running:
        assert 200 == status(f"{running.url}/health/ready")
        secrets = running.data / "secrets.json"
        assert SECRET_MODE == stat.S_IMODE(secrets.stat().st_mode)
        made = secrets.read_bytes()
        assert 0 == running.stop()
    with Running(running.data) as again:
        assert made == secrets.read_bytes()
        assert 0 == again.stop(signal.SIGINT)


def test_it_says_where_it_listens_and_what_comes_next(tmp_path: Path) -> None:
    """The first line off a terminal is JSON with both addresses and the next command; metrics have their own port."""
    with Running(tmp_path / "data") as running:
        first = running.lines()[0]
        assert ["listening", str(running.data)] == [first["event"], first["data"]]
        assert "hotbasket retailer add" in first["next"]
        assert 200 == status(running.metrics_url)
        assert running.metric("hotbasket_residents") == 0


def test_what_was_acknowledged_is_there_after_a_stop(tmp_path: Path) -> None:
    """An event answered with `stored` is explained by the next process, from the last checkpoint."""
    data = tmp_path / "data"
    keys = hotbasket_json("retailer", "add", "shop", "--data", data)
    with Running(data) as running:
        answer = running.post("/v1/events", keys["write_key"], event())
        assert (200, "stored") == (answer[0], answer[1]["results"][0]["status"])
        assert 0 == running.stop()
    assert 1 == hotbasket_json("explain", "c-1", "--data", data)["session"]["events"]


def test_what_was_acknowledged_survives_a_crash(tmp_path: Path) -> None:
    """After a kill the next process takes the shopper's state from the log."""
    data = tmp_path / "data"
    keys = hotbasket_json("retailer", "add", "shop", "--data", data)
    with Running(data) as running:
        for _ in range(3):
            assert 200 == running.post("/v1/events", keys["write_key"], event())[0]
    with Running(data) as again:
        assert 200 == again.post("/v1/events", keys["write_key"], event())[0]
        again.wait_until_processed(1)
        assert 0 == again.stop()
    assert 4 == hotbasket_json("explain", "c-1", "--data", data)["session"]["events"]


def test_a_client_that_never_finishes_does_not_hold_the_process(tmp_path: Path) -> None:
    """An open connection and a request cut in its middle cost no more than the time that draining may take."""
    with Running(tmp_path / "data", HOTBASKET_DRAIN_S="0.5") as running:
        key = hotbasket_json("retailer", "add", "shop", "--data", running.data)["write_key"]
        address = running.url.removeprefix("http://").split(":")
        with (
            socket.create_connection((address[0], int(address[1]))) as idle,
            socket.create_connection((address[0], int(address[1]))) as cut,
        ):
            head = f"POST /v1/events?write_key={key} HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n"
            cut.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
            idle.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert idle.recv(1_024).startswith(b"HTTP/1.1 200")
            assert 0 == running.stop()
            assert cut.recv(1_024).startswith(b"HTTP/1.1 503")
        assert [] == [line for line in running.lines() if "exception" in line]


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """The second process says so in one sentence, and the first goes on."""
    with Running(tmp_path / "data") as running:
        said = refused("run", "--data", running.data, "--port", "0")
        assert f"{running.data} is in use" in said
        assert 200 == status(f"{running.url}/health/ready")


@pytest.mark.parametrize("which", ["public", "metrics"])
def test_a_port_in_use_is_refused_with_the_cure(which: str, tmp_path: Path) -> None:
    """Both ports are looked at before anything is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        if which == "public":
            said = refused("run", "--data", tmp_path / "data", "--port", port)
            assert "--port" in said
        else:
            said = refused("run", "--data", tmp_path / "data", "--port", "0", HOTBASKET_METRICS_PORT=port)
            assert "HOTBASKET_METRICS_PORT" in said
    assert f"port {port}" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["log.db", "state.db", "control.db", "secrets.json"])
def test_a_damaged_file_is_named_with_the_cure(name: str, tmp_path: Path) -> None:
    """Garbage in any file of the directory is one sentence, not a start on half the data."""
    data = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", data)
    for beside in data.glob(f"{name}-*"):
        beside.unlink()
    (data / name).write_bytes(b"no database " * 4_096)
    said = refused("run", "--data", data, "--port", "0")
    assert f"{data / name} is damaged" in said
    assert "backup" in said


def test_lost_secrets_are_never_replaced_in_silence(tmp_path: Path) -> None:
    """New secrets would make every shopper a stranger: a directory that has data but no secrets does not start."""
    data = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", data)
    (data / "secrets.json").unlink()
    assert "put its backup in its place" in refused("run", "--data", data, "--port", "0")
    assert not (data / "secrets.json").exists()


def test_secrets_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """A copy with open rights does not start, and the sentence says what to do."""
    data = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", data)
    (data / "secrets.json").chmod(0o644)
    assert "chmod 600" in refused("run", "--data", data, "--port", "0")


def test_a_log_older_than_its_snapshots_ends_the_process(tmp_path: Path) -> None:
    """It never goes on with a log that ends before what was made from it: the worker's death is the process's."""
    data = tmp_path / "data"
    keys = hotbasket_json("retailer", "add", "shop", "--data", data)
    with Running(data) as running:
        assert 0 == running.stop()
    shutil.copytree(data, tmp_path / "older")
    with Running(data) as running:
        for _ in range(3):
            assert 200 == running.post("/v1/events", keys["write_key"], event())[0]
        running.wait_until_processed(3)
        assert 0 == running.stop()
    shutil.copy(data / "state.db", tmp_path / "older" / "state.db")
    ran = hotbasket("run", "--data", tmp_path / "older", "--port", "0")
    assert (1, 1) == (ran.returncode, len(ran.stderr.splitlines())), ran.stdout + ran.stderr
    assert "part failed" in [json.loads(line)["event"] for line in ran.stdout.splitlines()]
    looked = hotbasket("doctor", "--data", tmp_path / "older", "--json")
    bad = [one["check"] for one in json.loads(looked.stdout)["checks"] if not one["good"]]
    assert (1, True) == (looked.returncode, "snapshots" in bad), looked.stdout


def test_every_bad_setting_is_told_at_once(tmp_path: Path) -> None:
    """Faults of the environment come together, one a line, before anything is made."""
    ran = hotbasket("run", "--data", tmp_path / "data", HOTBASKET_POLL_RECORDS_MAX="0", HOTBASKET_DRAIN_S="soon")
    assert (1, 2) == (ran.returncode, len(ran.stderr.splitlines()))
    assert "HOTBASKET_POLL_RECORDS_MAX" in ran.stderr
    assert "HOTBASKET_DRAIN_S" in ran.stderr
    assert not (tmp_path / "data").exists()


def test_a_directory_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way is one sentence."""
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in refused("run", "--data", tmp_path / "file" / "data", "--port", "0")


def test_the_demo_serves_its_shop(tmp_path: Path) -> None:
    """`--demo` brings its own retailer and serves the shop's first page."""
    with Running(tmp_path / "data", "--demo") as running:
        assert 200 == status(f"{running.url}/")
        assert ["demo"] == [one["name"] for one in hotbasket_json("retailer", "list", "--data", running.data)]
        running.wait_until_processed(1)
        assert 0 == running.stop()
