"""`hotbasket retailer`: adds retailers, shows and changes their rules, replaces their keys."""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from msgspec import structs

from adapters.wiring import Ports
from adapters.zones import is_zone
from deploy.audited import audited, note
from deploy.kept_days import Keep, read_kept
from deploy.options import Json, Where, document, say
from deploy.origins import origin
from deploy.retailer_identity import new_shopper_key, rewrap_keys
from deploy.retailer_keys import Name, key_digest, list_keys, new_key, revoke_key, rotate_key, show_keys
from deploy.stores import chosen, in_stores
from domain.errors import Refused
from domain.money import is_currency
from domain.permissions import Scope
from domain.ports.retailers import Retailer
from domain.retention import DAYS_MAX, KINDS, kept_days

commands = typer.Typer(no_args_is_help=True)
NAME_MAX = 128


class Consent(StrEnum):
    """What an event without consent means."""

    GRANTED = "granted"
    DENIED = "denied"


class Pii(StrEnum):
    """What happens to personal data in free text."""

    REDACT = "redact"
    REFUSE = "refuse"


class OnWithdrawal(StrEnum):
    """What the end of a shopper's consent begins."""

    KEEP = "keep"
    ERASE_VERIFIED = "erase_verified"
    ERASE = "erase"


Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", help="Web origin whose pages may post and listen, like https://shop.example; repeat it."),
]
ConsentDefault = Annotated[
    Consent | None, typer.Option("--consent-default", help="What an event without consent means; granted until set.")
]
RetentionDays = Annotated[
    int | None,
    typer.Option("--retention-days", min=1, max=DAYS_MAX, help="Days that history and state of shoppers are kept."),
]
CurrencyCode = Annotated[
    str | None, typer.Option("--currency", help="ISO 4217 code of catalogue prices and of prices without one.")
]
TimeZone = Annotated[str | None, typer.Option("--time-zone", help="IANA name, like Europe/Paris.")]
PiiRule = Annotated[
    Pii | None, typer.Option("--pii", help="What happens to personal data found in searches, links and paths.")
]

OnWithdrawalRule = Annotated[
    OnWithdrawal | None,
    typer.Option(
        "--on-withdrawal",
        help="Whether a shopper whose consent ends is erased too. erase: always. The write key stands in every page, "
        "so whoever knows a shopper's id can then erase that shopper: take it only with ids that can't be guessed. "
        "erase_verified: only if your own server says so, with a secret or server key. keep until set.",
    ),
]


@commands.callback()
def _group() -> None:
    """Add retailers, show and change their rules, replace their keys."""


