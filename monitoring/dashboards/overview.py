"""*Overview*: is it well? For an operator who was woken up and has ten seconds."""

from __future__ import annotations

from monitoring.alerts.objectives import UNACKNOWLEDGED
from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row, Stat
from monitoring.dashboards.privacy import BEYOND_ITS_TIME, REQUESTS_OLDEST, REQUESTS_OPEN, SINCE_LOOKED
from monitoring.dashboards.promql import else_zero, grown, largest, of, quantile, rate

_ACKNOWLEDGED = rate("hotbasket_ack_seconds_count")
_TURNED_AWAY = else_zero(rate("hotbasket_refused_requests_total", f'error=~"{UNACKNOWLEDGED}"'))
_BROKEN = else_zero(rate("hotbasket_gateway_errors_total", 'what="request"'))
_OWNED = f"sum({of('hotbasket_partitions_owned')})"
_CLOCK = of("hotbasket_clock_timestamp_seconds")
_UP = of("up")
# Other jobs of the same Prometheus are none of ours: a process is one that was scraped as such within the hour.
_SEEN = f"last_over_time({of('hotbasket_streams_open')}[1h])"

_WELL = Row(
    title="Is it well?",
    width=3,
    panels=(
        Stat(
            title="Acknowledged",
            description="Share of requests with events that were acknowledged, those in order alone; below 99.9 % "
            "trackers send again, below 99 % shoppers see old pages.",
            unit="percentunit",
            limits=Limits(warn=0.999, bad=0.99),
            queries=(Query(f"{_ACKNOWLEDGED} / (({_ACKNOWLEDGED} + {_TURNED_AWAY} + {_BROKEN}) > 0)", "acknowledged"),),
            decimals=2,
            empty="no requests",
        ),
        Stat(
            title="Ack, p95",
            description="Time from a request to its acknowledgement, 95th percentile; over 0.25 s the event log is "
            "slow or a gateway is short of processor.",
            unit="s",
            limits=Limits(warn=0.1, bad=0.25),
            queries=(Query(quantile(0.95, "hotbasket_ack_seconds"), "p95"),),
            empty="no requests",
        ),
        Stat(
            title="Experience, p95",
            description="Time from an event's receipt to its experience on the shopper's page, 95th percentile; "
            "over 0.25 s the contract is broken.",
            unit="s",
            limits=Limits(warn=0.1, bad=0.25),
            queries=(Query(quantile(0.95, "hotbasket_experience_seconds"), "p95"),),
            empty="none shown",
        ),
        Stat(
            title="Worker lag",
            description="Age of the oldest event that a worker has in hand, 0 when there is none; over 1 s experiences "
            "come too late.",
            unit="s",
            limits=Limits(warn=0.25, bad=1),
            queries=(Query(largest("hotbasket_worker_lag_seconds"), "lag"),),
        ),
        Stat(
            title="Archive lag",
            description="Age of the oldest event that an archiver has in hand, 0 when there is none; minutes delay the "
            "nightly jobs, and what outlasts the log's retention is lost to them.",
            unit="s",
            limits=Limits(warn=60, bad=900),
            queries=(Query(largest("hotbasket_archive_lag_seconds"), "lag"),),
        ),
        Stat(
            title="Partitions",
            description="Partitions of the event log that no worker owns, of all workers selected; each is a "
            "share of the shoppers without experiences.",
            unit="none",
            limits=Limits(warn=1, bad=1),
            queries=(
                Query(f"$partitions - {else_zero(_OWNED)}", "without owner"),
                Query(else_zero(_OWNED), "owned"),
            ),
        ),
        Stat(
            title="Gateways",
            description="Gateways that are caught up and not stopping; 0 is an outage.",
            unit="none",
            limits=Limits(warn=1, bad=1),
            queries=(Query(else_zero(f"sum({of('hotbasket_gateway_ready')})"), "ready"),),
        ),
        Stat(
            title="Processes down",
            description="Processes that answered within the last hour and can't be scraped now; any above 0 is dead, "
            "stuck or cut off.",
            unit="none",
            limits=Limits(warn=1, bad=1),
            queries=(Query(else_zero(f"count(({_UP} == 0) and on (job, instance) {_SEEN})"), "down"),),
        ),
    ),
)

