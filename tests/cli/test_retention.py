"""`hotbasket retailer set --keep` and `privacy check` from the command line, at a directory that nobody runs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.running import hotbasket, hotbasket_json

PLANTED = "INSERT INTO audit (retailer_id, at_ms, who, action, outcome) VALUES (?, 1000, 'key 1', 'lookup', 'done')"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data directory, and the id of its retailer."""
    data = tmp_path_factory.mktemp("retention") / "data"
    added = hotbasket_json("retailer", "add", "shop", "--data", data, "--keep", "audit=7")
    return data, added["retailer_id"]


def test_days_are_kept_beside_each_other(shop: tuple[Path, str]) -> None:
    """A kind that is not named stays as it was; the list says of every kind how long."""
    data, _ = shop
    changed = hotbasket_json("retailer", "set", "shop", "--data", data, "--keep", "history=30")
    assert {"audit": 7, "history": 30} == changed["kept_days"]
    listed = hotbasket("retailer", "list", "--data", data).stdout
    assert "history 30, state 1095, models 90, audit 7, requests 1095" in listed


def test_faulty_days_are_refused_together(shop: tuple[Path, str]) -> None:
    """With every fault, and nothing is changed."""
    data, _ = shop
    done = hotbasket("retailer", "set", "shop", "--data", data, "--keep", "weather=3", "--keep", "state=0")
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert "there is no kind 'weather'" in said
    assert "give days from 1 to 3650, like state=365" in said
    assert "state" not in hotbasket_json("retailer", "list", "--data", data)[0]["kept_days"]


def test_what_is_too_old_is_told(shop: tuple[Path, str]) -> None:
    """Nothing exits with 0; a planted entry is told with store, retailer and date, exits with 1, and stays."""
    data, retailer_id = shop
    assert [] == hotbasket_json("privacy", "check", "--data", data)["too_old"]
    with sqlite3.connect(data / "control.db") as control:
        control.execute(PLANTED, (retailer_id,))
    for _ in range(2):
        done = hotbasket("privacy", "check", "--data", data, "--json")
        (found,) = json.loads(done.stdout)["too_old"]
        assert (1, "audit trail", "shop", 7) == (
            done.returncode,
            found["store"],
            found["retailer"],
            found["allowed_days"],
        )
        assert found["oldest_at"].startswith("1970-01-01")
    assert "audit trail of shop" in hotbasket("privacy", "check", "--data", data).stdout
