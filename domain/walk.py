"""The walk: where one event leads the shopper in a tree, by the conditions on its edges."""

from __future__ import annotations

from typing import NamedTuple

from domain.conditions import Condition, Facts, explain
from domain.fold import Applied
from domain.records import Why
from domain.tree import Node, Tree

MOVES_MAX = 8
"""Moves of one event through the tree."""


class Refusal(NamedTuple):
    """An edge that was tried and did not hold."""

    node_id: str
    when: Condition


class Walk(NamedTuple):
    """An event's way through a tree.

    Attributes:
        nodes: from where the event found the shopper to where it left, at least one.
        idle: whether the first move was the node's `after`.
        taken: the conditions of the edges taken, one a move (a move by `after` has none).
    """

    nodes: tuple[Node, ...]
    idle: bool = False
    taken: tuple[Condition, ...] = ()


def find_start(applied: Applied, tree: Tree) -> int:
    """Gives the node where the event finds the shopper: in a new generation the same id if it exists, else the root."""
    if applied.to_root or not applied.state.node_id:
        return tree.root
    index = tree.index_of(applied.state.node_id)
    return tree.root if index is None else index


def take_walk(tree: Tree, start: Node, facts: Facts, *, idle: bool, refused: list[Refusal] | None = None) -> Walk:
    """Moves the shopper: a timer by the node's `after`, then by the first edge that holds, again and again.

    Args:
        tree: of the node.
        start: where the event finds the shopper.
        facts: the state after the event, and the event.
        idle: the event is a timer; where the node has none, nothing moves.
        refused: if given, gets the edges that did not hold, in the order in which they were tried.
    """
    node = start
    nodes: tuple[Node, ...] = (start,)
    taken: tuple[Condition, ...] = ()
    if idle:
        if start.after is None:
            return Walk(nodes)
        node = tree.node(start.after[1])
        nodes = (start, node)
    while len(nodes) <= MOVES_MAX:
        for edge in node.edges:
            if edge.when.holds(facts):
                taken = (*taken, edge.when)
                node = tree.node(edge.to)
                nodes = (*nodes, node)
                break
            if refused is not None:
                refused.append(Refusal(node.node_id, edge.when))
        else:
            break
    return Walk(nodes, idle, taken)


def why_taken(walk: Walk, moves: int, facts: Facts) -> tuple[Why, ...]:
    """Gives the reasons for the first `moves` moves of a walk, evaluated again with recording."""
    why: list[Why] = []
    after = walk.nodes[0].after
    if walk.idle and after is not None:
        idle_s = after[0]
        why.append(Why(condition={"kind": "idle", "idle_s": idle_s}, seen=idle_s, held=True))
    for condition in walk.taken[: moves - walk.idle]:
        why.extend(explain(condition, facts))
    return tuple(why)
