"""The demo's night: what it tells of a nightly that runs, ends, fails, is stopped, or can't be had here."""

from __future__ import annotations

import asyncio
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.demo import night_needs
from deploy.demo.night import LINES_KEPT, Night, nightly
from deploy.demo.night_needs import Need

WITHIN_S = 30
SAY = """
import json, sys, time
def say(event, **fields):
    print(json.dumps({"event": event, "level": "info", "timestamp": "t", **fields}), file=sys.stderr, flush=True)
def wait_for(path):
    import pathlib
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
"""
Nightly = Callable[[str], Night]


async def nothing_missing() -> Need | None:
    """A machine that has everything."""
    return None


@pytest.fixture
async def fake() -> AsyncIterator[Nightly]:
    """Gives nights whose command is a few lines of Python."""
    made: list[Night] = []

    def night(script: str) -> Night:
        made.append(Night((sys.executable, "-c", SAY + script), nothing_missing))
        return made[-1]

    yield night
    for one in made:
        await one.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def ended(night: Night) -> None:
    """Starts the night and waits for its end."""
    assert night.start()
    await until(lambda: not night.seen.running)


async def test_a_night_tells_every_step_to_the_new_generation(fake: Nightly) -> None:
    """Steps end in order, each with its seconds and what it said, the last with the generation of the trees."""
    night = fake(
        """
say("progress", step="cool", done=0, of=2)
say("step done", step="cool", seconds=1.5, retailer="demo", run="2026-11-26", events=5812, reconciled={"in": 1})
say("step done", step="train", seconds=2, examples=300)
say("step done", step="evaluate", seconds=1, better=True)
say("step done", step="grow", seconds=0.5, trees=67)
say("step done", step="push", seconds=0.1, generation=3)
say("progress", step="rebuild", done=1, of=2)
say("night done", retailer="demo", run="2026-11-26", resumed=0)
"""
    )
    await ended(night)
    seen = night.seen
    assert (3, None, None) == (seen.generation, seen.error, seen.step)
    assert ["done"] * 5 == [step.state for step in seen.steps]
    assert ({"events": 5812}, 1.5) == (seen.steps[0].said, seen.steps[0].seconds)


async def test_a_night_shows_how_far_its_step_is(fake: Nightly, tmp_path: Path) -> None:
    """While a step works its counts are there; what an earlier night of the day did is skipped."""
    go_on = tmp_path / "go-on"
    night = fake(f'say("progress", step="evaluate", done=12, of=40); wait_for({str(go_on)!r})')
    assert night.start()
    await until(lambda: night.seen.step == "evaluate")
    assert (12, 40) == (night.seen.done, night.seen.of)
    assert ["skipped", "skipped", "running", "waiting", "waiting"] == [step.state for step in night.seen.steps]
    assert not night.start()
    go_on.touch()
    await until(lambda: not night.seen.running)
    assert ["skipped", "skipped", "done", "skipped", "skipped"] == [step.state for step in night.seen.steps]
    assert night.seen.error is None


async def test_a_failed_step_is_told_with_its_reason(fake: Nightly) -> None:
    """What the nightly says of the failure is the error, whatever is printed after it."""
    night = fake(
        """
say("step done", step="cool", seconds=1)
say("step failed", step="train", detail="too few orders: 3 of 100")
print("Traceback of something", file=sys.stderr)
sys.exit(1)
"""
    )
    await ended(night)
    assert "too few orders: 3 of 100" == night.seen.error
    assert ["done", "failed", "waiting", "waiting", "waiting"] == [step.state for step in night.seen.steps]
    assert None is night.seen.generation


async def test_a_model_that_is_not_promoted_is_told_with_its_reason(fake: Nightly) -> None:
    """The gate did its work, and what comes behind it waits for a better model."""
    night = fake(
        """
say("step done", step="train", seconds=1)
say("step refused", step="evaluate", detail="not promoted: too few later baskets")
say("night done", refused="evaluate")
"""
    )
    await ended(night)
    assert "not promoted: too few later baskets" == night.seen.error
    assert ["skipped", "done", "done", "waiting", "waiting"] == [step.state for step in night.seen.steps]


async def test_a_refusal_is_told_by_the_last_line(fake: Nightly) -> None:
    """A command that refuses before it starts anything prints one sentence, which is the error."""
    night = fake('print("25/11/26 WARN Spark: chatter\\nanother night runs", file=sys.stderr); sys.exit(1)')
    await ended(night)
    assert "another night runs" == night.seen.error


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("sys.exit(3)", "the night ended with exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the night was ended by SIGKILL"),
    ],
)
async def test_a_silent_end_is_told_by_its_code(fake: Nightly, script: str, error: str) -> None:
    """Without a word from the nightly there is still a reason."""
    night = fake(script)
    await ended(night)
    assert error == night.seen.error


