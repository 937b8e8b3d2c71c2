"""Which commands leave an entry in the audit trail: held against the command line itself, so that none is forgotten."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.clock import SystemClock
from adapters.settings import data_files, load_settings
from adapters.wiring import embedded
from domain.ids import Position
from domain.ports.failed_events import FailedEvent
from monitoring.metrics import Metrics
from tests.cli.running import hotbasket
from tests.cli.test_commands import SAUCE
from tests.gateway.fair import WHEEL
from tests.unit.test_cli_help import commands

REQUEST = "0192f0c1-2c4e-7a10-9c53-1f0e6f6a2b11"
FAILED = "0-1-7"


class Done(NamedTuple):
    """A command that is noted: how it is called, and what it leaves.

    Attributes:
        arguments: behind the command's name; `{key}` stands for the name of a key, `{folder}` for the files' folder.
        action, outcome: of the entry.
    """

    arguments: tuple[str, ...]
    action: str
    outcome: str = "done"


class Entry(NamedTuple):
    """One entry of the trail."""

    who: str
    action: str
    target: str | None
    outcome: str


WHEEL_FILE = "{folder}/wheel.json"
NOTED: dict[str, Done] = {
    "retailer add": Done(("shop",), "retailer.add"),
    "retailer set": Done(("shop", "--currency", "CHF"), "retailer.set"),
    "retailer rotate-key": Done(("shop", "--scope", "privacy"), "retailer.rotate-key"),
    "retailer revoke-key": Done(("shop", "{key}"), "retailer.revoke-key"),
    "retailer rewrap-keys": Done(("--new-secret",), "retailer.rewrap-keys"),
    "retailer new-shopper-key": Done(("shop", "--yes"), "retailer.new-shopper-key"),
    "catalogue import": Done(("{folder}/products.csv",), "catalogue.import"),
    "tree push": Done(("{folder}/tree.json",), "tree.push"),
    "tree show": Done(("c-1",), "tree.show"),
    "campaign create": Done((WHEEL_FILE,), "campaigns.create"),
    "campaign change": Done(("wheel", WHEEL_FILE), "campaigns.change"),
    **{f"campaign {verb}": Done(("wheel",), f"campaigns.{verb}") for verb in ("schedule", "pause", "resume")},
    "campaign draw-record": Done(("wheel",), "campaigns.draw"),
    "campaign end": Done(("wheel",), "campaigns.end"),
    "failed list": Done((), "failed.list"),
    "failed replay": Done((FAILED,), "failed.replay"),
    # Nobody has seen this shopper: who asks in vain has asked.
    "explain": Done(("c-1",), "explain", "refused"),
    "trace": Done((REQUEST,), "trace", "refused"),
    "replay-shopper": Done(("c-1", "--tree", "{folder}/tree.json"), "replay-shopper", "refused"),
    "privacy export": Done(("c-1",), "privacy.export"),
    "privacy suppress": Done(("c-1", "--request-id", REQUEST), "privacy.suppress"),
    "privacy unsuppress": Done(("c-1",), "privacy.unsuppress"),
    "privacy erase": Done(("c-1",), "privacy.erase"),
    "rewards payouts": Done((), "rewards.payouts"),
    "rewards paid": Done(("00",), "rewards.paid", "refused"),
    "rewards withdraw": Done(("--experience", "e-1"), "rewards.withdraw"),
}
"""In the order of one retailer's story."""
LOOKS: dict[str, tuple[tuple[str, ...], str]] = {
    "audit": ((), "names shoppers by digests alone, and changes nothing"),
    "doctor": ((), "looks at the installation, at no shopper"),
    "retailer list": ((), "rules; keys can't be shown"),
    "retailer keys": (("shop",), "names of keys, never a key"),
    "campaign list": ((), "no shopper, and nothing changes"),
    "campaign show": (("wheel",), "no shopper, and nothing changes"),
    "campaign history": (("wheel",), "no shopper, and nothing changes"),
    "privacy check": ((), "how old what is kept is; no shopper is named"),
    "privacy status": ((REQUEST,), "how far a request is; no shopper is named"),
    "tree show": ((), "the tree of all who have none, with nobody's name on it"),
}
"""Commands that read the stores and leave nothing, with the reason; `tree show` without a shopper is one of them."""
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(("run", "gateway", "worker", "archiver", "privacy worker"), "a process, not a question"),
    "migrate": "makes tables, and touches no retailer",
    "replay": "a client of the gateway, with a key of its own",
    **dict.fromkeys(("tree validate", "campaign verify-draw"), "reads a file, and no store"),
    "convert complete-journey": "reads and writes files, and no store",
    "campaign dry-run": "counts shoppers in the warehouse, and names none",
    **dict.fromkeys(
        ("batch dry-run", "batch uplift", "batch evaluate", "batch evaluate-baskets"), "counts shoppers, and names none"
    ),
    **dict.fromkeys(("batch cool", "batch train", "batch grow", "batch nightly"), "the night's work on all shoppers"),
    **dict.fromkeys(
        ("backup create", "backup list", "backup verify", "backup expire", "restore"),
        "files of the whole installation, the trail among them, by whoever can read and write them anyway",
    ),
    "batch push": "a release, whose table says when it was shown and taken back",
}
"""Commands that open no retailer's data for a person to see or to change, with the reason."""


