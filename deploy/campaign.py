"""`hotbasket campaign`: writes campaigns, shows them, and runs them: what marketing people do from a terminal."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from adapters.clock import SystemClock
from adapters.wiring import Ports
from adapters.zones import is_zone
from deploy.audited import audited
from deploy.campaign_draws import draw_record, verify_draw
from deploy.campaign_tables import history_table, list_table, show_table
from deploy.dry_run import dry_run
from deploy.options import Json, RetailerName, Where, document, say, tell
from deploy.stores import chosen, in_stores
from domain.campaign_faults import Written, read_written, unknown_products
from domain.campaign_ids import made_id
from domain.campaign_view import in_list, read_now, seen, told
from domain.campaigns import Action, Campaign, Change, changed, created, moved
from domain.draw_chain import SEED_BYTES
from domain.errors import Refused
from domain.ports.budget_ledger import Total
from domain.ports.retailers import Retailer

commands = typer.Typer(no_args_is_help=True)
BY = "command"
"""Who changed a campaign, as its history names whoever sits at the terminal."""
_SUFFIX_BYTES = 4

CampaignId = Annotated[str, typer.Argument(help="The campaign's id.")]
CampaignFile = Annotated[Path, typer.Argument(help="The campaign as one JSON object.", dir_okay=False)]
Now = Annotated[
    str | None,
    typer.Option("--now", help="Show the stage at this moment, RFC 3339 with zone, like 2026-11-27T08:00:00+01:00."),
]


class _Kept(NamedTuple):
    """What a command did.

    Attributes:
        campaign: its newest version.
        total: of its budget.
        warnings: what the catalogue does not know of it.
    """

    campaign: Campaign
    total: Total | None
    warnings: list[str]


@commands.callback()
def _group() -> None:
    """Write campaigns, put them in force, pause and end them, and see what is left of their budgets."""


@commands.command()
def create(file: CampaignFile, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Write a campaign, as a draft; every fault of the file is named with its path.

    A file has at least name, kind, starts_at and ends_at; what can cost money needs a budget. Without campaign_id, an
    id is made from the name.

    Example: hotbasket campaign create spring.json --retailer "Fresh & Co"
    """
    written = _read(file)

    async def work(ports: Ports) -> _Kept:
        one = chosen(ports, retailer)
        campaign_id = written.campaign_id or made_id(written.definition.name, secrets.token_hex(_SUFFIX_BYTES))
        async with audited(ports, one.retailer_id, "campaigns.create", campaign_id):
            campaign = created(one.retailer_id, campaign_id, written.definition, _now_ms())
            return await _keep(ports, one, campaign, "create")

    kept = in_stores(data, work)
    _say_kept(
        kept, as_json, f"is a draft: put it in force with hotbasket campaign schedule {kept.campaign.campaign_id}"
    )


@commands.command("list")
def list_campaigns(data: Where = None, retailer: RetailerName = None, now: Now = None, as_json: Json = False) -> None:
    """Show every campaign: its stage, what was redeemed, what is promised and still open, and its budget.

    Example: hotbasket campaign list --now 2026-12-24T18:00:00+01:00
    """
    now_ms = _moment(now)

    async def work(ports: Ports) -> tuple[Retailer, list[dict[str, Any]]]:
        one = chosen(ports, retailer)
        totals = await _totals(ports, one)
        listed = await ports.campaigns.listed(one.retailer_id)
        return one, [in_list(campaign, now_ms, totals.get(campaign.campaign_id)) for campaign in listed]

    one, campaigns = in_stores(data, work)
    if as_json:
        document(campaigns)
    elif campaigns:
        list_table(campaigns, one.currency)
    else:
        say(f"{one.name} has no campaign yet: write one and hotbasket campaign create FILE")


@commands.command()
def show(
    campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, now: Now = None, as_json: Json = False
) -> None:
    """Show one campaign; what --json prints can be edited and given to campaign change.

    Example: hotbasket campaign show spring-3f2a --json > spring.json
    """
    now_ms = _moment(now)

    async def work(ports: Ports) -> tuple[Retailer, dict[str, Any]]:
        one = chosen(ports, retailer)
        campaign = await _found(ports, one, campaign_id)
        return one, seen(campaign, now_ms, (await _totals(ports, one)).get(campaign_id))

    one, found = in_stores(data, work)
    if as_json:
        document(found)
    else:
        show_table(found, one.currency)


