"""*Live path*: where does an event's time go? Its way, in its order, from the gateway to the page and the archive."""

from __future__ import annotations

from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row, slowest, spread
from monitoring.dashboards.promql import else_zero, filled, grown, of, rate, within

CONTRACT_S = "0.25"
"""Within it nineteen of twenty experiences have to be on the page."""

_ONE_SECOND = Limits(warn=0.25, bad=1)

_GATEWAY = Row(
    title="1. The gateway takes it",
    width=6,
    panels=(
        Chart(
            title="Requests",
            description="Requests a second that were acknowledged, refused for their own fault, or turned away by a "
            "fault of ours, which is bad.",
            unit="reqps",
            queries=(
                Query(rate("hotbasket_ack_seconds_count"), "acknowledged"),
                Query(else_zero(rate("hotbasket_refused_requests_total", 'status=~"4.."')), "refused 4xx"),
                Query(else_zero(rate("hotbasket_refused_requests_total", 'status=~"5.."')), "turned away 5xx"),
            ),
        ),
        Chart(
            title="Acknowledgement",
            description="Time from a request to its acknowledgement; a p95 over 0.25 s is bad.",
            unit="s",
            queries=spread("hotbasket_ack_seconds"),
            limits=Limits(warn=0.1, bad=0.25),
        ),
        Chart(
            title="Stored events by type",
            description="Events a second that became durable; a type that vanishes is a broken tracker.",
            unit="cps",
            queries=(Query(rate("hotbasket_events_total", 'outcome="stored"', by="type"), "{{type}}"),),
            stacked=True,
        ),
        Chart(
            title="Personal data, waits refused",
            description="Personal data redacted a second, by kind, and requests that got no wait since too many wait; "
            "a rise of the first is a shop's form gone wrong.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_redacted_values_total", by="kind"), "redacted {{kind}}"),
                Query(rate("hotbasket_waits_refused_total"), "waits refused"),
            ),
        ),
    ),
)

_LOG = Row(
    title="2. The event log keeps it",
    width=6,
    panels=(
        Chart(
            title="Commit",
            description="Duration of one flush of the event log, which every acknowledgement waits for; a p95 over "
            "0.1 s is bad.",
            unit="s",
            queries=spread("hotbasket_log_commit_seconds"),
            limits=Limits(warn=0.05, bad=0.1),
        ),
        Chart(
            title="Queue",
            description="Events that wait for the log's flush, as a share of HOTBASKET_LOG_QUEUE_EVENTS_MAX, by "
            "gateway; at 100 % gateways answer 503.",
            unit="percentunit",
            queries=(Query(filled("hotbasket_log_queue_events", "hotbasket_log_queue_max_events"), "{{instance}}"),),
            limits=Limits(warn=0.25, bad=1),
        ),
        Chart(
            title="Refused by the log",
            description="Events a second that a full or failing log did not take; anything above 0 is bad: trackers "
            "have to send again.",
            unit="cps",
            queries=(Query(rate("hotbasket_log_refused_events_total", by="instance"), "{{instance}}"),),
        ),
        Chart(
            title="Kafka producers and gaps",
            description="Producers that died and were replaced, and records gone before they were read; a gap is lost "
            "data, the log's retention is too short.",
            unit="none",
            queries=(
                Query(grown("hotbasket_producer_restarts_total"), "producer restarts"),
                Query(grown("hotbasket_log_gap_records_total"), "records in gaps"),
            ),
        ),
    ),
)

