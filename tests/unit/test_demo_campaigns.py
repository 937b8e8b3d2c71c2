"""The demo's campaigns: made once, put in force in time, counted from the log, looked at and moved from the page."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import httpx
import msgspec
import pytest
from msgspec import structs
from starlette.routing import Router

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from adapters.zones import is_zone
from deploy.demo.campaign_counts import CampaignCounts, Entrant
from deploy.demo.campaigns import read_campaigns, schedule_drafts, write_drafts
from deploy.demo.goods import read_goods
from deploy.demo.keys import KEYS_FILE
from deploy.demo.receipts import RECEIPTS_MAX, Receipt, Receipts
from deploy.demo.setup import Demo, setup
from deploy.demo.uplift_now import look
from domain.campaign_faults import read_written, unknown_products
from domain.campaigns import Change, Definition, created, moved
from domain.experiences import Experience, Kind
from domain.ids import Position
from domain.ports.retailers import Retailer
from domain.records import Decided, Decision, Known, Progress
from domain.timestamps import from_unix_ms
from monitoring.metrics import Metrics
from tests.identity import WRAPPED

NOW_MS = 1_790_000_000_000
RETAILER = "r-1"
SAUCES, TENSION, CHEESE, GAME = "10-on-sauces", "5-from-40", "cheese-board", "scratch-coffee"
WITHIN_S = 30
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "campaigns.md"
OWN = {"origin": "http://127.0.0.1:9", "content-type": "application/json"}


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """Embedded stores with one retailer."""
    opened = embedded(tmp_path, load_settings(), Metrics(), SystemClock())
    await opened.retailers.add(Retailer(retailer_id=RETAILER, name="shop"), "a" * 64, "b" * 64, WRAPPED)
    yield opened
    await opened.close()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def states(ports: Ports, retailer_id: str = RETAILER) -> dict[str, str]:
    """The state of each campaign."""
    return {one.campaign_id: one.state for one in await ports.campaigns.listed(retailer_id)}


def test_there_is_one_of_each_kind_about_goods_of_the_shop() -> None:
    """The demo's campaigns pass the door, are of all kinds, and name only what is on the shelves."""
    found = read_campaigns(from_unix_ms(NOW_MS))
    assert {SAUCES, TENSION, CHEESE, GAME} == found.keys()
    assert set(get_args(Kind)) == {definition.kind for definition in found.values()}
    known = {good.product_id: Known(category_id=good.category_id) for good in read_goods().products}
    assert [] == [warning for definition in found.values() for warning in unknown_products(definition, known)]
    sauces, tension = found[SAUCES], found[TENSION]
    assert sauces.percent is not None
    assert tension.amount_minor is not None
    assert tension.threshold_minor is not None
    assert (10, 200_000, 500, 4_000) == (
        sauces.percent.usual,
        sauces.holdout_ppm,
        tension.amount_minor.usual,
        tension.threshold_minor.usual,
    )


async def test_drafts_are_made_once(ports: Ports) -> None:
    """A second start makes nothing; what became of a campaign stays."""
    await write_drafts(ports.campaigns, RETAILER, NOW_MS)
    assert {"draft"} == set((await states(ports)).values())
    await schedule_drafts(ports.campaigns, RETAILER, NOW_MS)
    sauces = await ports.campaigns.get(RETAILER, SAUCES)
    assert sauces is not None
    await ports.campaigns.put(Change(campaign=moved(sauces, "pause", NOW_MS), action="pause", by="command"))
    before = await ports.campaigns.listed(RETAILER)
    await write_drafts(ports.campaigns, RETAILER, NOW_MS + 1)
    await schedule_drafts(ports.campaigns, RETAILER, NOW_MS + 1)
    assert before == await ports.campaigns.listed(RETAILER)
    history = await ports.campaigns.history(RETAILER, SAUCES)
    assert [("create", "demo"), ("schedule", "demo"), ("pause", "command")] == [
        (change.action, change.by) for change in history
    ]


async def test_only_the_demos_own_drafts_are_scheduled(ports: Ports) -> None:
    """Somebody else's draft stays one, and the game that is scheduled has something to draw from."""
    await write_drafts(ports.campaigns, RETAILER, NOW_MS)
    other = created(RETAILER, "mine", read_campaigns(from_unix_ms(NOW_MS))[CHEESE], NOW_MS)
    await ports.campaigns.put(Change(campaign=other, action="create", by="command"))
    await schedule_drafts(ports.campaigns, RETAILER, NOW_MS)
    found = await states(ports)
    assert "draft" == found.pop("mine")
    assert {"scheduled"} == set(found.values())
    assert {GAME} == ports.campaigns.current().games[RETAILER].keys()


