"""`hotbasket rewards`: for the people who pay winners: exports what is due, marks what is paid, takes rights back."""

from __future__ import annotations

import csv
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from msgspec import structs

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.vault_wiring import OpenedVault, has_vault, open_vault
from adapters.wiring import Ports, has_servers
from deploy.audited import audited
from deploy.options import DATA, Json, RetailerName, Where, document, say, tell
from deploy.returned_rewards import returned_rewards
from deploy.stores import chosen, in_stores
from domain.errors import Refused
from domain.ports.retailers import Retailer
from domain.ports.reward_vault import Payout, PayoutId, PayoutState, Settled
from domain.timestamps import rfc3339

Result = TypeVar("Result")

commands = typer.Typer(no_args_is_help=True)
COLUMNS = ("payout_id", "email", "value_minor", "currency", "campaign_id", "claimed_at", "state")


class Show(StrEnum):
    """Which payouts to show."""

    DUE = "due"
    PAID = "paid"
    WITHDRAWN = "withdrawn"
    ALL = "all"


_STATES: dict[Show, PayoutState | None] = {
    Show.DUE: "due",
    Show.PAID: "paid",
    Show.WITHDRAWN: "withdrawn",
    Show.ALL: None,
}
PayoutIds = Annotated[list[str] | None, typer.Argument(help="Ids that `rewards payouts` shows.")]
Export = Annotated[
    Path | None,
    typer.Option("--from", help="CSV file that `rewards payouts` wrote: every payout in it.", dir_okay=False),
]


class _Opened(NamedTuple):
    """What a command works with."""

    opened: OpenedVault
    retailer: Retailer
    ports: Ports


@commands.callback()
def _group() -> None:
    """Pay the winners of rewards: their e-mail addresses are in a vault apart, and leave it only for a private file."""


