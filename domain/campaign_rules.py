"""What a campaign must keep beyond its types: dates in order, bounds that can be met, a budget for what costs money.

Each part of it keeps its rule of `PART_RULES`, the whole those of `whole_faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from domain.campaigns import PPM, Budget, Definition, Hours, Prize, Range
from domain.draw_chain import EPOCH_MS, EPOCHS_MAX
from domain.every_fault import Rule, shown
from domain.money import MINOR_MAX
from domain.terms import cost_at_most
from domain.timestamps import unix_ms
from domain.tree_rules import RULES

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_WITHOUT: Mapping[str, tuple[str, ...]] = {
    "recommendation": ("percent", "amount_minor", "threshold_minor", "max_discount_minor", "game", "prizes", "reward"),
    "personalised_promotion": ("game", "prizes", "reward"),
    "basket_tension": ("products", "category_ids", "game", "prizes", "reward"),
    "gamified_promotion": ("percent", "amount_minor", "threshold_minor"),
}
"""Fields that mean nothing to a kind: whoever gives them expects something that would not happen."""


class _Unreadable(Exception):
    """A rule asks for a field that could not be read; that fault is told already."""


class _Read:
    """A definition of which only some fields could be read."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> object:
        if name not in self._fields:
            raise _Unreadable
        return self._fields[name]


def whole_faults(fields: Mapping[str, Any], is_zone: Callable[[str], bool]) -> Iterator[str]:
    """Gives what is wrong with a campaign as a whole, as far as its fields could be read.

    Args:
        fields: those that could, by name, with the defaults of those that were left out.
        is_zone: tells whether there is a time zone of this name.
    """
    definition = cast(Definition, _Read(fields))
    yield from _told(_name(definition))
    yield from _told(_year(definition, "starts_at"))
    yield from _told(_year(definition, "ends_at"))
    yield from _told(_order(definition))
    yield from _told(_zone(definition, is_zone))
    for name in ("products", "category_ids", "weekdays"):
        yield from _told(_twice(fields.get(name, ()), f"$.{name}"))
    yield from _told(_foreign(definition))
    yield from _told(_generosity(definition))
    yield from _told(_tension(definition))
    yield from _told(_game(definition))
    yield from _told(_budget(definition))


def _told(faults: Iterator[str]) -> Iterator[str]:
    """Gives faults up to the first unreadable field."""
    try:
        yield from faults
    except _Unreadable:
        return


def _name(definition: Definition) -> Iterator[str]:
    if not definition.name.isprintable() or not definition.name.strip():
        yield f"$.name: expected printable characters, found {shown(definition.name)}"


def _year(definition: Definition, name: str) -> Iterator[str]:
    moment = getattr(definition, name)
    if not EARLIEST <= moment < LATEST:
        yield f"$.{name}: expected a year from 2000 to 2099, found {shown(moment)}"


