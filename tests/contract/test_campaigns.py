"""The contract of `domain.ports.campaigns.Campaigns`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from math import nan

import pytest
from msgspec import convert
from msgspec.structs import replace

from adapters.wiring import Ports
from domain.campaigns import Budget, Cap, Change, Definition, Hours, Prize, Range, RewardRules, changed, created, moved
from domain.conditions import AllOf, AnyCondition, as_json
from domain.contents import Reward
from domain.errors import Refused
from domain.state_conditions import Score
from tests.contract.campaigning import BY, OTHER_RETAILER, definition, draft, move, put, scheduled, with_shops
from tests.contract.conftest import StoppedClock, System
from tests.contract.consumer import eventually
from tests.story import NOON_MS, RETAILER

EVERY_CONDITION = [
    {"kind": "any", "of": [{"kind": "none", "of": [{"kind": "event", "types": ["OrderPaid"]}]}]},
    {"kind": "product", "action": "added", "product_ids": ["p-1"], "category_ids": ["pasta"], "brands": ["Roma"]},
    {"kind": "page", "page_kinds": ["home"], "category_ids": ["pasta"]},
    {"kind": "search", "terms": ["pâtes fraîches"]},
    {"kind": "in_basket", "category_ids": ["sauce"], "at_least": 2, "at_most": 9},
    {"kind": "basket_total", "at_least_minor": 1_000, "at_most_minor": 10**12},
    {"kind": "basket_lines", "at_least": 1},
    {"kind": "visits", "at_least": 2},
    {"kind": "order", "states": ["paid", "delivered"]},
    {"kind": "score", "bias": -0.1, "weights": {"visits": 1e-17, "basket_lines": 0.30000000000000004}, "at_least": 0.5},
]


def everything() -> Definition:
    """A definition that leaves nothing out."""
    return Definition(
        name="Été 🍓 \x00 \U0010ffff",
        kind="gamified_promotion",
        starts_at=datetime.fromisoformat("2026-10-25T02:30:00.123456+02:00"),
        ends_at=datetime.fromisoformat("2027-11-20T23:59:59-05:30"),
        products=tuple(f"p-{number}" for number in range(5_000)),
        category_ids=("pasta", "sauce"),
        percent=Range(usual=10, at_least=0, at_most=100),
        amount_minor=Range(usual=10**12),
        threshold_minor=Range(usual=0, at_most=5),
        max_discount_minor=10**12,
        game="wheel",
        prizes=(
            Prize(prize_id="a", reward=Reward(type="percent", value=12.5), chance_ppm=1),
            Prize(
                prize_id="b", reward=Reward(type="own", label="Ä", value_minor=1), chance_ppm=0, stock=0, cost_minor=9
            ),
        ),
        reward=RewardRules(chance_ppm=1_000_000, at_most_minor=10**12),
        weekdays=("sunday", "monday"),
        hours=(Hours(from_time="22:00", until_time="24:00"),),
        time_zone="Europe/Paris",
        audience=convert({"kind": "all", "of": EVERY_CONDITION}, AnyCondition),
        priority=1_000,
        value_minor=10**12,
        exclusivity_group="one",
        cap=Cap(times=10, days=30),
        budget=Budget(money_minor=10**15, count=10**12),
        holdout_ppm=900_000,
    )


async def test_without_campaigns_nothing_is_in_force(ports: Ports) -> None:
    """A system is ready without a campaign, and what is not there is said not to be."""
    await with_shops(ports)
    assert {} == ports.campaigns.current().campaigns
    assert await ports.campaigns.get(RETAILER, "spring") is None
    assert [] == list(await ports.campaigns.listed(RETAILER))
    assert [] == list(await ports.campaigns.history(RETAILER, "spring"))


async def test_scheduled_and_paused_campaigns_are_in_force(ports: Ports, clock: StoppedClock) -> None:
    """Drafts and those that somebody ended are not; one whose time is over is, until somebody ends it."""
    await with_shops(ports)
    await draft(ports, "draft")
    live = await scheduled(ports, "live")
    paused = await move(ports, await scheduled(ports, "a paused one"), "pause")
    await move(ports, await scheduled(ports, "ended"), "end")
    clock.ms = live.definition.ends_at_ms
    assert {RETAILER: [paused, live]} == ports.campaigns.current().campaigns
    resumed = await move(ports, paused, "resume")
    assert {RETAILER: [resumed, live]} == ports.campaigns.current().campaigns
    await move(ports, resumed, "end")
    await move(ports, live, "end")
    assert {} == ports.campaigns.current().campaigns


async def test_every_version_is_kept(ports: Ports) -> None:
    """Each change is a line of the history, oldest first, as it was made; the newest is the campaign."""
    await with_shops(ports)
    one = created(RETAILER, "spring", definition(), NOON_MS)
    two = changed(one, definition(name="Spring again"), NOON_MS + 1)
    three = moved(two, "schedule", NOON_MS + 2)
    made = [
        Change(campaign=one, action="create", by="command"),
        Change(campaign=two, action="change", by="0a1b2c"),
        Change(campaign=three, action="schedule", by="Ω"),
    ]
    for change in made:
        await ports.campaigns.put(change)
    assert made == list(await ports.campaigns.history(RETAILER, "spring"))
    assert three == await ports.campaigns.get(RETAILER, "spring")
    assert [three] == list(await ports.campaigns.listed(RETAILER))


async def test_a_definition_comes_back_as_it_was_written(system: System) -> None:
    """Whatever a definition may hold, from memory, from the store and after reopening."""
    async with system() as ports:
        await with_shops(ports)
        full = await put(ports, created(RETAILER, "full", everything(), NOON_MS), "create")
        full = await put(ports, replace(full, state="scheduled", version=2), "schedule")
        for index, condition in enumerate(EVERY_CONDITION):
            await draft(ports, f"audience {index}", audience=convert(condition, AnyCondition))
        assert {RETAILER: [full]} == ports.campaigns.current().campaigns
    async with system() as ports:
        assert {RETAILER: [full]} == ports.campaigns.current().campaigns
        assert full == await ports.campaigns.get(RETAILER, "full")
        *others, last = await ports.campaigns.listed(RETAILER)
        assert full == last
        found = [one.definition.audience for one in others]
        assert EVERY_CONDITION == [as_json(audience) for audience in found if audience is not None]


@pytest.mark.parametrize(
    "bad",
    [
        definition(name="half \ud83c a pair"),
        definition(audience=AllOf(of=(Score(bias=nan, weights={}, at_least=0.5),))),
        definition(budget=Budget(money_minor=0)),
    ],
    ids=["no Unicode", "no number", "out of bounds"],
)
async def test_what_could_not_be_read_again_is_refused(ports: Ports, bad: Definition) -> None:
    """One unreadable campaign would keep all others from being loaded."""
    await with_shops(ports)
    with pytest.raises(Refused, match="can't be stored"):
        await draft(ports, **{name: getattr(bad, name) for name in Definition.__struct_fields__})
    assert [] == list(await ports.campaigns.listed(RETAILER))


async def test_what_does_not_follow_is_refused(ports: Ports) -> None:
    """An unknown retailer or campaign, a taken id, a version twice and one left out: nothing is changed."""
    await with_shops(ports)
    spring = await scheduled(ports)
    before = ports.campaigns.current()
    stranger = created("r-9", "spring", definition(), NOON_MS)
    with pytest.raises(Refused, match="there is no retailer r-9"):
        await put(ports, stranger, "create")
    with pytest.raises(Refused, match="there is a campaign spring already"):
        await draft(ports)
    with pytest.raises(Refused, match="there is no campaign summer"):
        await put(ports, replace(spring, campaign_id="summer", version=2), "change")
    for version in (0, spring.version, spring.version + 2):
        with pytest.raises(Refused, match="spring was changed by somebody else meanwhile: read it again"):
            await put(ports, replace(spring, state="ended", version=version), "end")
    assert before is ports.campaigns.current()
    assert ["create", "schedule"] == [one.action for one in await ports.campaigns.history(RETAILER, "spring")]
    assert [] == list(await ports.campaigns.listed("r-9"))


async def test_of_many_who_change_a_campaign_at_once_one_does(system: System) -> None:
    """The others are told to read it again, whichever process they are in; so it is with one id."""
    async with system() as one, system() as other:
        await with_shops(one)
        racing = [one, other] * 4
        new = created(RETAILER, "spring", definition(), NOON_MS)
        tried = await asyncio.gather(*(put(ports, new, "create") for ports in racing), return_exceptions=True)
        assert 1 == tried.count(new)
        assert 7 == sum(isinstance(result, Refused) and "already" in str(result) for result in tried)
        names = [changed(new, definition(name=f"Spring {number}"), NOON_MS) for number in range(8)]
        tried = await asyncio.gather(
            *(put(ports, name, "change") for ports, name in zip(racing, names, strict=True)), return_exceptions=True
        )
        assert 7 == sum(isinstance(result, Refused) and "meanwhile" in str(result) for result in tried)
        (won,) = (result for result in tried if not isinstance(result, BaseException))
        assert won == await other.campaigns.get(RETAILER, "spring")
        assert 2 == len(await one.campaigns.history(RETAILER, "spring"))


async def test_retailers_have_campaigns_of_their_own(ports: Ports) -> None:
    """One id of two retailers is two campaigns, and nobody sees another's."""
    await with_shops(ports)
    ours = await scheduled(ports)
    theirs = await scheduled(ports, retailer_id=OTHER_RETAILER, name="Printemps")
    await scheduled(ports, "summer", retailer_id=OTHER_RETAILER)
    assert [ours] == list(await ports.campaigns.listed(RETAILER))
    assert ours == await ports.campaigns.get(RETAILER, "spring")
    assert theirs == await ports.campaigns.get(OTHER_RETAILER, "spring")
    assert await ports.campaigns.get(RETAILER, "summer") is None
    assert [] == list(await ports.campaigns.history(RETAILER, "summer"))
    assert {RETAILER, OTHER_RETAILER} == set(ports.campaigns.current().campaigns)
    assert [ours] == ports.campaigns.current().campaigns[RETAILER]