async def test_a_draft_that_is_over_stays_one(ports: Ports) -> None:
    """What can't be scheduled is left alone, and the others are put in force all the same."""
    await write_drafts(ports.campaigns, RETAILER, NOW_MS)
    sauces = await ports.campaigns.get(RETAILER, SAUCES)
    assert sauces is not None
    ended = structs.replace(sauces.definition, ends_at=from_unix_ms(NOW_MS + 1))
    changed = structs.replace(sauces, definition=ended, version=2)
    await ports.campaigns.put(Change(campaign=changed, action="change", by="command"))
    await schedule_drafts(ports.campaigns, RETAILER, NOW_MS + 2)
    assert {SAUCES: "draft", TENSION: "scheduled", CHEESE: "scheduled", GAME: "scheduled"} == await states(ports)


def decision(campaign_id: str | None, number: int, path: tuple[str, ...] = ("start", "sauce")) -> Decision:
    """A decision of a campaign about pesto."""
    return Decision(
        experience=Experience(
            experience_id=f"e-{number}",
            kind="recommendation",
            slot="main",
            decided_at_ms=NOW_MS,
            expires_at_ms=NOW_MS + 1,
            trigger_event_id=UUID(int=number),
            tree_generation=1,
            node_id=path[-1],
            content={"products": ["pesto-basil"]},
            campaign_id=campaign_id,
        ),
        path=path,
        why=(),
    )


def decided(token: int, number: int, shopper: str, retailer_id: str = RETAILER, **fields: Any) -> Decided:
    """A record of the experience log about event `number`."""
    return Decided(
        schema_version=1,
        token=token,
        position=Position(1, number),
        trigger_event_id=UUID(int=number),
        retailer_id=retailer_id,
        shopper=shopper,
        received_at_ms=NOW_MS + number,
        generation=1,
        node_id="sauce",
        walked_from="start",
        **fields,
    )


async def test_counts_follow_the_log(ports: Ports) -> None:
    """Exposures and shoppers are counted as they are decided: no tension told again, no other retailer, no campaign."""
    log = ports.experiences
    token = await log.own(0, "worker")

    async def say(number: int, *records: Decided) -> None:
        await log.append(0, token, [*records, Progress(schema_version=1, token=token, through=Position(1, number))])

    counts = CampaignCounts(log, RETAILER)
    await say(1, decided(token, 1, "aa", decisions=(decision(SAUCES, 1), decision(None, 2))))
    counting = asyncio.create_task(counts.run())
    await until(lambda: counts.of(SAUCES).shown == 1)
    await say(2, decided(token, 2, "aa", decisions=(decision(SAUCES, 3, path=("sauce",)),)))
    await say(3, decided(token, 3, "bb", "r-2", decisions=(decision(SAUCES, 4),)))
    await say(4, decided(token, 4, "cc", held_out=(decision(SAUCES, 5),)))
    await say(5, decided(token, 5, "aa", decisions=(decision(SAUCES, 6),)))
    await until(lambda: counts.of(SAUCES).shown == 2)
    found = counts.of(SAUCES)
    assert (2, 1) == (found.shown, found.held_out)
    pesto = frozenset({"pesto-basil"})
    assert {
        "aa": Entrant(at_ms=NOW_MS + 1, held_out=False, products=pesto),
        "cc": Entrant(at_ms=NOW_MS + 4, held_out=True, products=pesto),
    } == found.entrants
    assert 0 == counts.of("nothing").shown
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)


def sauces(**fields: Any) -> Definition:
    """The promotion on sauces."""
    return structs.replace(read_campaigns(from_unix_ms(NOW_MS))[SAUCES], **fields)


def crowd(treated: int, held_out: int) -> dict[str, Entrant]:
    """Shoppers who met the campaign at noon."""
    return {
        f"{number:02x}": Entrant(at_ms=NOW_MS, held_out=number >= treated, products=frozenset({"pesto-basil"}))
        for number in range(treated + held_out)
    }


