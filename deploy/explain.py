"""`hotbasket explain`: tells what is known of a shopper and why each experience was decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from adapters.wiring import Ports
from deploy.options import Json, RetailerName, Where, document, say
from deploy.stores import chosen, hash_of, in_stores
from domain import shopper as shoppers
from domain.errors import Refused
from domain.ids import ShopperKey
from domain.lookup import view
from domain.money import DEFAULT_EXPONENT, EXPONENTS
from domain.tree import Tree


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
    payload = (await ports.snapshots.load([key])).get(key)
    if payload is None:
        raise Refused(f"{one.name} has no shopper {shopper!r} yet: a first event takes up to a second to be seen here")
    state = shoppers.decode(payload)
    stored = await ports.trees.get(key, state.generation)
    return view(state, None if stored is None else Tree(stored.blob, stored.generation))


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
    if found["decisions"]:
        yield "Decided, newest first:"
    for decision in found["decisions"]:
        yield f"  {decision['kind'].replace('_', ' ')} {decision['experience_id']}"
        yield f"    way: {' → '.join(decision['path'])}, because of event {decision['trigger_event_id']}"
        yield from _reasons(decision["why"])
    if found["considered"]:
        yield "Considered at the last event and not taken:"
    for refused in found["considered"]:
        yield f"  an edge of node {refused['node_id']!r}"
        yield from _reasons(refused["why"])


def _reasons(why: list[dict[str, Any]]) -> Iterator[str]:
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
