"""What the alerts on budgets have to say while one burns, at each speed and just below it."""

from __future__ import annotations

from collections.abc import Iterator

from monitoring.alerts.objectives import BURNS, OBJECTIVES, WRONG_MIN, Burn, Objective
from tests.unit.alert_cases import Case, Fired
from tests.unit.alert_series import ACKS, ACKS_IN_TIME, REFUSED, SHOWN, SHOWN_IN_TIME


def budget_cases() -> Iterator[Case]:
    """Gives every case of an objective."""
    yield Case(OBJECTIVES[0].name, "all is well, for three days", {}, 4_321)
    for objective in OBJECTIVES:
        yield Case(objective.name, "nobody asks", {REFUSED: "0xN"} | _wrong(objective, "0xN", "0xN"), 61)
        for right, wrong, fires in (
            (2, 1, ()),
            (0, WRONG_MIN - 5, ()),
            (0, WRONG_MIN + 5, tuple(_burnt(objective, one, 1.0) for one in BURNS)),
        ):
            changed = {REFUSED: "0xN"} | _wrong(objective, f"0x57 {right}xN", f"0x57 {wrong}xN")
            yield Case(objective.name, f"at night, {wrong} of {right + wrong}", changed, 60, fires)
        for number, burn in enumerate(BURNS):
            for times, firing in ((1.1, BURNS[number:]), (0.9, BURNS[number + 1 :])):
                share = times * burn.times * objective.budget
                changed = _wrong(objective, f"0+{6_000 * (1 - share)}xN", f"0+{6_000 * share}xN")
                fires = tuple(_burnt(objective, one, share) for one in firing)
                yield Case(objective.name, f"{times} of {burn.times}", changed, burn.long_s // 60 + 1, fires)
        bad, minutes = 5_900.0, 50
        well_again = _wrong(
            objective, f"0+100x{minutes} {100 * minutes + 6_000}+6000xN", f"0+{bad}x{minutes} {bad * minutes}xN"
        )
        fires = tuple(_burnt(objective, one, bad * 50 / (bad * 50 + 100 * 50 + 6_000 * 10)) for one in BURNS[1:])
        yield Case(objective.name, "the page ends soon after the fault", well_again, 60, fires)


def _wrong(objective: Objective, right: str, wrong: str) -> dict[str, str]:
    """Gives the series of what went right and wrong, which count to 6,000 a minute together."""
    count, in_time = {"slow_acks": (ACKS, ACKS_IN_TIME)}.get(objective.series, (SHOWN, SHOWN_IN_TIME))
    if objective.series == "unacknowledged":
        return {ACKS: right, ACKS_IN_TIME: right, REFUSED: wrong}
    return {in_time: right, count: right, count.replace("gateway-0", "gateway-1"): wrong}


def _burnt(objective: Objective, burn: Burn, share: float) -> Fired:
    """Gives what is said of a budget that burns."""
    over, days = {3_600: ("1h", "50 hours"), 21_600: ("6h", "5 days"), 86_400: ("1d", "10 days")}.get(
        burn.long_s, ("3d", "30 days")
    )
    said = f"{100 * share:.4g}% of {objective.wrong} in the last {over}; {objective.budget:.1%} may. "
    return Fired(
        objective.name, f"{said}Going on like this uses up the budget of 30 days within {days}.", {"over": over}
    )
