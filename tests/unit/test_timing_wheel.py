"""The timing wheel: when a pending timer is looked at."""

from actors.timing_wheel import TICK_S, TimingWheel
from domain.ids import ShopperKey

A, B, C = (ShopperKey("r-1", name) for name in "abc")


def test_a_timer_fires_once_when_its_time_has_come() -> None:
    """Not before, and not again."""
    wheel = TimingWheel(100.0)
    wheel.arm(A, 105.0)
    assert wheel.advance(104.9) == []
    assert wheel.advance(105.0 + TICK_S) == [A]
    assert wheel.advance(200.0) == []
    assert len(wheel) == 0


def test_the_earliest_entry_of_a_shopper_stands() -> None:
    """A later arming of an armed shopper changes nothing; an earlier one moves it forward."""
    wheel = TimingWheel(0.0)
    wheel.arm(A, 10.0)
    wheel.arm(A, 20.0)
    wheel.arm(B, 20.0)
    wheel.arm(B, 10.0)
    assert wheel.advance(10.0 + TICK_S) == [A, B]
    assert len(wheel) == 0


def test_what_is_overdue_fires_at_the_next_tick() -> None:
    """A timer whose time is long over is not lost."""
    wheel = TimingWheel(1_000.0)
    wheel.arm(A, 3.0)
    assert wheel.advance(1_000.0 + 2 * TICK_S) == [A]


def test_a_long_pause_fires_everything_in_order() -> None:
    """After a process was stopped for an hour all that became due meanwhile comes, earliest first."""
    wheel = TimingWheel(0.0)
    wheel.arm(C, 30.0)
    wheel.arm(B, 20.0)
    wheel.arm(A, 10_000.0)
    assert wheel.advance(3_600.0) == [B, C]
    assert len(wheel) == 1


def test_a_disarmed_shopper_never_fires() -> None:
    """Disarming who is not armed is nothing."""
    wheel = TimingWheel(0.0)
    wheel.arm(A, 1.0)
    wheel.disarm([A, B])
    assert wheel.advance(10.0) == []
