"""The live image's install step, run in a clean folder: what the Dockerfile calls, where no container engine is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COMPILERS = ("cc", "gcc", "c++", "g++", "clang", "java", "javac", "cargo", "rustc")
COPIED = ("actors", "adapters", "batch", "deploy", "domain", "gateway", "monitoring")
COPIED_FILES = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements-batch.lock",
    "requirements-live.lock",
    "setup.cfg",
)
DRIVERS = ("aiokafka", "cassandra.cluster", "deltalake", "grafana_foundation_sdk", "psycopg")


def ran(*command: str | Path, environment: dict[str, str], cwd: Path) -> str:
    """Runs a step to its end, and gives what it printed; a failure's message is what it printed too."""
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """An environment in which every compiler and Java refuses, and leaves a note in a file.

    Being asked for its version is no work: pip asks rustc, to tell the package index.
    """
    folder = tmp_path_factory.mktemp("trap")
    called = folder / "called.txt"
    for name in COMPILERS:
        trap = folder / name
        note = f'[ "$*" = --version ] || echo "{name} $*" >> {called}'
        trap.write_text(f"#!/bin/sh\n{note}\nexit 1\n", encoding="utf-8")
        trap.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HOTBASKET_"))}
    return kept | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHON": sys.executable}, called


@pytest.fixture(scope="module")
def installed(trapped: tuple[dict[str, str], Path], checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of the live image, installed from what .dockerignore lets through."""
    home = tmp_path_factory.mktemp("image")
    source = home / "src"
    source.mkdir()
    for name in COPIED_FILES:
        shutil.copy(checkout / name, source)
    for name in COPIED:
        shutil.copytree(checkout / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    install = source / "deploy" / "images" / "install.sh"
    ran(install, "requirements-live.lock", home / "env", environment=trapped[0], cwd=home)
    return home / "env"


def test_what_is_copied_is_what_dockerignore_lets_through(checkout: Path) -> None:
    """The build context holds what the test below copies, and nothing else."""
    lines = (checkout / ".dockerignore").read_text(encoding="utf-8").split()
    assert sorted((*COPIED, *COPIED_FILES)) == sorted(line[1:] for line in lines if line.startswith("!"))


def test_the_live_image_starts_without_compiler_or_java(
    installed: Path, trapped: tuple[dict[str, str], Path], tmp_path: Path
) -> None:
    """Installed by hash alone: commands answer, every driver is there, nothing was compiled, and Spark is not in it."""
    environment, called = trapped
    bare = environment | {"PATH": f"{installed / 'bin'}:/usr/bin:/bin"}
    assert "gateway" in ran(installed / "bin" / "hotbasket", "--help", environment=bare, cwd=tmp_path)
    program = "import importlib, importlib.util as u, sys\n"
    program += "[importlib.import_module(name) for name in sys.argv[1:]]\n"
    program += "print(u.find_spec('pyspark'), u.find_spec('pip'), u.find_spec('setuptools'))"
    found = ran(installed / "bin" / "python", "-c", program, *DRIVERS, environment=bare, cwd=tmp_path)
    assert "None None None" == found.strip()
    assert not called.exists(), called.read_text()


def test_the_live_image_writes_dashboards(
    installed: Path, trapped: tuple[dict[str, str], Path], tmp_path: Path
) -> None:
    """The one-shot service that provisions Grafana needs nothing but this image."""
    python = installed / "bin" / "python"
    ran(python, "-m", "monitoring.dashboards", tmp_path / "boards", environment=trapped[0], cwd=tmp_path)
    assert (tmp_path / "boards" / "hotbasket-overview.json").is_file(), sorted((tmp_path / "boards").iterdir())
