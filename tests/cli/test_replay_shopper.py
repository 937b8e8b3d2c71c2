"""Why, and what if: a shopper explained, quoted at the till, and replayed through another tree and other campaigns."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json

WITHIN_S = 60
TEN: dict[str, Any] = {
    "name": "Ten percent on pasta",
    "kind": "personalised_promotion",
    "starts_at": "2020-01-01T00:00:00Z",
    "ends_at": "2099-01-01T00:00:00Z",
    "percent": {"usual": 10},
    "max_discount_minor": 500,
    "budget": {"money_minor": 50_000},
}
RICH: dict[str, Any] = {**TEN, "name": "For full baskets", "audience": {"kind": "basket_total", "at_least_minor": 640}}


def tree(*nodes: Any, slot: str = "main") -> dict[str, Any]:
    """A tree in which pasta leads to what is shown, and a full basket elsewhere."""
    promoted = [
        {
            "slot": slot,
            "kind": "personalised_promotion",
            "campaign_id": campaign_id,
            "content": {"products": ["p-1"], "generosity": {"type": "percent", "value": 10}},
        }
        for campaign_id in nodes
    ]
    pasta = {"kind": "product", "action": "added", "category_ids": ["pasta"]}
    full = {"kind": "basket_total", "at_least_minor": 640}
    return {
        "schema_version": 1,
        "shopper": "default",
        "root": "start",
        "nodes": {
            "start": {"edges": [{"to": "full", "when": full}, {"to": "pasta", "when": pasta}]},
            "full": {},
            "pasta": {"experiences": promoted},
        },
    }


def written(path: Path, document: Any) -> Path:
    """A file with one JSON document."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


class Shop(NamedTuple):
    """A running system in which somebody was promised something.

    Attributes:
        shopper: who, after looking at a page and adding pasta for 3.00.
    """

    data: Path
    running: Running
    secret_key: str
    shopper: str


def _event(kind: str, shopper: str, **fields: Any) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"type": kind, "event_id": str(uuid4()), "occurred_at": at, "shopper_id": shopper, **fields}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The system, once the worker may promise and has."""
    folder = tmp_path_factory.mktemp("shop")
    data = folder / "data"
    keys = hotbasket_json("retailer", "add", "shop", "--data", data)
    hotbasket_json("tree", "push", written(folder / "tree.json", tree("ten", "rich")), "--data", data)
    for campaign_id, definition in (("ten", TEN), ("rich", {**RICH, "priority": 5})):
        document = {**definition, "campaign_id": campaign_id}
        hotbasket_json("campaign", "create", written(folder / "campaign.json", document), "--data", data)
        hotbasket_json("campaign", "schedule", campaign_id, "--data", data)
    with Running(data) as running:
        yield Shop(data, running, keys["secret_key"], _promised(running, keys["secret_key"]))


def _promised(running: Running, key: str) -> str:
    """Adds pasta for one shopper after the other until the worker has leases and somebody is promised something."""
    product = {"product_id": "p-1", "category_id": "pasta", "price_minor": 150, "currency": "EUR"}
    deadline = time.monotonic() + WITHIN_S
    number = 0
    while True:
        number += 1
        shopper = f"c-{number}"
        running.post("/v1/events", key, _event("PageViewed", shopper, page={"kind": "home"}), prefer="wait=2")
        added = _event("AddedToBasket", shopper, product=product, quantity=2)
        _, answer = running.post("/v1/events", key, added, prefer="wait=2")
        if answer["experiences"]:
            return shopper
        assert time.monotonic() < deadline, answer


def _until_saved(shop: Shop) -> Any:
    """The lookup, once a checkpoint has both events."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        ran = hotbasket("explain", shop.shopper, "--data", shop.data, "--json")
        if ran.returncode == 0 and json.loads(ran.stdout)["session"]["events"] == 2:
            return json.loads(ran.stdout)
        assert time.monotonic() < deadline, ran.stdout + ran.stderr


def test_the_till_is_quoted_what_was_promised(shop: Shop) -> None:
    """`hotbasket run` answers quotes."""
    lines = [{"product_id": "p-1", "category_id": "pasta", "quantity": 2, "price_minor": 150}]
    status, answer = shop.running.post("/v1/quotes", shop.secret_key, {"shopper_id": shop.shopper, "lines": lines})
    assert (200, 30, ["ten"]) == (
        status,
        answer["total_minor"],
        [one["campaign_id"] for one in answer["discounts"]],
    )


