"""The lookup: what hotbasket knows of one shopper, and why it decided as it did.

Gateways answer `POST /v1/shoppers/lookup` with it, the command line prints it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from domain.basket import Line
from domain.conditions import Facts, explain
from domain.decide import Refusal, read_told, take_walk
from domain.events import IdleElapsed
from domain.shopper import Shopper
from domain.timestamps import rfc3339
from domain.tree import Tree


def view(state: Shopper, tree: Tree | None) -> dict[str, Any]:
    """Gives a shopper as JSON (DESIGN of the lookup: state, position in the tree, reasons).

    Args:
        state: from a snapshot.
        tree: of the state's generation, for `considered`; None where it is no longer kept.
    """
    session = state.session
    return {
        "shopper": state.shopper,
        "as_of": rfc3339(state.last.received_at_ms) if state.last is not None else None,
        "basket": {
            "lines": [_line(line) for line in state.basket.lines],
            "total_minor": state.basket.total_minor,
            "currency": state.basket.currency,
        },
        "session": {
            "started_at": rfc3339(session.started_at_ms),
            "events": session.events,
            "visits": session.visits,
        },
        "order": None if state.order is None else {"order_id": state.order.order_id, "status": state.order.status},
        "tree": {"generation": state.generation, "node_id": state.node_id},
        "decisions": [msgspec.to_builtins(read_told(told)) for told in state.decisions],
        "considered": considered(state, tree),
    }


def considered(state: Shopper, tree: Tree | None) -> list[dict[str, Any]]:
    """Gives the edges that the shopper's last event tried in vain, with what was seen."""
    record = state.last
    if record is None or tree is None or tree.generation != state.generation:
        return []
    start = tree.index_of(state.walked_from)
    if start is None:
        return []
    facts = Facts(state, record)
    refused: list[Refusal] = []
    take_walk(tree, tree.node(start), facts, idle=isinstance(record.event, IdleElapsed), refused=refused)
    return [
        {
            "event_id": str(record.event.event_id),
            "node_id": refusal.node_id,
            "why": [msgspec.to_builtins(why) for why in explain(refusal.when, facts)],
        }
        for refusal in refused
    ]


def _line(line: Line) -> dict[str, Any]:
    """Gives one basket line; a line in a second currency says that it counts 0."""
    shown = {
        "product_id": line.product_id,
        "category_id": line.category_id,
        "quantity": line.quantity,
        "price_minor": line.price_minor,
    }
    if not line.counted:
        shown["flag"] = "second_currency"
    return shown