_WORKER = Row(
    title="3. A worker processes it",
    width=8,
    panels=(
        Chart(
            title="Stored and processed",
            description="Events a second that gateways stored and workers processed; the second staying below the "
            "first is bad.",
            unit="cps",
            queries=(
                Query(else_zero(rate("hotbasket_events_total", 'outcome="stored"')), "stored"),
                Query(else_zero(rate("hotbasket_processed_events_total")), "processed"),
                Query(rate("hotbasket_repeated_events_total"), "of it repeats"),
            ),
        ),
        Chart(
            title="Worker lag",
            description="Age of the oldest event that each worker has in hand, 0 when there is none; over 1 s "
            "experiences come too late.",
            unit="s",
            queries=(Query(of("hotbasket_worker_lag_seconds"), "{{instance}}"),),
            limits=_ONE_SECOND,
        ),
        Chart(
            title="Batch duration",
            description="Time from polling a batch to its closing Progress, when readers may act on it; a p95 over "
            "0.25 s breaks the contract by itself.",
            unit="s",
            queries=spread("hotbasket_batch_seconds"),
            limits=Limits(warn=0.1, bad=0.25),
        ),
        Chart(
            title="Batch size",
            description="Events of one batch; near 2,000, the default bound, a worker is catching up.",
            unit="none",
            queries=spread("hotbasket_batch_events"),
            limits=Limits(warn=500, bad=2_000),
        ),
        Chart(
            title="Processed events by type",
            description="Events a second that workers processed; IdleElapsed are the workers' own timers.",
            unit="cps",
            queries=(Query(rate("hotbasket_processed_events_total", by="type"), "{{type}}"),),
            stacked=True,
        ),
        Chart(
            title="Faults of meaning, failed events",
            description="Events a second that did not fit the shopper's state, a fault of the tracker, and that could "
            "not be processed, which is bad.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_meaning_faults_total", by="fault"), "{{fault}}"),
                Query(rate("hotbasket_failed_events_total", by="reason"), "failed {{reason}}"),
            ),
        ),
    ),
)

_ACTORS = Row(
    title="4. Shoppers in memory",
    width=6,
    panels=(
        Chart(
            title="One event",
            description="Time to fold one event and to decide, the mean of its batch, all of it the processor's; over "
            "1 ms a worker does less than a thousand events a second.",
            unit="s",
            queries=spread("hotbasket_fold_seconds"),
            limits=Limits(warn=0.0005, bad=0.001),
        ),
        Chart(
            title="Residents",
            description="Shoppers in each worker's memory, as a share of HOTBASKET_RESIDENTS_MAX; at 100 % the longest "
            "idle have to leave.",
            unit="percentunit",
            queries=(Query(filled("hotbasket_residents", "hotbasket_residents_max"), "{{instance}}"),),
            limits=Limits(warn=0.95, bad=1),
        ),
        Chart(
            title="Activations and passivations",
            description="Shoppers a second that came into memory and left it; many that leave for the bound are bad: "
            "each comes back by a read of the hot store.",
            unit="cps",
            queries=(
                Query(rate("hotbasket_activations_total"), "in"),
                Query(rate("hotbasket_passivations_total", by="cause"), "out {{cause}}"),
            ),
        ),
        Chart(
            title="Timers",
            description="Idle timers pending in each worker; a number that only grows is bad.",
            unit="none",
            queries=(Query(of("hotbasket_timers_armed"), "{{instance}}"),),
        ),
    ),
)

_CHECKPOINTS = Row(
    title="5. A checkpoint saves the states",
    width=8,
    panels=(
        Chart(
            title="Checkpoint duration",
            description="Time that one checkpoint takes beside the batches; over 1 s a crash costs more replay.",
            unit="s",
            queries=spread("hotbasket_checkpoint_seconds"),
            limits=_ONE_SECOND,
        ),
        Chart(
            title="Checkpoint age",
            description="Time since each worker's last checkpoint; due every second embedded and every 5 s on Kafka, "
            "over 30 s is bad.",
            unit="s",
            queries=(Query(of("hotbasket_checkpoint_age_seconds"), "{{instance}}"),),
            limits=Limits(warn=10, bad=30),
        ),
        Chart(
            title="Checkpoint failures",
            description="Checkpoints that failed, each made good by the next; more than a few in a row are bad: replay "
            "grows.",
            unit="none",
            queries=(Query(grown("hotbasket_checkpoint_failures_total", by="instance"), "{{instance}}"),),
        ),
    ),
)