def test_explain_tells_promises_losers_and_flips(shop: Shop) -> None:
    """Who promised what until when, who lost and why, and how much more would have led elsewhere."""
    found = _until_saved(shop)
    assert [("ten", 500, "open")] == [
        (one["campaign_id"], one["cost_minor"], one["state"]) for one in found["promises"]
    ]
    (decision,) = found["decisions"]
    assert ("ten", [("rich", "audience")]) == (
        decision["campaign_id"],
        [(one["campaign_id"], one["reason"]) for one in decision["against"]],
    )
    enough = {"change": "basket_total", "by_minor": 340}
    assert [("start", enough)] == [(one["node_id"], one["flip"]) for one in found["considered"]]
    assert [("rich", enough)] == [(one["campaign_id"], one["flip"]) for one in found["lost"]]
    told = hotbasket("explain", shop.shopper, "--data", shop.data).stdout
    assert "  open: ten, 5.00 EUR at most, until " in told
    assert " of ten\n" in told
    assert "    against rich of node 'pasta': the shopper is not of its audience\n" in told
    assert "  rich, slot 'main' of node 'pasta': the shopper is not of its audience\n" in told
    assert "    with 3.40 EUR more in the basket it would have been taken\n" in told
    assert "    with 3.40 EUR more in the basket that would not have spoken against it\n" in told


def test_another_tree_is_told_beside_the_real_one(shop: Shop) -> None:
    """Event by event, as JSON and as a table of 80 columns; what differs is marked."""
    other = written(shop.data.parent / "other.json", tree("ten", slot="side"))
    found = hotbasket_json("replay-shopper", shop.shopper, "--tree", other, "--data", shop.data)
    assert [("PageViewed", True), ("AddedToBasket", False)] == [(row["type"], row["same"]) for row in found["rows"]]
    assert (2, 1) == (found["events"], found["different"])
    (actual,), (would_be,) = found["rows"][1]["actual"], found["rows"][1]["would_be"]
    assert ("main", "side", "ten") == (actual["slot"], would_be["slot"], would_be["campaign_id"])
    ran = hotbasket("replay-shopper", shop.shopper, "--tree", other, "--data", shop.data, COLUMNS="80")
    lines = ran.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines), ran.stdout
    assert [" ", "≠"] == [line[0] for line in lines[1:3]]
    assert "main: personalised" in lines[2]
    assert "side: personalised" in lines[2]
    assert "2 events, 1 decided otherwise" == lines[-1]


def test_other_campaigns_are_told_beside_the_real_ones(shop: Shop) -> None:
    """Through the tree in force: an audience that would have had the shopper, and one that nobody is of."""
    eased = {**RICH, "priority": 5, "audience": {"kind": "basket_total", "at_least_minor": 300}}
    asked = [{"campaign_id": "rich", "definition": eased}, {"campaign_id": "ten", "definition": TEN}]
    nobody = [{"campaign_id": "rich", "definition": {**RICH, "audience": {"kind": "visits", "at_least": 99}}}]
    for campaigns, expected in ((asked, [("shown", "rich")]), (nobody, [])):
        file = written(shop.data.parent / "campaigns.json", campaigns)
        (_, row) = hotbasket_json("replay-shopper", shop.shopper, "--campaigns", file, "--data", shop.data)["rows"]
        assert expected == [(one["became"], one["campaign_id"]) for one in row["would_be"]]


def test_since_leaves_out_what_was_before(shop: Shop) -> None:
    """Events before that moment are folded and not told."""
    other = written(shop.data.parent / "other.json", tree("ten", slot="side"))
    whole = ("replay-shopper", shop.shopper, "--tree", other, "--data", shop.data)
    (_, second) = hotbasket_json(*whole)["rows"]
    assert [second] == hotbasket_json(*whole, "--since", second["at"])["rows"]
    assert [] == hotbasket_json(*whole, "--since", "2099-01-01T00:00:00Z")["rows"]
    wrong = hotbasket(*whole, "--since", "yesterday")
    assert (2, True) == (wrong.returncode, "'yesterday' is no moment" in wrong.stderr)


def test_what_can_not_be_replayed(shop: Shop) -> None:
    """Nothing else to decide, nobody, and files with faults: said in sentences, every fault at once."""
    good = written(shop.data.parent / "good.json", tree("ten"))
    bad = [
        {"campaign_id": "*", "definition": TEN},
        {"campaign_id": "x", "definition": {**TEN, "percent": {"usual": 0}}},
        7,
    ]
    faulty = written(shop.data.parent / "bad.json", bad)
    cases = [
        ((shop.shopper,), 2, ["--tree or --campaigns"]),
        (("nobody", "--tree", good), 1, ["no event of shopper 'nobody'"]),
        ((shop.shopper, "--tree", faulty), 1, ["$"]),
        (
            (shop.shopper, "--campaigns", faulty),
            1,
            ["$[0].campaign_id: ", "$[1].definition.percent.usual: ", "$[2]: expected an object"],
        ),
        ((shop.shopper, "--campaigns", good), 1, ["expected a list"]),
        ((shop.shopper, "--campaigns", shop.data / "none.json"), 1, ["No such file"]),
    ]
    for arguments, code, sentences in cases:
        ran = hotbasket("replay-shopper", *arguments, "--data", shop.data)
        assert code == ran.returncode, ran.stderr
        assert "Traceback" not in ran.stderr
        assert [] == [sentence for sentence in sentences if sentence not in ran.stderr], ran.stderr
