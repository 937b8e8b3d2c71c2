"""`hotbasket audit`: what commands leave in the trail, how it is shown; and keys of every scope, made and ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_campaign import written as campaign
from tests.cli.test_commands import SAUCE, written

SHOPPER = {"shopper_id": "c-1"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a retailer."""
    there = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", there)
    return there


def trail(data: Path) -> list[tuple[str, str | None, str]]:
    """The entries of the trail behind the retailer's own: action, target, outcome."""
    entries = hotbasket_json("audit", "--data", data)
    assert ("retailer.add", None, "done") == tuple(entries[0][name] for name in ("action", "target", "outcome"))
    assert {"command line"} == {entry["who"] for entry in entries}
    return [(entry["action"], entry["target"], entry["outcome"]) for entry in entries[1:]]


def test_what_commands_do_leaves_entries(data: Path) -> None:
    """Rules, catalogue, trees, campaigns, winners, looks at a shopper: done or refused, without a shopper's id."""
    products = data.parent / "products.csv"
    products.write_text("product_id,name,category_id\np-1,Penne,pasta\n", encoding="utf-8")
    hotbasket_json("retailer", "set", "shop", "--data", data, "--currency", "CHF")
    assert 1 == hotbasket("retailer", "set", "shop", "--data", data, "--currency", "XXX").returncode
    hotbasket_json("catalogue", "import", products, "--data", data)
    tree = written(data.parent / "tree.json", SAUCE)
    hotbasket_json("tree", "push", tree, "--data", data)
    file = campaign(data.parent / "pasta.json")
    hotbasket_json("campaign", "create", file, "--data", data)
    hotbasket_json("campaign", "change", "pasta", file, "--data", data)
    hotbasket_json("campaign", "schedule", "pasta", "--data", data)
    assert 1 == hotbasket("campaign", "resume", "pasta", "--data", data).returncode
    hotbasket_json("rewards", "payouts", "--data", data)
    assert 1 == hotbasket("explain", "loyalty-no-9", "--data", data).returncode
    assert 1 == hotbasket("replay-shopper", "loyalty-no-9", "--tree", tree, "--data", data).returncode
    hotbasket_json("tree", "show", "loyalty-no-9", "--data", data)
    *others, explained, replayed, showed = trail(data)
    assert [
        ("retailer.set", None, "done"),
        ("retailer.set", None, "refused"),
        ("catalogue.import", None, "done"),
        ("tree.push", None, "done"),
        ("campaigns.create", "pasta", "done"),
        ("campaigns.change", "pasta", "done"),
        ("campaigns.schedule", "pasta", "done"),
        ("campaigns.resume", "pasta", "refused"),
        ("rewards.payouts", None, "done"),
    ] == others
    (target,) = {target for _, target, _ in (explained, replayed, showed)}
    assert 64 == len(target or "")
    assert [("explain", "refused"), ("replay-shopper", "refused"), ("tree.show", "done")] == [
        (action, outcome) for action, _, outcome in (explained, replayed, showed)
    ]


def test_what_only_looks_leaves_no_entry(data: Path) -> None:
    """Lists, checks and the trail itself; and what was refused before it was known of whom."""
    hotbasket_json("retailer", "list", "--data", data)
    hotbasket_json("retailer", "keys", "shop", "--data", data)
    hotbasket_json("campaign", "list", "--data", data)
    hotbasket_json("tree", "validate", written(data.parent / "tree.json", SAUCE))
    assert 1 == hotbasket("campaign", "end", "rice", "--data", data).returncode
    assert 1 == hotbasket("retailer", "add", "shop", "--data", data).returncode
    assert 1 == hotbasket("explain", "c-1", "--retailer", "other", "--data", data).returncode
    assert [] == trail(data)


