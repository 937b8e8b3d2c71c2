"""Campaigns: what marketing people run on the four kinds of experience, and what may become of them.

People write a `Definition`; the control plane keeps it as a `Campaign` with a state and a version. A tree's node
proposes, and `domain.arbitration` asks the campaigns in force.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from domain.conditions import AnyCondition
from domain.contents import Reward
from domain.draw_chain import EPOCH_MS
from domain.errors import Refused
from domain.events import Money, Text
from domain.experiences import Kind
from domain.ids import Identifier
from domain.timestamps import unix_ms

ANY_CAMPAIGN = "*"
"""As a node's `campaign_id`: whichever campaign of the kind wins."""
PRODUCTS_MAX = 5_000
PPM = 1_000_000
"""Parts in one, for chances and shares."""
_PPM = " parts per million"
_MINOR = " in minor units"

State = Literal["draft", "scheduled", "paused", "ended"]
"""What is stored. Whether a scheduled campaign is live is a matter of time."""
Stage = Literal["draft", "scheduled", "live", "paused", "ended"]
Action = Literal["create", "change", "schedule", "pause", "resume", "end"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Moment = Annotated[datetime, Meta(tz=True, description="a moment with its zone, like 2026-11-27T08:00:00+01:00")]


def _within(least: int, most: int, unit: str = "") -> Meta:
    """Gives bounds that say what they are, to whoever broke them."""
    return Meta(ge=least, le=most, description=f"{least:,} to {most:,}{unit}")


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of a campaign."""


class Range(Part, frozen=True, kw_only=True):
    """Within what a tree may personalise a number, both ends included; `usual` where the tree does not say."""

    usual: Money
    at_least: Money | None = None
    at_most: Money | None = None

    @property
    def least(self) -> int:
        """The lower end; without one the usual value."""
        return self.usual if self.at_least is None else self.at_least

    @property
    def most(self) -> int:
        """The upper end; without one the usual value."""
        return self.usual if self.at_most is None else self.at_most


class Hours(Part, frozen=True, kw_only=True):
    """A part of the day in local time, `from_time` included, `until_time` not; over midnight where it ends earlier."""

    from_time: Annotated[
        str,
        Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5, description="a time from 00:00 to 23:59"),
    ]
    until_time: Annotated[
        str,
        Meta(pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", max_length=5, description="a time from 00:00 to 24:00"),
    ]


class Cap(Part, frozen=True, kw_only=True):
    """At most `times` decisions for one shopper in any `days` days."""

    times: Annotated[int, _within(1, 32)]
    days: Annotated[int, _within(1, 366)]


class Budget(Part, frozen=True, kw_only=True):
    """What the campaign may promise in all; None = not limited.

    Attributes:
        money_minor: of discounts and rewards, in minor units of the retailer's currency.
        count: of promises that are kept: redeemed, or still open.
    """

    money_minor: Annotated[int, _within(1, 10**15, _MINOR)] | None = None
    count: Annotated[int, _within(1, 10**12)] | None = None


class Prize(Part, frozen=True, kw_only=True):
    """What a game gives.

    Attributes:
        prize_id: within the campaign.
        reward: what is won.
        chance_ppm: in parts per million of all plays; what is missing to a million wins nothing.
        stock: how many there are; None = as many as are won.
        cost_minor: what one costs the retailer at most.
    """

    prize_id: Identifier
    reward: Reward
    chance_ppm: Annotated[int, _within(0, PPM, _PPM)]
    stock: Annotated[int, _within(0, 10**9)] | None = None
    cost_minor: Money = 0


class RewardRules(Part, frozen=True, kw_only=True):
    """A verified paid order with a promoted product wins the right to a draw for the price of the whole basket.

    Attributes:
        chance_ppm: of winning, in parts per million.
        at_most_minor: what one win costs at most; an order above it wins this much.
    """

    chance_ppm: Annotated[int, _within(1, PPM, _PPM)]
    at_most_minor: Annotated[int, _within(1, 10**12, _MINOR)]


class Definition(Part, frozen=True, kw_only=True):
    """A campaign as people write it.

    Attributes:
        name: for people.
        kind: of the experiences that it may show.
        starts_at, ends_at: on the clock that receives events; the end is not included.
        products, category_ids: what is promoted; both empty = whatever the node proposes.
        percent, amount_minor: a promotion's or a tension's generosity, one of them; else as the node says.
        threshold_minor: from which basket on.
        max_discount_minor: what one promise costs at most; required with percent, and what is reserved.
        game, prizes: of a gamified promotion.
        reward: a draw for the basket.
        weekdays, hours, time_zone: when it is open, in local time; without them, always.
        audience: for whom; as on a tree's edges.
        priority: the highest wins.
        value_minor: what one promise is expected to be worth; decides among equal priorities.
        exclusivity_group: of the campaigns that name one group, a shopper has one promise at a time.
        cap: decisions for one shopper.
        budget: what it may promise in all.
        holdout_ppm: share of shoppers, in parts per million, who are never shown it, to measure what it brings.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Kind
    starts_at: Moment
    ends_at: Moment
    products: Annotated[tuple[Identifier, ...], Meta(max_length=PRODUCTS_MAX)] = ()
    category_ids: Annotated[tuple[Identifier, ...], Meta(max_length=PRODUCTS_MAX)] = ()
    percent: Range | None = None
    amount_minor: Range | None = None
    threshold_minor: Range | None = None
    max_discount_minor: Annotated[int, _within(1, 10**12, _MINOR)] | None = None
    game: Literal["scratch", "wheel"] | None = None
    prizes: Annotated[tuple[Prize, ...], Meta(max_length=50)] = ()
    reward: RewardRules | None = None
    weekdays: tuple[Weekday, ...] = ()
    hours: Annotated[tuple[Hours, ...], Meta(max_length=24)] = ()
    time_zone: Text | None = None
    audience: AnyCondition | None = None
    priority: Annotated[int, _within(0, 1_000)] = 0
    value_minor: Money = 0
    exclusivity_group: Identifier | None = None
    cap: Cap | None = None
    budget: Budget | None = None
    holdout_ppm: Annotated[int, _within(0, 900_000, _PPM)] = 0

    @property
    def starts_at_ms(self) -> int:
        """When it starts, Unix milliseconds."""
        return unix_ms(self.starts_at)

    @property
    def ends_at_ms(self) -> int:
        """When it ends, Unix milliseconds."""
        return unix_ms(self.ends_at)

    @property
    def has_draws(self) -> bool:
        """Whether it draws: the prizes of a game, or the price of the whole basket."""
        return self.kind == "gamified_promotion" and (bool(self.prizes) or self.reward is not None)

    @property
    def days(self) -> int:
        """How many times 24 hours it lasts, a begun one counting as a whole one."""
        return -(-(self.ends_at_ms - self.starts_at_ms) // EPOCH_MS)

    @property
    def draws_until_ms(self) -> int:
        """When the last of these days ends: nothing is drawn from then on, Unix milliseconds."""
        return self.starts_at_ms + self.days * EPOCH_MS


class Campaign(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A campaign as the control plane keeps it.

    Attributes:
        retailer_id: whose.
        campaign_id: unique within the retailer.
        version: 1 at first, one more with every change.
        state: what was last done with it.
        definition: as people wrote it.
        changed_at_ms: when this version was made.
    """

    retailer_id: str
    campaign_id: str
    version: int
    state: State
    definition: Definition
    changed_at_ms: int

    def stage(self, now_ms: int) -> Stage:
        """Gives where the campaign is at a moment."""
        if self.state == "scheduled":
            if now_ms >= self.definition.ends_at_ms:
                return "ended"
            return "live" if now_ms >= self.definition.starts_at_ms else "scheduled"
        if self.state == "paused" and now_ms >= self.definition.ends_at_ms:
            return "ended"
        return self.state


class Change(Struct, frozen=True, kw_only=True):
    """One line of a campaign's history: append-only, never altered.

    Attributes:
        campaign: as it was from then on.
        action: what was done.
        by: who did it, as the entry point knows them: `command`, or the first digits of a key's digest.
    """

    campaign: Campaign
    action: Action
    by: str


_NEXT: dict[Action, tuple[tuple[Stage, ...], State]] = {
    "schedule": (("draft",), "scheduled"),
    "pause": (("scheduled", "live"), "paused"),
    "resume": (("paused",), "scheduled"),
    "end": (("scheduled", "live", "paused"), "ended"),
}
_FROZEN = ("kind", "holdout_ppm", "game", "prizes", "reward", "starts_at")
"""What a campaign that was scheduled once keeps: who is held out, what is drawn and what is measured depend on it."""


def created(retailer_id: str, campaign_id: str, definition: Definition, now_ms: int) -> Campaign:
    """Gives a new campaign, a draft.

    Raises:
        Refused: the id can't be one.
    """
    if campaign_id == ANY_CAMPAIGN:
        raise Refused(f'campaign_id: "{ANY_CAMPAIGN}" stands for any campaign: choose another id')
    return Campaign(
        retailer_id=retailer_id,
        campaign_id=campaign_id,
        version=1,
        state="draft",
        definition=definition,
        changed_at_ms=now_ms,
    )


def moved(campaign: Campaign, action: Action, now_ms: int) -> Campaign:
    """Gives the campaign after it was scheduled, paused, resumed or ended.

    Raises:
        Refused: from where it stands, that can't be done.
    """
    allowed, state = _NEXT[action]
    stage = campaign.stage(now_ms)
    if stage not in allowed:
        raise Refused(f"{campaign.campaign_id} is {stage}: {action} needs one that is {' or '.join(allowed)}")
    if action == "schedule" and campaign.definition.ends_at_ms <= now_ms:
        raise Refused(f"$.ends_at: {campaign.campaign_id} would be over already: give it a later end")
    return structs.replace(campaign, state=state, version=campaign.version + 1, changed_at_ms=now_ms)


def changed(campaign: Campaign, definition: Definition, now_ms: int) -> Campaign:
    """Gives the campaign with another definition.

    Raises:
        Refused: it is over, or the change would falsify what was promised or measured.
    """
    stage = campaign.stage(now_ms)
    if stage == "ended":
        raise Refused(f"{campaign.campaign_id} is ended: create another")
    if stage != "draft":
        faults = [
            f"$.{name}: can't be changed once the campaign was scheduled: end this one and create another"
            for name in _FROZEN
            if getattr(definition, name) != getattr(campaign.definition, name)
        ]
        if campaign.definition.has_draws and definition.days > campaign.definition.days:
            faults.append(
                f"$.ends_at: {definition.days} days after starts_at, and what is drawn was made for"
                f" {campaign.definition.days}: end this one and create another"
            )
        if faults:
            raise Refused(*faults)
    return structs.replace(campaign, definition=definition, version=campaign.version + 1, changed_at_ms=now_ms)
