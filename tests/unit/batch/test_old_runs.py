"""Which runs are over: by their last step, but for those that may still be asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from batch.old_runs import Ended, old_runs

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    """A day of the year."""
    return BEGAN + timedelta(days=number)


def run(number: int, *steps: str, refused: str = "") -> list[Ended]:
    """The steps of a day's run that ended."""
    done = [Ended(f"run-{number}", step, "done", day(number)) for step in steps]
    return done + [Ended(f"run-{number}", step, "refused", day(number)) for step in (refused,) if step]


def test_runs_are_over_when_their_last_step_is_old() -> None:
    """The two newest that pushed stay, however old; one that ended at the moment itself stays too."""
    ended = [step for number in range(6) for step in run(number, "train", "evaluate", "push")]
    assert {"run-0", "run-1", "run-2"} == old_runs(ended, day(3))
    assert {"run-0", "run-1", "run-2", "run-3"} == old_runs(reversed(ended), day(99))


def test_the_model_in_force_stays() -> None:
    """Nights whose model was refused pushed nothing: the last that was promoted is still what serves."""
    promoted = [*run(0, "evaluate", "push"), *run(1, "evaluate", "push"), *run(2, "evaluate")]
    refused = [step for number in range(3, 9) for step in run(number, "train", refused="evaluate")]
    assert {f"run-{number}" for number in range(3, 9)} == old_runs([*promoted, *refused], day(99))


def test_a_run_that_goes_on_is_not_over() -> None:
    """One step of long ago and one of now: it is the last that counts."""
    assert set() == old_runs([*run(0, "train"), Ended("run-0", "grow", "done", day(50))], day(50))


def test_without_runs_none_is_over() -> None:
    """A warehouse to which no night has come."""
    assert set() == old_runs([], day(1))
