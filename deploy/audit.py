"""`hotbasket audit`: shows who did what with a retailer's shoppers, campaigns and keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.clock import SystemClock
from adapters.wiring import Ports
from deploy.options import Json, RetailerName, Where, document, say, tell
from deploy.stores import chosen, in_stores
from domain.audit import read_since, told
from domain.ports.audit_trail import AuditEntry

ENTRIES_MAX = 100_000
_DAY_MS = 86_400_000
_COLUMNS = ("at", "who", "action", "target", "outcome")


def audit(
    data: Where = None,
    retailer: RetailerName = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="A date, which is its midnight in UTC, or RFC 3339 with zone; a day ago if unset."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=ENTRIES_MAX, help="At most so many, oldest first.")
    ] = 1_000,
    as_json: Json = False,
) -> None:
    """Show who looked shoppers up, changed campaigns and keys, or pushed trees, oldest first.

    A shopper is named by a keyed digest, never by an id. Events, quotes and subscriptions leave no entry.

    Example: hotbasket audit --retailer "Fresh & Co" --since 2026-11-01 --json
    """
    since_ms = SystemClock().now_ms() - _DAY_MS if since is None else read_since(since)
    if since_ms is None:
        raise typer.BadParameter(
            f"{since!r} is no date like 2026-11-01 and no moment with its zone like 2026-11-01T08:00:00Z"
        )

    async def work(ports: Ports) -> Sequence[AuditEntry]:
        return await ports.audit.read(chosen(ports, retailer).retailer_id, since_ms, limit + 1)

    found = in_stores(data, work)
    entries = [told(entry) for entry in found[:limit]]
    if len(found) > limit:
        tell(f"there is more: ask again with --since {entries[-1]['at']}, or with a larger --limit")
    if as_json:
        document(entries)
    elif entries:
        _print(entries)
    else:
        say("nothing was noted since then")


def _print(entries: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, show_edge=False, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(*(Text(entry[name] or "") for name in _COLUMNS))
    Console().print(table)
