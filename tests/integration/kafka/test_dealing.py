"""What a caller is told of rebalances, several of which may come between two looks."""

from __future__ import annotations

from adapters.kafka.dealing import Dealing, News


def dealt(*deals: set[int] | None) -> Dealing:
    """Gives a consumer that was told of {0, 1, 2} and then went through deals; None = it was put out."""
    dealing = Dealing()
    dealing.deal({0, 1, 2})
    assert News((), (0, 1, 2), ()) == dealing.news()
    for deal in deals:
        if deal is None:
            dealing.put_out()
        else:
            dealing.deal(deal)
    return dealing


def test_nothing_dealt_is_no_news() -> None:
    """Without a rebalance there is nothing to tell, before and after the first."""
    assert Dealing().news() is None
    assert dealt().news() is None


def test_what_stays_is_kept() -> None:
    """A partition that this consumer has before and after is neither lost nor taken."""
    assert News((2,), (3,), (0, 1)) == dealt({0, 1, 3}).news()


def test_what_went_and_came_back_is_lost_and_taken() -> None:
    """Somebody else had it in between, whatever the last rebalance says."""
    assert News((1, 2), (1,), (0,)) == dealt({0}, {0, 1}).news()


def test_what_came_and_went_is_not_told() -> None:
    """A partition of which the caller never knew needs no word."""
    assert News((), (), (0, 1, 2)) == dealt({0, 1, 2, 3}, {0, 1, 2}).news()


def test_who_was_put_out_lost_everything() -> None:
    """The group went on without this consumer: even what it gets back was somebody else's, or nobody's."""
    assert News((0, 1, 2), (0, 1), ()) == dealt(None, {0, 1}).news()
    assert News((0, 1, 2), (), ()) == dealt(None).news()


def test_news_is_told_once() -> None:
    """What was told is not told again."""
    dealing = dealt({0, 1})
    assert dealing.news() is not None
    assert dealing.news() is None


def test_held_are_those_that_go_on_undisturbed() -> None:
    """Before its caller knows, a new partition is not held, and one that was broken is not either."""
    dealing = dealt({0, 3})
    assert {0} == dealing.held
    dealing.news()
    assert {0, 3} == dealing.held
    dealing.put_out()
    assert set() == dealing.held
