"""Games and rewards end to end: scheduled over HTTP, played and paid for, told on streams, published and checked."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from deploy.archived import decisions
from domain.draw_chain import EPOCH_MS, leads_to_anchor
from domain.draw_record import plays_in
from tests.cli.running import hotbasket, hotbasket_json
from tests.gateway.claiming import EMAIL, claim, emails
from tests.gateway.conftest import Stand
from tests.gateway.fair import COFFEES, DAY_MS, Fair
from tests.gateway.page import listening
from tests.gateway.standing import until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rewards.md"
PLAYERS = 12


async def opened(stand: Stand, **settings: Any) -> Fair:
    """The shop, with both campaigns in force."""
    fair = Fair(await stand(**settings))
    await fair.open()
    return fair


async def test_a_game_is_played_on_the_page(stand: Stand) -> None:
    """The stream brings the game, the click its outcome in the same slot; a second click brings nothing."""
    fair = await opened(stand)
    standing = fair.standing
    address = await standing.listen()
    outcomes = Counter[str]()
    for number in range(PLAYERS):
        shopper = f"c-{number}"
        async with listening(address, await standing.subscription(shopper)) as page:
            shown = await fair.shown(shopper)
            assert shown == await page.experience()
            assert "outcome" not in shown["content"]
            told = await fair.play(shopper, shown["experience_id"])
            assert told == await page.experience()
            if told["content"].get("state") == "drawing":
                outcomes["waited"] += 1
                told = await page.experience()
            assert (shown["slot"], shown["kind"], shown["campaign_id"]) == (told["slot"], told["kind"], "wheel")
            outcome = told["content"]["outcome"]
            outcomes[str(outcome["prize_id"])] += 1
            assert outcome in (
                {"prize_id": None},
                {"prize_id": "coffee", "label": "A pack of coffee"},
                {"prize_id": "voucher", "label": "5.00 off"},
            )
            assert [] == await fair.tell("ExperienceClicked", shopper, experience_id=shown["experience_id"])
    assert PLAYERS == sum(outcomes[name] for name in ("None", "coffee", "voucher"))
    assert outcomes["coffee"] <= COFFEES
    assert outcomes["voucher"]
    assert outcomes["waited"]


async def test_what_was_played_is_published_and_checked(stand: Stand, tmp_path: Path) -> None:
    """Anchor at once, seeds when their day is over; the command's record has every play, and everybody can draw it."""
    standing = await stand()
    standing.clock.shift_ms -= 3 * DAY_MS
    fair = Fair(standing)
    await fair.open()
    at_once = (await fair.desk.ask("GET", "/wheel/draw")).json()
    assert ({}, [], 100, 2) == (at_once["seeds"], at_once["plays"], at_once["epochs"], len(at_once["prizes"]))
    rights = await _all_play(fair)
    data = tmp_path / "0"
    record = await asyncio.to_thread(
        hotbasket_json, "campaign", "draw-record", "wheel", "--data", data, "--retailer", "shop"
    )
    assert (at_once["anchor"], at_once["prizes"]) == (record["anchor"], record["prizes"])
    assert rights == {play["right_id"] for play in record["plays"]}
    assert {"1", "2", "3"} == set(record["seeds"])
    assert all(
        leads_to_anchor(bytes.fromhex(seed), int(epoch), bytes.fromhex(record["anchor"]))
        for epoch, seed in record["seeds"].items()
    )
    given = Counter(play["prize_id"] for play in record["plays"])
    assert given["coffee"] <= COFFEES
    file = tmp_path / "record.json"
    file.write_text(json.dumps(record))
    verified = await asyncio.to_thread(hotbasket_json, "campaign", "verify-draw", file)
    assert {"campaign_id": "wheel", "plays": PLAYERS, "faults": []} == verified
    assert f"{PLAYERS} plays are as drawn" in _checked(record)
    record["plays"][0]["wanted"] = "yacht"
    file.write_text(json.dumps(record))
    refused = await asyncio.to_thread(hotbasket, "campaign", "verify-draw", file)
    assert (1, True) == (refused.returncode, "yacht" in refused.stderr)


async def _all_play(fair: Fair) -> set[str]:
    """Many play, and get an answer; gives their rights."""
    rights = set()
    for number in range(PLAYERS):
        shown = await fair.shown(f"c-{number}")
        await fair.play(f"c-{number}", shown["experience_id"])
        rights.add(shown["experience_id"])

    async def are_drawn() -> bool:
        ports, now_ms = fair.standing.ports, fair.standing.clock.now_ms()
        said = [one async for one in decisions(ports, fair.retailer_id, now_ms - DAY_MS, now_ms)]
        return rights == set(plays_in(said, "wheel").plays)

    await until(are_drawn, "every play is drawn")
    return rights


def _checked(record: Any) -> str:
    """What the document's own program prints of a record."""
    (program,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    ran = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(record), capture_output=True, text=True, check=True
    )
    return ran.stdout


async def test_seeds_stay_secret_until_their_day_is_over(stand: Stand) -> None:
    """One hour after it, not a moment earlier, whatever is asked for; and only for what draws."""
    fair = await opened(stand)
    clock = fair.standing.clock
    now_ms = clock.now_ms()
    first_ends_ms = now_ms + DAY_MS // 2
    seeds: list[list[str]] = []
    for at_ms in (now_ms, first_ends_ms + 3_590_000, first_ends_ms + 3_610_000, first_ends_ms + EPOCH_MS + 3_610_000):
        clock.shift_ms += at_ms - clock.now_ms()
        seeds.append(sorted((await fair.desk.ask("GET", "/wheel/draw")).json()["seeds"]))
    assert [[], [], ["1"], ["1", "2"]] == seeds
    asked = await fair.desk.ask("GET", "/wheel/draw", now="2099-01-01T00:00:00Z")
    assert (400, "invalid_parameter") == (asked.status_code, asked.json()["error"])
    assert 404 == (await fair.desk.ask("GET", "/nothing/draw")).status_code
    await fair.desk.made("pasta")
    nothing = await fair.desk.ask("GET", "/pasta/draw")
    assert (404, "no_draw") == (nothing.status_code, nothing.json()["error"])


