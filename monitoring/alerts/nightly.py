"""Alerts on the cold half and on promises about shoppers' data, beside those on their objectives (`lasting`)."""

from __future__ import annotations

from monitoring.alerts.lasting import ENDED, SUCCEEDED
from monitoring.alerts.rules import DAY_S, HOUR_S, MINUTE_S, Alert, Group, Options

_NIGHT = "the-night-fails-or-pushed-bad-trees"
_PRIVACY = "privacy-requests-wait"
_KEPT = "data-beyond-its-time"
NEW_H = 36
"""Hours for which a shop may be without any night."""
_STORED, _NOT_COOLED, _OBJECTIONS = 'outcome="stored"', 'fate="missing"', 'kind=~"suppress|unsuppress"'
DUE_SHARE = 0.8
"""Of the days that a privacy request may take."""


def nightly(options: Options) -> Group:
    """Gives the group of the cold half."""
    return Group("hotbasket, cold half", (*_missing(options), *_failed(options)))


def _missing(options: Options) -> tuple[Alert, ...]:
    """What a night did not bring, whether it broke, was killed or never began."""
    ended = options.of(SUCCEEDED, ENDED)
    stored = f"{options.of('hotbasket_events_total', _STORED)}[{options.window(DAY_S)}]"
    return (
        Alert(
            name="HotbasketNoNight",
            severity="ticket",
            expression=f"absent(last_over_time({ended}[{options.window(DAY_S)}]))\n"
            f"and on ()\nsum(increase({stored} offset {options.window(NEW_H * HOUR_S)})) > 0",
            for_s=10 * MINUTE_S,
            summary="Nothing is known of any night",
            description="Shoppers came days ago, and no night has ever told that it came to its end.",
            section=_NIGHT,
        ),
    )


def _failed(options: Options) -> tuple[Alert, ...]:
    return (
        Alert(
            name="HotbasketCoolingIncomplete",
            severity="ticket",
            expression=f"{options.of('hotbasket_cooled_rows', _NOT_COOLED)} > 0",
            for_s=0,
            at_once="the number stands until the next cooling",
            summary="Events of the store are not in the warehouse",
            description="{{ $value }} events of {{ $labels.retailer }} are not in the warehouse after cooling.",
            section=_NIGHT,
        ),
        Alert(
            name="HotbasketNightFailed",
            severity="ticket",
            expression=f"{options.of('hotbasket_job_failed')} == 1",
            for_s=30 * MINUTE_S,
            summary="A step of the night failed",
            description="The last run of step {{ $labels.step }} for {{ $labels.retailer }} failed.",
            section=_NIGHT,
        ),
    )


def promised(options: Options) -> Group:
    """Gives the group of privacy requests."""
    errors = options.of("hotbasket_privacy_errors_total")
    due_s = int(options.scaled(options.due_days * DAY_S) * DUE_SHARE)
    return Group(
        "hotbasket, privacy",
        (
            Alert(
                name="HotbasketPrivacyDueSoon",
                severity="ticket",
                expression=f"max({options.of('hotbasket_privacy_oldest_request_seconds')}) > {due_s}",
                for_s=MINUTE_S,
                summary="A privacy request nears its deadline",
                description="The oldest open privacy request was made {{ $value | humanizeDuration }} ago; "
                f"{options.due_days} days are allowed.",
                section=_PRIVACY,
            ),
            Alert(
                name="HotbasketPrivacyRequestsFail",
                severity="ticket",
                # A store that is away is asked again every ten minutes at the latest.
                expression=f"sum(increase({errors}[{options.window(30 * MINUTE_S)}])) > 0",
                for_s=HOUR_S,
                summary="Privacy requests go on failing",
                description="About {{ $value | humanize }} attempts at privacy requests failed in half an hour: "
                "a store or the log is away.",
                section=_PRIVACY,
            ),
            Alert(
                name="HotbasketObjectionsWait",
                severity="ticket",
                expression=f"sum({options.of('hotbasket_privacy_requests_open', _OBJECTIONS)}) > 0",
                for_s=20 * MINUTE_S,
                summary="Objections are not in force everywhere",
                description="{{ $value }} requests to suppress shoppers or to end that have been open for 20 minutes.",
                section=_PRIVACY,
            ),
            *_kept_too_long(options),
        ),
    )


def _kept_too_long(options: Options) -> tuple[Alert, ...]:
    checked = options.of("hotbasket_privacy_check_timestamp_seconds")
    return (
        Alert(
            name="HotbasketDataTooOld",
            severity="ticket",
            expression=f"max by (store) ({options.of('hotbasket_privacy_too_old_seconds')}) > 0",
            for_s=MINUTE_S,
            summary="A store holds data that is older than its retailer allows",
            description="The oldest record of {{ $labels.store }} is {{ $value | humanizeDuration }} beyond what its "
            "retailer allows.",
            section=_KEPT,
        ),
        Alert(
            name="HotbasketRetentionUnchecked",
            severity="ticket",
            # 0 where nobody has looked yet: a worker that never does is late as well.
            expression=f"max({checked}) < time() - {options.scaled(2 * DAY_S)}",
            for_s=2 * HOUR_S,
            summary="Nobody looks whether data is too old",
            description="All stores were last searched for it at {{ $value | humanizeTimestamp }}; 1970 is never.",
            section=_KEPT,
        ),
    )
