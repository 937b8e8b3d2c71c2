"""`hotbasket failed`: shows the events that could not be processed, and asks for them to be processed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from adapters.wiring import Ports
from deploy.audited import audited
from deploy.options import Json, RetailerName, Where, document, say, tell
from deploy.stores import chosen, in_stores
from deploy.suppressed_shoppers import suppression
from domain.errors import Refused
from domain.ids import ShopperHash
from domain.ports.failed_events import FailedEvent
from domain.timestamps import rfc3339

commands = typer.Typer(no_args_is_help=True)
EVENTS_MAX = 10_000


@commands.callback()
def _group() -> None:
    """Show the events that could not be processed, and have them processed again."""


@commands.command("list")
def list_failed(
    data: Where = None,
    retailer: RetailerName = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=EVENTS_MAX, help="At most so many, newest first.")] = 100,
    as_json: Json = False,
) -> None:
    """Show the failed events of a retailer, newest first, and those that nobody could read; never their payload.

    They say whose events they are, by the shopper's hash, so the audit trail says who looked.

    Example: hotbasket failed list --retailer "Fresh & Co"
    """

    async def work(ports: Ports) -> Sequence[FailedEvent]:
        one = chosen(ports, retailer)
        async with audited(ports, one.retailer_id, "failed.list"):
            return await ports.failed.list(one.retailer_id, events_max=limit)

    events = in_stores(data, work)
    if as_json:
        document([_shown(event) for event in events])
        return
    for event in events:
        at = f" at {event.path}" if event.path else ""
        say(f"{event.failed_id}  {rfc3339(event.failed_at_ms)}  {event.reason}{at}: {event.detail}")
    if not events:
        say("no event failed")


@commands.command()
def replay(
    failed_ids: Annotated[list[str] | None, typer.Argument(help="Ids that `failed list` shows.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed event of the retailer.")] = False,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Ask for failed events to be processed again, under their own ids, once their cause is mended.

    The running system takes the request up within seconds; one that fails again is listed again. One of a suppressed
    shopper is passed over, and changes nothing: how many are, is said.

    Example: hotbasket failed replay --all --retailer "Fresh & Co"
    """
    if bool(failed_ids) == everything:
        raise typer.BadParameter("name the failed events, or give --all")

    async def work(ports: Ports) -> tuple[int, int]:
        one = chosen(ports, retailer)
        async with audited(ports, one.retailer_id, "failed.replay"):
            found = await ports.failed.list(one.retailer_id, events_max=EVENTS_MAX)
            listed = {event.failed_id: event for event in found}
            unknown = [failed_id for failed_id in failed_ids or () if failed_id not in listed]
            if unknown:
                raise Refused(f"no failed event {', '.join(unknown)}: hotbasket failed list shows those there are")
            wanted = list(failed_ids or sorted(listed))
            is_suppressed = suppression(ports, one.retailer_id)
            in_vain = sum(is_suppressed(ShopperHash(listed[failed_id].shopper)) for failed_id in wanted)
            return await ports.failed.request_replay(wanted), in_vain

    requested, in_vain = in_stores(data, work)
    if in_vain:
        whose = "is of a suppressed shopper" if in_vain == 1 else "are of suppressed shoppers"
        tell(f"{in_vain} of these {whose}: passed over, nothing changes")
    if as_json:
        document({"requested": requested, "suppressed": in_vain})
    else:
        say(f"{requested} failed {'event' if requested == 1 else 'events'} will be processed again")


def _shown(event: FailedEvent) -> dict[str, Any]:
    return {
        "failed_id": event.failed_id,
        "partition": event.partition,
        "epoch": event.position.epoch,
        "offset": event.position.offset,
        "retailer_id": event.retailer_id,
        "shopper": event.shopper,
        "event_id": event.event_id,
        "reason": event.reason,
        "detail": event.detail,
        "path": event.path,
        "payload_bytes": len(event.payload),
        "failed_at": rfc3339(event.failed_at_ms),
        "expires_at": rfc3339(event.expires_at_ms),
    }
