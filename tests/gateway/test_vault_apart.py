"""The vault and the other databases, read whole: no value of one leads into the other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt

from adapters.clock import SystemClock
from adapters.settings import data_files
from domain.ids import shopper_digest
from tests.cli.running import hotbasket_json
from tests.gateway.claiming import EMAIL, claim
from tests.gateway.conftest import Stand
from tests.gateway.fair import DAY_MS, Fair
from tests.gateway.standing import Standing, until
from tests.kept_values import atoms, forms_of, in_sqlite, opened, shared

TOTAL_MINOR = 4_723
LATER_MS = 7 * DAY_MS + 1_234_567


class Later(SystemClock):
    """A clock of the vault's own: a time that both sides have is no coincidence."""

    def now_ms(self) -> int:
        """A moment that nothing else happens at."""
        return super().now_ms() + LATER_MS


async def won(fair: Fair, shopper_id: str) -> dict[str, Any]:
    """Lets a shopper win a basket, and gives what the page is told."""
    await fair.shown(shopper_id, "wine")
    (told,) = await fair.pay(shopper_id, f"order-of-{shopper_id}", TOTAL_MINOR)
    return told


async def saved(standing: Standing, shopper_id: str) -> None:
    """Waits until a shopper stands in the snapshots; each look stands in the audit trail."""

    async def is_known() -> bool:
        return (await standing.ask("/v1/shoppers/lookup", shopper_id)).status_code == 200

    await until(is_known, "a checkpoint has the shopper")


async def test_no_value_of_the_vault_stands_anywhere_else(stand: Stand, tmp_path: Path) -> None:
    """After a reward was won, claimed and paid, and another taken back, the sides share what the table explains."""
    standing = await stand()
    vault: Any = standing.vault.vault
    vault._clock = Later()
    fair = Fair(standing)
    await fair.open()
    paid, gone = await won(fair, "loyalty-no-1"), await won(fair, "loyalty-no-2")
    assert 200 == (await claim(standing, paid["content"]["claim"])).status_code
    await fair.tell("OrderStatusChanged", "loyalty-no-2", order_id="order-of-loyalty-no-2", status="cancelled")
    await saved(standing, "loyalty-no-1")
    rewards, where = tmp_path / "due.csv", ("--data", tmp_path / "0", "--retailer", "shop")
    (due,) = await asyncio.to_thread(hotbasket_json, "rewards", "payouts", "--csv", rewards, *where)
    assert {"paid": 1} == await asyncio.to_thread(hotbasket_json, "rewards", "paid", "--from", rewards, *where)

    files = data_files(tmp_path / "0")
    inside = in_sqlite([files.pop("vault")])
    payouts = await vault.payouts(fair.retailer_id)
    others = in_sqlite(files.values())
    assert {"vault.claims.payout_id", "vault.claims.email", "vault.claims.terms"} <= {cell.column for cell in inside}
    assert ({"paid", "withdrawn"}, [EMAIL]) == (
        {cell.value for cell in inside if cell.column == "vault.claims.state"},
        [payout.email for payout in payouts],
    )
    explained = {
        fair.retailer_id: "whose reward it is: every row of every database has it",
        "basket": "the campaign, which thousands of shoppers are shown",
        "EUR": "the currency, sealed in the vault",
        TOTAL_MINOR: "what is paid, sealed in the vault: what the order came to",
        "paid": "one of three states of a claim, and a state of orders",
        "withdrawn": "one of three states of a claim, and what becomes of experiences",
    }
    assert explained.keys() == shared([*inside, *opened(payouts)], others)
    assert due["payout_id"] in atoms(inside)
    _nothing_leads_across(standing, [paid, gone], atoms([*inside, *opened(payouts)]), atoms(others))


def _nothing_leads_across(standing: Standing, told: list[Any], inside: set[Any], others: set[Any]) -> None:
    """What names a shopper's doings is on its side, which shows that it would be found; what names a claim is not."""
    privacy_key = standing.ports.identity.privacy_key("r-shop")
    hashes = [standing.key(f"loyalty-no-{number}").shopper for number in (1, 2)]
    doings = {*hashes, shopper_digest(privacy_key, hashes[0]), *(one["experience_id"] for one in told)}
    doings |= {f"order-of-loyalty-no-{number}" for number in (1, 2)}
    assert (set(), set()) == (doings - others, doings & inside)
    for one in told:
        names = forms_of(standing.vault.keys, one["experience_id"])
        assert {names["payout id"]} == set(names.values()) & inside
        token = one["content"]["claim"]
        assert names["claim id"] == jwt.decode(token, options={"verify_signature": False})["jti"]
        ways = {*names.values(), token, EMAIL}
        assert [] == [way for way in ways for text in others if isinstance(text, str) and way in text]


async def test_the_search_finds_what_is_hidden(stand: Stand, tmp_path: Path) -> None:
    """A hash that somebody wrote into the vault, an address or a payout in a log, are found however they are packed."""
    standing = await stand()
    await standing.vault.vault.withdraw([standing.vault.keys.claims.claim_id("e-1")])
    payout_id = forms_of(standing.vault.keys, "e-1")["payout id"]
    inside = in_sqlite([data_files(tmp_path / "0")["vault"]])
    hidden = (
        payout_id,
        bytes.fromhex(payout_id),
        f'{{"a": [1, "{payout_id}"]}}',
        f"about {payout_id}, today",
        b"\x81\xa1p\xc4\x20" + bytes.fromhex(payout_id),
    )
    cell = inside[0]
    assert [{payout_id}] * len(hidden) == [
        {one for one in shared(inside, [cell._replace(value=value)]) if payout_id == one} for value in hidden
    ]
    assert set() == shared(inside, [cell._replace(value="f" * 64)])
