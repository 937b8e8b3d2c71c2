"""The Shopping Experience Tree: as people write it, and encoded as tree stores keep it and shopper actors walk it.

An encoded tree stays bytes; a shopper's event decodes the nodes that it stands on and no other. Layout, little endian:

    u8  version
    u16 number of nodes
    u16 index of the root
    u16 bytes of names
        names: NUL, then each node id and a NUL, in index order
    u16 for each node, and one more: where it starts (ends) after this table
        nodes: msgpack arrays, see `Node`

The shopper is not in it: stores key trees by the shopper's hash, and the retailer's id is never at rest.
"""

from __future__ import annotations

from struct import Struct as Layout
from struct import error as LayoutError  # noqa: N812  (it is `struct.error`)
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from domain.conditions import PACKED as PACKED_CONDITIONS
from domain.conditions import AnyCondition, PackedCondition
from domain.contents import PACKED as PACKED_CONTENTS
from domain.contents import AnyShown, NodeExperience, PackedShown, proposed
from domain.errors import HotbasketError, Refused
from domain.ids import Identifier
from domain.packing import as_array, named

__all__ = [
    "TREE_BYTES_MAX",
    "AfterJson",
    "Edge",
    "EdgeJson",
    "Node",
    "NodeExperience",
    "NodeJson",
    "Tree",
    "TreeJson",
    "TreeUnreadable",
    "encode",
    "to_json",
]

TREE_BYTES_MAX = 64 * 1_024
"""Bytes of a tree, encoded and as JSON without white space; KB = 1,024 bytes."""
_VERSION = 1
_HEAD = Layout("<BHHH")
_SPAN = Layout("<HH")
_OFFSET_BYTES = 2


class TreeUnreadable(HotbasketError):
    """The bytes are no tree of a version that this process knows."""


class EdgeJson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edge: where the shopper goes when the condition holds."""

    to: Identifier
    when: AnyCondition


class AfterJson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the shopper goes after `idle_s` seconds without an event; below the 30 minutes that end a session."""

    idle_s: Annotated[int, Meta(ge=1, le=1_799)]
    to: Identifier


class NodeJson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A node: what is shown on entering it, and the ways out, tried in order."""

    experiences: tuple[AnyShown, ...] = ()
    edges: tuple[EdgeJson, ...] = ()
    after: AfterJson | None = None


class TreeJson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tree as it is pushed; `domain.tree_faults.read_tree` makes valid ones.

    Attributes:
        shopper: the retailer's shopper id, or `default`.
        root: where every session starts.
        nodes: by id.
    """

    schema_version: Literal[1]
    shopper: Identifier
    root: Identifier
    nodes: dict[Identifier, NodeJson]


class Edge(Struct, frozen=True, array_like=True, gc=False):
    """An edge as encoded; `to` is a node's index."""

    to: int
    when: PackedCondition


class Node(Struct, frozen=True, array_like=True, gc=False):
    """A node as encoded.

    Attributes:
        node_id: as pushed.
        edges: tried in order.
        experiences: undecoded until the node is entered: see `Tree.experiences_of`.
        after: (idle seconds, index of the node to go to), None without.
    """

    node_id: str
    edges: tuple[Edge, ...]
    experiences: msgspec.Raw
    after: tuple[int, int] | None = None


_encoder = msgspec.msgpack.Encoder()
_node_decoder = msgspec.msgpack.Decoder(Node)
_shown_decoder: msgspec.msgpack.Decoder[tuple[PackedShown, ...]] = msgspec.msgpack.Decoder(tuple[PackedShown, ...])


