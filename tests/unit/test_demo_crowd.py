"""The demo's simulated shoppers: what they post is what a real shop's server could post."""

from __future__ import annotations

from itertools import islice
from random import Random

from deploy.demo.crowd import Tally, shopping
from deploy.demo.goods import read_goods
from domain.door import Accepted
from tests.unit.doorstep import door, outcome

GOODS = read_goods()
EVENTS = 400


def test_every_event_of_the_crowd_is_accepted() -> None:
    """The door takes each of a long row of simulated events."""
    for event in islice(shopping("demo-crowd-00", GOODS, Random(1)), EVENTS):
        now = outcome(event, door(), received_at_ms=4_102_444_800_000)
        assert isinstance(now, Accepted), now


def test_the_crowd_does_all_that_shoppers_do() -> None:
    """A long row of events has every action, and an order pays for what is in the basket at catalogue prices."""
    events = list(islice(shopping("demo-crowd-00", GOODS, Random(1)), EVENTS))
    kinds = {event["type"] for event in events}
    assert {"PageViewed", "ProductsSearched", "AddedToBasket", "RemovedFromBasket", "OrderPaid"} == kinds
    for order in (event for event in events if event["type"] == "OrderPaid"):
        assert order["total_minor"] == sum(line["price_minor"] * line["quantity"] for line in order["lines"])


def test_equal_lots_give_equal_trips() -> None:
    """Two shoppers with the same chance do the same, under ids of their own."""
    one, other = (list(islice(shopping("demo-crowd-00", GOODS, Random(5)), 50)) for _ in range(2))
    assert [event["type"] for event in one] == [event["type"] for event in other]
    assert set() == {event["event_id"] for event in one} & {event["event_id"] for event in other}


def test_the_tally_counts_and_takes_the_median_of_what_triggered() -> None:
    """Only events that triggered an experience count for the milliseconds."""
    tally = Tally()
    assert 0 == tally.summary()["median"]
    for experiences, ms in ((0, 900.0), (1, 10.0), (2, 20.0), (1, 90.0)):
        tally.stored(experiences, ms)
    assert (4, 4, 20) == tuple(tally.summary()[name] for name in ("events", "experiences", "median"))
