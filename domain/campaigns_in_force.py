"""The campaigns that a decision may ask, prepared: who is open at a moment, in the order in which they win.

Made when control data changes, away from the hot path: categories are resolved to products, and the campaigns that are
open are kept minute by minute, since hours and weekdays change no sooner; a minute in which a campaign starts or ends
is kept in parts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from msgspec import Struct

from domain.campaigns import WEEKDAYS, Campaign, Definition, Hours
from domain.conditions import Condition
from domain.experiences import Kind
from domain.games import Game
from domain.purse import Amounts, CampaignKey
from domain.records import Known
from domain.terms import cost_at_least, cost_at_most
from domain.timestamps import from_unix_ms

_MINUTE_MS = 60_000
_MINUTES_KEPT = 16
_NO_GAMES: Mapping[str, Game] = {}


class Offer(Struct, frozen=True, kw_only=True):
    """One campaign, as a decision asks it.

    Attributes:
        key: retailer and campaign.
        rank: 0 is asked first; of one retailer's campaigns no two have the same.
        starts_at_ms, ends_at_ms: its dates, the end not included.
        definition: as people wrote it.
        audience: of the definition.
        products: that it promotes; None = any.
        cost_minor: of one promise at most.
        least_minor: of one promise at least.
        is_counted: whether its budget limits the number of promises.
    """

    key: CampaignKey
    rank: int
    starts_at_ms: int
    ends_at_ms: int
    definition: Definition
    audience: Condition | None
    products: frozenset[str] | None
    cost_minor: int
    least_minor: int
    is_counted: bool

    @property
    def promise(self) -> Amounts:
        """What one promise takes of a lease, at most; nothing where it takes none."""
        if not self.cost_minor and not self.is_counted:
            return Amounts()
        return Amounts(self.cost_minor, 1 if self.is_counted else 0)

    def is_kept(self, cost_minor: int) -> bool:
        """Tells whether a promise of this cost is reserved: it costs, is counted, or is a right to be drawn."""
        return bool(cost_minor) or self.is_counted or self.definition.has_draws


class Open(NamedTuple):
    """The campaigns of one retailer that are open at one moment.

    Attributes:
        by_id: each.
        by_kind: of each kind, the first one first.
    """

    by_id: Mapping[str, Offer]
    by_kind: Mapping[Kind, Sequence[Offer]]


_NONE_OPEN = Open({}, {})


class Timetable(NamedTuple):
    """When a campaign is open, in the local time of its zone."""

    definition: Definition
    zone: tzinfo

    def is_open(self, at_ms: int) -> bool:
        """Tells whether the campaign is open at a moment (Unix milliseconds), by its dates, weekdays and hours.

        Local hours are what a clock on the wall shows: in the night in which clocks are put back, the hour that comes
        twice is open twice; in the one in which they are put forward, hours that never come are never open.
        """
        definition = self.definition
        if not definition.starts_at_ms <= at_ms < definition.ends_at_ms:
            return False
        if not definition.weekdays and not definition.hours:
            return True
        local = from_unix_ms(at_ms).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        today = WEEKDAYS[local.weekday()]
        if not definition.hours:
            return today in definition.weekdays
        yesterday = WEEKDAYS[(local.weekday() - 1) % 7]
        return any(_is_within(hours, minute, today, yesterday, definition) for hours in definition.hours)


class InForce:
    """The campaigns of one retailer that were scheduled.

    Args:
        campaigns: neither drafts nor ended; what is paused is left out.
        known: the retailer's catalogue.
        zone_of: gives a time zone by its IANA name.
        zone: the retailer's own, for campaigns that name none.
        games: what campaigns draw, by their ids, whatever their state: a right once given may be played.

    Attributes:
        games: the same.
    """

    def __init__(
        self,
        campaigns: Sequence[Campaign],
        known: Mapping[str, Known],
        zone_of: Callable[[str], tzinfo],
        zone: str,
        games: Mapping[str, Game] = _NO_GAMES,
    ) -> None:
        self.games = games
        scheduled = [campaign for campaign in campaigns if campaign.state == "scheduled"]
        by_category = _products_by_category(known) if any(one.definition.category_ids for one in scheduled) else {}
        self._offers = [
            (
                _offer(campaign, rank, by_category),
                Timetable(campaign.definition, zone_of(campaign.definition.time_zone or zone)),
            )
            for rank, campaign in enumerate(sorted(scheduled, key=_rank))
        ]
        dates = ((offer.starts_at_ms, offer.ends_at_ms) for offer, _ in self._offers)
        self._turns_ms = sorted({at_ms for both in dates for at_ms in both})
        self._kept: dict[tuple[int, int], Open] = {}
        self._names = frozenset(campaign.campaign_id for campaign in campaigns)

    @property
    def offers(self) -> Sequence[Offer]:
        """Every campaign that was scheduled, open or not, the first one first."""
        return [offer for offer, _ in self._offers]

    @property
    def timetables(self) -> Sequence[tuple[Offer, Timetable]]:
        """Each of them with when it is open."""
        return self._offers

    def knows(self, campaign_id: str) -> bool:
        """Tells whether there is a campaign of this name that was scheduled and is not over, paused or not."""
        return campaign_id in self._names

    def open_at(self, at_ms: int) -> Open:
        """Gives who is open at a moment, to the millisecond; events of one minute cost one look."""
        if not self._offers:
            return _NONE_OPEN
        key = at_ms // _MINUTE_MS, bisect_right(self._turns_ms, at_ms)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= _MINUTES_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[key] = self._look(at_ms)
        return found

    def _look(self, at_ms: int) -> Open:
        by_id: dict[str, Offer] = {}
        by_kind: dict[Kind, list[Offer]] = {}
        for offer, table in self._offers:
            if table.is_open(at_ms):
                by_id[offer.key.campaign_id] = offer
                by_kind.setdefault(offer.definition.kind, []).append(offer)
        return Open(by_id, by_kind)


def _is_within(hours: Hours, minute: int, today: str, yesterday: str, definition: Definition) -> bool:
    from_minute, until_minute = minute_of(hours.from_time), minute_of(hours.until_time)
    if from_minute < until_minute:
        return from_minute <= minute < until_minute and (not definition.weekdays or today in definition.weekdays)
    # Over midnight: the small hours belong to the evening before.
    if minute >= from_minute:
        return not definition.weekdays or today in definition.weekdays
    return minute < until_minute and (not definition.weekdays or yesterday in definition.weekdays)


def minute_of(time: str) -> int:
    """Gives the minute of the day of a time like 09:30."""
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _rank(campaign: Campaign) -> tuple[int, int, str]:
    """Gives what sorts campaigns: the highest priority first, then the highest expected value, then by name."""
    definition = campaign.definition
    return -definition.priority, cost_at_most(definition) - definition.value_minor, campaign.campaign_id


def _offer(campaign: Campaign, rank: int, by_category: Mapping[str, Sequence[str]]) -> Offer:
    definition = campaign.definition
    products: frozenset[str] | None = None
    if definition.products or definition.category_ids:
        of_categories = [product for one in definition.category_ids for product in by_category.get(one, ())]
        products = frozenset((*definition.products, *of_categories))
    return Offer(
        key=CampaignKey(campaign.retailer_id, campaign.campaign_id),
        rank=rank,
        starts_at_ms=definition.starts_at_ms,
        ends_at_ms=definition.ends_at_ms,
        definition=definition,
        audience=definition.audience,
        products=products,
        cost_minor=cost_at_most(definition),
        least_minor=cost_at_least(definition),
        is_counted=definition.budget is not None and definition.budget.count is not None,
    )


def _products_by_category(known: Mapping[str, Known]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for product_id, item in known.items():
        if item.category_id is not None:
            found.setdefault(item.category_id, []).append(product_id)
    return found
