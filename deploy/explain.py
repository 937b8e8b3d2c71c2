"""`hotbasket explain`: tells what is known of a shopper and why each experience was decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from adapters.wiring import Ports
from deploy.audited import audited, target_of
from deploy.options import Json, RetailerName, Where, document, say
from deploy.stores import chosen, hash_of, in_stores
from domain import shopper as shoppers
from domain.errors import Refused
from domain.ids import ShopperKey
from domain.lookup import Beside, view
from domain.money import DEFAULT_EXPONENT, EXPONENTS
from domain.tree import Tree

_REASONS = {
    "unknown": "there is no such campaign",
    "not_open": "it was not open then",
    "other_kind": "it is of another kind",
    "audience": "the shopper is not of its audience",
    "cap": "the shopper has seen it as often as may be",
    "already_promised": "its promise is still open",
    "exclusive": "another of its group is promised",
    "no_product": "it promotes none of the products",
    "threshold_passed": "the basket has passed its threshold",
    "too_many_promised": "the shopper has too many open promises",
    "budget": "its budget has too little left",
    "outranked": "another one came first",
    "late": "its event came too late for anybody to see it",
}


def explain(
    shopper: Annotated[str, typer.Argument(help="The retailer's shopper id.")],
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Tell what hotbasket knows of a shopper: basket, session, place in the tree, and why it decided what it did.

    It shows the last checkpoint, at most a second old.

    Example: hotbasket explain c-1842 --retailer "Fresh & Co"
    """
    found = in_stores(data, lambda ports: _look_up(ports, retailer, shopper))
    if as_json:
        document(found)
    else:
        for line in story(found):
            say(line)


async def _look_up(ports: Ports, retailer: str | None, shopper: str) -> dict[str, Any]:
    one = chosen(ports, retailer)
    key = ShopperKey(one.retailer_id, hash_of(ports, one, shopper))
    async with audited(ports, one.retailer_id, "explain", target_of(ports, key)):
        payload = (await ports.snapshots.load([key])).get(key)
        if payload is None:
            raise Refused(
                f"{one.name} has no shopper {shopper!r} yet: a first event takes up to a second to be seen here"
            )
        return await known_of(ports, key, payload)


async def known_of(ports: Ports, key: ShopperKey, payload: bytes) -> dict[str, Any]:
    """Gives what a snapshot says of its shopper, with the reasons of what was decided.

    Raises:
        PortError: the trees can't be read now.
    """
    state = shoppers.decode(payload)
    stored = await ports.trees.get(key, state.generation)
    campaigns = ports.campaigns.current().campaigns.get(key.retailer_id, ())
    known = ports.retailers.current().known.get(key.retailer_id, {})
    beside = Beside({campaign.campaign_id: campaign.definition for campaign in campaigns}, known)
    return view(state, None if stored is None else Tree(stored.blob, stored.generation), beside)


def story(found: dict[str, Any]) -> Iterator[str]:
    """Gives the lookup's JSON as lines for a person."""
    basket, session, tree = found["basket"], found["session"], found["tree"]
    currency = basket["currency"]
    yield f"Shopper {found['shopper'][:12]}…, as of {found['as_of']}"
    yield f"Visit {session['visits']}, since {session['started_at']}: {session['events']} events"
    if found.get("order"):
        yield f"Last order {found['order']['order_id']}: {found['order']['status']}"
    lines = basket["lines"]
    yield f"Basket: {len(lines)} {'line' if len(lines) == 1 else 'lines'}, {_money(basket['total_minor'], currency)}"
    for line in lines:
        category = f" ({line['category_id']})" if line["category_id"] else ""
        yield f"  {line['quantity']} × {line['product_id']}{category} at {_money(line['price_minor'], currency)}"
    yield (
        f"Stands at node {tree['node_id']!r} of the tree of generation {tree['generation']}"
        if tree["generation"]
        else "Stands in no tree: none was pushed for this shopper, and there is no default"
    )
    yield from _promises(found["promises"], currency)
    if found["decisions"]:
        yield "Decided, newest first:"
    for decision in found["decisions"]:
        yield from _decision(decision)
    if found["considered"]:
        yield "Considered at the last event and not taken:"
    for refused in found["considered"]:
        yield f"  an edge of node {refused['node_id']!r}"
        yield from reasons(refused["why"])
        if refused["flip"] is not None:
            yield f"    {flip_sentence(refused['flip'], currency)} it would have been taken"
    yield from _lost(found["lost"], currency)


def flip_sentence(flip: dict[str, Any], currency: str | None) -> str:
    """Gives the change of a basket as the beginning of a sentence: with it, something else would have been.

    Args:
        flip: as the lookup has it.
        currency: of the basket.
    """
    if flip["change"] == "basket_total":
        by_minor = flip["by_minor"]
        return f"with {_money(abs(by_minor), currency)} {'less' if by_minor < 0 else 'more'} in the basket"
    if flip.get("product_id"):
        of = flip["product_id"]
    elif flip.get("category_id"):
        of = f"a new product of category {flip['category_id']}"
    else:
        of = "any new product"
    return f"with {flip['quantity']} {'fewer' if flip['change'] == 'remove' else 'more'} of {of}"


def _promises(promises: list[dict[str, Any]], currency: str | None) -> Iterator[str]:
    if promises:
        yield "Promised:"
    for one in promises:
        most = _money(one["cost_minor"], currency)
        yield f"  {one['state']}: {one['campaign_id']}, {most} at most, until {one['until']}"
        yield f"    by experience {one['experience_id']}"


def _decision(decision: dict[str, Any]) -> Iterator[str]:
    of = f" of {decision['campaign_id']}" if decision.get("campaign_id") else ""
    held_out = ", held out: nothing was shown" if decision.get("held_out") else ""
    yield f"  {decision['kind'].replace('_', ' ')} {decision['experience_id']}{of}{held_out}"
    yield f"    way: {' → '.join(decision['path'])}, because of event {decision['trigger_event_id']}"
    yield from reasons(decision["why"])
    for one in decision.get("against", ()):
        yield f"    against {one['campaign_id']} of node {one['node_id']!r}: {because(one['reason'])}"


def _lost(lost: list[dict[str, Any]], currency: str | None) -> Iterator[str]:
    if lost:
        yield f"Campaigns that lost at event {lost[0]['event_id']}:"
    for one in lost:
        yield f"  {one['campaign_id']}, slot {one['slot']!r} of node {one['node_id']!r}: {because(one['reason'])}"
        if one["flip"] is not None:
            yield f"    {flip_sentence(one['flip'], currency)} that would not have spoken against it"


def because(reason: str) -> str:
    """Gives why a campaign lost, as a sentence's end."""
    return _REASONS.get(reason, reason.replace("_", " "))


def reasons(why: list[dict[str, Any]]) -> Iterator[str]:
    """Gives a line for each condition as it was seen."""
    for reason in why:
        condition = dict(reason["condition"])
        kind = condition.pop("kind", "after")
        of = ", ".join(f"{name} {_short(value)}" for name, value in condition.items())
        yield f"    {'yes' if reason['held'] else 'no '} {kind} {of}".rstrip() + f"; seen: {_short(reason['seen'])}"


def _short(value: Any) -> str:  # Any: whatever a condition looks at
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _money(minor: int, currency: str | None) -> str:
    exponent = DEFAULT_EXPONENT if currency is None else EXPONENTS.get(currency, DEFAULT_EXPONENT)
    return f"{minor / 10**exponent:.{exponent}f} {currency or ''}".rstrip()