@commands.command()
def payouts(
    data: Where = None,
    retailer: RetailerName = None,
    campaign: Annotated[str | None, typer.Option("--campaign", help="Id of one campaign; otherwise all.")] = None,
    show: Annotated[Show, typer.Option("--state", help="Which payouts.")] = Show.DUE,
    export: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="File to write, one payout a line with its e-mail address; it must not be there yet, and its owner"
            " alone may read it.",
            dir_okay=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is to be paid to whom, oldest claim first; e-mail addresses go to the file of --csv and nowhere else.

    Rewards whose orders were cancelled or returned are withdrawn first, and what came back in part is taken off. That
    is known for HOTBASKET_HOT_DAYS: look at least as often.

    Example: hotbasket rewards payouts --retailer "Fresh & Co" --csv due.csv
    """

    async def work(vault: _Opened) -> Sequence[Payout]:
        less_minor = await _take_back(vault)
        listed = await vault.opened.vault.payouts(vault.retailer.retailer_id, campaign, state=_STATES[show])
        return [_owed(payout, less_minor) for payout in listed]

    found = _in_vault(data, retailer, "payouts", work)
    if export is not None:
        _write(export, found)
    if as_json:
        document([_shown(payout) for payout in found])
        return
    for payout in found:
        amount = f"{payout.value_minor} {payout.currency} (minor units)"
        say(f"{payout.payout_id}  {payout.state}  {amount}  {payout.campaign_id}  {rfc3339(payout.claimed_at_ms)}")
    if not found:
        say("there is no payout" if show is Show.ALL else f"no payout is {show.value}")
    if export is not None:
        say(
            f"{len(found)} {'payout' if len(found) == 1 else 'payouts'} with addresses in {export}: delete it when paid"
        )


@commands.command()
def paid(
    payout_ids: PayoutIds = None,
    export: Export = None,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Mark payouts as paid; their e-mail addresses are forgotten HOTBASKET_VAULT_DAYS later.

    Example: hotbasket rewards paid --retailer "Fresh & Co" --from due.csv
    """
    if not payout_ids and export is None:
        raise typer.BadParameter("name the payouts, or the file they were exported to with --from")
    named = [*(payout_ids or ()), *(_read(export) if export is not None else ())]

    async def work(vault: _Opened) -> int:
        return await _settle(vault, named, "paid")

    count = _in_vault(data, retailer, "paid", work)
    if as_json:
        document({"paid": count})
    else:
        say(f"{count} {'payout is' if count == 1 else 'payouts are'} marked as paid")


@commands.command()
def withdraw(
    payout_ids: PayoutIds = None,
    experiences: Annotated[
        list[str] | None,
        typer.Option("--experience", help="Id of the experience that won, whether or not it was claimed; repeat it."),
    ] = None,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Take rewards back that are not paid yet: the order was returned, the win was none.

    Who has not claimed yet can't any more, and is told so.

    Example: hotbasket rewards withdraw --retailer "Fresh & Co" --experience 0192f3a1-6c1d-5b1e-9a55-1d2c3b4a5e6f
    """
    named = payout_ids or []
    if not named and not experiences:
        raise typer.BadParameter("name payouts, or experiences with --experience")

    async def work(vault: _Opened) -> int:
        opened = vault.opened
        count = await _settle(vault, named, "withdrawn") if named else 0
        claims = [opened.keys.claims.claim_id(experience_id) for experience_id in experiences or ()]
        return count + (await opened.vault.withdraw(claims) if claims else 0)

    count = _in_vault(data, retailer, "withdraw", work)
    if as_json:
        document({"withdrawn": count})
    else:
        say(f"{count} {'reward is' if count == 1 else 'rewards are'} withdrawn")


async def _take_back(vault: _Opened) -> dict[PayoutId, int]:
    """Withdraws what is owed no more, claimed or not yet, and gives how much less is owed of other payouts."""
    opened = vault.opened
    back = await returned_rewards(vault.ports, vault.retailer.retailer_id)
    claim_id = opened.keys.claims.claim_id
    withdrawn = await opened.vault.withdraw([claim_id(one) for one in back.gone]) if back.gone else 0
    if withdrawn:
        tell(f"{withdrawn} {'reward is' if withdrawn == 1 else 'rewards are'} withdrawn: the order was taken back")
    return {opened.keys.payout_id(claim_id(one)): less for one, less in back.less_minor.items()}


def _owed(payout: Payout, less_minor: Mapping[PayoutId, int]) -> Payout:
    """Gives a payout without what came back of its order; what is settled stays as it was."""
    less = less_minor.get(payout.payout_id, 0) if payout.state == "due" else 0
    return structs.replace(payout, value_minor=max(0, payout.value_minor - less)) if less else payout


async def _settle(vault: _Opened, named: Sequence[str], state: Settled) -> int:
    """Settles payouts that are due; those that are settled so already are left alone.

    Raises:
        Refused: one is none of this retailer's, or is settled otherwise; nothing was changed.
    """
    retailer = vault.retailer
    known = {str(one.payout_id): one.state for one in await vault.opened.vault.payouts(retailer.retailer_id)}
    faults = [f"{retailer.name} has no payout {one}: rewards payouts shows them" for one in named if one not in known]
    other = "withdrawn" if state == "paid" else "paid"
    faults += [f"payout {one} is {other}, so it can't be {state}" for one in named if known.get(one) == other]
    if faults:
        raise Refused(*faults)
    return await vault.opened.vault.settle(retailer.retailer_id, [PayoutId(one) for one in named], state)


def _in_vault(data: Path | None, name: str | None, action: str, work: Callable[[_Opened], Awaitable[Result]]) -> Result:
    """Opens the vault, does the work for one retailer and closes it; the audit trail says who did.

    Raises:
        Refused: there is no such retailer, or no vault.
        PortError: the vault can't be worked with.
    """
    settings = load_settings()
    where = None if data is None and has_servers(settings) else data or DATA
    if where is None and not has_vault(settings):
        raise Refused("HOTBASKET_VAULT is not set: it says where the reward vault's database is; see .env.example")

    async def with_vault(ports: Ports) -> Result:
        retailer = chosen(ports, name)
        opened = await open_vault(where, settings, SystemClock())
        try:
            async with audited(ports, retailer.retailer_id, f"rewards.{action}"):
                return await work(_Opened(opened, retailer, ports))
        finally:
            await opened.close()

    return in_stores(data, with_vault)


def _write(path: Path, found: Sequence[Payout]) -> None:
    """Writes a file that only its owner may read, and that nobody has made before.

    Raises:
        Refused: it is there.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already: name another file, it may be readable by others") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for payout in found:
            # A forgotten address is an empty field.
            fields = {"email": payout.email or "", **_shown(payout)}
            rows.writerow([fields[name] for name in COLUMNS])


def _read(path: Path) -> Sequence[str]:
    """Gives the ids of the payouts that a file names.

    Raises:
        Refused: it is no export.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if COLUMNS[0] in (rows.fieldnames or ()):
                return [row[COLUMNS[0]] for row in rows]
    except (UnicodeDecodeError, csv.Error):
        pass  # the sentence below says it of both
    raise Refused(f"{path} has no column {COLUMNS[0]}: name a file that rewards payouts --csv wrote")


def _shown(payout: Payout) -> dict[str, Any]:
    """What anybody may see who may see payouts at all."""
    return {
        "payout_id": payout.payout_id,
        "value_minor": payout.value_minor,
        "currency": payout.currency,
        "campaign_id": payout.campaign_id,
        "claimed_at": rfc3339(payout.claimed_at_ms),
        "state": payout.state,
    }
