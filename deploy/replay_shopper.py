"""`hotbasket replay-shopper`: a shopper's events through another tree or other campaigns, beside what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from msgspec import structs

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports
from adapters.zones import is_zone, zone_of
from deploy.audited import audited, target_of
from deploy.options import Json, RetailerName, Where, document, progress
from deploy.shopper_history import History, read_history
from deploy.stores import chosen, hash_of, in_stores
from deploy.what_if_table import comparison_table
from domain.arbitration import Market
from domain.campaign_faults import read_definition
from domain.campaign_ids import read_id
from domain.campaigns import Campaign
from domain.campaigns_in_force import InForce
from domain.errors import Refused
from domain.games import Game
from domain.ids import ShopperKey
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.timestamps import read_rfc3339, rfc3339, unix_ms
from domain.tree import Tree
from domain.tree_faults import read_trees
from domain.what_if import Bottomless, Row, World, compare

CAMPAIGNS_MAX = 1_000
"""Campaigns of one file."""
_FIELDS = ("campaign_id", "definition")


class _Compared(NamedTuple):
    """What the command tells."""

    key: ShopperKey
    history: History
    rows: Sequence[Row]
    currency: str


def replay_shopper(
    shopper: Annotated[str, typer.Argument(help="The retailer's shopper id.")],
    tree: Annotated[
        Path | None,
        typer.Option("--tree", help="Trees, JSON or JSONL: the shopper's own, else the default one.", dir_okay=False),
    ] = None,
    campaigns: Annotated[
        Path | None,
        typer.Option("--campaigns", help='JSON list of {"campaign_id", "definition"}.', dir_okay=False),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Show events received from this moment on.")] = None,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Tell what another tree or other campaigns would have decided for a shopper, beside what was decided.

    Every event that the event store keeps of the shopper is folded again from the first. Without --tree the tree in
    force decides, without --campaigns the campaigns in force do; budgets have no limit. Nothing is changed.

    Example: hotbasket replay-shopper c-1842 --tree trees.jsonl --since 2026-11-26T08:00:00Z
    """
    if tree is None and campaigns is None:
        raise typer.BadParameter("give --tree or --campaigns: what else should have decided?")
    since_ms = _moment(since)
    planted = None if tree is None else _planted(tree, shopper)
    asked = None if campaigns is None else _campaigns(campaigns)

    async def work(ports: Ports) -> _Compared:
        one = chosen(ports, retailer)
        key = ShopperKey(one.retailer_id, hash_of(ports, one, shopper))
        async with audited(ports, one.retailer_id, "replay-shopper", target_of(ports, key)):
            return await _compare(ports, one, key, shopper, planted, asked)

    compared = in_stores(data, work)
    rows = [row for row in compared.rows if row.at_ms >= since_ms]
    if as_json:
        document(_told(compared, rows))
    else:
        comparison_table(rows, compared.currency)


async def _compare(
    ports: Ports,
    one: Retailer,
    key: ShopperKey,
    shopper: str,
    planted: Tree | None,
    asked: Sequence[Campaign] | None,
) -> _Compared:
    days = load_settings().hot_days
    with progress("days") as bar:
        task = bar.add_task("read", total=days + 1)
        history = await read_history(
            ports.archive, key, SystemClock().now_ms(), days, lambda done, _: bar.update(task, completed=done)
        )
    if not history.records:
        raise Refused(f"the event store has no event of shopper {shopper!r}: it keeps {days} days, see --retailer too")
    world = World(planted or await _tree_in_force(ports, key), _market(ports, one, asked))
    rows = compare(key, history.records, history.decided, world, history.until_ms)
    return _Compared(key, history, rows, one.currency)


async def _tree_in_force(ports: Ports, key: ShopperKey) -> Tree | None:
    stored = (await ports.trees.load([key])).get(key)
    return None if stored is None else Tree(stored.blob, stored.generation)