async def test_nothing_else_tells_a_seed(stand: Stand, tmp_path: Path) -> None:
    """Neither what the interface tells of a campaign nor the logs and the vault; only the control file has it."""
    fair = await opened(stand)
    games = fair.standing.ports.campaigns.current().games[fair.retailer_id]
    end = games["wheel"]._chain.seed(100)
    for path in ("", "/wheel", "/wheel/history", "/wheel/draw"):
        text = (await fair.desk.ask("GET", path)).text
        assert end.hex() not in text
    assert end.hex() not in repr(games) + repr(games["wheel"])
    shown = await fair.shown("c-1")
    await fair.play("c-1", shown["experience_id"])
    holding = {
        path.name.split(".")[0] for path in (tmp_path / "0").rglob("*") if path.is_file() and end in path.read_bytes()
    }
    assert {"control"} == holding


async def test_a_basket_is_won_and_claimed(stand: Stand) -> None:
    """The order's own answer, the stream and a page that comes back get the same win, each with a token to claim it."""
    fair = await opened(stand)
    standing = fair.standing
    address = await standing.listen()
    subscription = await standing.subscription("c-1")
    async with listening(address, subscription) as page:
        await fair.shown("c-1", "wine")
        await page.experience()
        (answered,) = await fair.pay("c-1", "o-1")
        streamed = await page.experience()
    async with listening(address, subscription) as later:
        resumed = await later.experience()
    for told in (answered, streamed, resumed):
        assert {"prize_id": "basket", "value_minor": 4_723, "currency": "EUR"} == told["content"]["outcome"]
        assert answered["experience_id"] == told["experience_id"]
        assert told["content"]["claim"]
    assert 200 == (await claim(standing, resumed["content"]["claim"])).status_code
    assert 409 == (await claim(standing, answered["content"]["claim"], "other@post.example")).status_code
    (payout,) = await standing.vault.vault.payouts(fair.retailer_id)
    assert (EMAIL, 4_723, "EUR", "basket") == (payout.email, payout.value_minor, payout.currency, payout.campaign_id)
    assert not any(b"eyJ" in part for part in await _said(fair)), "a token stands in the log"


async def _said(fair: Fair) -> list[bytes]:
    """The contents of all that was decided."""
    ports, now_ms = fair.standing.ports, fair.standing.clock.now_ms()
    said = [one async for one in decisions(ports, fair.retailer_id, now_ms - DAY_MS, now_ms)]
    return [json.dumps(one.experience.content).encode() for each in said for one in each.decisions]


async def test_an_order_that_comes_back_takes_its_reward_along(stand: Stand, tmp_path: Path) -> None:
    """The page loses it, a page that comes back is told nothing; who pays sees it withdrawn, claimed or not yet."""
    fair = await opened(stand)
    standing = fair.standing
    address = await standing.listen()
    subscription = await standing.subscription("c-1")
    claims: dict[str, str] = {}
    for shopper in ("c-1", "c-2", "c-3", "c-4"):
        await fair.shown(shopper, "wine")
        (won,) = await fair.pay(shopper, f"o-{shopper}")
        claims[shopper] = won["content"]["claim"]
    for shopper in ("c-1", "c-3", "c-4"):
        assert 200 == (await claim(standing, claims[shopper], f"{shopper}@post.example")).status_code
    async with listening(address, subscription) as page:
        await page.experience()
        await fair.tell("OrderStatusChanged", "c-1", order_id="o-c-1", status="cancelled")
        gone = await page.next()
        assert gone is not None
        assert ("withdrawn", "main") == (gone.name, gone.data["slot"])
    await fair.tell("OrderStatusChanged", "c-2", order_id="o-c-2", status="returned")
    back = [{"product_id": "p-bread", "quantity": 1}]
    await fair.tell("OrderStatusChanged", "c-3", order_id="o-c-3", status="partially_returned", lines=back)
    rewards = ("rewards", "payouts", "--data", tmp_path / "0", "--retailer", "shop")
    due = await asyncio.to_thread(hotbasket_json, *rewards)
    assert [1_000, 4_723] == sorted(payout["value_minor"] for payout in due)
    withdrawn = await asyncio.to_thread(hotbasket_json, *rewards, "--state", "withdrawn")
    assert [4_723] == [payout["value_minor"] for payout in withdrawn]
    late = await claim(standing, claims["c-2"], "c-2@post.example")
    assert (410, "withdrawn") == (late.status_code, late.json()["error"])
    assert 3 == len(await emails(standing))


async def test_without_a_vault_a_win_is_told_without_a_claim(stand: Stand) -> None:
    """The page says that the basket was won; how it is paid is the shop's affair."""
    standing = await stand()
    standing.keys = standing.keys._replace(claims=None)
    await standing.gateway.stop()
    standing.gateway = standing.another()
    await standing.gateway.start()
    transport = httpx.ASGITransport(standing.gateway, raise_app_exceptions=True)
    standing.http = httpx.AsyncClient(transport=transport, base_url="http://gateway")
    fair = Fair(standing)
    await fair.open()
    await fair.shown("c-1", "wine")
    (won,) = await fair.pay("c-1", "o-1")
    assert ("basket", False) == (won["content"]["outcome"]["prize_id"], "claim" in won["content"])
