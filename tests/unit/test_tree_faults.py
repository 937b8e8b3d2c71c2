"""Every fault of a tree is refused on push, with its path and the value."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from domain.errors import Refused
from domain.tree_faults import read_tree

Json = dict[str, Any]
VISITS: Json = {"kind": "visits", "at_least": 1}
SAUCE: Json = {
    "slot": "main",
    "kind": "recommendation",
    "content": {"products": [{"product_id": "p-77", "reason": "often bought with pasta"}, "p-78"]},
}
PROMOTION: Json = {
    "slot": "banner",
    "kind": "personalised_promotion",
    "campaign_id": "spring",
    "content": {"products": ["p-1"], "generosity": {"type": "percent", "value": 10}, "threshold_minor": 2_000},
}
GAME: Json = {
    "slot": "game",
    "kind": "gamified_promotion",
    "content": {"game": "wheel", "products": ["p-1"], "prize": {"type": "product", "product_id": "p-2"}},
}
TENSION: Json = {
    "slot": "banner",
    "kind": "basket_tension",
    "content": {"threshold_minor": 5_000, "reward": {"type": "delivery", "label": "free"}},
}
TREE: Json = {
    "schema_version": 1,
    "shopper": "c-1",
    "root": "start",
    "nodes": {
        "start": {"edges": [{"to": "end", "when": VISITS}], "after": {"idle_s": 60, "to": "end"}},
        "end": {"experiences": [SAUCE, PROMOTION, GAME, TENSION]},
    },
}


def changed(path: str, value: object) -> Json:
    """The tree with one value put, or with `...` taken away, at a path like `nodes.start.edges.0.to`."""
    document = copy.deepcopy(TREE)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = document
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def faults_of(document: Json | bytes) -> tuple[str, ...]:
    """Why a document is refused."""
    with pytest.raises(Refused) as caught:
        read_tree(document)
    return caught.value.faults


def deep(levels: int, kind: str = "all") -> Json:
    """A leaf inside so many composites."""
    condition = VISITS
    for _ in range(levels):
        condition = {"kind": kind, "of": [condition]}
    return condition


def test_a_tree_with_everything_is_accepted() -> None:
    """All four kinds of experience, an edge and a timer pass."""
    assert read_tree(TREE)[0] == "c-1"
    assert read_tree(json.dumps(TREE, indent=4).encode())[0] == "c-1"


WHEN = "$.nodes.start.edges[0].when"
SHOW = "$.nodes.end.experiences"
FAULTS: list[tuple[str, object, str]] = [
    ("schema_version", 2, "$.schema_version: expected 1, found 2"),
    ("schema_version", ..., "$.schema_version: missing"),
    ("shopper", "", '$.shopper: expected str of length >= 1, found ""'),
    ("shopper", "x" * 129, f'$.shopper: expected str of length <= 128, found "{"x" * 79}…'),
    ("shopper", "a\nb", '$.shopper: an identifier has printable characters alone, found "a\\nb"'),
    ("shopper", 7, "$.shopper: expected str, found 7"),
    (
        "shopper",
        "jean@example.org",
        "$.shopper: holds an e-mail address; name shoppers by the retailer's technical id",
    ),
    ("root", "nowhere", '$.root: no node "nowhere"'),
    ("root", None, "$.root: expected str, found null"),
    ("nodes", ..., "$.nodes: missing"),
    ("nodes", [], "$.nodes: expected object, found []"),
    ("colour", "red", '$.colour: unknown field "colour", known here are schema_version, shopper, root, nodes'),
    ("nodes.start.edges.0.to", "nowhere", '$.nodes.start.edges[0].to: no node "nowhere"'),
    ("nodes.start.edges.0.to", "start", "$.nodes.start.edges[0].to: closes the cycle start → start"),
    ("nodes.start.after.to", "nowhere", '$.nodes.start.after.to: no node "nowhere"'),
    ("nodes.start.after.idle_s", 0, "$.nodes.start.after.idle_s: expected int >= 1, found 0"),
    ("nodes.start.after.idle_s", 1_800, "$.nodes.start.after.idle_s: expected int <= 1799, found 1800"),
    ("nodes.start.after.idle_s", 4.5, "$.nodes.start.after.idle_s: expected int, found 4.5"),
    ("nodes.end.after", {"idle_s": 9, "to": "start"}, "$.nodes.end.after.to: closes the cycle start → end → start"),
    ("nodes.end.after", {"idle_s": 9}, "$.nodes.end.after.to: missing"),
    ("nodes.end.edge", [], '$.nodes.end.edge: unknown field "edge", known here are experiences, edges, after'),
    ("nodes.lost", {}, '$.nodes.lost: unreachable: no way leads here from the root "start"'),
    ("nodes.a node", 3, '$.nodes["a node"]: expected object, found 3'),
    (f"nodes.{'n' * 129}", {}, f'$.nodes: expected str of length <= 128 as a name, found "{"n" * 79}…'),
    ("nodes.\t", {}, '$.nodes: a name has printable characters alone, found "\\t"'),
    ("nodes.end.experiences.0.slot", ..., f"{SHOW}[0].slot: missing"),
    (
        "nodes.end.experiences.0.slot",
        "\x7f",
        f'{SHOW}[0].slot: an identifier has printable characters alone, found "\x7f"',
    ),
    ("nodes.end.experiences.0.ttl_s", 0, f"{SHOW}[0].ttl_s: expected int >= 1, found 0"),
    (
        "nodes.end.experiences.0.kind",
        "popup",
        f'{SHOW}[0].kind: "popup" is none of recommendation, personalised_promotion, ',
    ),
    ("nodes.end.experiences.0.content.products", [], f"{SHOW}[0].content.products: expected 1 to 50 items, found 0"),
    (
        "nodes.end.experiences.0.content.products",
        ["p"] * 51,
        f"{SHOW}[0].content.products: expected 1 to 50 items, found 51",
    ),
    (
        "nodes.end.experiences.0.content.products.1",
        "",
        f'{SHOW}[0].content.products[1]: expected str of length >= 1, found ""',
    ),
    (
        "nodes.end.experiences.0.content.products.0.why",
        "x",
        f'{SHOW}[0].content.products[0].why: unknown field "why", known here are product_id, reason',
    ),
    (
        "nodes.end.experiences.0.content.products.0.reason",
        "x" * 2_001,
        f'{SHOW}[0].content.products[0].reason: expected str of length <= 2000, found "{"x" * 79}…',
    ),
    (
        "nodes.end.experiences.0.content.threshold_minor",
        1,
        f'{SHOW}[0].content.threshold_minor: unknown field "threshold_minor", known here are products',
    ),
    ("nodes.end.experiences.1.campaign_id", 5, f"{SHOW}[1].campaign_id: expected str | null, found 5"),
    (
        "nodes.end.experiences.1.content.generosity",
        {"type": "points"},
        f'{SHOW}[1].content.generosity.type: expected one of percent, amount, found "points"',
    ),
    (
        "nodes.end.experiences.1.content.generosity",
        {"type": "percent"},
        f"{SHOW}[1].content.generosity.value: missing, a percentage needs it",
    ),
    (
        "nodes.end.experiences.1.content.generosity.value",
        100.5,
        f"{SHOW}[1].content.generosity.value: expected 0 to 100, found 100.5",
    ),
    (
        "nodes.end.experiences.1.content.generosity.value",
        float("nan"),
        f"{SHOW}[1].content.generosity.value: expected 0 to 100, found nan",
    ),
    (
        "nodes.end.experiences.1.content.generosity.value_minor",
        5,
        f"{SHOW}[1].content.generosity.value_minor: a percentage has a value, not a value_minor: 5",
    ),
    (
        "nodes.end.experiences.1.content.generosity",
        {"type": "amount", "value": 5},
        f"{SHOW}[1].content.generosity.value_minor: missing, an amount needs it",
    ),
    (
        "nodes.end.experiences.1.content.threshold_minor",
        10**12 + 1,
        f"{SHOW}[1].content.threshold_minor: expected int <= 1000000000000, found 1000000000001",
    ),
    (
        "nodes.end.experiences.2.content.game",
        "dice",
        f'{SHOW}[2].content.game: expected one of scratch, wheel, found "dice"',
    ),
    (
        "nodes.end.experiences.2.content.prize.product_id",
        ...,
        f"{SHOW}[2].content.prize.product_id: missing, a product needs it",
    ),
    (
        "nodes.end.experiences.3.content.reward",
        {"type": "percent", "value": -1},
        f"{SHOW}[3].content.reward.value: expected 0 to 100, found -1",
    ),
    (
        "nodes.end.experiences.3.content.reward",
        {"type": "points", "value": 10**40},
        f"{SHOW}[3].content.reward.value: expected 0 to 1,000,000,000,000, found 1{'0' * 40}",
    ),
    (
        "nodes.end.experiences.3.content.threshold_minor",
        -1,
        f"{SHOW}[3].content.threshold_minor: expected int >= 0, found -1",
    ),
]
CONDITION_FAULTS: list[tuple[object, str]] = [
    (3, f"{WHEN}: expected object, found 3"),
    (
        {},
        f"{WHEN}.kind: missing, one of all, any, none, event, product, page, search, in_basket, basket_total, ",
    ),
    (
        {"kind": "mood"},
        f'{WHEN}.kind: "mood" is none of all, any, none, event, product, page, search, in_basket, ',
    ),
    ({"kind": "all", "of": []}, f"{WHEN}.of: expected at least 1 item, found 0"),
    ({"kind": "none", "of": [VISITS, {"kind": "visits"}]}, f"{WHEN}.of[1].at_least: missing"),
    (deep(9), f"{WHEN}{'.of[0]' * 8}: composite number 9 inside one another, at most 8"),
    ({"kind": "event", "types": ["IdleElapsed"]}, f'{WHEN}.types[0]: "IdleElapsed" is none of '),
    ({"kind": "event", "types": []}, f"{WHEN}.types: expected at least 1 item, found 0"),
    ({"kind": "product"}, f"{WHEN}.action: missing"),
    ({"kind": "product", "action": "eaten"}, f'{WHEN}.action: expected one of added, removed, viewed, found "eaten"'),
    ({"kind": "product", "action": "added", "brands": []}, f"{WHEN}.brands: expected at least 1 item, found 0"),
    ({"kind": "product", "action": "added", "brands": ["\x00"]}, f"{WHEN}.brands[0]: an identifier has printable"),
    ({"kind": "page", "page_kinds": ["attic"]}, f"{WHEN}.page_kinds[0]: expected one of home, category, product"),
    ({"kind": "search", "terms": []}, f"{WHEN}.terms: expected at least 1 item, found 0"),
    ({"kind": "search", "terms": ["sauce", "?!"]}, f'{WHEN}.terms[1]: "?!" has no word to search for'),
    ({"kind": "in_basket", "at_least": 3, "at_most": 2}, f"{WHEN}: never true: at_least 3 is above at_most 2"),
    ({"kind": "in_basket", "at_most": 0}, f"{WHEN}: never true: at_least 1 (its default) is above at_most 0"),
    ({"kind": "in_basket", "product_ids": []}, f"{WHEN}.product_ids: expected at least 1 item, found 0"),
    ({"kind": "basket_total"}, f"{WHEN}: neither at_least_minor nor at_most_minor is given, one is needed"),
    (
        {"kind": "basket_total", "at_least_minor": 2, "at_most_minor": 1},
        f"{WHEN}: never true: at_least_minor 2 is above at_most_minor 1",
    ),
    ({"kind": "basket_lines"}, f"{WHEN}: neither at_least nor at_most is given, one is needed"),
    ({"kind": "basket_lines", "at_least": 2, "at_most": 1}, f"{WHEN}: never true: at_least 2 is above at_most 1"),
    ({"kind": "visits", "at_least": 2, "at_most": 1}, f"{WHEN}: never true: at_least 2 is above at_most 1"),
    ({"kind": "visits", "at_least": 0, "at_most": 0}, f"{WHEN}.at_most: expected int >= 1, found 0"),
    ({"kind": "order", "states": ["lost"]}, f"{WHEN}.states[0]: expected one of paid, prepared, shipped, delivered"),
    (
        {"kind": "score", "bias": 0, "weights": {"mood": 1}, "at_least": 0.5},
        f'{WHEN}.weights.mood: no feature "mood", there are basket_lines, basket_quantity',
    ),
    (
        {"kind": "score", "bias": float("inf"), "weights": {}, "at_least": 0.5},
        f"{WHEN}.bias: not a finite number: inf",
    ),
    (
        {"kind": "score", "bias": 0, "weights": {"visits": float("nan")}, "at_least": 0.5},
        f"{WHEN}.weights.visits: not a finite number: nan",
    ),
    (
        {"kind": "score", "bias": 0, "weights": {}, "at_least": 1.1},
        f"{WHEN}.at_least: expected float <= 1.0, found 1.1",
    ),
]


@pytest.mark.parametrize(("path", "value", "fault"), FAULTS)
def test_a_fault_is_named(path: str, value: object, fault: str) -> None:
    """Path, what was expected, the value that was found."""
    found = faults_of(changed(path, value))
    assert any(one.startswith(fault) for one in found), found


@pytest.mark.parametrize(("condition", "fault"), CONDITION_FAULTS)
def test_a_faulty_condition_is_named(condition: object, fault: str) -> None:
    """Each kind of condition refuses what it could never mean."""
    found = faults_of(changed("nodes.start.edges.0.when", condition))
    assert [True] == [one.startswith(fault) for one in found], found


def test_every_fault_is_listed() -> None:
    """One round of mending is enough: faults of type, rule, shape and graph come together."""
    document = changed(
        "nodes.start.edges.0.when", {"kind": "all", "of": [{"kind": "visits", "at_least": "2"}, {"kind": "mood"}]}
    )
    document["nodes"]["start"]["after"] = {"idle_s": -1, "to": "nowhere"}
    document["nodes"]["end"]["experiences"][1]["content"]["generosity"]["value"] = 900
    document["nodes"]["end"]["edges"] = [{"to": "start", "when": VISITS}]
    document["nodes"]["lost"] = {"colour": 1}
    document["shopper"] = "jean@example.org"
    assert [
        "$.nodes.start.edges[0].when.of[0].at_least",
        "$.nodes.start.edges[0].when.of[1].kind",
        "$.nodes.start.after.idle_s",
        "$.nodes.end.experiences[1].content.generosity.value",
        "$.nodes.lost.colour",
        "$.shopper",
        "$.nodes.start.after.to",
        "$.nodes.end.edges[0].to",
        "$.nodes.lost",
    ] == [fault.partition(": ")[0] for fault in faults_of(document)]


def test_an_address_is_refused_without_repeating_it() -> None:
    """Faults are printed and logged; an e-mail address must not be."""
    assert "example.org" not in " ".join(faults_of(changed("shopper", "jean%40example.org")))


def chain(length: int) -> Json:
    """A tree of so many nodes, each leading to the next."""
    nodes: Json = {f"n{at}": {"edges": [{"to": f"n{at + 1}", "when": VISITS}]} for at in range(length - 1)}
    return {"schema_version": 1, "shopper": "default", "root": "n0", "nodes": {**nodes, f"n{length - 1}": {}}}


def test_512_nodes_and_no_more() -> None:
    """The bound itself is accepted, also as one long chain."""
    assert len(read_tree(chain(512))[1].nodes) == 512
    assert faults_of(chain(513)) == ("$.nodes: 513 nodes, at most 512",)


def test_a_long_cycle_is_named() -> None:
    """The way round is told from where it is entered to where it closes."""
    document = chain(4)
    document["nodes"]["n3"] = {"after": {"idle_s": 5, "to": "n1"}}
    assert faults_of(document) == ("$.nodes.n3.after.to: closes the cycle n1 → n2 → n3 → n1",)


def test_a_shared_child_is_no_cycle() -> None:
    """Two ways to one node are fine."""
    document = chain(4)
    document["nodes"]["n0"]["edges"].append({"to": "n3", "when": VISITS})
    document["nodes"]["n1"]["edges"].append({"to": "n3", "when": VISITS})
    assert read_tree(document)[0] == "default"


def test_8_composites_deep_and_no_more() -> None:
    """Depth counts `all`, `any` and `none` inside one another; a leaf adds none."""
    assert read_tree(changed("nodes.start.edges.0.when", deep(8, "none")))[0] == "c-1"
    assert len(faults_of(changed("nodes.start.edges.0.when", deep(9)))) == 1
    assert faults_of(changed("nodes.start.edges.0.when", deep(100)))


def test_16_slots_and_no_more() -> None:
    """Slots are counted over the whole tree, each once."""
    shown = [{**SAUCE, "slot": f"s{number:02}"} for number in range(16)]
    assert read_tree(changed("nodes.end.experiences", [*shown, *shown]))[0] == "c-1"
    found = faults_of(changed("nodes.end.experiences", [*shown, SAUCE]))
    assert [True] == [fault.startswith("$.nodes: 17 slots, at most 16: main, s00, s01") for fault in found]


def test_64_kb_as_json_and_no_more() -> None:
    """White space costs nothing, content does."""
    reasons = [{**SAUCE, "content": {"products": [{"product_id": "p", "reason": "x" * 2_000}]}} for _ in range(30)]
    document = changed("nodes.end.experiences", reasons)
    assert read_tree(json.dumps(document, indent=64).encode())[0] == "c-1"
    document["nodes"]["end"]["experiences"] *= 2
    assert [True] == [
        fault.startswith("$: ") and fault.endswith("bytes as JSON, at most 65,536; show less, or on fewer nodes")
        for fault in faults_of(document)
    ]


def test_many_ways_through_shared_children_are_walked_once() -> None:
    """A ladder of 60 rungs has 2⁶⁰ ways from top to bottom; none of them comes round, and reading it ends."""
    nodes: Json = {f"n{at}": {"edges": [{"to": f"n{at + 1}", "when": VISITS}] * 2} for at in range(60)}
    document = {"schema_version": 1, "shopper": "default", "root": "n0", "nodes": {**nodes, "n60": {}}}
    assert read_tree(document)[0] == "default"
