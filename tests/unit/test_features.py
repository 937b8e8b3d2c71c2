"""Hot features: names, units, ranges, values."""

import pytest
from msgspec import structs

from domain.features import READ, TABLE, features, weighted_sum
from domain.shopper import Shopper
from tests.story import RETAILER, SHOPPER, Story

NOBODY = Shopper(retailer_id=RETAILER, shopper=SHOPPER)


def busy() -> Story:
    """Two minutes of a second visit."""
    story = Story()
    story.tell("PageViewed", 0, page={"kind": "home"})
    story.tell("PageViewed", 3_600, page={"kind": "home"})
    story.tell("ProductsSearched", 3_630, query="pasta")
    story.add("penne", 3_660, quantity=3, price_minor=150, currency="EUR")
    story.add("tea", 3_690, price_minor=400, currency="EUR")
    story.remove("penne", 3_720)
    return story


def test_every_feature_reads_the_state() -> None:
    """Each feature is what its name and unit say, and training gets them all in the table's order."""
    expected = {
        "basket_lines": 2.0,
        "basket_quantity": 3.0,
        "basket_total_minor": 700.0,
        "session_minutes": 2.0,
        "session_events": 5.0,
        "visits": 2.0,
        "session_page_views": 1.0,
        "session_searches": 1.0,
        "session_added": 2.0,
        "session_removed": 1.0,
    }
    assert expected == features(busy().state)
    assert list(expected) == [feature.name for feature in TABLE]


def test_a_shopper_who_did_nothing_has_zeros() -> None:
    """No feature needs a session, a basket or a clock."""
    assert dict.fromkeys(READ, 0.0) == features(NOBODY)


def test_idle_time_counts_as_session_minutes() -> None:
    """A timer moves the shopper's clock, not the session: the minutes go on."""
    story = Story()
    story.tell("PageViewed", 0, page={"kind": "home"})
    idled = structs.replace(story.state, clock_ms=story.state.clock_ms + 90_000)
    assert features(idled)["session_minutes"] == 1.5
    assert features(idled)["session_events"] == 1


def test_a_sum_weighs_what_the_weights_name() -> None:
    """Only named features enter the sum."""
    assert weighted_sum({"basket_lines": 0.5, "visits": -2}, busy().state) == 0.5 * 2 - 2 * 2
    assert weighted_sum({}, busy().state) == 0


def test_an_unknown_feature_is_an_error() -> None:
    """A weight is never left out in silence."""
    with pytest.raises(KeyError, match="mood"):
        weighted_sum({"mood": 1.0}, busy().state)