async def test_campaigns_come_by_id(ports: Ports) -> None:
    """In the order of bytes, the same on every server."""
    await with_shops(ports)
    for campaign_id in ("é", "b", "Z", "a-1", "a"):
        await scheduled(ports, campaign_id)
    expected = ["Z", "a", "a-1", "b", "é"]
    assert expected == [one.campaign_id for one in await ports.campaigns.listed(RETAILER)]
    assert expected == [one.campaign_id for one in ports.campaigns.current().campaigns[RETAILER]]


async def test_current_is_the_same_object_until_something_changes(ports: Ports) -> None:
    """A decision pays nothing for what did not change, and a campaign that did not is not read again."""
    await with_shops(ports)
    await scheduled(ports, "spring")
    before = ports.campaigns.current()
    assert before is ports.campaigns.current()
    summer = await scheduled(ports, "summer")
    after = ports.campaigns.current()
    assert before.version != after.version
    assert [before.campaigns[RETAILER][0], summer] == after.campaigns[RETAILER]
    assert before.campaigns[RETAILER][0] is after.campaigns[RETAILER][0]


async def test_another_process_sees_a_change(system: System) -> None:
    """A campaign that a command schedules or pauses is so in a running system."""
    async with system() as running:
        assert {} == running.campaigns.current().campaigns
        async with system() as command:
            await with_shops(command)
            expected = await scheduled(command)

            async def is_in_force() -> bool:
                return {RETAILER: [expected]} == running.campaigns.current().campaigns

            await eventually(is_in_force)
            expected = await move(command, expected, "pause")
            await eventually(is_in_force)


async def test_who_changed_is_written_down(ports: Ports) -> None:
    """Who did it stands beside what was done."""
    await with_shops(ports)
    await scheduled(ports)
    history = await ports.campaigns.history(RETAILER, "spring")
    assert [("create", BY), ("schedule", BY)] == [(one.action, one.by) for one in history]