@commands.command()
def change(
    campaign_id: CampaignId,
    file: CampaignFile,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Replace what a campaign says by what the file says, in force within seconds.

    A file with a version, as campaign show prints it, is refused if somebody changed the campaign since. One that was
    scheduled keeps its kind, start, holdout and prizes.

    Example: hotbasket campaign change spring-3f2a spring.json
    """
    written = _read(file)
    if written.campaign_id not in (None, campaign_id):
        raise Refused(f"$.campaign_id: the file is of {written.campaign_id}, and not of {campaign_id}")

    async def work(ports: Ports) -> _Kept:
        one = chosen(ports, retailer)
        before = await _found(ports, one, campaign_id)
        async with audited(ports, one.retailer_id, "campaigns.change", campaign_id):
            if written.version not in (None, before.version):
                raise Refused(
                    f"$.version: the file is of version {written.version}, and somebody made it {before.version}"
                    " meanwhile: read it again with hotbasket campaign show"
                )
            return await _keep(ports, one, changed(before, written.definition, _now_ms()), "change")

    kept = in_stores(data, work)
    _say_kept(kept, as_json, f"is changed, version {kept.campaign.version}")


@commands.command()
def schedule(campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Put a draft in force: it is live from its start to its end.

    Example: hotbasket campaign schedule spring-3f2a
    """
    kept = _moved(campaign_id, "schedule", data, retailer)
    _say_kept(kept, as_json, f"is {kept.campaign.stage(_now_ms())}")


@commands.command()
def pause(campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Promise nothing more for now; what was promised is kept.

    Example: hotbasket campaign pause spring-3f2a
    """
    kept = _moved(campaign_id, "pause", data, retailer)
    _say_kept(kept, as_json, f"is paused: go on with hotbasket campaign resume {campaign_id}")


@commands.command()
def resume(campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Go on with a paused campaign.

    Example: hotbasket campaign resume spring-3f2a
    """
    kept = _moved(campaign_id, "resume", data, retailer)
    _say_kept(kept, as_json, f"is {kept.campaign.stage(_now_ms())}")


@commands.command()
def end(campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """End a campaign for good, before its time; what was promised is kept.

    Example: hotbasket campaign end spring-3f2a
    """
    _say_kept(_moved(campaign_id, "end", data, retailer), as_json, "is ended")


@commands.command()
def history(campaign_id: CampaignId, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Show every version of a campaign: who made it, when, and what changed.

    Example: hotbasket campaign history spring-3f2a
    """

    async def work(ports: Ports) -> list[dict[str, Any]]:
        one = chosen(ports, retailer)
        changes = await ports.campaigns.history(one.retailer_id, campaign_id)
        if not changes:
            raise _no_campaign(one, campaign_id)
        return told(changes)

    lines = in_stores(data, work)
    if as_json:
        document(lines)
    else:
        history_table(lines)


commands.command("dry-run")(dry_run)


commands.command("draw-record")(draw_record)
commands.command("verify-draw")(verify_draw)


def _moved(campaign_id: str, action: Action, data: Path | None, retailer: str | None) -> _Kept:
    async def work(ports: Ports) -> _Kept:
        one = chosen(ports, retailer)
        before = await _found(ports, one, campaign_id)
        async with audited(ports, one.retailer_id, f"campaigns.{action}", campaign_id):
            return await _keep(ports, one, moved(before, action, _now_ms()), action)

    return in_stores(data, work)


async def _keep(ports: Ports, retailer: Retailer, campaign: Campaign, action: Action) -> _Kept:
    await ports.campaigns.put(Change(campaign=campaign, action=action, by=BY), secrets.token_bytes(SEED_BYTES))
    known = ports.retailers.current().known.get(retailer.retailer_id, {})
    total = (await _totals(ports, retailer)).get(campaign.campaign_id)
    return _Kept(campaign, total, unknown_products(campaign.definition, known))


async def _found(ports: Ports, retailer: Retailer, campaign_id: str) -> Campaign:
    campaign = await ports.campaigns.get(retailer.retailer_id, campaign_id)
    if campaign is None:
        raise _no_campaign(retailer, campaign_id)
    return campaign


async def _totals(ports: Ports, retailer: Retailer) -> dict[str, Total]:
    return {total.campaign_id: total for total in await ports.ledger.totals(retailer.retailer_id)}


def _no_campaign(retailer: Retailer, campaign_id: str) -> Refused:
    return Refused(f"{retailer.name} has no campaign {campaign_id!r}: hotbasket campaign list shows those there are")


def _read(file: Path) -> Written:
    """What a file says.

    Raises:
        Refused: every fault of it.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    return read_written(content, is_zone, "campaign_id", "version", "status")


def _moment(text: str | None) -> int:
    if text is None:
        return _now_ms()
    now_ms = read_now(text)
    if now_ms is None:
        raise typer.BadParameter(
            f"{text!r} is no moment from 2000 to 2099 with its zone, like 2026-11-27T08:00:00+01:00"
        )
    return now_ms


def _now_ms() -> int:
    return SystemClock().now_ms()


def _say_kept(kept: _Kept, as_json: bool, what: str) -> None:
    for warning in kept.warnings:
        tell(f"warning: {warning}")
    if as_json:
        found = seen(kept.campaign, _now_ms(), kept.total)
        found["status"]["warnings"] = kept.warnings
        document(found)
    else:
        say(f"{kept.campaign.campaign_id} {what}")
