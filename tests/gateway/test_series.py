"""No client makes a series: whatever thousands of shoppers and strangers send, a process has those it began with."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from monitoring.plain import SHOWN_MAX
from tests.gateway.standing import FOREIGN_ORIGIN, Standing, added, until

MARK = "zz"
"""In every name that a client makes up; in no name of ours."""
SHOPPERS, AT_ONCE = 3_000, 50
REFUSED = "hotbasket_refused_requests"
BY_RETAILER = {"hotbasket_tree_generation_in_force", "hotbasket_tree_release_timestamp_seconds"}
JSON = {"content-type": "application/json"}

Series = set[tuple[str, tuple[tuple[str, str], ...]]]


def series(standing: Standing) -> Series:
    """Every series of the process, a histogram's buckets apart."""
    return {
        (family.name, tuple(sample.labels.items()))
        for family in standing.metrics.registry.collect()
        for sample in family.samples
        if "le" not in sample.labels
    }


def said_in_code(checkout: Path) -> set[str]:
    """Every text that stands in the code of the gateway and of the domain."""
    found = set()
    for room in ("gateway", "domain"):
        for path in (checkout / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def garbage(number: int) -> list[Any]:
    """Events that nobody can mean, each with names of its own."""
    name = f"{MARK}-{number}"
    good = added(f"{MARK}{number}", name)
    absent = {"type": "ExperienceClicked", "experience_id": name, "product": None}
    return [
        good,
        good | {"type": name},
        good | {"type": {name: name}},
        good | {name: name},
        good | {"consent": name},
        good | {"product": {"product_id": name, "currency": name}},
        {key: value for key, value in (good | absent | {"event_id": str(uuid4())}).items() if value is not None},
    ]


async def ask_for_nonsense(standing: Standing, number: int) -> None:
    """Asks every route for what is not there, with keys, names and bodies of its own making."""
    name = f"{MARK}{number}"
    http, secret = standing.http, standing.shop.secret
    for path in ("/v1/subscriptions", "/v1/shoppers/lookup", "/v1/quotes", "/v1/rewards/claims", "/v1/campaigns"):
        for headers in (secret | JSON, {"authorization": f"Bearer {name}"} | JSON, {"origin": FOREIGN_ORIGIN} | JSON):
            await http.post(path, content=json.dumps({name: name, "shopper_id": name}).encode(), headers=headers)
    await http.request(name.upper(), "/v1/events", headers=secret)
    await http.get(f"/{name}/{name}", headers=secret)
    await http.get(f"/v1/campaigns/{name}", headers=secret)
    await http.get("/v1/experiences", params={"subscription": name, name: name})
    for body in (b"{", b"[]", b"\xff", json.dumps(name).encode(), json.dumps({"events": name}).encode()):
        await standing.post(body)


async def test_no_client_makes_a_series(standing: Standing, checkout: Path) -> None:
    """Shoppers, products, categories, types, keys and paths that clients make up are in no label of any metric."""
    await standing.work()
    before = series(standing)
    events = [added(f"{MARK}{number}", f"{MARK}-{number}") for number in range(SHOPPERS)]
    for start in range(0, SHOPPERS, AT_ONCE):
        answer = await standing.post({"events": events[start : start + AT_ONCE]})
        assert 200 == answer.status_code, answer.text
    for number in range(40):
        await standing.post({"events": garbage(number)})
        await ask_for_nonsense(standing, number)

    async def is_processed() -> bool:
        return standing.counted("processed_events_total", type="AddedToBasket") >= SHOPPERS

    await until(is_processed, "all are processed")
    after = series(standing)
    assert SHOPPERS <= standing.counted("residents")
    assert [] == [one for one in after if any(MARK in value.lower() for _, value in one[1])]
    new = {(dict(labels)["status"], dict(labels)["error"]) for name, labels in after - before if name == REFUSED}
    assert new
    assert {"400"} == {status for status, _ in new}
    assert {error for _, error in new} <= said_in_code(checkout)
    assert {REFUSED} | BY_RETAILER >= {name for name, _ in after - before}
    assert len(after) <= len(before) + 60


async def test_retailers_make_a_bounded_number_of_series(standing: Standing) -> None:
    """However many retailers there are, a process shows some of them by name."""
    await standing.work()
    for number in range(SHOWN_MAX + 20):
        await standing.ports.trees.push(f"r-{number:04}", [("default", b"tree")])

    async def are_shown() -> bool:
        return all(len([1 for one, _ in series(standing) if one == name]) == SHOWN_MAX for name in BY_RETAILER)

    await until(are_shown, f"{SHOWN_MAX} retailers are shown")


@pytest.mark.parametrize("kind", ["Zz", "AddedToBasket\n", "addedtobasket", "IdleElapsed", "ShopperErased", ""])
async def test_what_a_client_calls_an_event_is_no_label(standing: Standing, kind: str) -> None:
    """A type that is none, or that only we may use, counts as unknown."""
    await standing.post({"events": [added() | {"type": kind}]})
    assert 1 == standing.counted("events_total", type="unknown", outcome="rejected")
