"""Laws of trees and conditions, for any tree and any shopper."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.conditions import PACKED, AnyCondition, Condition, Facts, PackedCondition, as_json, explain, holds
from domain.errors import Refused
from domain.packing import as_array
from domain.records import Why
from domain.text import fold
from domain.tree import Tree, TreeUnreadable, encode, to_json
from domain.tree_faults import read_tree, read_trees
from tests.property.valid_trees import Json, conditions, experiences, facts, trees

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def condition_of(document: Json) -> Condition:
    """The condition in its encoded form."""
    named: Condition = msgspec.convert(document, AnyCondition)
    packed: Condition = msgspec.convert(as_array(named, PACKED), PackedCondition)
    return packed


@given(trees())
def test_a_pushed_tree_comes_back_equal(document: Json) -> None:
    """Encoding loses nothing but what was empty, from JSON text as from a document."""
    shopper, tree = read_tree(document)
    assert document == to_json(encode(tree), shopper)
    assert read_tree(msgspec.json.encode(document)) == (shopper, tree)
    assert read_trees(msgspec.json.encode(document)) == [(shopper, encode(tree))]


@given(trees())
def test_an_encoded_tree_has_every_node_where_it_says(document: Json) -> None:
    """Ids lead to indexes, indexes to ids, edges and timers to the nodes that the document names."""
    _, pushed = read_tree(document)
    tree = Tree(encode(pushed), 7)
    assert tree.node_count == len(pushed.nodes)
    assert tree.node(tree.root).node_id == pushed.root
    for node_id, node in pushed.nodes.items():
        index = tree.index_of(node_id)
        assert index is not None
        found = tree.node(index)
        assert node_id == found.node_id
        assert [(edge.to, as_json(edge.when)) for edge in node.edges] == [
            (tree.node(edge.to).node_id, as_json(edge.when)) for edge in found.edges
        ]
        after = None if node.after is None else (node.after.idle_s, tree.index_of(node.after.to))
        assert after == found.after
        given_here = document["nodes"][node_id].get("experiences", [])
        assert [(shown["slot"], shown["kind"], shown["content"]) for shown in given_here] == [
            (shown.slot, shown.kind, shown.content) for shown in tree.experiences_of(found)
        ]
    assert tree.index_of("no such node") is None


@given(trees(), st.data())
def test_a_damaged_tree_is_unreadable_and_nothing_worse(document: Json, data: st.DataObject) -> None:
    """Whatever happened to the bytes, the only error is `TreeUnreadable`."""
    blob = bytearray(encode(read_tree(document)[1]))
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(blob[: data.draw(st.integers(0, len(blob)))])
    for damaged in (bytes(blob), cut):
        try:
            tree = Tree(damaged, 1)
            tree.index_of(document["root"])
            for index in range(min(tree.node_count, 20)):
                tree.experiences_of(tree.node(index))
            to_json(damaged)
        except TreeUnreadable:
            continue


@given(json_values)
def test_reading_any_json_value_refuses_or_accepts(value: Any) -> None:
    """The validator raises nothing but `Refused`, and says where."""
    with pytest.raises(Refused) as caught:
        read_tree(value if isinstance(value, dict) else {"nodes": value})
    assert all(fault.startswith("$") for fault in caught.value.faults)


@given(st.one_of(st.binary(), st.text().map(str.encode), json_values.map(repr).map(_utf8)))
def test_reading_any_bytes_refuses(content: bytes) -> None:
    """Neither bytes nor text nor half of a tree raise anything but `Refused`."""
    with pytest.raises(Refused):
        read_trees(content)


@given(trees(), st.data())
def test_a_tree_cut_or_changed_anywhere_refuses_or_accepts(document: Json, data: st.DataObject) -> None:
    """One byte more, less or other of JSON text raises nothing but `Refused`."""
    text = msgspec.json.encode(document)
    at = data.draw(st.integers(0, len(text)))
    patch = data.draw(st.sampled_from([b"", b'"', b"{", b"]", b"\xff", b"9", b"null", b",", b"\n", b"\\ud800"]))
    changed = text[:at] + patch + text[at + data.draw(st.integers(0, 2)) :]
    try:
        read = read_trees(changed)
    except Refused:
        return
    shopper, tree = read_tree(changed)
    assert [(shopper, encode(tree))] == read


def places(value: Any, path: str = "$") -> Iterator[tuple[str, Any, Any]]:
    """Every (path, container, key) of a document."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        if isinstance(key, int):
            at = f"{path}[{key}]"
        else:
            plain = re.fullmatch(r"[A-Za-z0-9_-]+", key)
            at = f"{path}.{key}" if plain else f"{path}[{msgspec.json.encode(key).decode()}]"
        yield at, value, key
        yield from places(item, at)


@given(trees(), st.data())
def test_one_wrong_type_is_refused_where_it_stands(document: Json, data: st.DataObject) -> None:
    """Whichever value is of a type that fits nowhere, a fault names its path."""
    broken = copy.deepcopy(document)
    path, container, key = data.draw(st.sampled_from(list(places(broken))))
    container[key] = True
    with pytest.raises(Refused) as caught:
        read_tree(broken)
    assert any(fault.startswith(f"{path}: ") for fault in caught.value.faults), caught.value.faults