def receipts(entrants: dict[str, Entrant], treated_minor: int, product_id: str = "pesto-basil") -> list[Receipt]:
    """An order of each a second later; of the treated so much more, and half of them with the product."""
    return [
        Receipt(
            shopper,
            NOW_MS + 1_000,
            2_000 + 10 * number + (0 if entrant.held_out else treated_minor),
            frozenset({product_id} if number % 2 and not entrant.held_out else {"milk"}),
        )
        for number, (shopper, entrant) in enumerate(entrants.items())
    ]


def test_without_a_holdout_nothing_is_measured() -> None:
    """A campaign that everybody gets is said to be that, and no figures are told."""
    seen = look(sauces(holdout_ppm=0), crowd(100, 0), [], None)
    assert {"state": "no_holdout", "treated": 100, "held_out": 0, "needed": 0} == seen


def test_few_shoppers_are_no_measurement() -> None:
    """Below thirty in a group the page is told how many there are, and no effect."""
    seen = look(sauces(), crowd(100, 29), receipts(crowd(100, 29), 500), None)
    assert {"state": "too_few", "treated": 100, "held_out": 29, "needed": 30} == seen


def test_without_the_libraries_the_page_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core install has no numpy: nothing breaks, and the reason is said."""
    monkeypatch.setitem(sys.modules, "batch.uplift.effects", None)
    assert "no_libraries" == look(sauces(), crowd(100, 40), [], None)["state"]


def test_spend_and_purchases_are_compared_with_their_intervals() -> None:
    """Treated shoppers spent 5.00 more and half of them bought what is promoted; both intervals are told."""
    entrants = crowd(160, 40)
    seen = look(sauces(), entrants, receipts(entrants, 500), frozenset({"pesto-basil"}))
    assert ("measured", 160, 40, False) == (seen["state"], seen["treated"], seen["held_out"], seen["is_split_odd"])
    spend, conversion = seen["spend"], seen["conversion"]
    # Held-out shoppers have the higher numbers, which are 10 cents each.
    assert pytest.approx(500 - 1_000) == spend["effect"]
    assert spend["low"] < spend["effect"] < spend["high"]
    assert (0.5, 0.0, 0.5) == (conversion["treated_mean"], conversion["held_out_mean"], conversion["effect"])
    assert 0 < conversion["low"] < 0.5 < conversion["high"] < 1
    assert seen["trusted_from"] >= 30


@pytest.mark.parametrize(
    ("kind", "promoted", "share"),
    [
        ("personalised_promotion", None, 0.5),
        ("personalised_promotion", frozenset({"penne"}), 0.0),
        ("basket_tension", None, 1.0),
    ],
)
def test_what_counts_as_promoted(kind: str, promoted: frozenset[str] | None, share: float) -> None:
    """Named products count; where none are named, those of the first experience, or all that a tension moved."""
    entrants = crowd(40, 40)
    seen = look(sauces(kind=kind), entrants, receipts(entrants, 0), promoted)
    assert share == seen["conversion"]["treated_mean"]


def test_the_first_order_after_the_meeting_counts_alone() -> None:
    """An order as old as the meeting, like the one that brought it, a second one, and strangers' change nothing."""
    entrants = crowd(40, 40)
    early = [Receipt(shopper, NOW_MS, 9_000 + number, frozenset()) for number, shopper in enumerate(entrants)]
    strangers = [Receipt("ff", NOW_MS + 1, 9_000, frozenset())]
    later = receipts(entrants, 500)
    again = [Receipt(shopper, NOW_MS + 2_000, 9_000, frozenset({"pesto-basil"})) for shopper in entrants]
    everything = [*early, *later, *strangers, *again]
    assert look(sauces(), entrants, later, None) == look(sauces(), entrants, everything, None)


def test_receipts_are_bounded() -> None:
    """The cash book forgets its oldest pages, and knows shoppers by their hashes alone."""
    kept = Receipts(str.upper, NOW_MS)
    for number in range(RECEIPTS_MAX + 2):
        kept.note({"shopper_id": "ab", "lines": [{"product_id": "milk"}], "total_minor": number}, NOW_MS + number)
    assert RECEIPTS_MAX == len(kept)
    assert Receipt("AB", NOW_MS + 2, 2, frozenset({"milk"})) == next(iter(kept))


@pytest.fixture
async def demo(ports: Ports, tmp_path: Path) -> AsyncIterator[Demo]:
    """The demo, beside no gateway."""
    made = await setup(ports, tmp_path, "http://127.0.0.1:9")
    yield made
    await made.counter.close()


