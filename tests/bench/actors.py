"""Fold and decide inside actors: events a second on one core, and what a million residents cost."""

from __future__ import annotations

import gc
import random
import resource
import time
from typing import Any

import msgspec
from thespian.actors import ActorAddress, ActorSystem

from actors.memory import Freezer
from actors.messages import Item, Loaded, Passivate, Process, Results
from actors.region import RegionActor
from domain.ids import Position, ShopperKey
from domain.ports.tree_store import StoredTree
from domain.records import Record
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree
from tests.story import RETAILER, record

BRANCHES = 13
BATCH = 500


def forty_nodes() -> bytes:
    """Gives an encoded tree of 40 nodes: a root, and branches of sauce, score and basket tension."""
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
            "experiences": [{"slot": "main", "kind": "recommendation", "ttl_s": 600, "content": {"products": products}}],
            "edges": [{"to": f"tension-{number}", "when": both}, {"to": f"end-{number}", "when": {"kind": "page"}}],
        }
        nodes[f"tension-{number}"] = {
            "experiences": [{"slot": "banner", "kind": "basket_tension", "ttl_s": 900, "content": content}]
        }
        nodes[f"end-{number}"] = {}
    _, tree = read_tree({"schema_version": 1, "shopper": "default", "root": "start", "nodes": nodes})
    return encode_tree(tree)


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
        items.append(Item(_of_shopper(told, number % shoppers), Position(1, number)))
    return items


def _of_shopper(told: Record, number: int) -> Record:
    event = msgspec.structs.replace(told.event, shopper_id=f"{number:064x}")
    return msgspec.structs.replace(told, event=event)


def fold_and_decide(events: int = 60_000, shoppers: int = 2_000) -> dict[str, float]:
    """Gives events a second of CPU time through region and shopper actors, warm, with a 40-node tree."""
    system = ActorSystem("simpleSystemBase", logDefs=False)
    region = system.createActor(RegionActor)
    blob = forty_nodes()
    items = some_events(events, shoppers)
    tree = StoredTree(1, blob)
    loaded = {item.record.key: Loaded(None, tree) for item in items}
    system.tell(region, Process(0, (), loaded, 1, Results()))
    gc.collect()
    gc.freeze()
    rates = []
    half = len(items) // 2
    _process(system, region, items[:half])
    started_s = time.process_time()
    _process(system, region, items[half:])
    rates.append((len(items) - half) / (time.process_time() - started_s))
    gc.unfreeze()
    system.tell(region, Passivate(list(loaded)))
    return {"per_s": rates[0], "tree_bytes": float(len(blob))}


def _process(system: ActorSystem, region: ActorAddress, items: list[Item]) -> None:
    for start in range(0, len(items), BATCH):
        system.tell(region, Process(0, items[start : start + BATCH], {}, 1, Results()))


def resident_bytes() -> int:
    """Gives this process's resident memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def residents(count: int, churns: int = 10) -> dict[str, float]:
    """Gives memory of `count` residents with own trees of 3 KB, the longest pause, and growth after `churns` x churn.

    A pause is the longest time that one batch of activations or events took, garbage collections included.
    """
    system = ActorSystem("simpleSystemBase", logDefs=False)
    region = system.createActor(RegionActor)
    blob = forty_nodes()
    filler = b"\0" * max(0, 3_072 - len(blob))
    template = some_events(BATCH, BATCH)
    before = resident_bytes()
    pauses: list[float] = []
    freezer = Freezer()

    def activate(first: int, generation: int) -> list[ShopperKey]:
        keys = [ShopperKey(RETAILER, f"{first + number:064x}") for number in range(BATCH)]
        # A copy each: every shopper's tree is its own.
        loaded = {key: Loaded(None, StoredTree(generation, bytes(bytearray(blob + filler)))) for key in keys}
        items = [
            Item(_of_shopper(item.record, first + number), Position(1, number)) for number, item in enumerate(template)
        ]
        started_s = time.process_time()
        results = Results()
        system.tell(region, Process(0, items, loaded, generation, results))
        pauses.append(time.process_time() - started_s)
        started_s = time.process_time()
        freezer.made(results.actors_made)
        pauses.append(time.process_time() - started_s)
        return keys

    for first in range(0, count, BATCH):
        activate(first, 1)
    full = resident_bytes()
    churn = min(count, 50_000)
    after_first = 0
    for turn in range(churns):
        for first in range(0, churn, BATCH):
            system.tell(region, Passivate([ShopperKey(RETAILER, f"{first + number:064x}") for number in range(BATCH)]))
            activate(first, turn + 2)
        if turn == 0:
            after_first = resident_bytes()
    return {
        "residents": float(count),
        "gib": (full - before) / 2**30,
        "bytes_each": (full - before) / count,
        "longest_pause_ms": max(pauses) * 1_000,
        "churn_growth": resident_bytes() / after_first - 1,
    }