@given(trees(), st.data())
def test_one_unknown_field_is_refused_where_it_stands(document: Json, data: st.DataObject) -> None:
    """Whichever object has a field too many, a fault names it; what else is a name is no field."""
    broken = copy.deepcopy(document)
    objects = [("$", broken)] + [
        (path, container[key])
        for path, container, key in places(broken)
        if isinstance(container[key], dict) and key != "weights" and path != "$.nodes"
    ]
    path, target = data.draw(st.sampled_from(objects))
    target["colour"] = 1
    with pytest.raises(Refused) as caught:
        read_tree(broken)
    assert [fault for fault in caught.value.faults if fault.startswith(f'{path}.colour: unknown field "colour"')]


@given(trees(), st.data())
def test_one_fault_of_the_graph_is_refused_with_its_path(document: Json, data: st.DataObject) -> None:
    """Dangling ways, ways back and nodes that nothing leads to are each named where they stand."""
    broken = copy.deepcopy(document)
    nodes = broken["nodes"]
    ids = list(nodes)
    at = data.draw(st.sampled_from(ids))
    fault = data.draw(st.sampled_from(["dangling", "self", "back", "stray", "root"]))
    when = {"kind": "visits", "at_least": 1}
    edges = nodes[at].setdefault("edges", [])
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", at)
    here = f"$.nodes.{at}" if plain else f"$.nodes[{msgspec.json.encode(at).decode()}]"
    match fault:
        case "dangling":
            edges.append({"to": "no such node", "when": when})
            expected = f'{here}.edges[{len(edges) - 1}].to: no node "no such node"'
        case "self":
            edges.append({"to": at, "when": when})
            expected = f"{here}.edges[{len(edges) - 1}].to: closes the cycle"
        case "back":
            edges.append({"to": ids[0], "when": when})
            expected = f"{here}.edges[{len(edges) - 1}].to: closes the cycle"
        case "stray":
            nodes["stray"] = {"edges": [{"to": ids[-1], "when": when}]}
            expected = "$.nodes.stray: unreachable"
        case _:
            broken["root"] = "no such node"
            expected = '$.root: no node "no such node"'
    with pytest.raises(Refused) as caught:
        read_tree(broken)
    assert [found for found in caught.value.faults if found.startswith(expected)], caught.value.faults


@given(st.lists(trees(most_nodes=3), min_size=2, max_size=4), st.data())
def test_json_lines_are_all_or_nothing(documents: list[Json], data: st.DataObject) -> None:
    """Every good line gives its tree in order; one bad line refuses the file and is named."""
    for number, document in enumerate(documents):
        document["shopper"] = f"c-{number}"
    lines = [msgspec.json.encode(document) for document in documents]
    assert [f"c-{number}" for number in range(len(lines))] == [shopper for shopper, _ in read_trees(b"\n".join(lines))]
    bad = data.draw(st.integers(0, len(documents) - 1))
    documents[bad]["root"] = "no such node"
    lines[bad] = msgspec.json.encode(documents[bad])
    with pytest.raises(Refused) as caught:
        read_trees(b"\n\n".join(lines) + b"\n")
    assert f'line {2 * bad + 1}: $.root: no node "no such node"' in caught.value.faults


def replayed(document: Json, leaves: Iterator[Why]) -> bool:
    """What a condition came to, read from the leaves of its explanation alone."""
    match document["kind"]:
        case "all":
            return all(replayed(part, leaves) for part in document["of"])
        case "any":
            return any(replayed(part, leaves) for part in document["of"])
        case "none":
            return not any(replayed(part, leaves) for part in document["of"])
        case _:
            leaf = next(leaves)
            assert document == leaf.condition
            return leaf.held


@given(conditions, facts())
def test_an_explanation_reads_as_what_held(document: Json, here: Facts) -> None:
    """The leaves alone tell what the condition came to; none is missing, none too many; both forms agree."""
    condition = condition_of(document)
    why = explain(condition, here)
    leaves = iter(why)
    assert holds(condition, here) == replayed(document, leaves)
    assert [] == list(leaves)
    assert why == explain(msgspec.convert(document, AnyCondition), here)
    assert why == msgspec.json.decode(msgspec.json.encode(why), type=tuple[Why, ...])


@given(st.lists(conditions, min_size=1, max_size=4), facts())
def test_composites_obey_de_morgan(parts: list[Json], here: Facts) -> None:
    """`none` is not `any`; `all` is `none` of the negations; and so on round."""

    def true(kind: str, of: list[Json]) -> bool:
        return holds(condition_of({"kind": kind, "of": of}), here)

    negated = [{"kind": "none", "of": [part]} for part in parts]
    assert true("none", parts) == (not true("any", parts))
    assert true("all", parts) == true("none", negated)
    assert true("any", parts) == (not true("all", negated))
    assert true("none", parts) == true("all", negated)
    for part, opposite in zip(parts, negated, strict=True):
        assert holds(condition_of(part), here) != holds(condition_of(opposite), here)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded word is its own folded form, so stored and typed words meet."""
    assert fold(fold(text)) == fold(text)


@given(experiences())
def test_what_is_shown_is_what_was_pushed(shown: Json) -> None:
    """Slot, kind, campaign and content reach the decision unchanged; a missing ttl is the default."""
    document = {"schema_version": 1, "shopper": "default", "root": "a", "nodes": {"a": {"experiences": [shown]}}}
    tree = Tree(encode(read_tree(document)[1]), 1)
    (found,) = tree.experiences_of(tree.node(0))
    assert (shown["slot"], shown["kind"], shown.get("ttl_s", 1_800), shown.get("campaign_id"), shown["content"]) == (
        found.slot,
        found.kind,
        found.ttl_s,
        found.campaign_id,
        found.content,
    )