@commands.command()
def add(  # noqa: PLR0913, PLR0917 - one parameter an option
    name: Annotated[str, typer.Argument(help="A name of your choice, unique in this system.")],
    data: Where = None,
    origins: Origins = None,
    consent_default: ConsentDefault = None,
    retention_days: RetentionDays = None,
    currency: CurrencyCode = None,
    time_zone: TimeZone = None,
    pii: PiiRule = None,
    on_withdrawal: OnWithdrawalRule = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Add a retailer and print its two keys, which are never shown again.

    The write key may only post events and stands in the retailer's pages. The secret key may do everything for this
    retailer and stays on its servers.

    Example: hotbasket retailer add "Fresh & Co" --origin https://shop.example --currency EUR
    """
    if not (name == name.strip() and 1 <= len(name) <= NAME_MAX and name.isprintable()):
        raise Refused(f"a retailer's name has 1 to {NAME_MAX} printable characters without spaces around it")
    made = Retailer(retailer_id=f"r-{secrets.token_hex(8)}", name=name)
    rules = _Rules(origins, consent_default, retention_days, currency, time_zone, pii, on_withdrawal, keep)
    retailer = _with(made, rules)
    keys: dict[Scope, str] = {"write": new_key("write"), "secret": new_key("secret")}

    async def work(ports: Ports) -> None:
        with ports.identity.fresh(retailer.retailer_id) as wrapped:
            await ports.retailers.add(retailer, key_digest(keys["write"]), key_digest(keys["secret"]), wrapped)
        # One that was refused is nobody's: there is no retailer in whose trail it would stand.
        await note(ports, retailer.retailer_id, "retailer.add", None, "done")

    in_stores(data, work, create=True)
    show_keys(retailer, keys, as_json)


@commands.command("list")
def list_retailers(data: Where = None, as_json: Json = False) -> None:
    """Show every retailer with its id and rules; keys are stored as digests and can't be shown.

    Example: hotbasket retailer list --json
    """

    async def work(ports: Ports) -> list[Retailer]:
        return sorted(ports.retailers.current().retailers.values(), key=lambda retailer: retailer.name)

    retailers = in_stores(data, work)
    if as_json:
        document([structs.asdict(retailer) for retailer in retailers])
        return
    for retailer in retailers:
        hidden = ("name", "origins", "kept_days")
        rules = {name: value for name, value in structs.asdict(retailer).items() if name not in hidden}
        say(f"{retailer.name}: " + ", ".join(f"{name} {value}" for name, value in rules.items()))
        say("  keeps, in days: " + ", ".join(f"{kind} {kept_days(retailer, kind)}" for kind in KINDS))
        say(f"  origins: {', '.join(retailer.origins) or 'none, so no web page may post or listen'}")


@commands.command("set")
def set_rules(  # noqa: PLR0913, PLR0917 - one parameter an option
    name: Name,
    data: Where = None,
    origins: Origins = None,
    consent_default: ConsentDefault = None,
    retention_days: RetentionDays = None,
    currency: CurrencyCode = None,
    time_zone: TimeZone = None,
    pii: PiiRule = None,
    on_withdrawal: OnWithdrawalRule = None,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Change a retailer's rules; what is not named stays, and origins that are named replace the old ones.

    Example: hotbasket retailer set "Fresh & Co" --consent-default denied --time-zone Europe/Paris
    """
    given = _Rules(origins, consent_default, retention_days, currency, time_zone, pii, on_withdrawal, keep)
    if all(value is None for value in given):
        raise typer.BadParameter("name at least one rule to change")

    async def work(ports: Ports) -> Retailer:
        before = chosen(ports, name)
        async with audited(ports, before.retailer_id, "retailer.set"):
            changed = _with(before, given)
            await ports.retailers.change(changed)
        return changed

    retailer = in_stores(data, work)
    if as_json:
        document(structs.asdict(retailer))
    else:
        say(f"{retailer.name} is changed, in force at once")


commands.command("keys")(list_keys)
commands.command("rotate-key")(rotate_key)
commands.command("revoke-key")(revoke_key)
commands.command("new-shopper-key")(new_shopper_key)
commands.command("rewrap-keys")(rewrap_keys)


class _Rules(NamedTuple):
    """What a command line says of a retailer's rules, in the options' order; None = nothing."""

    origins: list[str] | None
    consent_default: Consent | None
    retention_days: int | None
    currency: str | None
    time_zone: str | None
    pii: Pii | None
    on_withdrawal: OnWithdrawal | None
    keep: list[str] | None


def _with(retailer: Retailer, rules: _Rules) -> Retailer:
    """The retailer with the rules that are given, each checked.

    Raises:
        Refused: every rule that is wrong.
    """
    origins, consent_default, retention_days, currency, time_zone, pii, on_withdrawal, keep = rules
    faults: list[str] = []
    changes: dict[str, Any] = {"retention_days": retention_days}
    changes["consent_default"] = consent_default and consent_default.value
    changes["pii"] = pii and pii.value
    changes["on_withdrawal"] = on_withdrawal and on_withdrawal.value
    if origins is not None:
        changes["origins"] = tuple(dict.fromkeys(_checked_origin(text, faults) for text in origins))
    if currency is not None:
        changes["currency"] = currency.upper()
        if not is_currency(currency.upper()):
            faults.append(f"{currency!r} is no ISO 4217 currency: give a code like EUR")
    if time_zone is not None:
        changes["time_zone"] = time_zone
        if not is_zone(time_zone):
            faults.append(f"{time_zone!r} is no IANA time zone: give a name like Europe/Paris")
    if keep is not None:
        changes["kept_days"] = {**retailer.kept_days, **read_kept(keep, faults)}
    if faults:
        raise Refused(*faults)
    return structs.replace(retailer, **{name: value for name, value in changes.items() if value is not None})


def _checked_origin(text: str, faults: list[str]) -> str:
    try:
        return origin(text)
    except Refused as refusal:
        faults.extend(refusal.faults)
        return text
