"""The shops of a run: retailers, their products, and trees drawn from the seed, whole or damaged."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from domain.campaigns import ANY_CAMPAIGN
from domain.experiences import Kind
from domain.ids import shopper_hash
from domain.tree import encode
from domain.tree_faults import read_tree

RETAILERS = ("r-1", "r-2")
IDLE_MIN_S, IDLE_MAX_S = 1, 2
SLOTS = ("main", "banner", "side")
CAMPAIGNS: Mapping[str, Kind] = {
    "k-1": "personalised_promotion",
    "k-2": "personalised_promotion",
    "k-3": "basket_tension",
    "k-4": "gamified_promotion",
    "k-5": "recommendation",
}
"""What campaigns a retailer may have."""
CATEGORIES = {"p-1": "pasta", "p-2": "pasta", "p-3": "sauce", "p-4": "wine", "p-5": "bread"}
PRICES = {"p-1": 199, "p-2": 349, "p-3": 420, "p-4": 1_250, "p-5": 280}


def shopper_key(retailer_id: str) -> bytes:
    """Gives the key under which a retailer's shopper ids are hashed."""
    return retailer_id.encode().ljust(32, b".")


def hash_of(retailer_id: str, shopper_id: str) -> str:
    """Gives the name under which the stores know a shopper."""
    return shopper_hash(shopper_key(retailer_id), shopper_id)


def draw_tree(draw: random.Random) -> bytes:
    """Gives an encoded tree of 2-7 nodes: any node may be reached by an edge or by waiting."""
    name = draw.choice("nm")  # where none of a tree's names is known, shoppers begin at its root again
    count = draw.randint(2, 7)
    nodes: dict[str, dict[str, Any]] = {f"{name}{number}": {"edges": []} for number in range(count)}
    for number in range(count):
        if number or draw.random() < 0.3:
            slots = draw.choices(SLOTS, k=draw.choice((0, 1, 2, 2, 3)))
            nodes[f"{name}{number}"]["experiences"] = [_experience(draw, slot) for slot in slots]
        if number:
            parent = nodes[f"{name}{draw.randrange(number)}"]
            if "after" not in parent and draw.random() < 0.5:
                parent["after"] = {"idle_s": draw.randint(IDLE_MIN_S, IDLE_MAX_S), "to": f"{name}{number}"}
            else:
                parent["edges"].append({"to": f"{name}{number}", "when": draw_condition(draw)})
    for number in range(count - 1):
        if draw.random() < 0.6:
            to = draw.randrange(number + 1, count)
            nodes[f"{name}{number}"]["edges"].append({"to": f"{name}{to}", "when": draw_condition(draw)})
    _, tree = read_tree({"schema_version": 1, "shopper": "default", "root": f"{name}0", "nodes": nodes})
    return encode(tree)


def damage(draw: random.Random, blob: bytes) -> bytes:
    """Gives what is left of a tree: an unknown version, or nodes that can't be read."""
    if draw.random() < 0.5:
        return b"\x63" + blob[1:]
    return blob[: len(blob) // 2] + b"\xc1" * (len(blob) - len(blob) // 2)


def _experience(draw: random.Random, slot: str) -> dict[str, Any]:
    meant = draw.choice(tuple(CAMPAIGNS))
    shown: dict[str, Any] = {"slot": slot, "kind": CAMPAIGNS[meant], "ttl_s": draw.choice((1, 5, 600, 600, 1_800))}
    if draw.random() < 0.75:
        shown["campaign_id"] = draw.choice((ANY_CAMPAIGN, ANY_CAMPAIGN, meant, draw.choice(tuple(CAMPAIGNS))))
    match shown["kind"]:
        case "recommendation":
            item = {"product_id": draw.choice(tuple(PRICES)), "reason": "often bought together"}
            content: dict[str, Any] = {"products": [item]}
        case "personalised_promotion":
            content = {"products": ["p-4", "p-1"], "generosity": _generosity(draw)}
            if draw.random() < 0.2:
                content["threshold_minor"] = 1_000
        case "basket_tension":
            content = {"threshold_minor": draw.choice((500, 1_500, 4_000)), "reward": _generosity(draw)}
        case _:
            content = {"game": "scratch", "products": ["p-4"], "prize": {"type": "delivery"}}
    return {**shown, "content": content}


def _generosity(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {"type": "percent", "value": draw.choice((5, 10, 50))}
    return {"type": "amount", "value_minor": draw.choice((40, 100, 500))}


def draw_condition(draw: random.Random, depth: int = 0) -> dict[str, Any]:
    """Gives a condition as people write it."""
    if draw.random() < 0.4:
        return {"kind": "event", "types": ["AddedToBasket", draw.choice(("OrderPaid", "PageViewed"))]}
    match draw.randrange(9 if depth < 2 else 8):
        case 0:
            return {"kind": "product", "action": "added", "category_ids": [draw.choice(("pasta", "wine"))]}
        case 1:
            return {"kind": "product", "action": draw.choice(("removed", "viewed")), "product_ids": ["p-1", "p-3"]}
        case 2:
            return {"kind": "event", "types": [draw.choice(("PageViewed", "LinkClicked", "OrderPaid"))]}
        case 3:
            return {"kind": "basket_total", "at_least_minor": draw.choice((200, 1_000, 3_000))}
        case 4:
            return {"kind": "basket_lines", "at_least": draw.randint(1, 3)}
        case 5:
            return {"kind": "visits", "at_least": draw.randint(1, 2)}
        case 6:
            return {"kind": "search", "terms": ["tomato sauce", "wine"]}
        case 7:
            return {"kind": "score", "bias": -1.0, "weights": {"basket_lines": 0.8}, "at_least": 0.5}
        case _:
            kind = draw.choice(("all", "any", "none"))
            return {"kind": kind, "of": [draw_condition(draw, depth + 1) for _ in range(draw.randint(1, 2))]}
