"""Dashboard *Privacy*: is what shoppers asked for done in time, and is nothing kept that should be gone?"""

from __future__ import annotations

from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row
from monitoring.dashboards.promql import else_zero, grown, of, rate

REQUESTS_OPEN = Chart(
    title="Privacy requests open",
    description="Requests about shoppers' data that are not done, by kind; they take seconds, and minutes only while "
    "a gateway was killed or a server is away.",
    unit="none",
    queries=(Query(f"sum by (kind) ({of('hotbasket_privacy_requests_open')})", "{{kind}}"),),
    stacked=True,
)
REQUESTS_OLDEST = Chart(
    title="Age of the oldest privacy request",
    description="Time since the oldest request that is not done was made; an hour is bad, hotbasket privacy status "
    "tells what it waits for.",
    unit="s",
    queries=(Query(of("hotbasket_privacy_oldest_request_seconds"), "{{instance}}"),),
    limits=Limits(warn=900, bad=3_600),
)
BEYOND_ITS_TIME = Chart(
    title="Data beyond its time",
    description="By how much the oldest record of a store is too old, looked for once a day; more than 0 breaks a "
    "contract, hotbasket privacy check says whose it is.",
    unit="s",
    queries=(Query(of("hotbasket_privacy_too_old_seconds"), "{{store}}"),),
    limits=Limits(warn=1, bad=86_400),
)
SINCE_LOOKED = Chart(
    title="Since the last look for old data",
    description="Time since every store was searched for what is too old; over 2 days nobody knows.",
    unit="s",
    queries=(Query(f"time() - ({of('hotbasket_privacy_check_timestamp_seconds')} > 0)", "{{instance}}"),),
    limits=Limits(warn=100_000, bad=172_800),
)

_ASKED = Row(
    title="What shoppers asked for",
    width=8,
    panels=(
        REQUESTS_OPEN,
        Chart(
            title="What requests wait for",
            description="Requests that are not done, by what they wait for; gateways and workers take seconds, stores "
            "as long as the log keeps what can't be deleted from it.",
            unit="none",
            queries=(Query(f"sum by (stage) ({of('hotbasket_privacy_requests_open')})", "{{stage}}"),),
            stacked=True,
        ),
        REQUESTS_OLDEST,
        Chart(
            title="Requests past their deadline",
            description="Requests that were due and are not done; each is a broken promise, and hotbasket privacy "
            "status says what it waits for.",
            unit="none",
            queries=(Query(of("hotbasket_privacy_requests_overdue"), "{{instance}}"),),
            limits=Limits(warn=1, bad=1),
        ),
        Chart(
            title="Failed attempts",
            description="Attempts at a request that failed and are repeated; what stays above 0 is bad: a store or "
            "the log is away.",
            unit="none",
            queries=(Query(grown("hotbasket_privacy_errors_total", by="instance"), "{{instance}}"),),
        ),
        Chart(
            title="Erasures begun by withdrawal",
            description="Shoppers who took consent back where that begins an erasure; failed is bad: they have to do "
            "so again.",
            unit="none",
            queries=(Query(grown("hotbasket_erased_on_withdrawal_total", by="outcome"), "{{outcome}}"),),
        ),
    ),
)

_KEPT_OUT = Row(
    title="What is kept out",
    width=8,
    panels=(
        Chart(
            title="Personal data redacted",
            description="Values a second that looked like personal data in free text and were not stored, by kind; a "
            "rise is a shop's form gone wrong.",
            unit="cps",
            queries=(Query(rate("hotbasket_redacted_values_total", by="kind"), "{{kind}}"),),
            stacked=True,
        ),
        Chart(
            title="Events dropped at the door",
            description="Events a second that were in order and are not stored, for want of consent or by a "
            "suppression; all of them are a shop that never asks for consent.",
            unit="cps",
            queries=(Query(else_zero(rate("hotbasket_events_total", 'outcome="dropped"')), "dropped"),),
        ),
        Chart(
            title="Events passed over",
            description="Events a second that a worker passed over since the shopper is suppressed or was erased; "
            "what lasts for more than seconds is bad: a gateway goes by an old list.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_meaning_faults_total", 'fault=~"suppressed|erased"', by="fault"), "{{fault}}"),
            ),
        ),
    ),
)

_KEPT = Row(
    title="What is kept for too long",
    width=12,
    panels=(BEYOND_ITS_TIME, SINCE_LOOKED),
)

PRIVACY = Board(
    uid="hotbasket-privacy",
    title="hotbasket: privacy",
    description="Is what shoppers asked for done in time, and is nothing kept that should be gone?",
    rows=(_ASKED, _KEPT_OUT, _KEPT),
)