def _market(ports: Ports, retailer: Retailer, asked: Sequence[Campaign] | None) -> Market:
    """Gives the campaigns that decide, as of any moment; nobody's budget ends, and no prize is out of stock.

    Campaigns of a file draw nothing: they have no seeds.
    """
    retailer_id = retailer.retailer_id
    known = ports.retailers.current().known.get(retailer_id, {})
    games: Mapping[str, Game] = {}
    if asked is None:
        in_force = ports.campaigns.current()
        asked, games = in_force.campaigns.get(retailer_id, ()), in_force.games.get(retailer_id, {})
    campaigns = [structs.replace(campaign, retailer_id=retailer_id) for campaign in asked]
    return Market({retailer_id: InForce(campaigns, known, zone_of, retailer.time_zone, games)}, Bottomless())


def _planted(file: Path, shopper: str) -> Tree:
    """Gives the tree of a file that is the shopper's.

    Raises:
        Refused: every fault of every tree, or none is the shopper's.
    """
    trees = dict(read_trees(_content(file)))
    blob = trees.get(shopper) or trees.get(DEFAULT)
    if blob is None:
        raise Refused(f"{file}: no tree of shopper {shopper!r}, and no default tree")
    return Tree(blob, 1)


def _campaigns(file: Path) -> list[Campaign]:
    """Gives the campaigns of a file, in force by their dates.

    Raises:
        Refused: with every fault of every campaign, each with its place.
    """
    try:
        listed: Any = msgspec.json.decode(_content(file))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"{file}: no JSON: {error}") from None
    if not isinstance(listed, list) or not 1 <= len(listed) <= CAMPAIGNS_MAX:
        raise Refused(f"{file}: $: expected a list of 1 to {CAMPAIGNS_MAX:,} campaigns")
    faults: list[str] = []
    found: dict[str, Campaign] = {}
    for index, item in enumerate(listed):
        campaign, of_item = _campaign(item)
        faults += [f"$[{index}]{fault.removeprefix('$')}" for fault in of_item]
        if campaign is not None:
            if campaign.campaign_id in found:
                faults.append(f"$[{index}].campaign_id: another campaign of the list has this id")
            found[campaign.campaign_id] = campaign
    if faults:
        raise Refused(*faults)
    return list(found.values())


def _campaign(item: Any) -> tuple[Campaign | None, list[str]]:
    if not isinstance(item, dict) or set(item) != set(_FIELDS):
        return None, [f"$: expected an object with {' and '.join(_FIELDS)}, and nothing else"]
    faults: list[str] = []
    campaign_id = read_id(item["campaign_id"], faults)
    try:
        definition = read_definition(item["definition"], is_zone)
    except Refused as refused:
        return None, [*faults, *(f"$.definition{fault.removeprefix('$')}" for fault in refused.faults)]
    if campaign_id is None:
        return None, faults
    made = Campaign(
        retailer_id="", campaign_id=campaign_id, version=1, state="scheduled", definition=definition, changed_at_ms=0
    )
    return made, faults


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None


def _moment(text: str | None) -> int:
    if text is None:
        return 0
    moment = read_rfc3339(text)
    if moment is None:
        raise typer.BadParameter(f"{text!r} is no moment with its zone, like 2026-11-27T08:00:00+01:00")
    return unix_ms(moment)


def _told(compared: _Compared, rows: Sequence[Row]) -> dict[str, Any]:
    first = compared.history.records[0]
    return {
        "shopper": compared.key.shopper,
        "from": rfc3339(first.received_at_ms),
        "until": rfc3339(compared.history.until_ms),
        "events": len(rows),
        "different": sum(not row.is_same for row in rows),
        "rows": [
            {
                "at": rfc3339(row.at_ms),
                "event_id": str(row.event_id),
                "type": row.type,
                "actual": msgspec.to_builtins(row.actual),
                "would_be": msgspec.to_builtins(row.would_be),
                "same": row.is_same,
            }
            for row in rows
        ],
    }
