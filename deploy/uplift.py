"""`hotbasket batch uplift`: what campaigns changed, as sentences, as JSON and as CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.wiring import Ports
from deploy.batch_job import Wanted, opened
from deploy.options import Json, RetailerName, Where, document, say
from deploy.stores import chosen, in_stores
from domain.campaigns import Campaign
from domain.errors import Refused

if TYPE_CHECKING:
    from batch.uplift_step import Told

WINDOW_DAYS_MAX = 90


def uplift(  # noqa: PLR0913, PLR0917 - one parameter an option
    data: Where = None,
    retailer: RetailerName = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Id of one campaign; default every one that was scheduled.")
    ] = None,
    window_days: Annotated[
        int,
        typer.Option(
            "--window-days", min=1, max=WINDOW_DAYS_MAX, help="Days after entering in which spend and purchases count."
        ),
    ] = 7,
    capped_share: Annotated[
        float | None,
        typer.Option(
            "--capped-share",
            help="Count spend above this share of the shoppers as theirs, such as 0.999; tames a tail.",
        ),
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--day", formats=["%Y-%m-%d"], help="What happened up to the end of this UTC day is known; default today."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the campaigns' tables as CSV files here too.", file_okay=False)
    ] = None,
    with_shoppers: Annotated[
        bool, typer.Option("--with-shoppers", help="Put shoppers' hashes and order ids into those files.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare shoppers who got a campaign with those held out: spend and purchases, with 95 % intervals.

    Only orders that the retailer's server told count, less what came back. Shoppers whose window is not over yet are
    left out. Running it twice for a day gives the same rows.

    Example: hotbasket batch uplift --campaign spring-3f2a --csv ./uplift
    """
    if capped_share is not None and not 0.5 < capped_share < 1:
        raise typer.BadParameter(f"--capped-share {capped_share}: expected more than 0.5 and less than 1")
    campaigns = _campaigns(data, retailer, campaign)
    as_of = datetime.now(UTC).date() if day is None else day.date()
    told: list[Told] = []
    with opened(Wanted(data, retailer, as_of, as_of.isoformat(), None)) as job:
        from batch import uplift_step  # noqa: PLC0415 - after the libraries are known to be there
        from batch.jobs import run  # noqa: PLC0415

        asked = uplift_step.Asked(campaigns, window_days, capped_share, csv, with_shoppers)
        done = run("uplift", job, partial(uplift_step.uplift, asked=asked, tell=told.append))
    if as_json:
        rows = [{**one.as_row(), "sentences": one.sentences()} for one in told]
        document({"run_id": as_of.isoformat(), "window_days": window_days, "campaigns": rows, "files": done.files})
    else:
        _say(told, csv)


def _say(told: Sequence[Told], csv: Path | None) -> None:
    if not told:
        say("no campaign was scheduled yet: write one and hotbasket campaign create FILE")
    for number, one in enumerate(told):
        say("\n".join(["", *one.sentences()] if number else one.sentences()))
    if csv is not None:
        say(f"\nThe tables are in {csv}.")


def _campaigns(data: Path | None, retailer: str | None, campaign_id: str | None) -> list[Campaign]:
    """Gives the campaigns to measure: drafts never met anybody.

    Raises:
        Refused: there is no such campaign.
    """

    async def work(ports: Ports) -> list[Campaign]:
        one = chosen(ports, retailer)
        listed = await ports.campaigns.listed(one.retailer_id)
        found = [campaign for campaign in listed if campaign_id in (None, campaign.campaign_id)]
        if campaign_id is not None and not found:
            raise Refused(f"{one.name} has no campaign {campaign_id!r}: hotbasket campaign list shows those there are")
        return [campaign for campaign in found if campaign.state != "draft"]

    return in_stores(data, work, role="batch")
