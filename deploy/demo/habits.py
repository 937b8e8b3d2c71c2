"""Hidden tastes of the simulated shoppers: what each wants of a trip. The cold half is to find out; tests know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from random import Random
from typing import Final, NamedTuple

from msgspec import Struct

from deploy.demo.goods import Good, Goods
from deploy.demo.tastes import EVERYBODY, PERSONAS, Taste

FOLLOWS: Final = 0.8
"""How probably the usual sauce follows pasta, later in the same trip."""
EVERYDAY: Final = (
    *("fruit", "vegetables", "salads", "bakery", "dairy", "yoghurt", "eggs", "charcuterie", "meat", "fish"),
    *("plant-based", "breakfast", "drinks", "snacks", "frozen", "tins", "rice", "oils", "spices", "beer"),
)
SEASONAL: Final = 0.4
"""How probably a trip of anybody brings home each of the season's goods."""
STAPLES: Final = 8
LASTS_DAYS: Final = (3, 5, 8, 12, 16)
"""How long a staple may last; a shopper who has enough of it leaves it on the shelf."""
_NEVER: Final = -1_000
_TASTES: Final = (EVERYBODY, *PERSONAS)
_PERSONA: Final = {taste.shopper: taste for taste in PERSONAS}


class Habit(Struct, frozen=True, kw_only=True):
    """What a simulated shopper usually does.

    Attributes:
        sauce: follows pasta, with probability FOLLOWS.
        pairing: follows that sauce, in about half of the cases.
        cheese: follows wine, as a rule.
        sweet: follows coffee or tea, as a rule.
        shelves: of which something runs out every so many days, and is then bought again.
        size: other products of a typical trip, 1..4.
        weekday: of the big trip, 0 = Monday.
        often: probability of a trip on any other day, 0..1.
        thrift: own-price elasticity without its sign; 0 = prices do not matter.
    """

    sauce: str
    pairing: str
    cheese: str
    sweet: str
    shelves: dict[str, int]
    size: int
    weekday: int
    often: float
    thrift: float


class Want(NamedTuple):
    """Something that a shopper means to buy.

    Attributes:
        good: the product.
        quantity: pieces.
        spare: may be looked at only, or put back: no habit hangs on it.
    """

    good: Good
    quantity: int
    spare: bool


def taste_of(shopper: str) -> Habit:
    """Gives the hidden truth about a shopper: a persona's own taste, anybody else's by lot, always the same."""
    lots = Random(f"taste of {shopper}")  # noqa: S311 - no secret
    persona = _PERSONA.get(shopper)

    def of(part: str) -> str:
        chosen: Taste = persona or lots.choice(_TASTES)
        values: tuple[str, str] = getattr(chosen, part)
        return values[0]

    return Habit(
        sauce=of("sauces"),
        pairing=of("pairing"),
        cheese=of("cheeses"),
        sweet=of("sweets"),
        shelves={shelf: lots.choice(LASTS_DAYS) for shelf in lots.sample(EVERYDAY, STAPLES)},
        size=lots.randint(1, 4),
        weekday=lots.randrange(7),
        often=0.3 if persona else lots.uniform(0.1, 0.35),
        thrift=lots.uniform(0.5, 3.0),
    )


class Shopper:
    """A simulated shopper in the shop.

    Args:
        shopper_id: technical id.
        goods: what there is to buy.
    """

    def __init__(self, shopper_id: str, goods: Goods) -> None:
        self.shopper_id = shopper_id
        self.habit = taste_of(shopper_id)
        self._by_id = {good.product_id: good for good in goods.products}
        self._shelves: dict[str, list[Good]] = {}
        for good in goods.products:
            self._shelves.setdefault(good.category_id, []).append(good)
        lots = Random(f"usual of {shopper_id}")  # noqa: S311 - no secret
        self._usual = {shelf: lots.choice(there) for shelf, there in self._shelves.items()}
        self._stocked = dict.fromkeys(self.habit.shelves, _NEVER)

    def wants(self, lots: Random, percents: Mapping[str, int], on: date, season: Sequence[Good] = ()) -> list[Want]:
        """Gives what this trip is for, in the order in which it is found; remembers which staples it restocks.

        Args:
            lots: this trip's chance.
            percents: what promotions take off now, by product id.
            on: the day; not before that of the trip before.
            season: what everybody buys these days.
        """
        habit = self.habit
        wants = [self._some(shelf, lots, percents) for shelf in habit.shelves if self._is_out_of(shelf, lots, on)]
        wants += [Want(good, 1, spare=False) for good in season if lots.random() < SEASONAL]
        others = [lots.choice(EVERYDAY) for _ in range(lots.randint(1, habit.size))]
        wants += [self._some(shelf, lots, percents) for shelf in others]
        lots.shuffle(wants)
        if lots.random() < 0.65:
            at = self._put(wants, 0, self._some("pasta", lots, percents, spare=False), lots)
            if lots.random() < FOLLOWS:
                at = self._put(wants, at, Want(self._by_id[habit.sauce], 1, spare=False), lots)
                if lots.random() < 0.5:
                    self._put(wants, at, Want(self._by_id[habit.pairing], 1, spare=False), lots)
            elif lots.random() < 0.5:
                self._put(wants, at, self._some("sauces", lots, percents, spare=False), lots)
        if lots.random() < 0.25:
            at = self._put(wants, 0, self._some("wine", lots, percents), lots)
            if lots.random() < 0.7:
                self._put(wants, at, Want(self._by_id[habit.cheese], 1, spare=False), lots)
        if lots.random() < 0.35:
            drink = self._some(lots.choice(("coffee", "tea")), lots, percents)
            at = self._put(wants, 0, drink, lots)
            if lots.random() < 0.7:
                self._put(wants, at, Want(self._by_id[habit.sweet], 1, spare=False), lots)
        return wants

    def _is_out_of(self, shelf: str, lots: Random, on: date) -> bool:
        """Tells whether a staple is to be bought: it lasts its days, give or take one."""
        is_out = on.toordinal() - self._stocked[shelf] >= self.habit.shelves[shelf] + lots.choice((-1, 0, 0, 1))
        if is_out:
            self._stocked[shelf] = on.toordinal()
        return is_out

    @staticmethod
    def _put(wants: list[Want], after: int, want: Want, lots: Random) -> int:
        """Puts a want somewhere from `after` on, and gives the place behind it."""
        at = lots.randint(after, len(wants))
        wants.insert(at, want)
        return at + 1

    def _some(self, shelf: str, lots: Random, percents: Mapping[str, int], *, spare: bool = True) -> Want:
        """Chooses from a shelf: mostly the usual product; a promotion draws away from it, and makes one buy more."""
        there = self._shelves[shelf]
        usual = self._usual[shelf]
        ratio = {good.product_id: 1 - percents.get(good.product_id, 0) / 100 for good in there}
        thrift = self.habit.thrift
        weights = [(2.0 * len(there) if good is usual else 1.0) * ratio[good.product_id] ** -thrift for good in there]
        (good,) = lots.choices(there, weights)
        quantity = lots.choice((1, 1, 1, 2))
        if lots.random() > ratio[good.product_id] ** thrift:
            quantity += 1
        return Want(good, quantity, spare)
