"""The encoded tree: walked by index, decoded a node at a time, readable for ever."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from domain.conditions import as_json
from domain.errors import Refused
from domain.tree import TREE_BYTES_MAX, NodeExperience, Tree, TreeJson, TreeUnreadable, encode, to_json
from domain.tree_faults import read_tree

EXAMPLE = """
{"schema_version": 1, "shopper": "c-1842", "root": "start", "nodes": {
  "start": {"edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}}],
            "after": {"idle_s": 45, "to": "nudge"}},
  "sauce": {"experiences": [{"slot": "main", "kind": "recommendation", "ttl_s": 1800,
                             "content": {"products": [{"product_id": "p-77", "reason": "often bought with pasta"}]}}],
            "edges": [{"to": "nudge", "when": {"kind": "all", "of": [
              {"kind": "basket_total", "at_least_minor": 4000, "at_most_minor": 5000},
              {"kind": "score", "bias": -1.2, "weights": {"basket_lines": 0.3, "session_minutes": 0.05},
               "at_least": 0.5}]}}]},
  "nudge": {"experiences": [{"slot": "banner", "kind": "basket_tension", "ttl_s": 900,
                             "content": {"threshold_minor": 5000, "reward": {"type": "amount", "value_minor": 500}}}]}}}
"""
ENCODED = bytes.fromhex(
    "01030000001300007374617274007361756365006e756467650000001e00a200c70094a573746172749192019405a56164646564c091a5"
    "706173746190922d0293a573617563659192029201929309cd0fa0cd1388940dcbbff333333333333382ac6261736b65745f6c696e6573"
    "cb3fd3333333333333af73657373696f6e5f6d696e75746573cb3fa999999999999acb3fe0000000000000919401a46d61696e919192a4"
    "702d3737b76f6674656e20626f756768742077697468207061737461cd070893a56e7564676590919404a662616e6e657292cd138893a6"
    "616d6f756e74c0cd01f4cd0384"
)
"""The example as version 1 wrote it; it must decode as long as there is a reader."""


def example() -> dict[str, Any]:
    """The example as a fresh document."""
    document: dict[str, Any] = json.loads(EXAMPLE)
    return document


def test_the_example_comes_back_as_it_was_pushed() -> None:
    """A push and a show give the same document; the shopper is told by who asks, since the bytes don't know."""
    shopper, tree = read_tree(EXAMPLE.encode())
    blob = encode(tree)
    assert shopper == "c-1842"
    assert example() == to_json(blob, shopper)
    assert b"c-1842" not in blob
    assert "shopper" not in to_json(blob)


def test_what_version_1_wrote_is_still_read() -> None:
    """Trees at rest outlive the process that wrote them: this form must decode for ever."""
    assert example() == to_json(ENCODED, "c-1842")
    assert encode(read_tree(example())[1]) == ENCODED


def test_a_node_tells_where_to_go_and_what_to_show() -> None:
    """Edges and timers lead to indexes; experiences are decoded when asked for."""
    tree = Tree(ENCODED, 3)
    assert (tree.generation, tree.node_count, tree.node(tree.root).node_id) == (3, 3, "start")
    start = tree.node(tree.root)
    assert start.after == (45, tree.index_of("nudge"))
    assert [(tree.index_of("sauce"), example()["nodes"]["start"]["edges"][0]["when"])] == [
        (edge.to, as_json(edge.when)) for edge in start.edges
    ]
    assert tree.experiences_of(start) == ()
    sauce = tree.node(start.edges[0].to)
    expected = NodeExperience(
        slot="main",
        kind="recommendation",
        ttl_s=1_800,
        campaign_id=None,
        content={"products": [{"product_id": "p-77", "reason": "often bought with pasta"}]},
    )
    assert (expected,) == tree.experiences_of(sauce)


@pytest.mark.parametrize("node_id", ["sauc", "auce", "sauces", "", "start\0sauce ", "Start", "nudge" * 200])
def test_part_of_an_id_is_no_id(node_id: str) -> None:
    """Only a whole id finds its node."""
    assert Tree(ENCODED, 1).index_of(node_id) is None


def test_long_and_foreign_ids_are_found() -> None:
    """An id may have 128 characters of any script."""
    ids = ["é" * 128, "a" * 31, "b" * 32, "寿司 🍣", 'q"\\.']
    when = {"kind": "visits", "at_least": 1}
    edges = [{"to": node_id, "when": when} for node_id in ids[1:]]
    nodes: dict[str, Any] = {ids[0]: {"edges": edges}, **{node_id: {} for node_id in ids[1:]}}
    document = {"schema_version": 1, "shopper": "default", "root": ids[0], "nodes": nodes}
    tree = Tree(encode(read_tree(document)[1]), 1)
    assert list(range(5)) == [tree.index_of(node_id) for node_id in ids]
    assert ids == [tree.node(index).node_id for index in range(5)]


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "too short"),
        (ENCODED[:6], "too short"),
        (ENCODED[:30], "too short"),
        (b"\x02" + ENCODED[1:], "version 2"),
        (ENCODED[:3] + b"\x09" + ENCODED[4:], "too short"),
    ],
)
def test_bytes_that_are_no_tree_say_so(blob: bytes, reason: str) -> None:
    """A damaged or newer tree is an expected failure with its reason, found when it is opened."""
    with pytest.raises(TreeUnreadable, match=reason):
        Tree(blob, 1)


def test_a_cut_node_says_so() -> None:
    """Damage inside a node is found when the shopper comes there, and names the node."""
    tree = Tree(ENCODED[:-1], 1)
    assert tree.node(0).node_id == "start"
    with pytest.raises(TreeUnreadable, match="node 2 of 3"):
        tree.node(2)
    with pytest.raises(TreeUnreadable, match="node 3 of 3"):
        tree.node(3)


def test_an_encoded_tree_has_at_most_64_kb() -> None:
    """Encoding refuses what stores and actors have no room for, whoever asks."""
    product = {"product_id": "p", "reason": "x" * 1_900}
    shown = {"slot": "main", "kind": "recommendation", "content": {"products": [product]}}
    document = example()
    document["nodes"]["sauce"]["experiences"] = [shown] * 33
    assert len(encode(msgspec.convert(document, TreeJson))) <= TREE_BYTES_MAX
    document["nodes"]["sauce"]["experiences"] = [shown] * 35
    with pytest.raises(Refused, match=r"^\$: [0-9,]+ bytes encoded, at most 65,536"):
        encode(msgspec.convert(document, TreeJson))


def test_without_a_ttl_an_experience_lasts_half_an_hour() -> None:
    """The default is the tree's own: what was pushed without stays without."""
    document = example()
    del document["nodes"]["nudge"]["experiences"][0]["ttl_s"]
    blob = encode(read_tree(document)[1])
    tree = Tree(blob, 1)
    assert [1_800] == [shown.ttl_s for shown in tree.experiences_of(tree.node(2))]
    assert document == to_json(blob, "c-1842")
