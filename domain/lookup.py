"""The lookup: what hotbasket knows of one shopper, and why it decided as it did.

Gateways answer `POST /v1/shoppers/lookup` with it, the command line prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from domain.basket import Line
from domain.campaigns import ANY_CAMPAIGN, Definition
from domain.conditions import Condition, Facts, explain
from domain.events import IdleElapsed
from domain.flips import Effort, flip
from domain.records import Against, Known
from domain.reservations import Reservation
from domain.shopper import Shopper
from domain.state_conditions import BasketTotal
from domain.terms import terms
from domain.timestamps import rfc3339
from domain.told import read_losers, read_told
from domain.tree import Tree
from domain.walk import Refusal, take_walk

_NO_CATALOGUE: Mapping[str, Known] = {}
_NO_CAMPAIGNS: Mapping[str, Definition] = {}


class Beside(NamedTuple):
    """What a lookup needs beside the shopper, to say what would have been enough for another decision.

    Attributes:
        campaigns: of the retailer, as they are now, by id.
        known: the retailer's catalogue.
    """

    campaigns: Mapping[str, Definition] = _NO_CAMPAIGNS
    known: Mapping[str, Known] = _NO_CATALOGUE


_ALONE = Beside()


def view(state: Shopper, tree: Tree | None, beside: Beside = _ALONE) -> dict[str, Any]:
    """Gives a shopper as JSON (DESIGN of the lookup: state, position in the tree, reasons).

    Args:
        state: from a snapshot.
        tree: of the state's generation, for `considered` and `lost`; None where it is no longer kept.
        beside: campaigns and catalogue.
    """
    session = state.session
    effort = Effort()
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
        "promises": [_promise(one) for one in state.reservations],
        "decisions": [msgspec.to_builtins(read_told(told)) for told in state.decisions],
        "considered": considered(state, tree, beside, effort),
        "lost": lost(state, tree, beside, effort),
    }


def considered(
    state: Shopper, tree: Tree | None, beside: Beside = _ALONE, effort: Effort | None = None
) -> list[dict[str, Any]]:
    """Gives the edges that the shopper's last event tried in vain, with what was seen.

    `flip` is the smallest change of the basket with which the edge would have been taken, None where none would do.
    """
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
            "flip": msgspec.to_builtins(flip(refusal.when, facts, beside.known, effort)),
        }
        for refusal in refused
    ]


def lost(
    state: Shopper, tree: Tree | None, beside: Beside = _ALONE, effort: Effort | None = None
) -> list[dict[str, Any]]:
    """Gives the campaigns that lost at the last event at which some did.

    `flip` is the smallest change of the basket that would have taken the reason away, None where none would do, the
    reason is no matter of the basket, or the shopper has done something since.
    """
    losers = read_losers(state.losers)
    if losers is None:
        return []
    record = state.last
    is_last = record is not None and record.event.event_id == losers.trigger_event_id
    told: list[dict[str, Any]] = []
    for one in losers.against:
        change = None
        if record is not None and is_last:
            wanted = _wanted(one, tree, beside.campaigns)
            if wanted is not None:
                change = flip(wanted, Facts(state, record), beside.known, effort)
        told.append(
            {
                "event_id": str(losers.trigger_event_id),
                **msgspec.to_builtins(one),
                "flip": msgspec.to_builtins(change),
            }
        )
    return told


def _wanted(one: Against, tree: Tree | None, campaigns: Mapping[str, Definition]) -> Condition | None:
    """Gives the condition that a campaign lost by; None where the reason is no condition."""
    definition = campaigns.get(one.campaign_id)
    if definition is None:
        return None
    if one.reason == "audience":
        return definition.audience
    if one.reason != "threshold_passed" or tree is None:
        return None
    index = tree.index_of(one.node_id)
    if index is None:
        return None
    for proposed in tree.experiences_of(tree.node(index)):
        if proposed.slot == one.slot and proposed.campaign_id in (one.campaign_id, ANY_CAMPAIGN):
            promised = terms(definition, None, proposed.kind, proposed.content)
            if promised is not None and promised.content.get("threshold_minor"):
                return BasketTotal(at_most_minor=promised.content["threshold_minor"] - 1)
    return None


def _promise(one: Reservation) -> dict[str, Any]:
    return {
        "experience_id": one.experience_id,
        "campaign_id": one.campaign_id,
        "cost_minor": one.cost_minor,
        "until": rfc3339(one.honoured_until_ms),
        "state": "open" if one.is_open else "redeemed",
    }


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
