"""`hotbasket privacy`: ask that shoppers are erased, or that nothing is taken of them, and see how far that is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import typer
import uvloop

from adapters.clock import SystemClock
from adapters.sealed_shoppers import Sealer
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.audited import audited
from deploy.options import Json, RetailerName, Where, document, say
from deploy.privacy_check import privacy_check
from deploy.privacy_export import export
from deploy.shoppers_named import File, Shoppers, read_ids
from deploy.stores import chosen, hash_of, in_stores
from domain.errors import Refused
from domain.ports.privacy_requests import Kind, Stage
from domain.privacy import asked, request_target, told
from monitoring import logs

_WAITS: Final[Mapping[Stage, str]] = {
    "log": "its records in the event log",
    "gateways": "the word of every gateway",
    "tombstones": "what gateways took before, and its last records in the event log",
    "workers": "workers and archiver to be past those",
    "stores": "stores that still hold something",
}

commands = typer.Typer(help="Erase shoppers, or take nothing of them, and see how far that is.", no_args_is_help=True)
commands.command()(export)

RequestId = Annotated[
    UUID | None,
    typer.Option("--request-id", help="A UUID of your making: the same request given again changes nothing."),
]


@commands.command()
def erase(
    shoppers: Shoppers = None,
    file: File = None,
    and_suppress: Annotated[
        bool, typer.Option("--and-suppress", help="Take nothing of them afterwards either, until unsuppressed.")
    ] = False,
    retailer: RetailerName = None,
    data: Where = None,
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """Erase everything that is known of shoppers, from every store that runs; it can't be undone.

    Nothing is taken of them while it lasts: in a production system until the log's retention is over. Each store gives
    a receipt: hotbasket privacy status.

    Example: hotbasket privacy erase --retailer "Fresh & Co" --file forget-us.txt
    """
    _ask("erase_and_suppress" if and_suppress else "erase", shoppers, file, retailer, data, request_id, as_json)


@commands.command()
def suppress(
    shoppers: Shoppers = None,
    file: File = None,
    retailer: RetailerName = None,
    data: Where = None,
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """Take nothing of shoppers any more: their events are dropped at every gateway, and their pages are cleared.

    In force within 2 seconds. What is known of them stays until it expires.

    Example: hotbasket privacy suppress --retailer "Fresh & Co" --file objections.txt
    """
    _ask("suppress", shoppers, file, retailer, data, request_id, as_json)


@commands.command()
def unsuppress(
    shoppers: Shoppers = None,
    file: File = None,
    retailer: RetailerName = None,
    data: Where = None,
    request_id: RequestId = None,
    as_json: Json = False,
) -> None:
    """Take events of shoppers again who were suppressed; consent that they took back themselves stays withdrawn.

    Example: hotbasket privacy unsuppress c-1842
    """
    _ask("unsuppress", shoppers, file, retailer, data, request_id, as_json)


@commands.command()
def status(
    request_id: Annotated[str, typer.Argument(help="The request's id.")],
    retailer: RetailerName = None,
    data: Where = None,
    as_json: Json = False,
) -> None:
    """Show how far a request is, and of an erasure what each store said; shoppers are not named.

    Example: hotbasket privacy status 0192f0c1-2c4e-7a10-9c53-1f0e6f6a2b11
    """

    async def work(ports: Ports) -> dict[str, Any]:
        one = chosen(ports, retailer)
        found = await ports.privacy.get(one.retailer_id, request_id)
        if found is None:
            raise Refused(f"{one.name} has made no request {request_id}")
        made = await ports.exports.made(request_id) if found.kind == "export" else ()
        return told(found, await ports.erasures.receipts(request_id), made)

    _show(in_stores(data, work), as_json)


@commands.command()
def worker() -> None:
    """Run the process that does what requests ask for, in a production system; `hotbasket run` does so itself.

    Example: hotbasket privacy worker
    """
    from deploy.processes import serve_privacy_worker  # noqa: PLC0415 - the other commands need not wait for it

    logs.configure("stdout")
    sys.exit(uvloop.run(serve_privacy_worker(load_settings())))


commands.command("check")(privacy_check)


def _ask(
    kind: Kind,
    shoppers: list[str] | None,
    file: typer.FileText | None,
    retailer: str | None,
    data: Path | None,
    request_id: UUID | None,
    as_json: bool,
) -> None:
    shopper_ids = read_ids(shoppers, file)

    async def work(ports: Ports) -> dict[str, Any]:
        one = chosen(ports, retailer)
        sealer = Sealer(ports.identity.privacy_key(one.retailer_id))
        subjects = [sealer.subject(hash_of(ports, one, shopper_id)) for shopper_id in shopper_ids]
        now_ms, due_days = SystemClock().now_ms(), load_settings().privacy_due_days
        request = asked(request_id or uuid4(), one.retailer_id, kind, now_ms, due_days=due_days)
        async with audited(ports, one.retailer_id, f"privacy.{kind}", request_target(request.request_id)):
            return told(await ports.privacy.open(request, subjects))

    _show(in_stores(data, work), as_json)


def _show(view: dict[str, Any], as_json: bool) -> None:
    if as_json:
        document(view)
        return
    whom = "1 shopper" if view["shoppers"] == 1 else f"{view['shoppers']} shoppers"
    say(f"request {view['request_id']}: {view['kind'].replace('_', ' ')} {whom}")
    if view["state"] == "done":
        say(f"  done at {view['done_at']}")
    else:
        waits = "documents that are not made yet" if view["kind"] == "export" else _WAITS[view["waits_for"]]
        say(f"  open since {view['opened_at']}, due at {view['due_at']}; it waits for {waits}")
    if view["kind"] == "export":
        say(f"  {view['documents_ready']} ready; the first expires at {view['expires_at'] or '-'}")
    for one in view.get("receipts", ()):
        rest = f", {one['left']} left: it waits for {one['waits_for']}" if one["waits_for"] else ""
        say(f"  {one['store']:<14} {one['found']} found, {one['removed']} removed{rest}")
