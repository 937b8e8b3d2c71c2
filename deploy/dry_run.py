"""`hotbasket campaign dry-run`: who would get a campaign, how many, and at what cost, tried on the warehouse's past.

`hotbasket batch dry-run` is the same, for spark-submit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from adapters.clock import SystemClock
from adapters.wiring import Ports
from deploy.batch_job import Wanted, opened
from deploy.options import Json, RetailerName, Where, document, say
from deploy.stores import chosen, in_stores
from domain.campaign_view import read_now
from domain.campaigns import Campaign
from domain.errors import Refused
from domain.money import DEFAULT_EXPONENT, EXPONENTS

if TYPE_CHECKING:
    from batch.foreseen import Foreseen

DAYS_MAX = 366


def dry_run(
    campaign_id: Annotated[str, typer.Argument(help="The campaign's id; a draft will do.")],
    data: Where = None,
    retailer: RetailerName = None,
    days: Annotated[int, typer.Option("--days", min=1, max=DAYS_MAX, help="Days of the past to try it on.")] = 28,
    now: Annotated[
        str | None,
        typer.Option("--now", help="End of that past, RFC 3339 with zone, like 2026-11-27T08:00:00+01:00."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try a campaign on what shoppers did lately: who would have got it, how often, and at what cost at most.

    It reads the warehouse's events, so it needs what hotbasket batch needs, and changes nothing. What it takes for
    granted is said with the result.

    Example: hotbasket campaign dry-run spring-3f2a --days 28

    The same for deploy/spark/submit.sh, which starts a job of hotbasket batch.

    Example: hotbasket batch dry-run spring-3f2a --now 2026-11-27T08:00:00+01:00
    """
    now_ms = SystemClock().now_ms() if now is None else read_now(now)
    if now_ms is None:
        raise typer.BadParameter(
            f"{now!r} is no moment from 2000 to 2099 with its zone, like 2026-11-27T08:00:00+01:00"
        )

    async def work(ports: Ports) -> Campaign:
        one = chosen(ports, retailer)
        found = await ports.campaigns.get(one.retailer_id, campaign_id)
        if found is None:
            raise Refused(f"{one.name} has no campaign {campaign_id!r}: hotbasket campaign list shows those there are")
        return found

    campaign = in_stores(data, work, role="batch")
    as_of = datetime.now(UTC).date()
    with opened(Wanted(data, retailer, as_of, as_of.isoformat(), None)) as job:
        from batch import dry_run_step  # noqa: PLC0415 - after the libraries are known to be there

        found = dry_run_step.dry_run(job, campaign, days, now_ms)
    if as_json:
        document({**msgspec.to_builtins(found), "sentences": found.sentences()})
    else:
        _say(found)


def _say(found: Foreseen) -> None:
    say("\n".join(found.sentences()))
    exponent = EXPONENTS.get(found.currency, DEFAULT_EXPONENT)
    table = Table(box=None)
    for name in ("day", "tried on", "new shoppers", "shown", "promises", f"cost at most, {found.currency}"):
        table.add_column(name, justify="left" if name in ("day", "tried on") else "right")
    for day in found.by_day:
        cost = f"{day.cost_minor / 10**exponent:,.{exponent}f}"
        counts = (f"{number:,}" for number in (day.shoppers, day.decisions, day.promises))
        table.add_row(day.day[:10], day.tried_on[:10], *counts, cost)
    Console().print(table)
