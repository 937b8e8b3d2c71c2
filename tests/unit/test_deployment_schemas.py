"""What users deploy with, held against others' rules: Kubernetes' schemas, Compose's model, hadolint and shellcheck."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import compose_spec
import kubernetes_validate
import pytest
import yaml

VERSIONS = ("1.29", "1.37")
"""The oldest Kubernetes that the manifests are written for, and the newest whose schemas are known."""


def linted(tool: str, *files: Path) -> str:
    """Runs a linter that came from the package index, and gives what it found."""
    found = shutil.which(tool, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found is not None, f"{tool} is not installed: make setup"
    ran = subprocess.run([found, *files], capture_output=True, text=True, check=False, timeout=60)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(checkout: Path, version: str) -> None:
    """Each manifest is valid, without a field that Kubernetes would silently drop."""
    files = [path for path in (checkout / "deploy" / "kubernetes").glob("*.yaml") if path.stem != "kustomization"]
    for path in (*files, checkout / "deploy" / "spark" / "cronjobs.yaml"):
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            kubernetes_validate.validate(one, version, strict=True)


def test_compose_knows_every_field(checkout: Path) -> None:
    """The file is one that the Compose specification allows."""
    text = (checkout / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    parsed = compose_spec.PyCompose.from_json(json.dumps(yaml.safe_load(text)))
    assert sorted(yaml.safe_load(text)["services"]) == sorted(parsed.service_names())


def test_dockerfiles_are_linted(checkout: Path) -> None:
    """Hadolint finds nothing."""
    assert "" == linted("hadolint", *sorted((checkout / "deploy" / "images").glob("*.Dockerfile")))


def test_shell_scripts_are_linted(checkout: Path) -> None:
    """Shellcheck finds nothing in what CI runs and users run."""
    assert "" == linted("shellcheck", checkout / ".ci" / "run", *sorted((checkout / "deploy").rglob("*.sh")))