class Tree:
    """A view over an encoded tree; it keeps the bytes and nothing that it ever decoded.

    Attributes:
        blob: the encoded tree.
        generation: in which it was pushed.
        root: index of the root.
        node_count: indexes are 0..node_count-1.
    """

    __slots__ = ("_nodes_at", "_table_at", "blob", "generation", "node_count", "root")

    root: int
    node_count: int

    def __init__(self, blob: bytes, generation: int) -> None:
        """Reads the head.

        Raises:
            TreeUnreadable: not a tree of a known version.
        """
        try:
            version, self.node_count, self.root, names_bytes = _HEAD.unpack_from(blob)
        except LayoutError as error:
            raise TreeUnreadable(f"{len(blob)} bytes are too short for a tree") from error
        if version != _VERSION:
            raise TreeUnreadable(
                f"tree version {version} is not {_VERSION}: upgrade this process or push the tree again"
            )
        self.blob = blob
        self.generation = generation
        self._table_at = _HEAD.size + names_bytes
        self._nodes_at = self._table_at + _OFFSET_BYTES * (self.node_count + 1)
        if self.root >= self.node_count or self._nodes_at > len(blob):
            raise TreeUnreadable(f"{len(blob)} bytes are too short for a tree of {self.node_count} nodes")

    def index_of(self, node_id: str) -> int | None:
        """Gives the index of a node, None where the tree has none of that id."""
        names_at = _HEAD.size
        at = self.blob.find(b"\0%b\0" % node_id.encode(), names_at, self._table_at)
        return None if at < 0 else self.blob.count(b"\0", names_at, at)

    def node(self, index: int) -> Node:
        """Decodes a node.

        Raises:
            TreeUnreadable: its bytes are damaged.
        """
        if not 0 <= index < self.node_count:
            raise TreeUnreadable(f"node {index} of {self.node_count}: an edge leads out of the tree")
        at = self._nodes_at
        try:
            start, end = _SPAN.unpack_from(self.blob, self._table_at + _OFFSET_BYTES * index)
            return _node_decoder.decode(self.blob[at + start : at + end])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LayoutError) as error:
            raise TreeUnreadable(f"node {index} of {self.node_count}: {error}") from error

    def experiences_of(self, node: Node) -> tuple[NodeExperience, ...]:
        """Decodes what a node shows.

        Raises:
            TreeUnreadable: its bytes are damaged.
        """
        return tuple([proposed(shown) for shown in _shown_by(node)])


def encode(tree: TreeJson) -> bytes:
    """Gives the encoded form of a valid tree, without its shopper.

    Raises:
        Refused: it is larger than TREE_BYTES_MAX.
    """
    index = {node_id: number for number, node_id in enumerate(tree.nodes)}
    nodes = [_encoder.encode(_array_of_node(node_id, node, index)) for node_id, node in tree.nodes.items()]
    names = b"\0" + b"".join(node_id.encode() + b"\0" for node_id in tree.nodes)
    size = _HEAD.size + len(names) + _OFFSET_BYTES * (len(nodes) + 1) + sum(map(len, nodes))
    if size > TREE_BYTES_MAX:
        raise Refused(f"$: {size:,} bytes encoded, at most {TREE_BYTES_MAX:,}; show less, or on fewer nodes")
    offsets = [0]
    for node in nodes:
        offsets.append(offsets[-1] + len(node))
    head = _HEAD.pack(_VERSION, len(nodes), index[tree.root], len(names))
    return b"".join((head, names, Layout(f"<{len(offsets)}H").pack(*offsets), *nodes))


def to_json(blob: bytes, shopper: str | None = None) -> dict[str, Any]:
    """Gives the document that was pushed; what was left out or empty there is left out.

    Args:
        blob: an encoded tree.
        shopper: whose it is (the encoded tree doesn't say); without it the document has no `shopper`.

    Raises:
        TreeUnreadable: not a tree of a known version, or damaged.
    """
    tree = Tree(blob, 0)
    nodes = [tree.node(index) for index in range(tree.node_count)]
    ids = [node.node_id for node in nodes]
    whose = {} if shopper is None else {"shopper": shopper}
    try:
        documents = {node.node_id: _named_node(node, ids) for node in nodes}
    except IndexError as error:
        raise TreeUnreadable(f"a way leads out of a tree of {len(ids)} nodes") from error
    return {"schema_version": 1, **whose, "root": ids[tree.root], "nodes": documents}


def _shown_by(node: Node) -> tuple[PackedShown, ...]:
    try:
        return _shown_decoder.decode(node.experiences)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TreeUnreadable(f"experiences of node {node.node_id}: {error}") from error


def _array_of_node(node_id: str, node: NodeJson, index: dict[str, int]) -> list[Any]:
    """Gives what `Node` decodes from."""
    edges = [[index[edge.to], as_array(edge.when, PACKED_CONDITIONS)] for edge in node.edges]
    array = [node_id, edges, as_array(node.experiences, PACKED_CONTENTS)]
    return array if node.after is None else [*array, [node.after.idle_s, index[node.after.to]]]


def _named_node(node: Node, ids: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    shown = _shown_by(node)
    if shown:
        document["experiences"] = [named(experience) for experience in shown]
    if node.edges:
        document["edges"] = [{"to": ids[edge.to], "when": named(edge.when)} for edge in node.edges]
    if node.after is not None:
        idle_s, to = node.after
        document["after"] = {"idle_s": idle_s, "to": ids[to]}
    return document
