"""Fold and decide inside actors: events a second on one core, and what a million residents cost."""

from __future__ import annotations

import gc
import random
import time
from hashlib import sha256
from statistics import median
from typing import Any

import msgspec

from actors.messages import Item, Loaded
from actors.residents import Residents
from domain.ids import Position, ShopperKey, bucket
from domain.ports.tree_store import StoredTree
from domain.records import Record
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree
from tests.bench.measured import resident_bytes
from tests.story import RETAILER, record

BRANCHES = 13
BATCH = 500
ACTIVATED_AT_ONCE = 100


def forty_nodes() -> bytes:
    """Gives the encoded tree of `forty_nodes_json`."""
    return encode_tree(read_tree(forty_nodes_json())[1])


def forty_nodes_json() -> dict[str, Any]:
    """Gives a tree of 40 nodes: a root, and branches of sauce, score and basket tension."""
    nodes: dict[str, Any] = {"start": {"edges": []}}
    for number in range(BRANCHES):
        added = {"kind": "product", "action": "added", "category_ids": [f"category-{number}"]}
        near = {"kind": "basket_total", "at_least_minor": 4_000}
        likely = {"kind": "score", "bias": -1.2, "weights": {"basket_lines": 0.3, "session_minutes": 0.05}}
        both = {"kind": "all", "of": [near, {**likely, "at_least": 0.5}]}
        products = [{"product_id": f"p-{number}", "reason": "often bought with it"}]
        content = {"threshold_minor": 50_000, "reward": {"type": "amount", "value_minor": 500}}
        nodes["start"]["edges"].append({"to": f"sauce-{number}", "when": added})
        nodes[f"sauce-{number}"] = {
            "experiences": [
                {"slot": "main", "kind": "recommendation", "ttl_s": 600, "content": {"products": products}}
            ],
            "edges": [{"to": f"tension-{number}", "when": both}, {"to": f"end-{number}", "when": {"kind": "page"}}],
        }
        nodes[f"tension-{number}"] = {
            "experiences": [{"slot": "banner", "kind": "basket_tension", "ttl_s": 900, "content": content}]
        }
        nodes[f"end-{number}"] = {}
    return {"schema_version": 1, "shopper": "default", "root": "start", "nodes": nodes}


def some_events(count: int, shoppers: int) -> list[Item]:
    """Gives events as a shop sees them: half page views, a third additions, the rest searches and clicks."""
    draw = random.Random(7)
    items = []
    for number in range(count):
        match draw.choices(("view", "add", "search", "click"), (5, 3, 1, 1))[0]:
            case "view":
                page = {"kind": "product", "product_id": f"p-{number % 50}", "category_id": "category-3"}
                told = record("PageViewed", number * 0.01, number, page=page)
            case "add":
                product = {
                    "product_id": f"p-{draw.randrange(60)}",
                    "category_id": f"category-{draw.randrange(BRANCHES)}",
                    "price_minor": 200,
                    "currency": "EUR",
                }
                told = record("AddedToBasket", number * 0.01, number, product=product)
            case "search":
                told = record("ProductsSearched", number * 0.01, number, query="pasta")
            case _:
                told = record("LinkClicked", number * 0.01, number, target="/offers")
        items.append(Item(_of_shopper(told, _name(number % shoppers)), Position(1, number)))
    return items


def _of_shopper(told: Record, shopper: str) -> Record:
    event = msgspec.structs.replace(told.event, shopper_id=shopper)
    return msgspec.structs.replace(told, event=event)


def fold_and_decide(events: int = 60_000, shoppers: int = 2_000, rounds: int = 5) -> dict[str, float]:
    """Gives events a second of CPU time through region and shopper actors, warm, with a 40-node tree: the median."""
    blob = forty_nodes()
    tree = StoredTree(1, blob)
    rates = []
    for _ in range(rounds):
        members = Residents(1)
        items = some_events(events, shoppers)
        members.process(0, (), {item.record.key: Loaded(None, tree) for item in items}, 1, 0.0)
        gc.collect()
        gc.freeze()
        half = len(items) // 2
        _process(members, items[:half])
        started_s = time.process_time()
        _process(members, items[half:])
        rates.append((len(items) - half) / (time.process_time() - started_s))
        gc.unfreeze()
    return {"per_s": median(rates), "tree_bytes": float(len(blob))}


def _process(members: Residents, items: list[Item]) -> None:
    for start in range(0, len(items), BATCH):
        members.process(0, items[start : start + BATCH], {}, 1, 0.0)


def residents_in(count: int, partitions: int) -> float:
    """Gives the bytes of a resident in a worker that owns so many partitions, each shopper with a tree of its own."""
    members = [Residents(partitions) for _ in range(partitions)]
    template = some_events(ACTIVATED_AT_ONCE, ACTIVATED_AT_ONCE)
    blob = forty_nodes()
    before = resident_bytes()
    for first in range(0, count, ACTIVATED_AT_ONCE):
        split: dict[int, list[Item]] = {}
        for number, item in enumerate(template):
            name = _name(first + number)
            told = Item(_of_shopper(item.record, name), item.position)
            split.setdefault(bucket(name) % partitions, []).append(told)
        for partition, items in split.items():
            loaded = {item.record.key: Loaded(None, StoredTree(1, bytes(bytearray(blob)))) for item in items}
            members[partition].process(0, items, loaded, 1, 0.0)
    return (resident_bytes() - before) / count


def residents(count: int, churns: int = 10) -> dict[str, float]:
    """Gives memory of `count` residents with own trees of 3 KB, the longest pause, and growth after `churns` x churn.

    A pause is the CPU time of one batch of activations and events, garbage collections included: nothing else runs on
    the worker's loop meanwhile.
    """
    members = Residents(1)
    template = some_events(ACTIVATED_AT_ONCE, ACTIVATED_AT_ONCE)
    before = resident_bytes()
    pauses: list[float] = []

    def activate(first: int, generation: int) -> None:
        names = [_name(first + number) for number in range(ACTIVATED_AT_ONCE)]
        # A copy each: every shopper's tree is its own.
        loaded = {
            ShopperKey(RETAILER, name): Loaded(None, StoredTree(generation, bytes(bytearray(blob)))) for name in names
        }
        items = [
            Item(_of_shopper(item.record, name), Position(1, number))
            for number, (item, name) in enumerate(zip(template, names, strict=True))
        ]
        started_s = time.process_time()
        members.process(0, items, loaded, generation, float(generation))
        pauses.append(time.process_time() - started_s)

    blob = forty_nodes()
    for first in range(0, count, ACTIVATED_AT_ONCE):
        activate(first, 1)
    full = resident_bytes()
    ordered = sorted(pauses)
    churn = min(count, 50_000)
    sizes = []
    for turn in range(churns):
        while members.passivate(idle_since_s=-1.0, residents_max=count - churn, keep=frozenset()).bound:
            pass
        for first in range(0, churn, ACTIVATED_AT_ONCE):
            activate(count * (turn + 1) + first, turn + 2)
        sizes.append(resident_bytes())
    return {
        "residents": float(count),
        "tree_bytes": float(len(blob)),
        "gib": (full - before) / 2**30,
        "bytes_each": (full - before) / count,
        "median_pause_ms": median(ordered) * 1_000,
        "longest_pause_ms": ordered[-1] * 1_000,
        "churn_growth": sizes[-1] / sizes[0] - 1,
    }


def _name(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()
