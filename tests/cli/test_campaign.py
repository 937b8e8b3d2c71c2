"""`hotbasket campaign`: campaigns written, shown, changed and run from a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import hotbasket, hotbasket_json

PASTA: dict[str, Any] = {
    "campaign_id": "pasta",
    "name": "Pasta week",
    "kind": "personalised_promotion",
    "starts_at": "2030-06-03T08:00:00+02:00",
    "ends_at": "2030-07-01T00:00:00Z",
    "products": ["p-1"],
    "percent": {"usual": 10, "at_least": 5, "at_most": 20},
    "max_discount_minor": 500,
    "budget": {"money_minor": 100_000},
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a retailer that nobody changes."""
    data = tmp_path_factory.mktemp("campaigns") / "data"
    hotbasket_json("retailer", "add", "shop", "--data", data)
    return data


def written(path: Path, **fields: Any) -> Path:
    """A campaign's file; a field of None is left out."""
    document = {name: value for name, value in (PASTA | fields).items() if value is not None}
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def test_a_campaigns_life(tmp_path: Path) -> None:
    """Written, put in force, paused, gone on with and ended; each version with who made it."""
    data, file = tmp_path / "data", written(tmp_path / "pasta.json")
    hotbasket_json("retailer", "add", "shop", "--data", data, "--currency", "CHF")
    ran = hotbasket("campaign", "create", file, "--data", data)
    assert (0, "pasta is a draft: put it in force with hotbasket campaign schedule pasta\n") == (
        ran.returncode,
        ran.stdout,
    )
    assert 'warning: $.products[0]: the catalogue knows no product "p-1"\n' == ran.stderr
    stages = [
        hotbasket_json("campaign", verb, "pasta", "--data", data)["status"]["stage"]
        for verb in ("schedule", "pause", "resume")
    ]
    assert ["scheduled", "paused", "scheduled"] == stages
    listed = hotbasket("campaign", "list", "--now", "2030-06-03T06:00:00Z", "--data", data, COLUMNS="80")
    assert ["pasta     live   0.00 CHF  0.00 CHF  1,000.00 CHF"] == listed.stdout.splitlines()[1:]
    assert "pasta is ended\n" == hotbasket("campaign", "end", "pasta", "--data", data).stdout
    refused = hotbasket("campaign", "resume", "pasta", "--data", data)
    assert (1, "pasta is ended: resume needs one that is paused\n") == (refused.returncode, refused.stderr)
    history = hotbasket_json("campaign", "history", "pasta", "--data", data)
    assert [("create", "command"), ("schedule", "command"), ("pause", "command"), ("resume", "command")] == [
        (line["action"], line["by"]) for line in history[:-1]
    ]


def test_what_is_shown_can_be_changed(tmp_path: Path) -> None:
    """The document of `show --json`, edited, is what `change` takes; of two who read the same, the second is told."""
    data, file = tmp_path / "data", written(tmp_path / "pasta.json")
    hotbasket_json("retailer", "add", "shop", "--data", data)
    hotbasket_json("campaign", "create", file, "--data", data)
    shown = hotbasket_json("campaign", "show", "pasta", "--data", data)
    file.write_text(json.dumps(shown | {"name": "Noodle week"}), encoding="utf-8")
    changed = hotbasket_json("campaign", "change", "pasta", file, "--data", data)
    assert ("Noodle week", 2) == (changed["name"], changed["version"])
    again = hotbasket("campaign", "change", "pasta", file, "--data", data)
    assert (1, "") == (again.returncode, again.stdout)
    assert "$.version: the file is of version 1, and somebody made it 2 meanwhile" in again.stderr
    other = hotbasket("campaign", "change", "rice", file, "--data", data)
    assert (1, "$.campaign_id: the file is of pasta, and not of rice\n") == (other.returncode, other.stderr)
    # Without a version it replaces the newest.
    assert 3 == hotbasket_json("campaign", "change", "pasta", written(file), "--data", data)["version"]


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (
            {"budget": {"money_minor": 0}},
            ["$.budget.money_minor: expected 1 to 1,000,000,000,000,000 in minor units, found 0"],
        ),
        (
            {"budget": {"money_minor": -1}, "percent": {"usual": 30, "at_least": 5, "at_most": 20}},
            [
                "$.percent.usual: 30 is above at_most 20",
                "$.budget.money_minor: expected 1 to 1,000,000,000,000,000 in minor units, found -1",
            ],
        ),
        (
            {"budget": {"money_minor": 10**30}},
            [f"$.budget.money_minor: expected 1 to 1,000,000,000,000,000 in minor units, found {10**30}"],
        ),
        (
            {"ends_at": "2030-06-03T06:00:00Z", "time_zone": "Mars/Base"},
            [
                '$.ends_at: "2030-06-03T06:00:00Z" is not after starts_at, "2030-06-03T08:00:00+02:00"',
                '$.time_zone: "Mars/Base" is no IANA time zone, give a name like Europe/Paris',
            ],
        ),
    ],
)
def test_every_fault_is_one_line(template: Path, tmp_path: Path, fields: dict[str, Any], faults: list[str]) -> None:
    """Exit code 1, nothing on stdout, every fault on stderr with its place."""
    ran = hotbasket("campaign", "create", written(tmp_path / "bad.json", **fields), "--data", template)
    assert (1, "", faults) == (ran.returncode, ran.stdout, ran.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("show", "rice"), 1, "shop has no campaign 'rice': hotbasket campaign list shows those there are"),
        (("history", "rice"), 1, "shop has no campaign 'rice'"),
        (("schedule", "rice"), 1, "shop has no campaign 'rice'"),
        (("create", "absent.json"), 1, "absent.json: No such file or directory"),
        (("list", "--retailer", "other"), 1, "there is no retailer 'other'"),
        (("list", "--now", "tomorrow"), 2, "'tomorrow' is no moment"),
    ],
)
def test_a_refusal_is_one_sentence(template: Path, arguments: tuple[str, ...], code: int, fault: str) -> None:
    """What can't be done says why, without a traceback."""
    ran = hotbasket("campaign", *arguments, "--data", template)
    assert (code, "") == (ran.returncode, ran.stdout)
    assert fault in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_id_belongs_to_its_retailer(tmp_path: Path) -> None:
    """Two retailers may have a campaign of one id, and neither sees the other's; one retailer may not have two."""
    data, file = tmp_path / "data", written(tmp_path / "pasta.json")
    for name in ("one", "two"):
        hotbasket_json("retailer", "add", name, "--data", data)
    hotbasket_json("campaign", "create", file, "--data", data, "--retailer", "one")
    assert [] == hotbasket_json("campaign", "list", "--data", data, "--retailer", "two")
    hotbasket_json("campaign", "create", file, "--data", data, "--retailer", "two")
    taken = hotbasket("campaign", "create", file, "--data", data, "--retailer", "one")
    assert (1, "there is a campaign pasta already: choose another id, or change that one\n") == (
        taken.returncode,
        taken.stderr,
    )
    unsaid = hotbasket("campaign", "list", "--data", data)
    assert (1, "choose one with --retailer: one, two\n") == (unsaid.returncode, unsaid.stderr)