class Story:
    """One retailer's data directory, and the commands on it, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self._key = ""
        dates = {"starts_at": "2090-01-01T00:00:00Z", "ends_at": "2090-12-31T00:00:00Z"}
        self._write("wheel.json", json.dumps(WHEEL | dates | {"campaign_id": "wheel"}))
        self._write("tree.json", json.dumps(SAUCE))
        self._write("products.csv", "product_id,name,category_id\np-1,Penne,pasta\n")

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, command: str, arguments: tuple[str, ...]) -> int:
        """Runs a command, and gives its exit code."""
        if "{key}" in arguments:
            keys = json.loads(hotbasket("retailer", "keys", "shop", "--data", self.data, "--json").stdout)
            self._key = next(one["key"] for one in keys if one["scope"] == "privacy")
        if command == "failed list":
            asyncio.run(self._fail())
        given = [one.replace("{folder}", str(self.folder)).replace("{key}", self._key) for one in arguments]
        return hotbasket(*command.split(), *given, "--data", self.data).returncode

    def trail(self) -> list[Entry]:
        """What stands in the trail, in the order in which it was written."""
        with closing(sqlite3.connect(data_files(self.data)["control"])) as connection:
            rows = connection.execute("SELECT who, action, target, outcome FROM audit ORDER BY number").fetchall()
        return [Entry(*row) for row in rows]

    async def _fail(self) -> None:
        """Leaves a failed event."""
        ports = embedded(self.data, load_settings(), Metrics(), SystemClock())
        (retailer_id,) = ports.retailers.current().retailers
        now_ms = SystemClock().now_ms()
        event = FailedEvent(
            failed_id=FAILED,
            partition=0,
            position=Position(1, 7),
            retailer_id=retailer_id,
            shopper="0" * 64,
            event_id="",
            reason="tree_unreadable",
            detail="tree version 9 is not 1",
            path="$.tree",
            payload=b"",
            failed_at_ms=now_ms,
            expires_at_ms=now_ms + 3_600_000,
        )
        await ports.failed.put([event])
        await ports.close()


class Told(NamedTuple):
    """A story, and by command its exit code and the entries that it left."""

    story: Story
    left: dict[str, tuple[int, list[Entry]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A story whose noted commands were all run, and the entries that each of them left."""
    story = Story(tmp_path_factory.mktemp("audited"))
    left: dict[str, tuple[int, list[Entry]]] = {}
    seen = 0
    for command, done in NOTED.items():
        code = story.run(command, done.arguments)
        trail = story.trail()
        left[command] = code, trail[seen:]
        seen = len(trail)
    return Told(story, left)


def test_every_command_is_decided_about() -> None:
    """A command that is neither noted nor an exception with a reason fails here, and so does one that is gone."""
    exceptions = (LOOKS.keys() - NOTED.keys()) | ELSEWHERE.keys()
    assert {name for name, _ in commands()} == NOTED.keys() | exceptions
    assert (set(), {"tree show"}) == (exceptions & NOTED.keys(), LOOKS.keys() & NOTED.keys())


@pytest.mark.parametrize("command", NOTED)
def test_a_privileged_command_leaves_an_entry(told: Told, command: str) -> None:
    """One, done or refused, by whoever sits at the command line."""
    code, entries = told.left[command]
    done = NOTED[command]
    assert [("command line", done.action, done.outcome)] == [(one.who, one.action, one.outcome) for one in entries]
    assert (0 if done.outcome == "done" else 1) == code


def test_what_only_looks_leaves_none(told: Told) -> None:
    """Each is run where there is something to be seen."""
    story = told.story
    before = story.trail()
    assert dict.fromkeys(LOOKS, 0) == {name: story.run(name, arguments) for name, (arguments, _) in LOOKS.items()}
    assert before == story.trail()


def test_no_entry_names_a_shopper(told: Told) -> None:
    """Whatever the command was about, the trail has neither the id nor the hash of a failed event."""
    said = repr(told.story.trail())
    assert (False, False) == ("c-1" in said, "0" * 64 in said)
