"""What the Dockerfiles promise beyond what a linter knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FILES = ("live.Dockerfile", "batch.Dockerfile")
UID = "10001"
each_file = pytest.mark.parametrize("name", FILES)


def instructions(checkout: Path, name: str) -> list[tuple[str, str]]:
    """Gives the instructions of a Dockerfile with their arguments, continued lines joined."""
    text = (checkout / "deploy" / "images" / name).read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines.splitlines() if line]


@each_file
def test_every_stage_begins_with_a_pinned_image(checkout: Path, name: str) -> None:
    """Both stages stand on the same Python, named down to its patch version."""
    images = {argument.split()[0] for word, argument in instructions(checkout, name) if word == "FROM"}
    assert len(images) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", images.pop())


@each_file
def test_the_image_runs_as_nobody_special(checkout: Path, name: str) -> None:
    """The last USER is a number that is not root's, which is what a cluster can check."""
    users = [argument for word, argument in instructions(checkout, name) if word == "USER"]
    assert [f"{UID}:{UID}"] == users


@each_file
def test_the_command_gets_its_signals(checkout: Path, name: str) -> None:
    """ENTRYPOINT and CMD are lists: no shell stands between SIGTERM and the process."""
    found = {word: argument for word, argument in instructions(checkout, name) if word in {"ENTRYPOINT", "CMD"}}
    assert '["hotbasket"]' == found["ENTRYPOINT"]
    assert found["CMD"].startswith("[")


@each_file
def test_only_what_is_locked_gets_in(checkout: Path, name: str) -> None:
    """Nothing is added from an address, and Python libraries come through install.sh with its lock alone."""
    steps = instructions(checkout, name)
    assert "ADD" not in {word for word, _ in steps}
    runs = [argument for word, argument in steps if word == "RUN"]
    assert [] == [run for run in runs if re.search(r"\b(pip|curl|wget)\b", run)]
    lock = f"requirements-{name.partition('.')[0]}.lock"
    assert [f"deploy/images/install.sh {lock} /opt/hotbasket"] == [run for run in runs if "install.sh" in run]
    assert (checkout / lock).is_file()


def test_only_the_batch_image_has_java(checkout: Path) -> None:
    """The live path needs no JVM and no package of Debian's; where one is installed, its lists are removed."""
    live, batch = (" ".join(argument for _, argument in instructions(checkout, name)) for name in FILES)
    assert "apt-get" not in live
    assert "openjdk-17-jre-headless" in batch
    assert "rm -rf /var/lib/apt/lists/*" in batch
