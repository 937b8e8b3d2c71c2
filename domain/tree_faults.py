"""The door of the tree store: reads what people and batch jobs push, and refuses it with every fault in it.

`hotbasket tree push` and `tree validate` call it; what passes here, `domain.tree` can encode and actors can walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.errors import Refused
from domain.every_fault import inside, read, shown
from domain.personal_data import contains_email
from domain.tree import TREE_BYTES_MAX, TreeJson, encode
from domain.tree_graph import graph_faults
from domain.tree_rules import RULES

NODES_MAX = 512
SLOTS_MAX = 16
CONDITION_DEPTH_MAX = 8
"""Composites (`all`, `any`, `none`) inside one another."""
DOCUMENT_BYTES_MAX = 1_024 * 1_024
"""A document beyond this is refused unread: white space aside, nothing near it can be a tree."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_tree(document: bytes | dict[str, Any]) -> tuple[str, TreeJson]:
    """Reads one tree.

    Args:
        document: JSON, or what JSON decodes to.

    Returns:
        Whose it is (the retailer's shopper id, or `default`), and the tree.

    Raises:
        Refused: with every fault, each like `$.nodes.start.edges[0].to: no node "nowhere"`.
    """
    shopper, tree, _ = _checked(document)
    return shopper, tree


def read_trees(content: bytes) -> list[tuple[str, bytes]]:
    """Reads the trees of a file: one JSON document, or JSON Lines, one a line; all or nothing.

    Returns:
        (the retailer's shopper id or `default`, encoded tree) in the file's order.

    Raises:
        Refused: with every fault of every tree; in JSON Lines each begins with its line, like `line 3: $.root: …`.
    """
    content = content.removeprefix(_BYTE_ORDER_MARK)
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
    if not lines:
        raise Refused("$: no tree in the file, it is empty")
    if not _is_json_lines(lines):
        shopper, _, blob = _checked(content)
        return [(shopper, blob)]
    trees: list[tuple[str, bytes]] = []
    faults: list[str] = []
    line_of: dict[str, int] = {}
    for number, line in lines:
        try:
            shopper, _, blob = _checked(line)
        except Refused as refused:
            faults.extend(f"line {number}: {fault}" for fault in refused.faults)
            continue
        first = line_of.setdefault(shopper, number)
        if first != number:
            faults.append(f"line {number}: $.shopper: {shown(shopper)} has a tree on line {first} already")
        trees.append((shopper, blob))
    if faults:
        raise Refused(*faults)
    return trees


def _is_json_lines(lines: list[tuple[int, bytes]]) -> bool:
    """Tells JSON Lines, one of whose outer lines may be broken, from one document over several lines."""
    return len(lines) > 1 and any(_is_json(line) for _, line in (lines[0], lines[-1]))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _checked(document: bytes | dict[str, Any]) -> tuple[str, TreeJson, bytes]:
    """Gives shopper, tree and encoded tree of a document, or every fault."""
    value = _parsed(document) if isinstance(document, bytes) else document
    if not isinstance(value, dict):
        raise Refused(f"$: expected an object, found {shown(value)}")
    faults = list(_size_faults(value))
    tree: TreeJson | None = None
    try:
        tree = read(value, TreeJson, "$", RULES, faults)
        faults.extend(_shape_faults(value))
        faults.extend(graph_faults(value))
    except RecursionError:
        faults.append("$: nested too deep to be read")
    if faults or tree is None:
        raise Refused(*faults)
    return tree.shopper, tree, encode(tree)


def _parsed(document: bytes) -> object:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise Refused(f"$: {len(document):,} bytes, a tree has at most {TREE_BYTES_MAX:,}")
    try:
        value: object = msgspec.json.decode(document)
    except UnicodeDecodeError as error:
        raise Refused(f"$: not UTF-8 at byte {error.start} of a text") from error
    except msgspec.MsgspecError as error:
        raise Refused(f"$: not JSON: {str(error).partition(' - at ')[0]}") from error
    except RecursionError as error:
        raise Refused("$: nested too deep to be read") from error
    return value


def _size_faults(value: dict[Any, Any]) -> Iterator[str]:
    """Measures the document as JSON without white space, so that layout costs nobody a node."""
    try:
        size = len(msgspec.json.encode(value))
    except RecursionError as error:
        raise Refused("$: nested too deep to be read") from error
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise Refused(f"$: holds what JSON can't carry: {error}") from error
    if size > TREE_BYTES_MAX:
        yield f"$: {size:,} bytes as JSON, at most {TREE_BYTES_MAX:,}; show less, or on fewer nodes"


def _shape_faults(value: dict[Any, Any]) -> Iterator[str]:
    """Looks at shopper, nodes, slots and depth in whatever has the shape for it: type faults elsewhere hide nothing."""
    shopper, nodes = value.get("shopper"), value.get("nodes")
    if isinstance(shopper, str) and contains_email(shopper):
        # Not repeated: faults are printed and logged, an address must not be.
        yield "$.shopper: holds an e-mail address; name shoppers by the retailer's technical id"
    if not isinstance(nodes, dict):
        return
    if len(nodes) > NODES_MAX:
        yield f"$.nodes: {len(nodes)} nodes, at most {NODES_MAX}"
    slots = {
        shown_there["slot"]
        for node in nodes.values()
        for shown_there in _dicts(node, "experiences")
        if isinstance(shown_there.get("slot"), str)
    }
    if len(slots) > SLOTS_MAX:
        yield f"$.nodes: {len(slots)} slots, at most {SLOTS_MAX}: {', '.join(sorted(slots))}"
    for name, node in nodes.items():
        for index, edge in enumerate(_dicts(node, "edges")):
            yield from depth_faults(edge.get("when"), f"{inside('$.nodes', str(name))}.edges[{index}].when")


def _dicts(node: object, field: str) -> list[dict[Any, Any]]:
    """Gives a node's list in which every item has its place, those that are no objects as empty ones."""
    items = node.get(field) if isinstance(node, dict) else None
    return [item if isinstance(item, dict) else {} for item in items] if isinstance(items, list | tuple) else []


def depth_faults(condition: object, path: str) -> Iterator[str]:
    """Gives the composites of a condition in JSON form, of whatever shape, that stand too deep inside one another."""
    pending = [(condition, path, 1)]
    while pending:
        part, at, depth = pending.pop()
        inner = part.get("of") if isinstance(part, dict) else None
        if not isinstance(inner, list | tuple):
            continue
        if depth > CONDITION_DEPTH_MAX:
            yield f"{at}: composite number {depth} inside one another, at most {CONDITION_DEPTH_MAX}"
            continue
        pending.extend((piece, f"{at}.of[{index}]", depth + 1) for index, piece in reversed(list(enumerate(inner))))
