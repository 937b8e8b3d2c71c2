"""What a log line looks like off a terminal, and what never stands in one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import logging, sys
import structlog
from monitoring import logs

logs.configure(sys.argv[1])
structlog.get_logger().info("batch", events=3, payload=b"x", shopper_id="c-1")
logging.getLogger("hotbasket.worker").info("partition %d taken", 7, extra={"token": 9, "secret_key": "sk_x"})
logging.getLogger("library").info("too chatty")
logging.getLogger("library").warning("worth knowing")
try:
    raise ValueError("why")
except ValueError:
    structlog.get_logger().exception("failed")
"""


def lines(stream: str, checkout: Path) -> tuple[list[dict[str, object]], str]:
    """The lines that the script writes to the stream it was given, and what it writes to the other."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, stream], cwd=checkout, capture_output=True, text=True, check=True, timeout=60
    )
    out, other = (ran.stdout, ran.stderr) if stream == "stdout" else (ran.stderr, ran.stdout)
    return [json.loads(line) for line in out.splitlines()], other


def test_off_a_terminal_each_line_is_json(checkout: Path) -> None:
    """Our own lines and the libraries' warnings take the same way; a traceback stays within its line."""
    found, other = lines("stdout", checkout)
    assert ["batch", "partition 7 taken", "worth knowing", "failed"] == [line["event"] for line in found]
    assert ["info", "info", "warning", "error"] == [line["level"] for line in found]
    assert (3, 9) == (found[0]["events"], found[1]["token"])
    assert "ValueError: why" in str(found[3]["exception"])
    assert "" == other


def test_payloads_ids_and_keys_are_hidden(checkout: Path) -> None:
    """A field that may hold a payload, a raw id or a key is never shown, whoever logs it."""
    found, _ = lines("stderr", checkout)
    hidden = [found[0]["payload"], found[0]["shopper_id"], found[1]["secret_key"]]
    assert ["[hidden]"] * 3 == hidden