async def test_what_a_nightly_prints_is_bounded(fake: Nightly) -> None:
    """Thousands of lines, and one of megabytes, are read and forgotten but for the last ones."""
    night = fake(
        """
sys.stderr.write("x" * 5_000_000 + "\\n")
for number in range(3000):
    print("line", number, file=sys.stderr)
say("step done", step="cool", seconds=1)
say("progress", step="rebuild", done=1, of=2)
sys.exit(1)
"""
    )
    await ended(night)
    assert "line 2999" == night.seen.error
    assert LINES_KEPT == len(night._kept)


async def test_a_command_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """No process, no crash: the night says that it could not be started."""
    night = Night((str(tmp_path / "nothing"),), nothing_missing)
    await ended(night)
    assert "the night could not be started: No such file or directory" == night.seen.error


async def test_a_night_can_be_run_again(fake: Nightly, tmp_path: Path) -> None:
    """After a failure the next night begins with a clean slate."""
    failed = tmp_path / "failed"
    night = fake(
        f"""
import pathlib
if not pathlib.Path({str(failed)!r}).exists():
    pathlib.Path({str(failed)!r}).touch()
    sys.exit("no luck")
say("step done", step="push", seconds=1, generation=7)
"""
    )
    await ended(night)
    first = night.seen
    assert "no luck" == first.error
    await ended(night)
    again = night.seen
    assert (None, 7) == (again.error, again.generation)


@pytest.mark.parametrize("manner", ["SIG_DFL", "SIG_IGN"])
async def test_stopping_the_demo_ends_the_night_and_all_that_it_started(
    fake: Nightly, tmp_path: Path, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children of the nightly go too, at once when they heed SIGTERM, else by force."""
    monkeypatch.setattr("deploy.demo.night.STOP_S", 0.3)
    pids = tmp_path / "pids"
    night = fake(
        f"""
import os, pathlib, signal, subprocess
signal.signal(signal.SIGTERM, signal.{manner})
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
fresh = pathlib.Path({str(pids)!r} + ".new")
fresh.write_text(f"{{os.getpid()}} {{child.pid}}")
fresh.rename({str(pids)!r})
time.sleep(600)
"""
    )
    assert night.start()
    await until(pids.exists)
    born = {pid: lives_since(pid) for pid in pids.read_text().split()}
    assert None not in born.values()
    await night.close()
    assert "the night was stopped with the demo" == night.seen.error
    for pid, since in born.items():
        await until(lambda pid=pid, since=since: since != lives_since(pid))  # type: ignore[misc]
    await night.close()


def lives_since(pid: str) -> str | None:
    """Gives when a process was started, in ticks; None where there is none, or one that ended and was not collected.

    With a number that another process has by now, the moment is another.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def test_the_command_is_this_interpreters_own() -> None:
    """The night runs the same installation over the same data."""
    command = nightly(Path("data"), "r-1")
    assert [sys.executable, "-m", "deploy.cli", "batch", "nightly"] == command[:5]
    assert ["--data", "data", "--retailer", "r-1"] == command[5:]


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Libraries that are not there; none until a test adds some."""
    absent: set[str] = set()
    monkeypatch.setattr(night_needs, "find_spec", lambda name: None if name in absent else object())
    return absent


def a_java(folder: Path, says: str) -> str:
    """A `java` that says this of its version."""
    home = folder / "jdk"
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return str(home)


async def test_a_missing_library_is_named(libraries: set[str]) -> None:
    """The sentence says what is missing and how to install it."""
    libraries |= {"delta", "xgboost"}
    need = await night_needs.missing()
    assert need is not None
    assert "batch" == need.name
    assert "pip install 'hotbasket[batch]'" in need.cure
    assert "delta, xgboost" in need.cure


@pytest.mark.usefixtures("libraries")
async def test_a_missing_java_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither JAVA_HOME nor the PATH has one; a JAVA_HOME without one is not made up for by the PATH."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    need = await night_needs.missing()
    assert "java" == (need.name if need else None)
    monkeypatch.setenv("PATH", a_java(tmp_path, 'openjdk version "17.0.1"') + "/bin")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    need = await night_needs.missing()
    assert "java" == (need.name if need else None)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(
    ("says", "name"),
    [
        ('openjdk version "17.0.13" 2024-10-15', None),
        ('java version "21.0.1" 2023-10-17 LTS', None),
        ('openjdk version "21" 2023-09-19', None),
        ('openjdk version "11.0.2" 2019-01-15', "java_version"),
        ('java version "1.8.0_402"', "java_version"),
        ("a riddle", "java_version"),
    ],
)
async def test_java_must_be_17_or_21(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, name: str | None
) -> None:
    """What `java -version` says decides; an old, an unknown and a silent one need another."""
    monkeypatch.setenv("JAVA_HOME", a_java(tmp_path, says))
    need = await night_needs.missing()
    assert name == (need.name if need else None)
