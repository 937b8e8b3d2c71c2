"""What was decided beside what would have been, as a table for people, 80 columns wide at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.campaign_tables import COLUMNS_MAX, money
from deploy.options import say
from domain.contents import product_of
from domain.timestamps import from_unix_ms
from domain.what_if import Outcome, Row

_PRODUCTS_SHOWN = 3
_NOTHING = "–"
_DIFFERENT = "≠"


def comparison_table(rows: Sequence[Row], currency: str) -> None:
    """Prints events, one a row, and how many were decided otherwise.

    Args:
        rows: in the order of time.
        currency: of the retailer.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("", width=1)
    table.add_column("at (UTC)", width=14)
    table.add_column("event", width=19)
    for name in ("decided", "would be"):
        table.add_column(name, overflow="fold", ratio=1)
    for row in rows:
        at = from_unix_ms(row.at_ms).strftime("%m-%d %H:%M:%S")
        sides = (_side(row.actual, currency), _side(row.would_be, currency))
        cells = ("" if row.is_same else _DIFFERENT, at, row.type, *sides)
        table.add_row(*(Text(cell) for cell in cells))
    Console(width=min(COLUMNS_MAX, Console().width), highlight=False, emoji=False).print(table)
    different = sum(not row.is_same for row in rows)
    say(f"{len(rows):,} {'event' if len(rows) == 1 else 'events'}, {different:,} decided otherwise")


def _side(outcomes: Sequence[Outcome], currency: str) -> str:
    return "\n".join(f"{one.slot}: {_words(one, currency)}" for one in outcomes) or _NOTHING


def _words(one: Outcome, currency: str) -> str:
    """Gives an outcome in few words."""
    if one.became == "withdrawn" or one.kind is None:
        return "withdrawn"
    words = [one.kind.replace("_", " "), *_content(one, one.content or {}, currency)]
    if one.campaign_id is not None:
        words.append(f"({one.campaign_id})")
    return ("held out of " if one.became == "held_out" else "") + " ".join(words)


def _content(one: Outcome, content: Mapping[str, Any], currency: str) -> list[str]:
    match one.kind:
        case "basket_tension":
            return [_worth(content["reward"], currency), "at", money(content["threshold_minor"], currency)]
        case "personalised_promotion":
            return [_worth(content["generosity"], currency), "on", _products(content)]
        case "gamified_promotion":
            return [_worth(content["prize"], currency), "on", _products(content)]
        case _:
            return [_products(content)]


def _worth(worth: Mapping[str, Any], currency: str) -> str:
    if worth.get("value_minor") is not None:
        return money(worth["value_minor"], currency)
    if worth.get("value") is not None:
        return f"{worth['value']} %"
    return str(worth.get("label") or worth["type"])


def _products(content: Mapping[str, Any]) -> str:
    products = [product_of(item) for item in content.get("products", ())]
    more = len(products) - _PRODUCTS_SHOWN
    return ", ".join(products[:_PRODUCTS_SHOWN]) + (f" and {more} more" if more > 0 else "")
