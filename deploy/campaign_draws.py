"""`hotbasket campaign draw-record` and `verify-draw`: what is published of a campaign's draws, and whether it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.archived import DAY_MS, decisions
from deploy.audited import audited
from deploy.options import Json, RetailerName, Where, document, say, tell
from deploy.stores import chosen, in_stores
from domain.draw_chain import EPOCH_MS
from domain.draw_record import DrawRecord, plays_in, public_record, read_record, record_faults, with_earlier
from domain.errors import Refused

Record = Annotated[Path, typer.Argument(help="A public record, as draw-record prints it.", dir_okay=False)]


class _Found(NamedTuple):
    """What the stores have of a campaign's draws.

    Attributes:
        record: as of now.
        waiting: plays whose prize is not known yet.
        from_epoch: the first whose decisions are all kept still.
        is_behind: whether decisions of the last day that is over may still be on their way to the event store.
    """

    record: DrawRecord
    waiting: int
    from_epoch: int
    is_behind: bool


def draw_record(
    campaign_id: Annotated[str, typer.Argument(help="The campaign's id.")],
    earlier: Annotated[
        Path | None,
        typer.Option("--earlier", help="The record as it was published last; its plays are kept.", dir_okay=False),
    ] = None,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Print the public record of a campaign's draws: anchor, prizes, the seeds of days that are over, and their plays.

    Publish it when the campaign is scheduled, and after each of its days, an hour after the day's end. Decisions are
    kept for HOTBASKET_HOT_DAYS; what is older comes from --earlier.

    Example: hotbasket campaign draw-record spring-3f2a --earlier yesterday.json > today.json
    """
    before = None if earlier is None else _read(earlier)

    async def work(ports: Ports) -> _Found:
        one = chosen(ports, retailer)
        async with audited(ports, one.retailer_id, "campaigns.draw", campaign_id):
            return await _found(ports, one.retailer_id, campaign_id)

    found = in_stores(data, work)
    record = found.record if before is None else with_earlier(found.record, before)
    known = 0 if before is None else max(before.seeds, default=0)
    if found.from_epoch > known + 1:
        tell(
            f"warning: of the days {known + 1} to {found.from_epoch - 1} not all decisions are kept any more: name the"
            " record that was published then with --earlier"
        )
    if found.is_behind:
        tell("warning: decisions of the last day may still be on their way to the event store: print it again later")
    if found.waiting:
        tell(f"{found.waiting} plays wait for their prize, and are left out until it is known")
    if as_json:
        document(record)
    else:
        say(msgspec.json.format(msgspec.json.encode(record), indent=2).decode())


def verify_draw(file: Record, as_json: Json = False) -> None:
    """Draw every play of a public record again: seeds, tickets, prizes and stocks; every fault is told in a sentence.

    It needs nothing but the file. What is missing in it nobody can see: look for a right that you know.

    Example: hotbasket campaign verify-draw record.json
    """
    record = _read(file)
    faults = record_faults(record)
    if as_json:
        document({"campaign_id": record.campaign_id, "plays": len(record.plays), "faults": faults})
    if faults:
        raise Refused(*faults)
    if not as_json:
        count = len(record.plays)
        say(f"{count} {'play is' if count == 1 else 'plays are'} as drawn")


async def _found(ports: Ports, retailer_id: str, campaign_id: str) -> _Found:
    """Reads what there is.

    Raises:
        Refused: nothing is drawn.
        PortError: the stores can't be read now.
    """
    game = ports.campaigns.current().games.get(retailer_id, {}).get(campaign_id)
    if game is None:
        raise Refused(f"nothing is drawn for {campaign_id}: there is no such game, or it was never scheduled")
    now_ms, starts_at_ms = SystemClock().now_ms(), game.schedule.starts_at_ms
    # The oldest day is thrown away piece by piece.
    kept_from_ms = max(starts_at_ms, now_ms - (load_settings().hot_days - 1) * DAY_MS)
    said = [
        decided
        async for decided in decisions(ports, retailer_id, kept_from_ms - DAY_MS, now_ms)
        if any(play.campaign_id == campaign_id for play in decided.plays)
    ]
    drawn = plays_in(said, campaign_id)
    record = public_record(game, now_ms, drawn.plays.values())
    archived_ms = min((await ports.archive.watermarks()).values(), default=0)
    return _Found(
        record=record,
        waiting=len(drawn.waiting),
        from_epoch=1 - (starts_at_ms - kept_from_ms) // EPOCH_MS,
        is_behind=bool(record.seeds) and archived_ms < starts_at_ms + len(record.seeds) * EPOCH_MS,
    )


def _read(file: Path) -> DrawRecord:
    """Gives the record in a file.

    Raises:
        Refused: it is none.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    return read_record(content)
