"""The Java that Spark would start is looked at before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.spark import check_java
from domain.errors import Refused

VECTOR = "jdk.incubator.vector"


def java(home: Path, said: str) -> Path:
    """A Java home whose `java --list-modules` says this."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    program.chmod(0o755)
    return home


@pytest.mark.parametrize("version", ["17.0.15", "21.0.2"])
def test_a_java_that_spark_runs_on_passes(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Java 17 and 21 with the module that Spark needs are fine."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, f"java.base@{version}\\n{VECTOR}@{version}\\n")))
    check_java()


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (f"java.base@11.0.2\\n{VECTOR}@11\\n", "is Java 11"),
        (f"java.base@24\\n{VECTOR}@24\\n", "is Java 24"),
        ("", "older than 9"),
        ("java.base@17.0.1\\n", VECTOR),
    ],
)
def test_any_other_java_is_refused(said: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java of another version or without the module is refused in a sentence that names it and the cure."""
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path, said)))
    with pytest.raises(Refused, match=rf"{tmp_path}.*{fault}.*JAVA_HOME"):
        check_java()


@pytest.mark.parametrize("home", [True, False])
def test_no_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, home: bool) -> None:
    """Without any Java the sentence says what needs it and how to get it."""
    if home:
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    else:
        monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"Java 17 or 21.*apt-get install"):
        check_java()
