"""The rule about skipped tests, tried on a small test file in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "lacks_tool": "@pytest.mark.skipif(True, reason='needs a tool: apt-get install tool')\n",
    "lacks_real_data": "@pytest.mark.needs_real_data\n",
    "lacks_chromium": "@pytest.mark.browser\n",
}


def run_pytest(folder: Path, checkout: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one small test file under this project's conftest, with no real data and no Chromium to be found."""
    (folder / "test_small.py").write_text(f"import pytest\n\n{body}", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["-c", str(checkout / "setup.cfg"), "--rootdir", str(folder), str(folder)]
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    absent = {"HOTBASKET_SHARED": str(folder / "absent"), "PATH": str(folder)}
    return subprocess.run(
        command, cwd=checkout, env=kept | absent | environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", sorted(TESTS))
def test_a_developer_sees_a_skip_with_its_cure(name: str, tmp_path: Path, checkout: Path) -> None:
    """Outside CI a test that lacks something skips, and its line says how to get it."""
    ran = run_pytest(tmp_path, checkout, f"{TESTS[name]}def test_it():\n    assert True\n")
    assert (0, True) == (ran.returncode, "1 skipped" in ran.stdout), ran.stdout + ran.stderr
    assert any(cure in ran.stdout for cure in ("apt-get install", "HOTBASKET_SHARED")), ran.stdout


@pytest.mark.parametrize(
    ("name", "exit_code", "counted"),
    [("lacks_tool", 1, "1 error"), ("lacks_chromium", 1, "1 error"), ("lacks_real_data", 0, "1 skipped")],
)
def test_ci_refuses_every_skip_but_that_of_absent_real_data(
    name: str, exit_code: int, counted: str, tmp_path: Path, checkout: Path
) -> None:
    """With CI set a skip for want of a tool is a failure; one for want of the real data stays a skip."""
    ran = run_pytest(tmp_path, checkout, f"{TESTS[name]}def test_it():\n    assert True\n", CI="1")
    assert (exit_code, True) == (ran.returncode, counted in ran.stdout), ran.stdout + ran.stderr


def test_ci_refuses_a_file_that_skips_itself(tmp_path: Path, checkout: Path) -> None:
    """With CI set a file that skips at its top, and so hides its tests, is a failure."""
    body = "pytest.skip('needs a tool', allow_module_level=True)\n"
    ran = run_pytest(tmp_path, checkout, body, CI="1")
    assert ran.returncode != 0, ran.stdout + ran.stderr
    assert "whole file skipped, which CI does not allow" in ran.stdout, ran.stdout
