"""A system that is well, as Prometheus sees it, and the demo beside it: what the cases of alerts change.

Values are written as promtool reads them, a sample a minute; `xN` repeats to the end.
"""

from __future__ import annotations

from collections.abc import Mapping

G, W, A = ('job="hotbasket", instance="gateway-0"', 'job="hotbasket", instance="worker-0"', 'job="hb", instance="a-0"')
STORED = f'hotbasket_events_total{{{G}, type="ProductAdded", outcome="stored"}}'
ACKS, ACKS_IN_TIME = f"hotbasket_ack_seconds_count{{{G}}}", f'hotbasket_ack_seconds_bucket{{{G}, le="0.25"}}'
SHOWN, SHOWN_IN_TIME = (
    f"hotbasket_experience_seconds_count{{{G}}}",
    f'hotbasket_experience_seconds_bucket{{{G}, le="0.25"}}',
)
REFUSED = f'hotbasket_refused_requests_total{{{G}, status="503", error="log_unavailable"}}'
READY, OWNED = f"hotbasket_gateway_ready{{{G}}}", f"hotbasket_partitions_owned{{{W}}}"
LAG, CONTROL_AGE = f"hotbasket_worker_lag_seconds{{{W}}}", f"hotbasket_control_age_seconds{{{W}}}"
CLOCK = f"hotbasket_clock_timestamp_seconds{{{W}}}"
PROCESSED = f'hotbasket_processed_events_total{{{W}, type="ProductAdded"}}'
FAILED = f'hotbasket_failed_events_total{{{W}, reason="not_processed"}}'
NOT_SAVED, SAVED_AGE = f"hotbasket_checkpoint_failures_total{{{W}}}", f"hotbasket_checkpoint_age_seconds{{{W}}}"
GAP, GAP_BORN = f"hotbasket_log_gap_records_total{{{A}}}", f"hotbasket_log_gap_records_created{{{A}}}"
ARCHIVED = f'hotbasket_archived_records_total{{{A}, kind="event"}}'
ARCHIVE_LAG = f"hotbasket_archive_lag_seconds{{{A}}}"
PUSHED, COOLED = (
    f'hotbasket_job_last_success_timestamp_seconds{{retailer="shop", step="{step}"}}' for step in ("push", "cool")
)
NIGHT, MISSING = (
    'hotbasket_job_failed{retailer="shop", step="grow"}',
    'hotbasket_cooled_rows{retailer="shop", fate="missing"}',
)
TOO_OLD, CHECKED = (
    'hotbasket_privacy_too_old_seconds{store="warehouse"}',
    f"hotbasket_privacy_check_timestamp_seconds{{{W}}}",
)
OVERDUE, OLDEST = "hotbasket_privacy_requests_overdue", "hotbasket_privacy_oldest_request_seconds"
PRIVACY_ERRORS, OBJECTIONS = "hotbasket_privacy_errors_total", 'hotbasket_privacy_requests_open{kind="suppress"}'

WELL: Mapping[str, str] = {
    f"up{{{G}}}": "1xN",
    f"up{{{W}}}": "1xN",
    'up{job="till", instance="till-0"}': "0xN",
    f"hotbasket_streams_open{{{G}}}": "5xN",
    f"hotbasket_streams_open{{{W}}}": "0xN",
    READY: "1xN",
    STORED: "0+600xN",
    ACKS: "0+6000xN",
    ACKS_IN_TIME: "0+5760xN",
    REFUSED: "0+5xN",
    f'hotbasket_refused_requests_total{{{G}, status="400", error="malformed"}}': "0+900xN",
    SHOWN: "0+1000xN",
    SHOWN_IN_TIME: "0+960xN",
    OWNED: "64xN",
    LAG: "0.1xN",
    CONTROL_AGE: "0.4xN",
    CLOCK: "2+60xN",
    PROCESSED: "0+600xN",
    FAILED: "2xN",
    FAILED.replace("_total", "_created"): "-864000xN",
    NOT_SAVED: "0xN",
    SAVED_AGE: "4xN",
    GAP: "0xN",
    GAP_BORN: "-864000xN",
    ARCHIVED: "0+600xN",
    ARCHIVE_LAG: "30xN",
    PUSHED: "0+60xN",
    COOLED: "0+60xN",
    NIGHT: "0xN",
    MISSING: "0xN",
    'hotbasket_cooled_rows{retailer="shop", fate="failed"}': "7xN",
    OVERDUE: "0xN",
    OLDEST: "691200xN",
    PRIVACY_ERRORS: "0xN",
    OBJECTIONS: "0xN",
    TOO_OLD: "0xN",
    CHECKED: "0+60xN",
    f"hotbasket_privacy_check_timestamp_seconds{{{G}}}": "0xN",
    'hotbasket_privacy_requests_open{kind="erase"}': "9xN",
}
"""A system in order, with what may be wrong in one: refusals and slowness within the budget, an old bad event."""

ONLY = 'job!="demo"'
"""What tells the system from the demo that the same Prometheus scrapes."""


def of_demo(series: str) -> str:
    """Gives the same series of the demo."""
    name, _, labels = series.rstrip("}").partition("{")
    own = [label for label in labels.split(", ") if label and not label.startswith(("job=", "instance="))]
    inside = ", ".join(('job="demo"', 'instance="demo-0"', *own))
    return f"{name}{{{inside}}}"


BESIDE: Mapping[str, str] = {of_demo(series): values for series, values in WELL.items()}
"""The demo, in order; whatever fails in the system, this must not hide it."""

GATEWAY, WORKER, ARCHIVER = (
    {"job": "hotbasket", "instance": "gateway-0"},
    {"job": "hotbasket", "instance": "worker-0"},
    {"job": "hb", "instance": "a-0"},
)
