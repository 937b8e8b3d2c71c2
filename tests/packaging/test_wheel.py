"""The wheel a user installs: what is in it, and that it runs where there is no checkout."""

import configparser
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

READY_WITHIN_S = 60
STOPPED_WITHIN_S = 30
SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def rooms(checkout: Path) -> list[str]:
    """Names of the top-level packages that the wheel carries."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(checkout / "setup.cfg", encoding="utf-8")
    return sorted({name.partition(".")[0] for name in metadata["options"]["packages"].split()})


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def execute(*command: str | Path, cwd: Path) -> None:
    """Run a step to its end; what it printed becomes the failure's message."""
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=500)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"


def fetch(url: str) -> tuple[int, str]:
    """Status and body of one GET; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()
    except OSError as silence:
        return 0, str(silence)


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy: a build leaves folders behind that the next one would pick up."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copy(checkout / name, source)
    for room in rooms(checkout):
        shutil.copytree(checkout / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    execute(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that was empty until the locked libraries and the wheel went in."""
    home = tmp_path_factory.mktemp("environment")
    execute(sys.executable, "-m", "venv", home / "env", cwd=home)
    pip = (home / "env" / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    execute(*pip, "--require-hashes", "--requirement", checkout / "requirements.lock", cwd=home)
    execute(*pip, "--no-deps", wheel, cwd=home)
    return home / "env" / "bin"


@pytest.fixture
def running(installed: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """`hotbasket run` of the installed wheel, its address, and the file that its output goes to."""
    port, output = free_port(), tmp_path / "output.txt"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command: list[str | Path] = [installed / "hotbasket", "run", "--data", tmp_path / "data", "--port", str(port)]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=kept | {"HOTBASKET_METRICS_PORT": str(free_port())},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, f"http://127.0.0.1:{port}", output
    finally:
        process.kill()
        process.wait(timeout=STOPPED_WITHIN_S)


def test_the_wheel_holds_the_rooms_and_nothing_else(wheel: Path, checkout: Path) -> None:
    """Every file of every room is in the wheel, static files included, and nothing else is."""
    expected = {
        path.relative_to(checkout).as_posix()
        for room in rooms(checkout)
        for path in (checkout / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert (set(), set()) == (expected - found, found - expected)


def test_the_installed_wheel_runs_without_the_checkout(
    running: tuple[subprocess.Popen[bytes], str, Path],
) -> None:
    """`hotbasket run` of an installed wheel becomes ready, serves the tracker and stops cleanly on SIGTERM."""
    process, address, output = running
    deadline = time.monotonic() + READY_WITHIN_S
    poll = 0.05
    while (answer := fetch(f"{address}/health/ready"))[0] != 200:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, f"not ready: {answer}\n{output.read_text()}"
        time.sleep(poll)
    status, tracker = fetch(f"{address}/tracker.js")
    assert (200, True) == (status, "hotbasket" in tracker)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=STOPPED_WITHIN_S) == 0, output.read_text()
