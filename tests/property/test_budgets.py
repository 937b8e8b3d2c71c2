"""No budget is overdrawn and every promise is kept, whatever crashes, gets lost, comes twice, late or from the past.

`BUDGET_SEEDS=10000` runs as many worlds; a failure names its seed, which `BUDGET_SEED=n` runs alone.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest

from domain.decide import adopt
from domain.events import OrderLine
from domain.fold import apply
from domain.ids import Position, ShopperKey
from domain.purse import Balance
from domain.quotes import quote
from domain.records import Owner as OwnerRecord
from domain.shopper import Shopper as State
from domain.shopper import encode
from tests.property.budget_recount import Shopper, Shown, naive_till, told_sums
from tests.property.budget_run import Run
from tests.property.budget_shop import KINDS, PRODUCTS
from tests.property.budget_world import Owner

SEEDS = int(os.environ.get("BUDGET_SEEDS", "300"))
ONLY = os.environ.get("BUDGET_SEED")
STEPS = 260
_BLOCK = 50
"""Seeds of one test, so that several processes can share them."""
_DAYS_MS = 3 * 86_400_000


def settle_down(run: Run) -> list[Owner]:
    """Only the newest owners are left, and they have processed every event; gives them."""
    run.zombies, run.saves = [], []
    for late in run.late_asks:
        late()
    run.late_asks = []
    owners = []
    for number in range(len(run.shelves)):
        if run.rng.random() < 0.5:
            run.owners[number] = run.owner(number)
        owner = run.newest(number)
        owner.asked = None
        catch_up(owner)
        owners.append(owner)
    run.check()
    return owners


def catch_up(owner: Owner) -> None:
    """Processes whatever waits."""
    while owner.is_behind:
        owner.process(5)


def told(run: Run, owner: Owner) -> dict[ShopperKey, Shopper]:
    """What the shoppers of a partition were promised and paid, from the logs alone."""
    recount = run.recounts[owner.shelf.number]
    shoppers = {key: Shopper() for key in run.shoppers_of(owner.shelf)}
    for at, record in enumerate(owner.shelf.events):
        shoppers[record.key].hear(record, recount.decided.get(Position(1, at)))
    return shoppers


def check_sums(run: Run, owner: Owner, shoppers: dict[ShopperKey, Shopper]) -> None:
    """What is reserved and committed is the sum of what was promised and paid."""
    expected = told_sums(shoppers)
    for key in run.keys:
        part = run.recounts[owner.shelf.number].sums[key.campaign_id]
        found = (*part.reserved, *part.committed)
        assert expected.get(key.campaign_id, (0, 0, 0, 0)) == found, key


def check_states(run: Run, owner: Owner, shoppers: dict[ShopperKey, Shopper]) -> None:
    """What snapshots and tails led to is what the whole log leads to, and holds the promises that were shown."""
    states = {key: State(retailer_id=key.retailer_id, shopper=key.shopper) for key in shoppers}
    decided = run.recounts[owner.shelf.number].decided
    for at, record in enumerate(owner.shelf.events):
        position = Position(1, at)
        state = apply(states[record.key], record, position).state
        said = decided.get(position)
        states[record.key] = state if said is None else adopt(state, said)
    for key, shopper in shoppers.items():
        found = owner.resident(key).state
        assert found is not None
        assert encode(states[key]) == encode(found), key
        still_open = [one for one in shopper.promises if one.order_id is None]
        assert {one.name for one in still_open} == {one.experience_id for one in found.reservations if one.is_open}
        for names in ([one.campaign_id for one in still_open], [_group(run, one) for one in still_open]):
            assert 1 >= max(Counter(name for name in names if name is not None).values(), default=0)


def _group(run: Run, one: Shown) -> str | None:
    return next(each for each in run.campaigns if each.campaign_id == one.campaign_id).definition.exclusivity_group


def redeem_everything(run: Run, owner: Owner, shoppers: dict[ShopperKey, Shopper]) -> None:
    """Every open promise gets an order that has what it asks for: the quote, the order and the sum agree."""
    for key, shopper in shoppers.items():
        for promise in [one for one in shopper.promises if one.order_id is None]:
            if promise.order_id is not None or promise.from_ms > run.crowd.now_ms:
                continue
            order = _order_for(run.rng, promise)
            at_ms = run.rng.randint(promise.from_ms, min(promise.until_ms, run.crowd.now_ms))
            lines = [(line.product_id, line.quantity, line.price_minor) for line in order]
            expected = {one.name: cost_minor for one, cost_minor in naive_till(shopper.open_at(at_ms), lines)}
            assert promise.name in expected
            state = owner.resident(key).state
            assert state is not None
            quoted = {
                one.promise.experience_id: one.redemption.cost_minor for one in quote(state.reservations, order, at_ms)
            }
            followed = {one.name for one in shopper.promises if one.kind == "recommendation"}
            assert quoted == {name: cost for name, cost in expected.items() if name not in followed}
            owner.shelf.take_down(run.crowd.pay(key, at_ms=at_ms, lines=order))
            catch_up(owner)
            run.check()
            position = Position(1, len(owner.shelf.events) - 1)
            said = run.recounts[owner.shelf.number].decided[position]
            assert expected == {one.experience_id: one.committed_minor for one in said.settlements}
            shopper.hear(owner.shelf.events[-1], said)


def _order_for(rng: Random, promise: Shown) -> tuple[OrderLine, ...]:
    """An order that a promise asks for, and something else."""
    wanted = promise.content.get("products", [rng.choice(PRODUCTS)])
    item = rng.choice(wanted)
    first = OrderLine(
        product_id=item if isinstance(item, str) else item["product_id"],
        quantity=rng.randint(1, 2),
        price_minor=rng.choice([1, 700, 5_000]),
    )
    rest = OrderLine(product_id=rng.choice(PRODUCTS), quantity=1, price_minor=promise.content.get("threshold_minor", 9))
    return tuple(rng.sample([first, rest], 2))


def drain(run: Run, owners: list[Owner]) -> None:
    """Everything is over: what was not redeemed expires, and the ledger holds what orders cost and nothing else."""
    run.crowd.now_ms += _DAYS_MS
    for owner in owners:
        run.fire(owner)
        catch_up(owner)
    run.control(None, "ended")
    for _ in range(12):
        run.crowd.now_ms += 10_000
        for owner in owners:
            owner.in_force = run.in_force
            asks = owner.desk.asks(owner.in_force, run.now_s, run.crowd.now_ms)
            owner.confirm()
            given = run.ledger.settle(owner.shelf.number, owner.token, asks, len(owners))
            owner.desk.take(asks, given, run.now_s)
            owner.say_leases()
    run.check()
    for key in run.keys:
        limits = (run.ledger.budgets[key].money_minor, run.ledger.budgets[key].count)
        for number, recount in enumerate(run.recounts):
            part, kept = recount.sums[key.campaign_id], run.ledger.parts.get((key, number), Balance())
            assert [0, 0] == part.reserved
            # What was leased by an ask that nobody waited for any more, or to an owner that died before it said so, may
            # stay with the ledger: nobody can promise it.
            assert list(kept.leased) == [*map(max, part.leased, kept.leased)], (key, number)
            if part.leased != [0, 0] and number not in run.landed_late:
                assert part.leased == list(kept.leased), (key, number)
            assert part.returned == list(kept.returned), (key, number)
            for dimension, limit in enumerate(limits):
                has = part.leased[dimension] - part.returned[dimension]
                assert limit is None or part.committed[dimension] == has, (key, number)


def whole_run(seed: int, steps: int = STEPS) -> Run:
    """Lives a world through to its end."""
    run = Run(seed)
    run.live(steps)
    owners = settle_down(run)
    for owner in owners:
        shoppers = told(run, owner)
        check_sums(run, owner, shoppers)
        check_states(run, owner, shoppers)
        redeem_everything(run, owner, shoppers)
        check_sums(run, owner, shoppers)
        check_states(run, owner, shoppers)
    drain(run, owners)
    for owner in owners:
        check_sums(run, owner, told(run, owner))
    return run


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, _BLOCK) if ONLY is None else [int(ONLY)])
def test_no_budget_is_overdrawn_and_every_promise_is_kept(first: int) -> None:
    """At every step of every world, and once everything is over the ledger holds what orders cost and nothing else."""
    for seed in range(first, min(first + _BLOCK, SEEDS)) if ONLY is None else [first]:
        try:
            whole_run(seed)
        except AssertionError as error:
            error.add_note(f"BUDGET_SEED={seed} runs this world alone")
            raise


def test_a_world_is_worth_living_in() -> None:
    """What the runs are about happens in them: promises of all kinds that end in all ways, under owners that change."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        run = whole_run(seed)
        for shelf, recount in zip(run.shelves, run.recounts, strict=True):
            seen["takeovers"] += sum(isinstance(record, OwnerRecord) for record in shelf.said)
            for decided in recount.decided.values():
                seen["held out"] += len(decided.held_out)
                seen["told again"] += sum(len(one.path) == 1 for one in decided.decisions)
                seen.update(one.experience.kind for one in decided.decisions if one.experience.campaign_id is not None)
                seen.update(lost.reason for lost in decided.against)
                seen.update(end.cause for end in decided.settlements)
                seen["in part"] += sum(
                    end.cause == "returned" and not end.committed_count for end in decided.settlements
                )
                seen["stacked"] += sum(end.cause == "order" for end in decided.settlements) > 1
            seen["given back"] += sum(sum(part.returned) > 0 for part in recount.sums.values())
    expected = {"takeovers", "held out", "told again", *KINDS, "order", "expired", "cancelled", "returned", "in part"}
    expected |= {"stacked", "given back", "budget", "cap", "exclusive", "already_promised", "outranked", "not_open"}
    assert set() == expected - {name for name, count in seen.items() if count}