_DELIVERY = Row(
    title="6. The page shows it",
    width=6,
    panels=(
        Chart(
            title="Event to experience",
            description="Time from an event's receipt to its experience on the stream; a p95 over 0.25 s breaks the "
            "contract.",
            unit="s",
            queries=spread("hotbasket_experience_seconds"),
            limits=Limits(warn=0.1, bad=0.25),
        ),
        Chart(
            title=f"Within {CONTRACT_S} s",
            description="Share of experiences on the stream, and of batches closed, within 0.25 s; experiences below "
            "95 % break the contract.",
            unit="percentunit",
            queries=(
                Query(within(CONTRACT_S, "hotbasket_experience_seconds"), "experiences"),
                Query(within(CONTRACT_S, "hotbasket_batch_seconds"), "batches"),
            ),
            limits=Limits(warn=0.99, bad=0.95),
        ),
        Chart(
            title="Decided, delivered, withdrawn",
            description="Experiences a second that workers decided or withdrew and gateways put on streams; delivered "
            "may be less, since not every shopper has a page open.",
            unit="cps",
            queries=(
                Query(else_zero(rate("hotbasket_decided_experiences_total")), "decided"),
                Query(else_zero(rate("hotbasket_delivered_experiences_total")), "delivered"),
                Query(rate("hotbasket_experience_fates_total", 'fate="withdrawn"'), "withdrawn"),
            ),
        ),
        Chart(
            title="Open streams",
            description="Pages that listen, as a share of HOTBASKET_STREAMS_MAX, by gateway; at 100 % a gateway takes "
            "no more.",
            unit="percentunit",
            queries=(Query(filled("hotbasket_streams_open", "hotbasket_streams_max"), "{{instance}}"),),
            limits=Limits(warn=0.9, bad=1),
        ),
        Chart(
            title="Slow streams",
            description="Pages that listen, and those of them more than half of whose queue is full; many are bad: at "
            "a full queue a gateway closes the stream.",
            unit="none",
            queries=(
                Query(f"sum({of('hotbasket_streams_open')})", "open"),
                Query(f"sum({of('hotbasket_streams_slow')})", "slow"),
            ),
        ),
        Chart(
            title="Streams closed by us",
            description="Streams a second that a gateway closed, by reason; slow means pages or networks that do not "
            "keep up, and many are bad.",
            unit="cps",
            queries=(Query(rate("hotbasket_streams_dropped_total", by="reason"), "{{reason}}"),),
        ),
        Chart(
            title="What pages made of them",
            description="Experiences a second that pages showed, that shoppers clicked or dismissed, and that gave way "
            "to another; decided without shown is bad: a page does not say what it does.",
            unit="cps",
            queries=(Query(rate("hotbasket_experience_fates_total", by="fate"), "{{fate}}"),),
        ),
        Chart(
            title="Evicted from memory",
            description="Experiences a second that left a gateway's full memory early; above 0 pages that resume may "
            "miss one: raise HOTBASKET_RECENT_MAX.",
            unit="cps",
            queries=(Query(rate("hotbasket_recent_evicted_total", by="instance"), "{{instance}}"),),
        ),
    ),
)

_ARCHIVE = Row(
    title="7. The archiver copies it",
    width=8,
    panels=(
        Chart(
            title="Archived by kind",
            description="Records a second copied from the log to the event store; below the stored events for long is "
            "bad.",
            unit="cps",
            queries=(Query(rate("hotbasket_archived_records_total", by="kind"), "{{kind}}"),),
            stacked=True,
        ),
        Chart(
            title="Archive lag",
            description="Age of the oldest event that each archiver has in hand, 0 when there is none; over 15 minutes "
            "is bad.",
            unit="s",
            queries=(Query(of("hotbasket_archive_lag_seconds"), "{{instance}}"),),
            limits=Limits(warn=60, bad=900),
        ),
        Chart(
            title="Archive batch",
            description="Time from polling a batch to having it stored; over 1 s the event store is slow.",
            unit="s",
            queries=spread("hotbasket_archive_batch_seconds"),
            limits=_ONE_SECOND,
        ),
    ),
)

_STORES = Row(
    title="Beside the way: the hot store",
    width=12,
    panels=(
        Chart(
            title="Statement duration, p95",
            description="Time that statements of the hot store take, by what they do; over 0.1 s a shopper who returns "
            "waits, over 2 s statements time out.",
            unit="s",
            queries=slowest("hotbasket_store_seconds", "statement"),
            limits=Limits(warn=0.1, bad=2),
        ),
        Chart(
            title="Statement errors",
            description="Statements a second that failed, by what they do; anything that stays above 0 is bad.",
            unit="cps",
            queries=(Query(rate("hotbasket_store_errors_total", by="statement"), "{{statement}}"),),
        ),
    ),
)

LIVE_PATH = Board(
    uid="hotbasket-live-path",
    title="hotbasket: live path",
    description="Where does an event's time go? Its way, in its order, from the gateway to the page and the archive.",
    rows=(_GATEWAY, _LOG, _WORKER, _ACTORS, _CHECKPOINTS, _DELIVERY, _ARCHIVE, _STORES),
)
