"""The real baskets through the running system: every event stored, every state right, every experience explained."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.real_data.independent_fold import fold, summary
from tests.real_data.kept import Kept

pytestmark = [pytest.mark.needs_real_data, pytest.mark.slow]

BASKETS, HOUSEHOLDS, LINES = 10_663, 1_498, 99_993
SAMPLE = 40
SHIFTED_EVENTS = 8_000
LOOKUP_WITHIN_S = 30
MILK = "fluid-milk-products"
TREE: dict[str, Any] = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [{"to": "milk", "when": {"kind": "product", "action": "added", "category_ids": [MILK]}}],
        },
        "milk": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "recommendation",
                    "ttl_s": 1_800,
                    "content": {"products": [{"product_id": "981760", "reason": "goes with milk"}]},
                }
            ],
            "edges": [{"to": "near", "when": {"kind": "basket_total", "at_least_minor": 1_000}}],
        },
        "near": {
            "experiences": [
                {
                    "slot": "banner",
                    "kind": "basket_tension",
                    "ttl_s": 900,
                    "content": {"threshold_minor": 4_000, "reward": {"type": "amount", "value_minor": 300}},
                }
            ]
        },
    },
}

Event = dict[str, Any]


class Converted(NamedTuple):
    """What `convert` made."""

    file: Path
    catalogue: Path
    result: dict[str, Any]
    events: list[Event]


def convert(real_data: Path, out: Path, *more: str | Path, **environment: str) -> dict[str, Any]:
    """Runs the conversion."""
    sources = ("--baskets", real_data / "baskets_day1_79.parquet", "--products", real_data / "products.parquet")
    made: dict[str, Any] = hotbasket_json("convert", "complete-journey", *sources, "--out", out, *more, **environment)
    return made


@pytest.fixture(scope="module")
def converted(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """All the baskets as events."""
    folder = tmp_path_factory.mktemp("converted")
    file, catalogue = folder / "events.jsonl", folder / "catalogue.csv"
    result = convert(real_data, file, "--catalogue", catalogue)
    with file.open(encoding="utf-8") as lines:
        return Converted(file, catalogue, result, [json.loads(line) for line in lines])


def write(path: Path, events: list[Event]) -> Path:
    """A file of these events."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