_TRAFFIC = Row(
    title="What comes in, what goes out",
    width=8,
    panels=(
        Chart(
            title="Events by outcome",
            description="Events a second by what became of them; retry is bad: it is what the log did not take.",
            unit="cps",
            queries=(Query(rate("hotbasket_events_total", by="outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Chart(
            title="Refusals by status and error",
            description="Requests a second that were refused; 5xx is ours and bad, a wave of 4xx a shop's release.",
            unit="reqps",
            queries=(Query(rate("hotbasket_refused_requests_total", by="status, error"), "{{status}} {{error}}"),),
        ),
        Chart(
            title="Experiences by kind",
            description="Experiences a second that workers decided and that gateways put on pages; events without any "
            "of them are bad where shoppers have trees.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_decided_experiences_total", by="kind"), "decided {{kind}}"),
                Query(rate("hotbasket_delivered_experiences_total", by="kind"), "delivered {{kind}}"),
            ),
        ),
    ),
)

_FAILURES = Row(
    title="What fails",
    width=8,
    panels=(
        Chart(
            title="Errors by what failed",
            description="Errors at the edges of the processes' loops; what stays above 0 is bad.",
            unit="none",
            queries=(
                Query(grown("hotbasket_gateway_errors_total", by="what"), "gateway {{what}}"),
                Query(grown("hotbasket_worker_errors_total", by="what"), "worker {{what}}"),
                Query(grown("hotbasket_archive_errors_total", by="what"), "archiver {{what}}"),
                Query(grown("hotbasket_control_errors_total"), "control data"),
                Query(grown("hotbasket_checkpoint_failures_total"), "checkpoint"),
            ),
        ),
        Chart(
            title="Store errors by statement",
            description="Statements of the hot store that failed; experiences go on without it for a while, minutes "
            "of them are bad.",
            unit="none",
            queries=(Query(grown("hotbasket_store_errors_total", by="statement"), "{{statement}}"),),
        ),
        Chart(
            title="Failed events by reason",
            description="Events set aside because they could not be processed; any is a bug or a damaged record, and "
            "hotbasket failed list shows it.",
            unit="none",
            queries=(Query(grown("hotbasket_failed_events_total", by="reason"), "{{reason}}"),),
        ),
    ),
)

_OWNERSHIP = Row(
    title="Who owns what, who knows what",
    width=6,
    panels=(
        Chart(
            title="Partitions by worker",
            description="Partitions that each worker owns; an uneven or changing picture is bad.",
            unit="none",
            queries=(Query(f"{of('hotbasket_partitions_owned')} > 0", "{{instance}}"),),
            stacked=True,
        ),
        Chart(
            title="Changes of owner",
            description="How often partitions were dealt anew, taken, and lost to a newer owner; without a deployment "
            "anything but 0 is bad.",
            unit="none",
            queries=(
                Query(grown("hotbasket_rebalances_total"), "rebalances"),
                Query(grown("hotbasket_takeovers_total"), "takeovers"),
                Query(grown("hotbasket_fenced_owners_total"), "fenced"),
            ),
        ),
        Chart(
            title="Control data age",
            description="Time since each process last looked for changed keys, trees and requests; over 2 s a change "
            "comes late, and a process near no database keeps to what it knew.",
            unit="s",
            queries=(Query(of("hotbasket_control_age_seconds"), "{{instance}}"),),
            limits=Limits(warn=2, bad=30),
        ),
        Chart(
            title="Clocks",
            description="How far each process's clock is from Prometheus'; over 5 s is bad: campaigns open and tokens "
            "end at other times than they say.",
            unit="s",
            queries=(Query(f"abs({_CLOCK} - timestamp({_CLOCK}))", "{{instance}}"),),
            limits=Limits(warn=2, bad=5),
        ),
    ),
)

_PRIVACY = Row(
    title="What shoppers asked for",
    width=8,
    panels=(
        REQUESTS_OPEN,
        REQUESTS_OLDEST,
        Chart(
            title="Privacy requests: overdue, failures",
            description="Requests past their deadline, each a broken promise, attempts that failed and are repeated, "
            "and shoppers whose withdrawal of consent began an erasure, or could not yet, which is bad.",
            unit="none",
            queries=(
                Query(of("hotbasket_privacy_requests_overdue"), "overdue {{instance}}"),
                Query(grown("hotbasket_privacy_errors_total"), "failures"),
                Query(grown("hotbasket_erased_on_withdrawal_total", by="outcome"), "withdrawn, {{outcome}}"),
            ),
        ),
    ),
)

_KEPT = Row(
    title="What is kept for too long",
    width=12,
    panels=(BEYOND_ITS_TIME, SINCE_LOOKED),
)

OVERVIEW = Board(
    uid="hotbasket-overview",
    title="hotbasket: overview",
    description="Is it well? The first row says it in colours, the others where to look.",
    rows=(_WELL, _TRAFFIC, _FAILURES, _OWNERSHIP, _PRIVACY, _KEPT),
)