def _order(definition: Definition) -> Iterator[str]:
    lasts_ms = unix_ms(definition.ends_at) - unix_ms(definition.starts_at)
    days = -(-lasts_ms // EPOCH_MS)
    if lasts_ms <= 0:
        yield f"$.ends_at: {shown(definition.ends_at)} is not after starts_at, {shown(definition.starts_at)}"
    elif definition.kind == "gamified_promotion" and days > EPOCHS_MAX:
        yield f"$.ends_at: {days:,} days after starts_at, a gamified_promotion lasts at most {EPOCHS_MAX}"


def _zone(definition: Definition, is_zone: Callable[[str], bool]) -> Iterator[str]:
    name = definition.time_zone
    if name is not None and not is_zone(name):
        yield f"$.time_zone: {shown(name)} is no IANA time zone, give a name like Europe/Paris"


def _twice(items: tuple[str, ...], path: str) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        if first.setdefault(item, index) != index:
            yield f"{path}[{index}]: {shown(item)} stands at [{first[item]}] already"


def _foreign(definition: Definition) -> Iterator[str]:
    for name in _WITHOUT[definition.kind]:
        try:
            is_given = bool(getattr(definition, name))
        except _Unreadable:
            is_given = True
        if is_given:
            yield f"$.{name}: a {definition.kind} has none, leave it out"


def _generosity(definition: Definition) -> Iterator[str]:
    """What is given: a share, an amount, or what the tree says; and what it costs at most."""
    if definition.kind not in ("personalised_promotion", "basket_tension"):
        return
    percent, amount = definition.percent, definition.amount_minor
    if percent is not None and amount is not None:
        yield "$.amount_minor: percent is given too, a campaign gives one of them"
        return
    yield from _within(percent, "$.percent", 100)
    yield from _within(amount, "$.amount_minor", MINOR_MAX)
    most = definition.max_discount_minor
    if percent is not None and most is None:
        yield "$.max_discount_minor: missing, with percent it says what one promise costs at most"
    elif amount is None and most is None:
        yield "$.max_discount_minor: missing, what the tree gives without percent and amount_minor needs a limit"
    elif amount is not None and most is not None and most < amount.most:
        yield f"$.max_discount_minor: {most} is less than amount_minor may promise, {amount.most}"


def _within(bounds: Range | None, path: str, most: int) -> Iterator[str]:
    if bounds is None:
        return
    for name in ("usual", "at_least", "at_most"):
        value = getattr(bounds, name)
        if value is not None and not 1 <= value <= most:
            yield f"{path}.{name}: expected 1 to {most:,}, found {value}"


def _tension(definition: Definition) -> Iterator[str]:
    if definition.kind != "basket_tension":
        return
    threshold = definition.threshold_minor
    yield from _within(threshold, "$.threshold_minor", MINOR_MAX)
    gives = definition.percent is not None or definition.amount_minor is not None
    if gives and threshold is None:
        yield "$.threshold_minor: missing beside percent or amount_minor, give both or leave both to the tree"
    elif threshold is not None and not gives:
        yield "$.threshold_minor: given without percent and amount_minor, give both or leave both to the tree"


def _game(definition: Definition) -> Iterator[str]:
    if definition.kind != "gamified_promotion":
        return
    if definition.game is None:
        yield "$.game: missing, a gamified_promotion is a scratch or a wheel"
    prizes, reward = definition.prizes, definition.reward
    if not prizes and reward is None:
        yield "$.prizes: missing, a gamified_promotion gives prizes or a reward"
    elif prizes and reward is not None:
        yield "$.reward: prizes are given too, a gamified_promotion gives one of them"
    if prizes and definition.max_discount_minor is not None:
        yield "$.max_discount_minor: each of the prizes has its cost_minor, leave it out"
    first: dict[str, int] = {}
    for index, prize in enumerate(prizes):
        if first.setdefault(prize.prize_id, index) != index:
            yield f"$.prizes[{index}].prize_id: {shown(prize.prize_id)} is that of prizes[{first[prize.prize_id]}]"
    chances = sum(prize.chance_ppm for prize in prizes)
    if chances > PPM:
        yield f"$.prizes: the chances add up to {chances:,} parts per million, {PPM:,} is all there is"
    elif prizes and not chances:
        yield "$.prizes: the chances add up to 0, nothing could be won"


def _budget(definition: Definition) -> Iterator[str]:
    """A budget covers at least one promise of whatever costs money."""
    budget = definition.budget or Budget(count=1)
    if definition.kind == "recommendation":
        if budget.money_minor is not None:
            yield "$.budget.money_minor: a recommendation costs nothing, leave it out, or limit its count"
        return
    cost = cost_at_most(definition)
    if budget.money_minor is None and (cost or definition.kind != "gamified_promotion"):
        each = f", up to {cost} each time" if cost else ""
        yield f"$.budget.money_minor: missing, what it promises costs money{each}"
    elif budget.money_minor is not None and budget.money_minor < cost:
        yield f"$.budget.money_minor: {budget.money_minor} is less than one promise may cost, {cost}"


def _range(bounds: Range, path: str) -> Iterator[str]:
    if bounds.at_least is not None and bounds.usual < bounds.at_least:
        yield f"{path}.usual: {bounds.usual} is below at_least {bounds.at_least}"
    if bounds.at_most is not None and bounds.usual > bounds.at_most:
        yield f"{path}.usual: {bounds.usual} is above at_most {bounds.at_most}"
    if bounds.at_least is not None and bounds.at_most is not None and bounds.at_least > bounds.at_most:
        yield f"{path}.at_least: {bounds.at_least} is above at_most {bounds.at_most}"


def _hours(hours: Hours, path: str) -> Iterator[str]:
    if hours.from_time == hours.until_time:
        yield f"{path}: opens and closes at {hours.from_time}, the whole day is 00:00 to 24:00"


def _only_some(budget: Budget, path: str) -> Iterator[str]:
    if budget.money_minor is None and budget.count is None:
        yield f"{path}: neither money_minor nor count is given, one is needed"


def _prize(prize: Prize, path: str) -> Iterator[str]:
    if not prize.prize_id.isprintable():
        yield f"{path}.prize_id: an identifier has printable characters alone, found {shown(prize.prize_id)}"
    if prize.stock == 0:
        yield f"{path}.stock: 0, a prize of which there are none can't be won, leave the prize out"
    worth = prize.reward.value_minor if prize.reward.type == "amount" else None
    if worth is not None and prize.cost_minor < worth:
        yield f"{path}.cost_minor: {prize.cost_minor} is less than what is won, {worth}"
    if prize.reward.type == "percent" and not prize.cost_minor:
        yield f"{path}.cost_minor: missing, with a percentage it says what one prize costs at most"


PART_RULES: Mapping[type, Rule] = {
    **RULES,
    Range: _range,
    Hours: _hours,
    Budget: _only_some,
    Prize: _prize,
}
"""The rules of a campaign's parts; those of its audience and of what prizes give are a tree's."""
