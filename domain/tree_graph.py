"""The graph of a Shopping Experience Tree: every way leads to a node, every node is reached, none comes round again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from domain.every_fault import inside, name_of, shown


class Way(NamedTuple):
    """A way out of a node: an edge or its `after`.

    Attributes:
        to: a node id.
        path: where the document says so.
    """

    to: str
    path: str


def graph_faults(document: dict[Any, Any]) -> Iterator[str]:
    """Gives every fault of the graph of a tree in JSON form.

    Args:
        document: whatever was pushed; parts of the wrong shape are passed over, their types are refused elsewhere.
    """
    nodes = document.get("nodes")
    if not isinstance(nodes, dict):
        return
    ways = {str(name): list(_ways_out(node, inside("$.nodes", str(name)))) for name, node in nodes.items()}
    root = document.get("root")
    known_root = root if isinstance(root, str) and root in ways else None
    if isinstance(root, str) and known_root is None:
        yield f"$.root: no node {shown(root)}"
    for way in (way for out in ways.values() for way in out if way.to not in ways):
        yield f"{way.path}: no node {shown(way.to)}"
    yield from _cycles(ways, known_root)
    if known_root is not None:
        reached = _reached(ways, known_root)
        for name in ways:
            if name not in reached:
                yield f"{inside('$.nodes', name)}: unreachable: no way leads here from the root {shown(known_root)}"


def _ways_out(node: object, path: str) -> Iterator[Way]:
    if not isinstance(node, dict):
        return
    edges = node.get("edges")
    if isinstance(edges, list | tuple):
        for index, edge in enumerate(edges):
            if isinstance(edge, dict) and isinstance(edge.get("to"), str):
                yield Way(edge["to"], f"{path}.edges[{index}].to")
    after = node.get("after")
    if isinstance(after, dict) and isinstance(after.get("to"), str):
        yield Way(after["to"], f"{path}.after.to")


def _cycles(ways: dict[str, list[Way]], root: str | None) -> Iterator[str]:
    """Walks depth first, root first; a way back to a node of the current trail closes a cycle."""
    done: set[str] = set()
    starts = ([root] if root is not None else []) + list(ways)
    for start in starts:
        if start in done:
            continue
        trail = {start: iter(ways[start])}
        while trail:
            here = next(reversed(trail))
            way = next(trail[here], None)
            if way is None:
                done.add(here)
                del trail[here]
            elif way.to in trail:
                names = list(trail)
                cycle = [*names[names.index(way.to) :], way.to]
                yield f"{way.path}: closes the cycle {' → '.join(map(name_of, cycle))}"
            elif way.to in ways and way.to not in done:
                trail[way.to] = iter(ways[way.to])


def _reached(ways: dict[str, list[Way]], root: str) -> set[str]:
    reached = {root}
    pending = [root]
    while pending:
        for way in ways[pending.pop()]:
            if way.to in ways and way.to not in reached:
                reached.add(way.to)
                pending.append(way.to)
    return reached
