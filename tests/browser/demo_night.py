"""`hotbasket run --demo` whose night is a short program that a test leads by files beside the data directory.

As a module, `run …` is the system; its button starts the same module with `nightly …`, which logs what a nightly logs,
waits where it is told to, and pushes trees of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from deploy import cli
from deploy.demo import past, setup
from deploy.demo.night import Night, nightly
from deploy.demo.night_needs import Need
from deploy.demo.tastes import PERSONAS
from tests.cli.running import Running, environment

STAGES, PAGES = 6, 5
SHOPPERS_NOW = len(PERSONAS) + len(past.CROWD)
WAIT_S = 60


class RunningNight(Running):
    """The system with this night, in a process of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.beside = data.parent
        self.output = self.beside / "output.txt"
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

    def tell(self, word: str) -> None:
        """Leads the night: `missing`, `train`, `end`, `fail`."""
        (self.beside / word).touch()

    def forget(self, word: str) -> None:
        """Takes it back."""
        (self.beside / word).unlink()


def run() -> None:
    """Runs the system in this process."""
    beside = Path(sys.argv[sys.argv.index("--data") + 1]).parent

    async def needs() -> Need | None:
        return Need("java", "Install a JDK.") if (beside / "missing").exists() else None

    def night(command: list[str]) -> Night:
        assert nightly(Path("d"), "r")[1:5] == command[1:5]
        return Night((sys.executable, "-m", "tests.browser.demo_night", *command[4:]), needs)

    # A past of those who shop now: a test of the button need not wait for two hundred others.
    with patch.object(setup, "Night", night), patch.object(past, "SHOPPERS", past.SHOPPERS[:SHOPPERS_NOW]):
        cli.main()


def night() -> None:
    """Is the nightly: cools, waits for `train`, waits for `end`, and pushes a tree of many nodes for everybody."""
    data, retailer = (sys.argv[sys.argv.index(option) + 1] for option in ("--data", "--retailer"))
    beside = Path(data).parent
    say("progress", step="cool", done=0, of=1)
    say("step done", step="cool", seconds=0.2, rows_in=5812, rows_failed=0)
    say("progress", step="train", done=3, of=12)
    wait_for(beside / "train")
    if (beside / "fail").exists():
        sys.exit("the model is not better than the best baseline")
    say("step done", step="train", seconds=0.1)
    say("step done", step="evaluate", seconds=0.1)
    say("progress", step="grow", done=12, of=67)
    wait_for(beside / "end")
    say("step done", step="grow", seconds=0.1, trees=67)
    file = beside / "grown.jsonl"
    shoppers = ("default", *(f"demo-{number}" for number in range(1, 6)))
    file.write_text("".join(f"{json.dumps(grown(shopper))}\n" for shopper in shoppers), encoding="utf-8")
    with patch.object(sys, "argv", ["hotbasket", "tree", "push", str(file), "--data", data, "--retailer", retailer]):
        cli.command_line(["tree"])(standalone_mode=False)
    say("step done", step="push", seconds=0.1, generation=2)
    say("night done", resumed=0)


def say(event: str, **fields: Any) -> None:
    """Logs one line as the nightly does."""
    print(json.dumps({"event": event, "level": "info", **fields}), file=sys.stderr, flush=True)


def wait_for(word: Path) -> None:
    """Waits until the test says the word."""
    deadline = time.monotonic() + WAIT_S
    while not word.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def grown(shopper: str) -> dict[str, Any]:
    """A tree as large as grown ones may be: stages of pages behind hubs; the third product leads to the last stage."""
    browsing = {"kind": "event", "types": ["PageViewed", "AddedToBasket", "ProductsSearched"]}
    nodes: dict[str, Any] = {"start": {"edges": [{"to": "s0", "when": browsing}]}}
    for stage in range(STAGES):
        pages = [f"s{stage}w{page}" for page in range(PAGES)]
        nodes[f"s{stage}"] = {"edges": [{"to": page, "when": condition(number)} for number, page in enumerate(pages)]}
        for page in pages:
            nodes[page] = {"experiences": [recommendation(stage)]}
            if stage + 1 < STAGES:
                onward = {"kind": "basket_lines", "at_least": 3}
                nodes[page] |= {"edges": [{"to": f"s{stage + 1}", "when": onward}]}
                nodes[page] |= {"after": {"idle_s": 600, "to": f"s{stage + 1}"}}
    often = {"kind": "visits", "at_least": 1_000}
    nodes["s0w0"]["edges"].insert(0, {"to": "a-node-whose-name-is-as-long-as-a-sentence", "when": often})
    nodes["a-node-whose-name-is-as-long-as-a-sentence"] = {}
    return {"schema_version": 1, "shopper": shopper, "root": "start", "nodes": nodes}


def condition(number: int) -> dict[str, Any]:
    """When a page is shown."""
    added = {"kind": "product", "action": "added", "category_ids": ["pasta"]}
    absent = {"kind": "none", "of": [{"kind": "in_basket", "product_ids": ["arrabbiata", "pesto-basil", "lemons"]}]}
    score = {"kind": "score", "bias": -0.5 * number, "weights": {"basket_lines": 0.2}, "at_least": 0.1}
    return {"kind": "all", "of": [added, absent, score]}


def recommendation(stage: int) -> dict[str, Any]:
    """What a page shows: one product with its reason, and one without."""
    products = [{"product_id": "chianti", "reason": f"stage {stage}"}, "parmesan"]
    return {"slot": "main", "kind": "recommendation", "content": {"products": products}}


if __name__ == "__main__":
    night() if sys.argv[1] == "nightly" else run()