@pytest.fixture
async def browser(demo: Demo) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the demo's routes without a network."""
    transport = httpx.ASGITransport(app=Router(routes=list(demo.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


async def test_the_page_is_a_document_under_the_strict_policy(browser: httpx.AsyncClient) -> None:
    """The campaigns' page is one document, its policy the shop's, and 304 for who has it."""
    first = await browser.get("/demo/campaigns")
    assert (200, "text/html; charset=utf-8") == (first.status_code, first.headers["content-type"])
    assert "default-src 'self'" in first.headers["content-security-policy"]
    assert "campaigns.js" in first.text
    again = await browser.get("/demo/campaigns", headers={"if-none-match": first.headers["etag"]})
    assert 304 == again.status_code


async def test_the_page_is_told_of_every_campaign(browser: httpx.AsyncClient, tmp_path: Path) -> None:
    """Before the past is told all are drafts, with budgets, counts and the state of uplift, and without a secret."""
    answer = await browser.get("/demo/campaigns/now")
    seen = answer.json()
    assert (False, {"done": 0, "of": 0}) == (seen["is_told"], seen["past"])
    found = {one["campaign_id"]: one for one in seen["campaigns"]}
    assert {"draft"} == {one["stage"] for one in found.values()}
    sauces_seen = found[SAUCES]
    assert (15_000, 0, 0) == tuple(sauces_seen[name] for name in ("budget_minor", "reserved_minor", "committed_minor"))
    assert (0, 0, [], "too_few") == (
        sauces_seen["shown"],
        sauces_seen["held_out"],
        sauces_seen["line"],
        sauces_seen["uplift"]["state"],
    )
    assert (None, 150) == (found[CHEESE]["budget_minor"], found[CHEESE]["budget_count"])
    keys: dict[str, str] = msgspec.json.decode((tmp_path / KEYS_FILE).read_bytes())
    assert keys["secret_key"] not in answer.text


async def test_once_the_past_is_told_the_campaigns_are_in_force_and_sampled(
    demo: Demo, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is scheduled before; afterwards all are live, and their budgets are noted again and again."""
    monkeypatch.setattr("deploy.demo.campaign_desk.SAMPLE_S", 0.01)
    desk = demo.campaigns
    running = asyncio.create_task(desk.run())
    await asyncio.sleep(0)
    seen = (await browser.get("/demo/campaigns/now")).json()
    assert {"draft"} == {one["stage"] for one in seen["campaigns"]}
    demo.crowd.past.told.set()
    deadline = time.monotonic() + WITHIN_S
    while {"live"} != {one["stage"] for one in seen["campaigns"]} or any(
        len(one["line"]) < 3 for one in seen["campaigns"]
    ):
        assert time.monotonic() < deadline
        seen = (await browser.get("/demo/campaigns/now")).json()
    assert seen["is_told"]
    first = seen["campaigns"][0]["line"][0]
    assert (0, 0) == (first["reserved"], first["committed"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("headers", "verb", "status"),
    [
        ({"content-type": "application/json"}, "pause", 403),
        ({"origin": "https://elsewhere.example", "content-type": "application/json"}, "pause", 403),
        ({"origin": "http://127.0.0.1:9", "content-type": "text/plain"}, "pause", 415),
        (OWN, "end", 404),
        (OWN, "pause", 503),
        (OWN, "resume", 503),
    ],
)
async def test_only_the_shops_own_pages_move_a_campaign(
    browser: httpx.AsyncClient, headers: dict[str, str], verb: str, status: int
) -> None:
    """Another site can't pause a campaign, nobody can end one here, and hotbasket being away is said as such."""
    answer = await browser.post(f"/demo/campaigns/{SAUCES}/{verb}", headers=headers)
    assert status == answer.status_code


def test_the_documents_campaigns_pass_the_door() -> None:
    """What the document tells people to write is taken as it stands: one complete example of each kind."""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = [msgspec.json.decode(block) for block in re.findall(r"```json\n(\{.*?\})\n```", text, flags=re.DOTALL)]
    written = [read_written(block, is_zone, "campaign_id") for block in blocks if "kind" in block]
    assert sorted(get_args(Kind)) == sorted(one.definition.kind for one in written)
    known = {good.product_id: Known(category_id=good.category_id) for good in read_goods().products}
    assert [] == [warning for one in written for warning in unknown_products(one.definition, known)]


def test_the_document_explains_every_field() -> None:
    """Each field of a campaign stands in the document's table."""
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", text, flags=re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert set() == {*Definition.__struct_fields__, "campaign_id"} - explained
