"""One run of `test_budgets`: random steps of shoppers, owners, ledger, clock and control plane, checked after each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from domain.campaigns import Budget, State
from domain.campaigns_in_force import InForce
from domain.errors import Fenced
from domain.events import ReservationExpired
from domain.ids import ShopperKey, reservation_expired_id
from domain.purse import Balance, CampaignKey
from domain.records import SCHEMA_VERSION, Record
from domain.timestamps import from_unix_ms
from tests.market import in_force
from tests.property.budget_recount import Recount
from tests.property.budget_shop import Crowd, draw_campaigns, draw_tree
from tests.property.budget_world import Died, Fate, Ledger, Owner, Shelf, Unsaved
from tests.story import RETAILER

_FATES: tuple[Fate, ...] = ("well",) * 60 + ("twice", "again", "lost", "half", "durable")
_JUMPS_MS = (200,) * 4 + (1_000,) * 4 + (5_000,) * 4 + (61_000,) * 4 + (600_000, 1_800_000, 7_200_000, 86_400_000)
_EMPTY = Balance()
_CONTROL: tuple[State, ...] = ("scheduled",) * 5 + ("paused",) * 2 + ("ended",)


class Save(NamedTuple):
    """A checkpoint on its way; confirmed, its rows may land whatever becomes of its owner."""

    owner: Owner
    unsaved: Unsaved
    is_confirmed: bool = False


class Run:
    """A world with random partitions and campaigns, and what happens to it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.campaigns = draw_campaigns(rng)
        self.tree = draw_tree(rng, self.campaigns)
        self.keys = [CampaignKey(RETAILER, one.campaign_id) for one in self.campaigns]
        budgets = [one.definition.budget or Budget() for one in self.campaigns]
        self.ledger = Ledger(dict(zip(self.keys, budgets, strict=True)))
        self.shelves = [Shelf(number, rng) for number in range(rng.choice((1, 1, 2, 2, 3, 4)))]
        self.crowd = Crowd(rng, len(self.shelves))
        self.recounts = [Recount() for _ in self.shelves]
        self.in_force: dict[str, InForce] = {}
        self.control(None, "scheduled")
        self.owners: list[Owner | None] = [self.owner(number) for number in range(len(self.shelves))]
        self.zombies: list[Owner] = []
        self.saves: list[Save] = []
        self.late_asks: list[Callable[[], object]] = []
        self.landed_late: set[int] = set()
        self.steps: tuple[tuple[Callable[[], None], int], ...] = (
            (self.someone_acts, 60),
            (self.retried, 3),
            (self.processed, 45),
            (self.leases_said, 14),
            (self.asked, 18),
            (self.answered, 25),
            (self.late_ask_lands, 3),
            (self.collected, 10),
            (self.saved, 18),
            (self.idled, 3),
            (self.crashed, 1),
            (self.taken_over, 3),
            (self.time_passed, 14),
            (self.promises_expired, 10),
            (self.someone_meddled, 3),
            (self.forgotten, 3),
            (self.controlled, 2),
            (self.heard_of_control, 6),
        )
        self._each = [step for step, _ in self.steps]
        self._weights = [weight for _, weight in self.steps]

    @property
    def now_s(self) -> float:
        """The owners' clock."""
        return self.crowd.now_ms / 1_000

    def owner(self, number: int) -> Owner:
        """Takes a partition."""
        return Owner(self.shelves[number], self.tree, self.in_force, self.now_s)

    def live(self, steps: int) -> None:
        """Takes random steps, and checks after each."""
        for step in self.rng.choices(self._each, self._weights, k=steps):
            step()
            self.check()

    def anyone(self) -> Owner:
        """Some owner, the newest of its partition or one that does not know better; takes a partition without one."""
        number = self.rng.randrange(len(self.owners) + len(self.zombies))
        if number >= len(self.owners):
            return self.zombies[number - len(self.owners)]
        return self.newest(number)

    def newest(self, number: int) -> Owner:
        """The newest owner of a partition."""
        found = self.owners[number]
        if found is None:
            found = self.owners[number] = self.owner(number)
        return found

    def gone(self, owner: Owner) -> None:
        """An owner is no more."""
        self.owners = [None if one is owner else one for one in self.owners]
        self.zombies = [one for one in self.zombies if one is not owner]
        self.saves = [save for save in self.saves if save.owner is not owner or save.is_confirmed]

    def someone_acts(self) -> None:
        """Shoppers do something."""
        for _ in range(self.rng.randint(1, 3)):
            record = self.crowd.act()
            self.shelf_of(record.key).take_down(record)

    def shelf_of(self, key: ShopperKey) -> Shelf:
        """The partition of a shopper."""
        return self.shelves[int(key.shopper[:3], 16) % len(self.shelves)]

    def retried(self) -> None:
        """A tracker sends again what it got no answer for."""
        shelf = self.rng.choice(self.shelves)
        if shelf.events:
            shelf.take_down(self.rng.choice(shelf.events[-6:]))

    def processed(self) -> None:
        """An owner processes a batch."""
        owner = self.anyone()
        self.risk(owner, lambda fate: owner.process(self.rng.randint(1, 6), fate))

    def leases_said(self, owner: Owner | None = None) -> None:
        """An owner says what is due of leases."""
        owner = owner or self.anyone()
        self.risk(owner, owner.say_leases)

    def risk(self, owner: Owner, work: Callable[[Fate], None]) -> None:
        """Lets an owner append, as fate has it."""
        try:
            work(self.rng.choice(_FATES))
        except Died:
            self.gone(owner)

    def asked(self, owner: Owner | None = None) -> None:
        """An owner asks the ledger: it may hear at once, later, twice, or never."""
        owner = owner or self.anyone()
        if not owner.is_settled or owner.asked is not None:
            return
        asks = owner.desk.asks(owner.in_force, self.now_s, self.crowd.now_ms)
        try:
            owner.confirm()
        except Fenced:
            self.gone(owner)
            return

        def settle() -> None:
            given = self.ledger.settle(owner.shelf.number, owner.token, asks, len(self.shelves))
            owner.asked = (asks, given)

        def settle_unheard() -> None:
            self.landed_late.add(owner.shelf.number)
            self.ledger.settle(owner.shelf.number, owner.token, asks, len(self.shelves))

        if asks:
            chance = self.rng.random()
            if chance < 0.85:
                settle()
            if chance > 0.75:
                self.late_asks.append(settle_unheard)
            if chance < 0.5:
                self.answered(owner)
                self.leases_said(owner)

    def answered(self, owner: Owner | None = None) -> None:
        """An answer of the ledger arrives, or gets lost."""
        owner = owner or self.anyone()
        if owner.asked is not None:
            asks, given = owner.asked
            owner.asked = None
            if self.rng.random() < 0.9:
                owner.desk.take(asks, given, self.now_s)

    def late_ask_lands(self) -> None:
        """What was sent to the ledger arrives there, when its sender may be long gone."""
        if self.late_asks:
            self.late_asks.pop(self.rng.randrange(len(self.late_asks)))()

    def collected(self) -> None:
        """A checkpoint begins."""
        owner = self.anyone()
        if all(save.owner is not owner for save in self.saves):
            unsaved = owner.collect()
            if unsaved is not None:
                self.saves.append(Save(owner, unsaved))

    def saved(self) -> None:
        """A checkpoint goes one step on: confirmed, then written, whole or in part, then committed."""
        if not self.saves:
            return
        save = self.saves.pop(self.rng.randrange(len(self.saves)))
        owner, rows = save.owner, save.unsaved.rows
        if not save.is_confirmed:
            try:
                owner.confirm()
            except Fenced:
                self.gone(owner)
            else:
                self.saves.append(save._replace(is_confirmed=True))
        elif owner not in self.owners:
            self._saved_late(save)
        elif self.rng.random() < 0.25:
            owner.shelf.save({key: row for key, row in rows.items() if self.rng.random() < 0.7})
            owner.not_saved()
        else:
            owner.shelf.save(rows)
            owner.commit(save.unsaved)

    def _saved_late(self, save: Save) -> None:
        """What an owner of the past wrote is on its way for long, and lands when others have written."""
        owner = save.owner
        if self.rng.random() < 0.7:
            self.saves.append(save)
            return
        owner.shelf.save({key: row for key, row in save.unsaved.rows.items() if self.rng.random() < 0.9})
        owner.not_saved()
        if self.rng.random() < 0.5:
            self.taken_over(owner.shelf.number)

    def idled(self) -> None:
        """Nothing happens in a partition but leases, between a checkpoint that fails and one that does not."""
        owner = self.newest(self.rng.randrange(len(self.owners)))
        first = None if any(save.owner is owner for save in self.saves) else owner.collect()
        if first is None:
            return
        owner.shelf.save(first.rows)
        owner.not_saved()
        self.crowd.now_ms += self.rng.choice(_JUMPS_MS)
        self.asked(owner)
        self.answered(owner)
        self.leases_said(owner)
        number = owner.shelf.number
        if self.rng.random() < 0.5:
            self.taken_over(number)
        owner = self.newest(number)
        owner.process(max(0, owner.adopting_through.offset - owner.through.offset))
        second = owner.collect()
        if second is not None:
            owner.shelf.save(second.rows)
            owner.commit(second)
            self.taken_over(number)

    def crashed(self) -> None:
        """A process dies between two batches."""
        self.gone(self.anyone())

    def taken_over(self, number: int | None = None) -> None:
        """Somebody else takes a partition whose owner does not notice; perhaps it was just saving."""
        number = self.rng.randrange(len(self.owners)) if number is None else number
        before = self.owners[number]
        if before is not None:
            self.zombies.append(before)
            if self.rng.random() < 0.5 and all(save.owner is not before for save in self.saves):
                unsaved = before.collect()
                self.saves += [] if unsaved is None else [Save(before, unsaved, is_confirmed=True)]
        self.owners[number] = self.owner(number)

    def time_passed(self) -> None:
        """A while."""
        self.crowd.now_ms += self.rng.choice(_JUMPS_MS)

    def promises_expired(self) -> None:
        """The newest owner's timers fire."""
        owner = self.newest(self.rng.randrange(len(self.owners)))
        self.fire(owner)

    def fire(self, owner: Owner) -> None:
        """Tells the log of every promise of an owner's shoppers that is due."""
        for key in self.shoppers_of(owner.shelf):
            state = owner.resident(key).state
            assert state is not None
            for one in state.reservations:
                if one.is_open and one.due_at_ms <= self.crowd.now_ms:
                    owner.shelf.take_down(self.expiry(key, one.experience_id))

    def shoppers_of(self, shelf: Shelf) -> list[ShopperKey]:
        """Who lives in a partition."""
        return [key for key in self.crowd.shoppers if self.shelf_of(key) is shelf]

    def expiry(self, key: ShopperKey, experience: str) -> Record:
        """The record of a timer."""
        event = ReservationExpired(
            event_id=reservation_expired_id(experience),
            occurred_at=from_unix_ms(self.crowd.now_ms),
            shopper_id=key.shopper,
            experience_id=experience,
        )
        return Record(
            schema_version=SCHEMA_VERSION,
            retailer_id=key.retailer_id,
            received_at_ms=self.crowd.now_ms,
            event_time_ms=self.crowd.now_ms,
            event=event,
        )

    def someone_meddled(self) -> None:
        """A timer fires too early, for what is redeemed already, or for what never was."""
        owner = self.anyone()
        key = self.rng.choice(self.shoppers_of(owner.shelf))
        state = owner.resident(key).state
        assert state is not None
        names = [one.experience_id for one in state.reservations]
        owner.shelf.take_down(self.expiry(key, self.rng.choice([*names, str(UUID(int=7))])))

    def forgotten(self) -> None:
        """An owner puts a shopper out of memory."""
        owner = self.anyone()
        owner.forget(self.rng.choice(self.shoppers_of(owner.shelf)))

    def controlled(self) -> None:
        """A campaign is paused, resumed or ended, or its budget is changed as far as it is not leased."""
        rng = self.rng
        key = rng.choice(self.keys)
        if rng.random() < 0.5:
            self.control(key.campaign_id, rng.choice(_CONTROL))
            return
        budget, held = self.ledger.budgets[key], self.ledger.held[key]
        money, count = budget.money_minor, budget.count
        self.ledger.budgets[key] = Budget(
            money_minor=None if money is None else max(held.minor, money + rng.randint(-800, 800)),
            count=None if count is None else max(held.promises, count + rng.randint(-4, 4)),
        )

    def control(self, campaign_id: str | None, state: State) -> None:
        """Puts a campaign, or all of them, into a state; what has ended stays so."""
        self.campaigns = [
            replace(one, state=state) if campaign_id in (None, one.campaign_id) and one.state != "ended" else one
            for one in self.campaigns
        ]
        self.ledger.closed = {
            key for key, one in zip(self.keys, self.campaigns, strict=True) if one.state != "scheduled"
        }
        self.in_force = {RETAILER: in_force(*(one for one in self.campaigns if one.state != "ended"))}

    def heard_of_control(self) -> None:
        """An owner hears what campaigns are in force."""
        self.anyone().in_force = self.in_force

    def check(self) -> None:
        """Recounts the logs: no partition spends more than it has, nor all of them more than there is."""
        for recount, shelf in zip(self.recounts, self.shelves, strict=True):
            recount.read(shelf.said)
        for key in self.keys:
            budget, held = self.ledger.budgets[key], self.ledger.held[key]
            for dimension, limit in enumerate((budget.money_minor, budget.count)):
                if limit is None:
                    continue
                net = 0
                for number, recount in enumerate(self.recounts):
                    part = recount.sums[key.campaign_id]
                    reserved, committed = part.reserved[dimension], part.committed[dimension]
                    has = part.leased[dimension] - part.returned[dimension]
                    assert reserved >= 0, (key, number, reserved)
                    assert committed >= 0, (key, number, committed)
                    assert reserved + committed <= has, (key, number, reserved, committed, has)
                    net += has
                assert net <= held[dimension] <= limit, (key, net, held, limit)
        for owner in self.owners:
            if owner is not None and owner.is_settled:
                self._compare(owner)

    def _compare(self, owner: Owner) -> None:
        """The purse of who has processed all that was said is what the log says."""
        sums = self.recounts[owner.shelf.number].sums
        for key in self.keys:
            leased, returned, reserved, committed = owner.purse.balances.get(key, _EMPTY)
            part = sums[key.campaign_id]
            assert (part.leased, part.returned) == (list(leased), list(returned)), (key, owner.shelf.number)
            assert (part.reserved, part.committed) == (list(reserved), list(committed)), (key, owner.shelf.number)
