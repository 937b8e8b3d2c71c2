"""Objectives of 30 days, and alerts when their error budgets burn: how fast decides who hears of it.

Source: The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from monitoring.alerts.rules import DAY_S, HOUR_S, MINUTE_S, Alert, Group, Options, Record, duration

UNACKNOWLEDGED = "log_full|log_unavailable|erasure_unavailable|too_many_requests_in_flight|control_unavailable|draining"
"""Errors with which a gateway in order turns events away; what is wrong with a request is not among them."""
LATE_S = 0.25
"""Bound of an acknowledgement and of an experience; a bucket of their histograms."""

WRONG_MIN = 20
"""In the long window, before anybody is called: one of three requests at night is a large share and no burn. An outage
soon brings more, however few shop, since trackers try again.
"""

AT_ONCE = "the long window is the patience, and the short one ends the alert soon after the fault"


class Objective(NamedTuple):
    """What is promised over 30 days.

    Attributes:
        name: of the alerts, behind Hotbasket.
        series: of the recorded shares of what went wrong.
        budget: the share that may go wrong.
        summary: of the alerts.
        wrong: what the share is of, as the description says it.
        section: of docs/operations.md.
    """

    name: str
    series: str
    budget: float
    summary: str
    wrong: str
    section: str


class Burn(NamedTuple):
    """A speed at which a budget burns.

    Attributes:
        times: as fast as would use it up in 30 days.
        long_s, short_s: windows in which it has to burn that fast.
        severity: who hears of it.
    """

    times: float
    long_s: int
    short_s: int
    severity: Literal["page", "ticket"]


BURNS = (
    Burn(14.4, HOUR_S, 5 * MINUTE_S, "page"),
    Burn(6, 6 * HOUR_S, 30 * MINUTE_S, "page"),
    Burn(3, DAY_S, 2 * HOUR_S, "ticket"),
    Burn(1, 3 * DAY_S, 6 * HOUR_S, "ticket"),
)

ACKNOWLEDGED = Objective(
    name="Unacknowledged",
    series="unacknowledged",
    budget=0.001,
    summary="Requests with events are turned away",
    wrong="requests in order were not acknowledged",
    section="requests-are-turned-away",
)
ACK_TIME = Objective(
    name="AcksSlow",
    series="slow_acks",
    budget=0.05,
    summary="Acknowledgements are slow",
    wrong=f"acknowledgements took longer than {LATE_S} s",
    section="acknowledgements-are-slow",
)
EXPERIENCE_TIME = Objective(
    name="ExperiencesLate",
    series="late_experiences",
    budget=0.05,
    summary="Experiences come late",
    wrong=f"experiences reached the page more than {LATE_S} s after their event",
    section="experiences-come-late",
)
OBJECTIVES = (ACKNOWLEDGED, ACK_TIME, EXPERIENCE_TIME)


def budgets(options: Options) -> list[Group]:
    """Gives a group for each objective: what was wrong in every window, then the alerts on it."""
    return [
        Group(
            f"hotbasket, budget: {one.series.replace('_', ' ')}",
            (
                *(record for window_s in _windows() for record in _records(one, options, window_s)),
                *(_burns(one, burn) for burn in BURNS),
            ),
        )
        for one in OBJECTIVES
    ]


def _windows() -> list[int]:
    return sorted({window_s for burn in BURNS for window_s in (burn.long_s, burn.short_s)})


def _burns(objective: Objective, burn: Burn) -> Alert:
    bound = f"{burn.times} * {objective.budget}"
    burning = [f"{_recorded(objective, 'share', window_s)} > {bound}" for window_s in (burn.long_s, burn.short_s)]
    enough = f"{_recorded(objective, 'wrong', burn.long_s)} >= {WRONG_MIN}"
    over = duration(burn.long_s * 1_000)
    left_days = f"{30 / burn.times:.0f} days" if burn.times < 10 else f"{30 * 24 / burn.times:.0f} hours"
    return Alert(
        name=f"Hotbasket{objective.name}",
        severity=burn.severity,
        expression="\nand\n".join((*burning, enough)),
        for_s=0,
        summary=objective.summary,
        description=f"{{{{ $value | humanizePercentage }}}} of {objective.wrong} in the last {over}; "
        f"{objective.budget:.1%} may. Going on like this uses up the budget of 30 days within {left_days}.",
        section=objective.section,
        at_once=AT_ONCE,
        over=over,
    )


def _recorded(objective: Objective, what: str, window_s: int) -> str:
    # The window's own name, scaled or not: the series is what it would be in earnest.
    return f"hotbasket:{objective.series}:{what}_{duration(window_s * 1_000)}"


def _records(objective: Objective, options: Options, window_s: int) -> tuple[Record, Record]:
    """Gives how many went wrong in a window, then which share; nothing where nothing was asked for."""
    window = options.window(window_s)
    match objective.series:
        case "unacknowledged":
            turned_away = options.of("hotbasket_refused_requests_total", f'error=~"{UNACKNOWLEDGED}"')
            refused = _else_zero(turned_away, window)
            broken = _else_zero(options.of("hotbasket_gateway_errors_total", 'what="request"'), window)
            acknowledged = f"sum(increase({options.of('hotbasket_ack_seconds_count')}[{window}]))"
            wrong, asked = f"{refused} + {broken}", f"{acknowledged} + {refused} + {broken}"
        case "slow_acks":
            wrong, asked = _late("hotbasket_ack_seconds", options, window)
        case _:
            wrong, asked = _late("hotbasket_experience_seconds", options, window)
    number = _recorded(objective, "wrong", window_s)
    share = Record(_recorded(objective, "share", window_s), f"{number}\n/\n({asked} > 0)")
    return Record(number, wrong), share


def _late(histogram: str, options: Options, window: str) -> tuple[str, str]:
    """Gives how many were late, and of how many."""
    bucket, count = options.of(f"{histogram}_bucket", f'le="{LATE_S}"'), options.of(f"{histogram}_count")
    asked = f"sum(increase({count}[{window}]))"
    return f"{asked} - sum(increase({bucket}[{window}]))", asked


def _else_zero(counter: str, window: str) -> str:
    # A labelled counter is born with its first count.
    return f"(sum(increase({counter}[{window}])) or vector(0))"