def test_the_trail_is_shown_since_a_moment(data: Path) -> None:
    """As lines of a table or one document; in slices, with where to go on; a mistyped moment is wrong usage."""
    hotbasket_json("retailer", "set", "shop", "--data", data, "--currency", "CHF")
    shown = hotbasket("audit", "--data", data, "--retailer", "shop", "--since", "2020-01-01", COLUMNS="120")
    heads, *lines = shown.stdout.splitlines()
    assert ["at", "who", "action", "target", "outcome"] == heads.split()
    assert [["command", "line", "retailer.add", "done"], ["command", "line", "retailer.set", "done"]] == [
        line.split()[1:] for line in lines
    ]
    first = hotbasket("audit", "--data", data, "--limit", "1", "--json")
    (entry,) = json.loads(first.stdout)
    assert f"there is more: ask again with --since {entry['at']}" in first.stderr
    assert 2 == len(hotbasket_json("audit", "--data", data, "--since", entry["at"]))
    assert "nothing was noted since then\n" == hotbasket("audit", "--data", data, "--since", "2090-01-01").stdout
    for since in ("yesterday", "2026-11-01T08:00:00"):
        ran = hotbasket("audit", "--data", data, "--since", since)
        assert (2, "") == (ran.returncode, ran.stdout)


def test_a_key_of_each_scope_opens_what_it_is_for(data: Path) -> None:
    """The first is made by rotate-key, its letters say its scope, and a running system takes it at once."""
    with Running(data) as running:
        keys: dict[str, Any] = {}
        for scope, letters in (("server", "svk_"), ("privacy", "pvk_"), ("operator", "opk_")):
            made = hotbasket_json("retailer", "rotate-key", "shop", "--scope", scope, "--data", data)
            assert ["retailer_id", f"{scope}_key"] == list(made)
            keys[scope] = made[f"{scope}_key"]
            assert keys[scope].startswith(letters)
        statuses = {scope: running.post("/v1/shoppers/lookup", key, SHOPPER)[0] for scope, key in keys.items()}
        assert {"server": 404, "privacy": 403, "operator": 403} == statuses
        assert 0 == running.stop()
    names = {one["scope"]: one["key"] for one in hotbasket_json("retailer", "keys", "shop", "--data", data)}
    entries = hotbasket_json("audit", "--data", data)
    assert [f"{scope} key {names[scope]}" for scope in keys] == [entry["target"] for entry in entries[1:4]]
    assert (f"key {names['server']}", "lookup", "refused") == tuple(
        entries[-1][name] for name in ("who", "action", "outcome")
    )
    kept = b"".join(path.read_bytes() for path in data.iterdir())
    assert [] == [scope for scope, key in keys.items() if key.encode() in kept]


def test_keys_are_made_and_ended_alone(data: Path) -> None:
    """One more beside the others, one revoked and the others left; nobody's name is refused."""
    rotate = ("retailer", "rotate-key", "shop", "--scope", "privacy", "--data", data)
    hotbasket_json(*rotate)
    hotbasket_json(*rotate, "--keep-old")

    def privacy() -> dict[str, str | None]:
        keys = hotbasket_json("retailer", "keys", "shop", "--data", data)
        return {one["key"]: one["until"] for one in keys if one["scope"] == "privacy"}

    first, second = privacy()
    assert [None, None] == list(privacy().values())
    revoked = hotbasket_json("retailer", "revoke-key", "shop", first, "--data", data)
    assert (first, "privacy", True) == (revoked["key"], revoked["scope"], revoked["until"] is not None)
    assert {first: revoked["until"], second: None} == privacy()
    assert f"{first}  privacy until {revoked['until']}" in hotbasket("retailer", "keys", "shop", "--data", data).stdout
    ran = hotbasket("retailer", "revoke-key", "shop", "00000000", "--data", data)
    assert (1, "shop has no key '00000000': hotbasket retailer keys shows those there are\n") == (
        ran.returncode,
        ran.stderr,
    )
    hotbasket_json(*rotate)
    assert [False, False, True] == sorted(until is None for until in privacy().values())
    assert ("retailer.revoke-key", f"privacy key {first}", "done") in trail(data)
