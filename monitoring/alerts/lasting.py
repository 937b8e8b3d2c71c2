"""Objectives of time: for which share of 30 days something slow is as promised, and alerts when their budgets burn.

What comes once a night, or within weeks, is not counted in requests: it holds at a moment, or it does not. Windows and
speeds are those of `objectives`, from the same source; what can wait for the morning has the slow ones alone.
"""

from __future__ import annotations

from typing import NamedTuple

from monitoring.alerts.objectives import AT_ONCE, BURNS, Burn
from monitoring.alerts.rules import HOUR_S, Alert, Group, Options, Record, duration

NIGHT_H, COOL_H = 30, 26
"""Hours after which a night's end, and a cooling, are late; from then on their budget of time burns."""
_SLOW = tuple(burn for burn in BURNS if burn.severity == "ticket")
_NIGHT = "the-night-fails-or-pushed-bad-trees"
SUCCEEDED = "hotbasket_job_last_success_timestamp_seconds"
ENDED = 'step=~"push|night"'
"""A night whose model is not promoted has come to its end, and pushes nothing."""


class Lasting(NamedTuple):
    """What is promised to hold nearly all the time.

    Attributes:
        name: of the alerts, behind Hotbasket.
        series: of the recorded moments and shares.
        budget: the share of time in which it may not hold.
        burns: how fast that may burn.
        summary: of the alerts.
        wrong: what did not hold, as the description says it.
        section: of docs/operations.md.
    """

    name: str
    series: str
    budget: float
    burns: tuple[Burn, ...]
    summary: str
    wrong: str
    section: str


TREES = Lasting(
    name="TreesOld",
    series="late_nights",
    budget=0.05,
    burns=_SLOW,
    summary="Trees are old: no night has come to its end",
    wrong=f"no night of {{{{ $labels.retailer }}}} had come to its end for {NIGHT_H} hours",
    section=_NIGHT,
)
COOLING = Lasting(
    name="CoolingLate",
    series="late_coolings",
    budget=0.05,
    burns=_SLOW,
    summary="Events are not brought into the warehouse",
    wrong=f"no cooling for {{{{ $labels.retailer }}}} had succeeded for {COOL_H} hours",
    section=_NIGHT,
)
ERASURE = Lasting(
    name="PrivacyOverdue",
    series="overdue_requests",
    budget=0.001,
    burns=BURNS,
    summary="A privacy request is past its deadline",
    wrong="a privacy request was past its deadline",
    section="privacy-requests-wait",
)


def lasting(options: Options) -> list[Group]:
    """Gives a group for each objective: whether it is broken, for which share of every window, the alerts on that."""
    ended, cooled = options.of(SUCCEEDED, ENDED), options.of(SUCCEEDED, 'step="cool"')
    night = [
        _group(TREES, options, f"time() - max by (retailer) ({ended}) > bool {options.scaled(NIGHT_H * HOUR_S)}"),
        _group(COOLING, options, f"time() - max by (retailer) ({cooled}) > bool {options.scaled(COOL_H * HOUR_S)}"),
    ]
    overdue = f"max({options.of('hotbasket_privacy_requests_overdue')}) > bool 0"
    return [*(night if options.night else ()), _group(ERASURE, options, overdue)]


def _group(one: Lasting, options: Options, broken: str) -> Group:
    windows = sorted({window_s for burn in one.burns for window_s in (burn.long_s, burn.short_s)})
    now = f"hotbasket:{one.series}:now"
    shares = (
        Record(_share(one, window_s), f"avg_over_time({now}[{options.window(window_s)}])") for window_s in windows
    )
    return Group(
        f"hotbasket, time: {one.series.replace('_', ' ')}",
        (Record(now, broken), *shares, *(_alert(one, burn) for burn in one.burns)),
    )


def _alert(one: Lasting, burn: Burn) -> Alert:
    bound = f"{burn.times} * {one.budget}"
    over = duration(burn.long_s * 1_000)
    return Alert(
        name=f"Hotbasket{one.name}",
        severity=burn.severity,
        expression="\nand\n".join(f"{_share(one, window_s)} > {bound}" for window_s in (burn.long_s, burn.short_s)),
        for_s=0,
        summary=one.summary,
        description=f"For {{{{ $value | humanizePercentage }}}} of the last {over} {one.wrong}; "
        f"{one.budget:.1%} of 30 days may be so.",
        section=one.section,
        at_once=AT_ONCE,
        over=over,
    )


def _share(one: Lasting, window_s: int) -> str:
    return f"hotbasket:{one.series}:share_{duration(window_s * 1_000)}"
