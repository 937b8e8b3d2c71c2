"""The shopper's state computed a second time: plain dictionaries, written from the design and from nothing else.

The input is a file of events as trackers send them, in the order of the log. No code of the system is used, so that
an error there can't hide here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

SESSION_GAP_MS = 30 * 60 * 1_000


def fold(events: Iterable[dict[str, Any]], prices: dict[str, int] | None = None) -> dict[str, dict[str, Any]]:
    """Gives each shopper's state after these events, by the retailer's shopper id.

    Args:
        events: as JSON, each shopper's in the order of the log, none of them late or repeated.
        prices: of the catalogue, for events without a price.
    """
    states: dict[str, dict[str, Any]] = {}
    for event in events:
        state = states.get(event["shopper_id"])
        if state is None:
            state = states[event["shopper_id"]] = {
                "clock_ms": None,
                "lines": {},
                "order": None,
                "started_at_ms": 0,
                "events": 0,
                "visits": 0,
            }
        _apply(state, event, prices or {})
    return states


def summary(state: dict[str, Any]) -> dict[str, Any]:
    """Gives what is compared: the basket with its total, the session, the last order."""
    lines = [
        {"product_id": product_id, "quantity": line["quantity"], "price_minor": line["price_minor"] or 0}
        for product_id, line in state["lines"].items()
    ]
    return {
        "lines": lines,
        "total_minor": sum(line["quantity"] * line["price_minor"] for line in lines),
        "order": state["order"],
        "started_at_ms": state["started_at_ms"],
        "events": state["events"],
        "visits": state["visits"],
    }


def _apply(state: dict[str, Any], event: dict[str, Any], prices: dict[str, int]) -> None:
    at_ms = round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1_000)
    before_ms = state["clock_ms"]
    state["clock_ms"] = at_ms if before_ms is None else max(before_ms, at_ms)
    if before_ms is None or state["clock_ms"] - before_ms > SESSION_GAP_MS:
        state["visits"] += 1
        state["started_at_ms"] = state["clock_ms"]
        state["events"] = 0
    state["events"] += 1
    lines = state["lines"]
    if event["type"] == "OrderPaid":
        lines.clear()
        state["order"] = {"order_id": event["order_id"], "status": "paid"}
    elif event["type"] in ("AddedToBasket", "RemovedFromBasket"):
        product, quantity = event["product"], event.get("quantity", 1)
        product_id = product["product_id"]
        line = lines.get(product_id)
        if event["type"] == "AddedToBasket":
            line = lines.setdefault(product_id, {"quantity": 0, "price_minor": None})
            line["quantity"] += quantity
        elif line is not None:
            line["quantity"] -= quantity
            if line["quantity"] <= 0:
                del lines[product_id]
        if line is not None:
            if "price_minor" in product:
                line["price_minor"] = product["price_minor"]
            elif line["price_minor"] is None:
                line["price_minor"] = prices.get(product_id)
