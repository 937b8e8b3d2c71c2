"""A campaign tried on what shoppers did: who would have got it, by the rules of the live path. Pure.

Each shopper's events are folded as a worker folds them, in a tree that proposes nothing but the campaign, at its most
generous, as soon as its audience holds: once a visit or order, since a tree is entered anew then and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from msgspec import structs

from domain.arbitration import Market
from domain.campaigns import Campaign, Definition
from domain.campaigns_in_force import InForce
from domain.conditions import as_json
from domain.decide import decide
from domain.events import OUTSIDE_TYPES
from domain.fold import apply
from domain.ids import Position
from domain.money import MINOR_MAX
from domain.promises import is_entered
from domain.purse import Purse
from domain.records import Decided, Known, Lease, Record
from domain.shopper import Shopper
from domain.timestamps import from_unix_ms
from domain.tree import Tree, encode
from domain.tree_faults import read_tree

WEEK_MS: Final = 7 * 86_400_000
DAY_MS: Final = 86_400_000
_UNLIMITED: Final = 10**18
_SLOT: Final = "main"


class Span(NamedTuple):
    """The part of the past on which a campaign is tried.

    Attributes:
        since_ms, until_ms: Unix milliseconds, the end not included.
        shift_ms: from then to the campaign's own time: whole weeks, so that weekdays and hours stay.
    """

    since_ms: int
    until_ms: int
    shift_ms: int


class Trial(NamedTuple):
    """What each shopper's events are tried on.

    Attributes:
        tree: that proposes the campaign.
        market: in which it is alone and its budget has no end.
        retailer_id: whose.
        campaign_id: of the campaign.
    """

    tree: Tree
    market: Market
    retailer_id: str
    campaign_id: str


class Given(NamedTuple):
    """One decision that the campaign would have won.

    Attributes:
        at_ms: Unix milliseconds, in the past.
        is_held_out: nobody would have seen it.
        promises: 1 if it would have reserved something, else 0.
        cost_minor: at most.
    """

    at_ms: int
    is_held_out: bool
    promises: int
    cost_minor: int


def span_of(definition: Definition, days: int, now_ms: int) -> Span:
    """Gives the latest days before a moment that begin on the campaign's weekday and hour, no more than it lasts.

    Args:
        definition: of the campaign.
        days: that are wanted, at least 1.
        now_ms: the moment.
    """
    lasts_ms = min(days * DAY_MS, definition.ends_at_ms - definition.starts_at_ms)
    latest_ms = now_ms - lasts_ms
    since_ms = latest_ms - (latest_ms - definition.starts_at_ms) % WEEK_MS
    return Span(since_ms, since_ms + lasts_ms, definition.starts_at_ms - since_ms)


def trial(
    campaign: Campaign, known: Mapping[str, Known], zone_of: Callable[[str], tzinfo], zone: str, span: Span
) -> Trial:
    """Gives what to try events of the span on.

    Args:
        campaign: in whatever state.
        known: the retailer's catalogue; of a campaign that names categories, their products.
        zone_of: gives a time zone by its IANA name.
        zone: the retailer's own.
        span: see there.
    """
    definition = campaign.definition
    moved = structs.replace(
        definition,
        starts_at=from_unix_ms(definition.starts_at_ms - span.shift_ms),
        ends_at=from_unix_ms(definition.ends_at_ms - span.shift_ms),
    )
    in_force = InForce([structs.replace(campaign, state="scheduled", definition=moved)], known, zone_of, zone)
    purse = Purse()
    lease = Lease(
        retailer_id=campaign.retailer_id,
        campaign_id=campaign.campaign_id,
        leased_minor=_UNLIMITED,
        leased_count=_UNLIMITED,
    )
    purse.lease([lease])
    promoted = in_force.offers[0].products
    product_id = min(promoted, default="any") if promoted is not None else "any"
    return Trial(
        _tree(campaign, product_id),
        Market({campaign.retailer_id: in_force}, purse),
        campaign.retailer_id,
        campaign.campaign_id,
    )


def tried(of: Trial, shopper: str, records: Iterable[Record]) -> Iterator[Given]:
    """Gives the decisions that a campaign would have won of one shopper, who is not known before the first event.

    Args:
        of: the campaign.
        shopper: the shopper's hash.
        records: theirs, in the order of time. Each counts as received when it happened: what a replay or a phone
            without a network brought later must not stand on another day.
    """
    state = Shopper(retailer_id=of.retailer_id, shopper=shopper)
    in_force = of.market.in_force[of.retailer_id]
    for offset, told in enumerate(records):
        record = structs.replace(told, received_at_ms=told.event_time_ms)
        at_ms = record.received_at_ms
        applied = apply(_without_over(state, at_ms), record, Position(1, offset))
        state = applied.state
        if applied.repeat:
            continue
        is_open = of.campaign_id in in_force.open_at(at_ms).by_id
        state, decided = decide(applied, record, of.tree if is_open else None, 0, of.market)
        if decided is not None:
            yield from _given(decided, at_ms)


def _given(decided: Decided, at_ms: int) -> Iterator[Given]:
    costs = {one.experience_id: one.cost_minor for one in decided.reservations}
    for decision in decided.decisions:
        # An open basket tension that is told again is none of these.
        if is_entered(decision):
            experience_id = decision.experience.experience_id
            yield Given(at_ms, False, int(experience_id in costs), costs.get(experience_id, 0))
    for _ in decided.held_out:
        yield Given(at_ms, True, 0, 0)


def _without_over(state: Shopper, at_ms: int) -> Shopper:
    """Gives the state without promises whose time is over, as a worker's timer leaves it."""
    if all(one.due_at_ms > at_ms for one in state.reservations if one.is_open):
        return state
    kept = tuple(one for one in state.reservations if not one.is_open or one.due_at_ms > at_ms)
    return structs.replace(state, reservations=kept)


def _tree(campaign: Campaign, product_id: str) -> Tree:
    """Gives the tree of two nodes: on the audience to the campaign."""
    definition = campaign.definition
    everything = {"kind": "event", "types": list(OUTSIDE_TYPES)}
    when = everything if definition.audience is None else as_json(definition.audience)
    shown = {
        "slot": _SLOT,
        "kind": definition.kind,
        "campaign_id": campaign.campaign_id,
        "content": _content(definition, product_id),
    }
    nodes = {"start": {"edges": [{"to": "offer", "when": when}]}, "offer": {"experiences": [shown]}}
    _, read = read_tree({"schema_version": 1, "shopper": "default", "root": "start", "nodes": nodes})
    return Tree(encode(read), 1)


def _content(definition: Definition, product_id: str) -> dict[str, Any]:
    """Gives the most generous proposal of a campaign's kind, which the campaign then bounds."""
    match definition.kind:
        case "recommendation":
            return {"products": [product_id]}
        case "personalised_promotion":
            return {"products": [product_id], "generosity": _most(definition)}
        case "gamified_promotion":
            return {"game": definition.game or "scratch", "products": [product_id], "prize": {"type": "surprise"}}
        case "basket_tension":
            threshold = definition.threshold_minor
            most = MINOR_MAX if threshold is None else threshold.most
            return {"threshold_minor": most, "reward": _most(definition)}


def _most(definition: Definition) -> dict[str, Any]:
    if definition.amount_minor is not None:
        return {"type": "amount", "value_minor": definition.amount_minor.most}
    return {"type": "percent", "value": 100 if definition.percent is None else definition.percent.most}
