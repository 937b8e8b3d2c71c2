"""docs/tracker-protocol.md is true: each curl example, run as it stands, is answered as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import Gateway
from tests.conformance.document import Example, blocks, examples

EXAMPLES = examples()
EXAMPLE_S = 30
# What the page's reader gets from the prompt, the test gets from stderr: the status of each request.
PREAMBLE = r"""
set -eu
curl() { command curl --silent --show-error --write-out '%{stderr}\n<status %{http_code}>\n' "$@"; }
"""
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None,
    reason="needs bash and curl: apt-get install bash curl",
)


@dataclass(frozen=True)
class Output:
    """What one example printed, and the statuses of its requests."""

    printed: str
    statuses: list[int]
    errors: str


@pytest.fixture(scope="module")
def outputs(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    """Every example, run in the page's order; each finds what the earlier ones defined."""
    memory = tmp_path_factory.mktemp("shell") / "defined.sh"
    memory.touch()
    return {example.name: _run(example, gateway, memory) for example in EXAMPLES}


def _run(example: Example, gateway: Gateway, memory: Path) -> Output:
    script = (
        f"{PREAMBLE}\nset -a\nsource {memory}\n{example.script}\n{{ export -p; declare -f now uuid; }} > {memory}\n"
    )
    keys = {"URL": gateway.url, "WRITE_KEY": gateway.write_key, "SECRET_KEY": gateway.secret_key}
    ran = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], **keys},
        capture_output=True,
        text=True,
        check=False,
        timeout=EXAMPLE_S,
    )
    statuses = [int(status) for status in re.findall(r"<status (\d+)>", ran.stderr)]
    return Output(ran.stdout, statuses, ran.stderr)


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_every_shell_block_states_its_answer() -> None:
    """No example of the page escapes the test."""
    assert blocks() == len(EXAMPLES)


@needs_curl
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_answered_as_stated(example: Example, outputs: dict[str, Output]) -> None:
    """The last request of the block has the stated status, and what it prints holds and lacks what the page says."""
    output = outputs[example.name]
    assert output.statuses, output.errors
    assert example.status == output.statuses[-1], output
    printed = _dense(output.printed)
    missing = [part for part in example.holds if _dense(part) not in printed]
    unwanted = [part for part in example.lacks if _dense(part) in printed]
    assert ([], []) == (missing, unwanted), output
