"""The directory of an embedded system: who may read it, who holds it, and the secrets in it."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.data_dir import DataDirLock, prepare
from adapters.secrets import load_secrets
from adapters.settings import load_settings
from adapters.wiring import embedded
from domain.errors import PortError, Refused
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock

CHECKOUT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_is_its_owners(tmp_path: Path) -> None:
    """A new directory is made with its parents, for its owner only; one that is there is left as it is."""
    data = tmp_path / "a" / "b"
    prepare(data)
    assert 0o700 == mode(data)
    data.chmod(0o755)
    prepare(data)
    assert 0o755 == mode(data)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """One sentence names it and the cure."""
    (tmp_path / "data").write_text("mine")
    with pytest.raises(Refused, match=r"data: .*--data"):
        prepare(tmp_path / "data")


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """Two systems never share a directory; when the first lets go, the second may have it."""
    first = DataDirLock(tmp_path)
    with pytest.raises(Refused, match="in use"):
        DataDirLock(tmp_path)
    first.close()
    DataDirLock(tmp_path).close()


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    """The lock is the operating system's: nothing has to be cleaned up after a crash."""
    hold = "import sys; from pathlib import Path; from adapters.data_dir import DataDirLock\n"
    hold += "lock = DataDirLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert b"held\n" == process.stdout.readline()
        with pytest.raises(Refused, match="in use"):
            DataDirLock(tmp_path)
        process.kill()
        process.wait()
    DataDirLock(tmp_path).close()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    """Two secrets of 32 bytes, readable by their owner only, the same for every process that comes."""
    made = load_secrets(tmp_path)
    assert made == load_secrets(tmp_path)
    assert [32, 32] == [len(made.subscription), len(made.identity)]
    assert made.subscription != made.identity
    assert 0o600 == mode(tmp_path / "secrets.json")
    assert ["secrets.json"] == [path.name for path in tmp_path.iterdir()]


def test_two_directories_have_two_secrets(tmp_path: Path) -> None:
    """A shopper of one system can't be recognised in another."""
    (tmp_path / "other").mkdir()
    assert load_secrets(tmp_path) != load_secrets(tmp_path / "other")


def test_secrets_do_not_show(tmp_path: Path) -> None:
    """A secret that is printed or logged by mistake says nothing."""
    made = load_secrets(tmp_path)
    assert "Secrets(***)" == repr(made) == str(made)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.write_text('{"subscription": "00"}'),
        lambda path: path.write_text('{"subscription": "00", "identity": "00"}'),
        lambda path: path.write_text('{"subscription": "xx", "identity": 1}'),
        lambda path: path.write_text(path.read_text()[:-40]),
    ],
    ids=["empty", "binary", "one", "short", "types", "cut"],
)
def test_damaged_secrets_are_refused(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """New secrets in place of lost ones would make every shopper a stranger, so nobody makes them silently."""
    load_secrets(tmp_path)
    spoil(tmp_path / "secrets.json")
    before = (tmp_path / "secrets.json").read_bytes()
    with pytest.raises(Refused, match=r"secrets\.json .*backup"):
        load_secrets(tmp_path)
    assert before == (tmp_path / "secrets.json").read_bytes()


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    """The sentence says how to close the file."""
    load_secrets(tmp_path)
    (tmp_path / "secrets.json").chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        load_secrets(tmp_path)


@pytest.mark.parametrize("name", ["log.db", "state.db", "control.db"])
async def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Opening the stores over a damaged file names the file and the cure, and leaves the others closed and usable."""
    await _open_and_close(tmp_path)
    good = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"garbage" * 1_000)
    with pytest.raises(PortError, match=rf"{name} is damaged .*backup") as raised:
        await _open_and_close(tmp_path)
    assert (False, 1) == (raised.value.retriable, len(str(raised.value).splitlines()))
    (tmp_path / name).write_bytes(good)
    await _open_and_close(tmp_path)


async def _open_and_close(data: Path) -> None:
    await embedded(data, load_settings(), Metrics(), StoppedClock()).close()
