"""The shops of a run: retailers, their products, and trees drawn from the seed, whole or damaged."""

from __future__ import annotations

import random
from typing import Any

from domain.ids import shopper_hash
from domain.tree import encode
from domain.tree_faults import read_tree

RETAILERS = ("r-1", "r-2")
IDLE_MIN_S, IDLE_MAX_S = 1, 2
SLOTS = ("main", "banner", "side")
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
    count = draw.randint(2, 7)
    nodes: dict[str, dict[str, Any]] = {f"n{number}": {"edges": []} for number in range(count)}
    for number in range(count):
        if number or draw.random() < 0.3:
            slots = draw.sample(SLOTS, draw.randint(0, 2))
            nodes[f"n{number}"]["experiences"] = [_experience(draw, slot) for slot in slots]
        if number:
            parent = nodes[f"n{draw.randrange(number)}"]
            if "after" not in parent and draw.random() < 0.5:
                parent["after"] = {"idle_s": draw.randint(IDLE_MIN_S, IDLE_MAX_S), "to": f"n{number}"}
            else:
                parent["edges"].append({"to": f"n{number}", "when": _condition(draw)})
    for number in range(count - 1):
        if draw.random() < 0.4:
            to = draw.randrange(number + 1, count)
            nodes[f"n{number}"]["edges"].append({"to": f"n{to}", "when": _condition(draw)})
    _, tree = read_tree({"schema_version": 1, "shopper": "default", "root": "n0", "nodes": nodes})
    return encode(tree)


def damage(draw: random.Random, blob: bytes) -> bytes:
    """Gives what is left of a tree: an unknown version, or nodes that can't be read."""
    if draw.random() < 0.5:
        return b"\x63" + blob[1:]
    return blob[: len(blob) // 2] + b"\xc1" * (len(blob) - len(blob) // 2)


def _experience(draw: random.Random, slot: str) -> dict[str, Any]:
    ttl_s = draw.choice((1, 5, 600, 1_800))
    match draw.randrange(3):
        case 0:
            product = draw.choice(tuple(PRICES))
            content: dict[str, Any] = {"products": [{"product_id": product, "reason": "often bought together"}]}
            return {"slot": slot, "kind": "recommendation", "ttl_s": ttl_s, "content": content}
        case 1:
            content = {"products": ["p-4"], "generosity": {"type": "percent", "value": 10}}
            return {"slot": slot, "kind": "personalised_promotion", "ttl_s": ttl_s, "content": content}
        case _:
            content = {
                "threshold_minor": draw.choice((500, 1_500, 4_000)),
                "reward": {"type": "amount", "value_minor": 100},
            }
            return {"slot": slot, "kind": "basket_tension", "ttl_s": ttl_s, "content": content}


def _condition(draw: random.Random, depth: int = 0) -> dict[str, Any]:
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
            return {"kind": kind, "of": [_condition(draw, depth + 1) for _ in range(draw.randint(1, 2))]}