def split(events: list[Event]) -> tuple[list[Event], list[Event]]:
    """All but the second half of each household's last session, and these halves: in between, baskets are full."""
    last: dict[str, list[int]] = {}
    session: dict[str, str] = {}
    for number, event in enumerate(events):
        shopper = event["shopper_id"]
        if session.get(shopper) != event["session_id"]:
            session[shopper], last[shopper] = event["session_id"], []
        last[shopper].append(number)
    late = {number for numbers in last.values() for number in numbers[len(numbers) // 2 :]}
    first = [event for number, event in enumerate(events) if number not in late]
    return first, [events[number] for number in sorted(late)]


def expected_states(events: list[Event]) -> dict[str, dict[str, Any] | None]:
    """Each shopper's state as the independent fold computes it."""
    return {shopper: summary(state) for shopper, state in fold(events).items()}


def replayed(running: Running, key: str, file: Path, *more: str) -> dict[str, Any]:
    """Sends a file to a running system."""
    result: dict[str, Any] = hotbasket_json("replay", "--url", running.url, "--key", key, *more, file)
    return result


def test_each_basket_becomes_a_paid_session(converted: Converted) -> None:
    """Every basket, household and line of the data is in the events, and the result counts them."""
    orders = [event for event in converted.events if event["type"] == "OrderPaid"]
    assert (BASKETS, LINES) == (len(orders), sum(len(order["lines"]) for order in orders))
    assert HOUSEHOLDS == len({event["shopper_id"] for event in converted.events})
    assert {
        "baskets": BASKETS,
        "events": len(converted.events),
        "by_type": dict(sorted(Counter(event["type"] for event in converted.events).items())),
    } == converted.result
    assert {"AddedToBasket", "OrderPaid", "PageViewed", "ProductsSearched", "RemovedFromBasket"} == set(
        converted.result["by_type"]
    )


def test_a_second_conversion_gives_the_same_bytes(converted: Converted, real_data: Path, tmp_path: Path) -> None:
    """Another process with another hash seed writes the same file."""
    again = tmp_path / "again.jsonl"
    convert(real_data, again, PYTHONHASHSEED="7")
    assert hashlib.sha256(converted.file.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


async def test_every_event_is_stored_and_every_state_is_right(converted: Converted, tmp_path: Path) -> None:
    """All baskets through `hotbasket run`, with a restart in between: log and states equal an independent fold."""
    first, rest = split(converted.events)
    data = tmp_path / "data"
    keys = hotbasket_json("retailer", "add", "journey", "--data", data)
    for events, seen in ((first, first), (rest, [*first, *rest])):
        with Running(data) as running:
            result = replayed(running, keys["write_key"], write(tmp_path / "part.jsonl", events))
            assert [len(events), len(events), 0, 0] == [
                result[name] for name in ("sent", "stored", "rejected", "dropped")
            ]
            running.wait_until_processed(len(events))
            expected = expected_states(seen)
            check_lookups(running, keys["secret_key"], expected)
            assert running.stop() == 0, running.output.read_text()[-2_000:]
        async with Kept(data, keys["retailer_id"]) as kept:
            assert expected == await kept.states(expected)
            stored = await kept.events()
            sent = sorted((event["event_id"], kept.hash_of(event["shopper_id"])) for event in seen)
            assert sent == sorted((str(one.event.event_id), one.event.shopper_id) for one in stored)
    assert all(state is not None and state["lines"] == [] for state in expected_states(converted.events).values())
    assert sum(bool(state and state["lines"]) for state in expected_states(first).values()) > HOUSEHOLDS / 2


def check_lookups(running: Running, key: str, expected: dict[str, dict[str, Any] | None]) -> None:
    """The endpoint tells of a sample of shoppers what the independent fold says, within a checkpoint or two."""
    deadline = time.monotonic() + LOOKUP_WITHIN_S
    for shopper_id in list(expected)[:: len(expected) // SAMPLE]:
        state = expected[shopper_id]
        assert state is not None
        while True:
            status, found = running.post("/v1/shoppers/lookup", key, {"shopper_id": shopper_id})
            lines = [
                {name: line[name] for name in ("product_id", "quantity", "price_minor")}
                for line in found.get("basket", {}).get("lines", ())
            ]
            if (200, state["lines"]) == (status, lines) and state["events"] == found["session"]["events"]:
                break
            assert time.monotonic() < deadline, (shopper_id, state, found)
            time.sleep(0.02)
        assert state["total_minor"] == found["basket"]["total_minor"]
        assert state["visits"] == found["session"]["visits"]


async def test_shifted_to_now_experiences_are_emitted_and_explained(converted: Converted, tmp_path: Path) -> None:
    """Real baskets shifted to now, with the catalogue and a default tree: each experience says its way and why."""
    events = converted.events[:SHIFTED_EVENTS]
    data = tmp_path / "data"
    keys = hotbasket_json("retailer", "add", "journey", "--data", data, "--currency", "USD")
    imported = hotbasket_json("catalogue", "import", "--data", data, "--retailer", "journey", converted.catalogue)
    assert {"imported": converted.catalogue.read_text(encoding="utf-8").count("\n") - 1} == imported
    tree = write(tmp_path / "tree.json", [TREE])
    assert {"generation": 1, "trees": 1, "suppressed": 0} == hotbasket_json(
        "tree", "push", "--data", data, "--retailer", "journey", tree
    )
    with Running(data) as running:
        result = replayed(
            running, keys["write_key"], write(tmp_path / "part.jsonl", events), "--shift-to-now", "--rate", "4000"
        )
        assert len(events) == result["stored"]
        running.wait_until_processed(len(events))
        counted = running.metric("hotbasket_decided_experiences_total")
        assert running.stop() == 0
    with_milk = {event["session_id"] for event in events
                 if event["type"] == "AddedToBasket" and event["product"].get("category_id") == MILK}  # fmt: skip
    async with Kept(data, keys["retailer_id"]) as kept:
        decisions = [decision for decided in await kept.decided() for decision in decided.decisions]
        received = {one.event.event_id: one.received_at_ms for one in await kept.events()}
    kinds = Counter(decision.experience.kind for decision in decisions)
    assert counted == len(decisions)
    # A paid order returns the shopper to the root, so each basket with milk recommends once.
    assert len(with_milk) == kinds["recommendation"]
    assert kinds["basket_tension"] > 0
    for decision in decisions:
        shown = decision.experience
        assert decision.path[-1] == shown.node_id
        assert decision.why
        assert shown.expires_at_ms > received[shown.trigger_event_id], "born expired"
    check_explained(data, next(event["shopper_id"] for event in events if event["session_id"] in with_milk))


def check_explained(data: Path, shopper_id: str) -> None:
    """The command tells the same story to people and, as the lookup's JSON, to programs."""
    found = hotbasket_json("explain", shopper_id, "--data", data)
    recommended = [one for one in found["decisions"] if one["kind"] == "recommendation"]
    assert ["start", "milk"] == recommended[0]["path"]
    assert all(why["held"] for why in recommended[0]["why"])
    told = hotbasket("explain", shopper_id, "--data", data, "--retailer", "journey")
    assert (0, True) == (told.returncode, "way: start → milk, because of event" in told.stdout), told.stderr
