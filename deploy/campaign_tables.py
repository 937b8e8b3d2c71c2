"""Campaigns as tables for people, 80 columns wide at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.money import DEFAULT_EXPONENT, EXPONENTS

COLUMNS_MAX = 80
_MINOR = "_minor"


def money(minor: int, currency: str) -> str:
    """Gives an amount as people write it: `1,234.50 EUR`.

    Args:
        minor: in minor units.
        currency: ISO 4217.
    """
    exponent = EXPONENTS.get(currency, DEFAULT_EXPONENT)
    whole, rest = divmod(abs(minor), 10**exponent)
    decimals = f".{rest:0{exponent}}" if exponent else ""
    return f"{'-' if minor < 0 else ''}{whole:,}{decimals} {currency}"


def list_table(campaigns: Sequence[Mapping[str, Any]], currency: str) -> None:
    """Prints campaigns, one a row.

    Args:
        campaigns: as `domain.campaign_view.in_list` gives them.
        currency: of the retailer.
    """
    table = _table("campaign", "stage")
    for name in ("redeemed", "promised", "budget"):
        table.add_column(name, justify="right", overflow="fold")
    for one in campaigns:
        cells = [_amount(one, part, currency) for part in ("committed", "reserved", "budget")]
        table.add_row(*(Text(cell) for cell in (one["campaign_id"], one["stage"], *cells)))
    _print(table)


def show_table(campaign: Mapping[str, Any], currency: str) -> None:
    """Prints one campaign, a field a row.

    Args:
        campaign: as `domain.campaign_view.seen` gives it.
        currency: of the retailer.
    """
    status = campaign["status"]
    table = _table("", "", show_header=False)
    rows = {
        "campaign": campaign["campaign_id"],
        "stage": f"{status['stage']} at {status['as_of']}",
        "version": f"{campaign['version']}, made {status['changed_at']}",
    }
    rows |= {
        name: _words(name, value, currency)
        for name, value in campaign.items()
        if name not in ("campaign_id", "version", "status", "budget")
    }
    rows |= {
        "redeemed": _amount(status, "committed", currency),
        "promised": _amount(status, "reserved", currency),
        "budget": _amount(status, "budget", currency),
    }
    for name, value in rows.items():
        table.add_row(Text(name), Text(value))
    _print(table)


def history_table(lines: Sequence[Mapping[str, Any]]) -> None:
    """Prints a history, a version a row.

    Args:
        lines: as `domain.campaign_view.told` gives them.
    """
    table = _table("version", "at", "by", "done", "changed")
    for line in lines:
        names = "everything" if line["action"] == "create" else ", ".join(line["changed"])
        cells = (str(line["version"]), line["at"], line["by"], line["action"], names)
        table.add_row(*(Text(cell) for cell in cells))
    _print(table)


def _amount(totals: Mapping[str, Any], part: str, currency: str) -> str:
    """Gives a part of a budget: money where the budget has some, else promises."""
    minor, count = totals[f"{part}_minor"], totals[f"{part}_count"]
    if totals["budget_minor"] is not None:
        return money(minor, currency)
    if totals["budget_count"] is not None or part != "budget":
        return f"{count:,} {'promise' if count == 1 else 'promises'}"
    return "no limit"


def _words(name: str, value: Any, currency: str) -> str:  # Any: a field of JSON
    if name.endswith(_MINOR) and isinstance(value, int):
        return money(value, currency)
    if isinstance(value, dict) and "usual" in value:
        usual, *ends = (
            _number(name, value[part], currency) for part in ("usual", "at_least", "at_most") if part in value
        )
        return f"{usual}, the tree may say {' to '.join(ends)}" if ends else usual
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _number(name: str, value: int, currency: str) -> str:
    return money(value, currency) if name.endswith(_MINOR) else f"{value} %"


def _table(*columns: str, show_header: bool = True) -> Table:
    table = Table(box=None, show_header=show_header, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _print(table: Table) -> None:
    terminal = Console()
    Console(width=min(COLUMNS_MAX, terminal.width), highlight=False, emoji=False).print(table)
