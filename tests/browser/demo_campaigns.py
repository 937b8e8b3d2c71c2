"""`hotbasket run --demo` whose past is short and whose crowd is busy, for tests of what the crowd does to campaigns.

As a module it is the system itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from deploy import cli
from deploy.demo import crowd, past
from domain.holdout import is_held_out
from domain.ids import shopper_hash
from tests.cli.running import Running, environment
from tests.identity import shopper_key

EVENTS_PER_S = 20.0


class RunningCampaigns(Running):
    """The system with this crowd, in a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._numbers = count()
        self.output = data.parent / "output.txt"
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, "run", "--data", str(data), "--port", "0", "--demo"],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        listening = self._wait_for_line("listening")
        self.url = listening["url"]
        self.metrics_url = listening["metrics_url"]
        self._wait_for_line("campaigns in force")

    def guest(self, campaign_id: str, share_ppm: int, *, held_out: bool) -> str:
        """Gives the id of a new visitor whom a campaign holds out, or does not; each time another one."""
        key = shopper_key(self.data, self.keys()["retailer_id"])
        for number in self._numbers:
            shopper_id = f"demo-guest-{number:08x}"
            if held_out == is_held_out(campaign_id, shopper_hash(key, shopper_id), share_ppm):
                return shopper_id
        raise AssertionError("unreachable: there is no last number")

    def keys(self) -> dict[str, str]:
        """What the demo's server knows of its retailer."""
        found: dict[str, str] = json.loads((self.data / "demo.json").read_text(encoding="utf-8"))
        return found

    def promises(self, shopper_id: str) -> list[dict[str, Any]]:
        """What hotbasket promised a shopper; nothing for nobody."""
        asked = {"shopper_id": shopper_id}
        status, answer = self.post("/v1/shoppers/lookup", self.keys()["secret_key"], asked)
        assert status in (200, 404), answer
        return answer["promises"] if status == 200 else []


def run() -> None:
    """Runs the system in this process."""
    with (
        patch.object(past, "SHOPPERS", past.SHOPPERS[: past.NOW]),
        patch.object(crowd, "EVENTS_PER_S", EVENTS_PER_S),
    ):
        cli.main()


if __name__ == "__main__":
    run()
