"""The purse: what a partition may promise, folded from its own records."""

from __future__ import annotations

import msgspec
import pytest

from domain.ids import BUCKETS, Position, bucket
from domain.purse import Amounts, Balance, CampaignKey, Purse, decode, purse_key
from domain.records import Reserved, Settlement
from tests.market import decided, key, lease, lend
from tests.story import RETAILER

SPRING = key("spring")


def reserved(cost_minor: int, campaign_id: str = "spring") -> Reserved:
    """A promise that may cost so much."""
    return Reserved(experience_id=f"x-{cost_minor}", campaign_id=campaign_id, cost_minor=cost_minor)


def redeemed(cost_minor: int, paid_minor: int) -> Settlement:
    """A promise that an order has redeemed."""
    return Settlement(
        experience_id=f"x-{cost_minor}",
        campaign_id="spring",
        cause="order",
        order_id="o-1",
        reserved_minor=-cost_minor,
        reserved_count=-1,
        committed_minor=paid_minor,
        committed_count=1,
    )


def test_a_promise_takes_its_cost_and_one_of_the_count() -> None:
    """What is reserved is not left; what the order did not cost is left again, what it did is not."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000, 3))
    purse.take(decided(reservations=(reserved(400), reserved(300))))
    assert Amounts(300, 1) == purse.left(SPRING)
    assert Balance(Amounts(1_000, 3), Amounts(), Amounts(700, 2), Amounts()) == purse.balances[SPRING]
    purse.take(decided(1, settlements=(redeemed(400, 250),)))
    assert Amounts(450, 1) == purse.left(SPRING)
    assert Balance(Amounts(1_000, 3), Amounts(), Amounts(300, 1), Amounts(250, 1)) == purse.balances[SPRING]


def test_what_expires_and_what_comes_back_is_left_again() -> None:
    """Of an expired promise what was reserved, of an order that came back what it cost."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000, 3))
    purse.take(decided(reservations=(reserved(400), reserved(300)), settlements=(redeemed(400, 250),)))
    expired = Settlement(
        experience_id="x-300", campaign_id="spring", cause="expired", reserved_minor=-300, reserved_count=-1
    )
    purse.take(decided(1, settlements=(expired,)))
    assert Amounts(750, 2) == purse.left(SPRING)
    partly = Settlement(experience_id="x-400", campaign_id="spring", cause="returned", committed_minor=-100)
    purse.take(decided(2, settlements=(partly,)))
    assert Amounts(850, 2) == purse.left(SPRING)
    rest = Settlement(
        experience_id="x-400", campaign_id="spring", cause="cancelled", committed_minor=-150, committed_count=-1
    )
    purse.take(decided(3, settlements=(rest,)))
    assert Amounts(1_000, 3) == purse.left(SPRING)
    assert Balance(leased=Amounts(1_000, 3)) == purse.balances[SPRING]


def test_leases_are_totals() -> None:
    """Said twice is said once, an old word changes nothing, and money and promises grow for themselves."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000, 3))
    lend(purse, "spring", Amounts(1_000, 3))
    lend(purse, "spring", Amounts(600, 5), Amounts(0, 2))
    assert Balance(Amounts(1_000, 5), Amounts(0, 2)) == purse.balances[SPRING]
    lend(purse, "spring", Amounts(), Amounts(200, 1))
    assert Amounts(800, 3) == purse.left(SPRING)
    assert Balance(Amounts(1_000, 5), Amounts(200, 2)) == purse.balances[SPRING]


def test_campaigns_and_retailers_have_their_own() -> None:
    """A name that two retailers use is two campaigns."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000, 1))
    lend(purse, "summer", Amounts(500, 1))
    purse.take(decided(reservations=(reserved(400, "summer"),)))
    elsewhere = CampaignKey("r-2", "spring")
    assert (Amounts(1_000, 1), Amounts(100, 0)) == (purse.left(SPRING), purse.left(key("summer")))
    assert Amounts() == purse.left(elsewhere)
    purse.take(msgspec.structs.replace(decided(1, reservations=(reserved(300),)), retailer_id="r-2"))
    assert (Amounts(1_000, 1), Amounts(-300, -1)) == (purse.left(SPRING), purse.left(elsewhere))


@pytest.mark.parametrize(
    ("minor", "promises", "expected"),
    [(600, 1, True), (600, 2, True), (601, 1, False), (600, 3, False), (600, 0, True), (601, 0, False), (0, 2, True)],
)
def test_what_it_has(minor: int, promises: int, expected: bool) -> None:
    """So much money and so many promises; where promises are not counted, the money alone."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000, 3))
    purse.take(decided(reservations=(reserved(400),)))
    assert expected == purse.has(SPRING, minor, promises)


def test_an_unknown_campaign_has_nothing() -> None:
    """Which suffices for what costs nothing and is not counted."""
    assert [True, False, False] == [Purse().has(SPRING, *asked) for asked in ((0, 0), (1, 0), (0, 1))]


def test_promises_that_nobody_limits_may_be_many() -> None:
    """A campaign with a budget in money alone has no promises leased, and still has money."""
    purse = Purse()
    lend(purse, "spring", Amounts(1_000))
    purse.take(decided(reservations=(reserved(400),)))
    assert purse.has(SPRING, 600, 0)
    assert not purse.has(SPRING, 600, 1)


def test_it_is_kept_as_of_a_position() -> None:
    """What is read is what was written, with the position up to which records are in it."""
    purse = Purse()
    lend(purse, "spring", Amounts(10**15, 10**12), Amounts(7, 1))
    lend(purse, "Été", Amounts(5))
    purse.take(decided(reservations=(reserved(400),), settlements=(redeemed(400, 250),)))
    read = decode(purse.encode(Position(1, 77)))
    assert Position(1, 77) == read.position
    assert purse.balances == read.balances
    assert read.encode(Position(1, 77)) == purse.encode(Position(1, 77))
    read.take(decided(reservations=(reserved(1),)))
    assert purse.left(SPRING) == Amounts(10**15 - 7 - 250, 10**12 - 1 - 1)
    assert read.left(SPRING) == Amounts(10**15 - 7 - 250 - 1, 10**12 - 1 - 2)


def test_a_purse_of_a_newer_version_is_refused() -> None:
    """Better no owner than one that forgets what it promised."""
    payload = msgspec.msgpack.encode([2, [1, 77], []])
    with pytest.raises(msgspec.ValidationError, match="version 2"):
        decode(payload)
    with pytest.raises(msgspec.MsgspecError):
        decode(b"\xc1")


def test_a_purse_lies_among_the_shoppers_of_its_partition() -> None:
    """Under a key of its own, in a bucket that is the partition's, whatever the number of partitions."""
    for partitions in (1, 64, 100, BUCKETS):
        keys = {purse_key(number) for number in range(partitions)}
        assert partitions == len(keys)
        assert list(range(partitions)) == [
            bucket(purse_key(number).shopper) % partitions for number in range(partitions)
        ]
    assert RETAILER != purse_key(0).retailer_id


def test_a_lease_may_be_said_before_anything_else() -> None:
    """And in any order: totals commute."""
    one, other = Purse(), Purse()
    leases = [lease("spring", Amounts(5, 1)), lease("spring", Amounts(9, 1), Amounts(3)), lease("summer", Amounts(4))]
    one.lease(leases)
    other.lease(reversed(leases))
    assert one.balances == other.balances
