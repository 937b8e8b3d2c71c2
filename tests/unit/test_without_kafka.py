"""Night and commands open no log: they start where Kafka is not named, and where its library is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Role, production
from domain.errors import HotbasketError, Refused
from monitoring.metrics import Metrics
from tests.cli.running import environment

AWAY = "127.0.0.1:1"
SERVERS = {"scylla": AWAY, "postgres": f"postgresql://{AWAY}/hotbasket", "postgres_timeout_s": "1"}
KEYS = {"subscription_secret": "ab" * 32, "identity_secret": "cd" * 32}
SCRIPT = """
import sys
sys.modules["aiokafka"] = None
sys.argv = {arguments!r}
import batch.nightly, batch.push_step, batch.store_source
from deploy.cli import main
main()
"""


@pytest.mark.parametrize("command", ["nightly", "push --rollback"])
def test_the_night_needs_no_library_of_kafka(command: str, tmp_path: Path) -> None:
    """Each command of the night's image gets as far as asking Postgres, with what requirements-batch.lock installs."""
    arguments = ["hotbasket", "batch", *command.split()]
    named = {f"HOTBASKET_{name.upper()}": value for name, value in SERVERS.items()}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(arguments=arguments)],
        env=environment(HOTBASKET_WAREHOUSE=str(tmp_path), **named),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (1, "") == (ran.returncode, ran.stdout)
    assert f"Postgres at {AWAY}" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("role", ["batch", "command"])
async def test_who_opens_no_log_is_told_of_no_kafka(role: Role) -> None:
    """Neither the night nor a command asks for an address that it would never use."""
    settings = load_settings(**SERVERS, **KEYS)
    with pytest.raises(HotbasketError, match=f"Postgres at {AWAY}"):
        await production(settings, Metrics(), SystemClock(), role=role)


@pytest.mark.parametrize("role", ["gateway", "worker", "archiver", "privacy"])
async def test_who_opens_a_log_is_told_of_kafka(role: Role) -> None:
    """The processes of the live path refuse to start without its address."""
    settings = load_settings(**SERVERS, **KEYS)
    with pytest.raises(Refused, match=r"^HOTBASKET_KAFKA is not set"):
        await production(settings, Metrics(), SystemClock(), role=role)
