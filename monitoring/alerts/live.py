"""Alerts on the live path: what needs a person although, or because, nothing comes through that could be late."""

from __future__ import annotations

from monitoring.alerts.rules import DAY_S, HOUR_S, MINUTE_S, Alert, Group, Options, Record
from monitoring.alerts.steps import grown

_UNARCHIVED = "hotbasket:unarchived:since_timestamp_seconds"
_SEEN = "hotbasket:processes:seen"
_LATE = "experiences-come-late"
_ARCHIVER = "the-archiver-dies-or-lags"
LAG_S = 5
"""Of a worker, before somebody is woken up."""
IDLE_PER_S = 0.1
"""Events a second below which it may be chance that none was processed: a labelled counter is born with its first."""
CHECKPOINT_AGE_S = 60
CONTROL_AGE_S = 30
CLOCK_S = 5
"""Between a process's clock and Prometheus', of which a scrape that takes long is a part."""
SILENT_S = 30 * MINUTE_S
"""In which an archiver has to copy something, if there is anything; after as long again somebody hears of it."""
FAILED_MAX = 10
"""Failed events of one reason in a quarter of an hour that are no burst yet."""


def live(options: Options) -> Group:
    """Gives the group."""
    archiving = _archiving(options) if options.archiver else ()
    return Group("hotbasket, live path", (*_serving(options), *_working(options), *_keeping(options), *archiving))


def _serving(options: Options) -> tuple[Record | Alert, ...]:
    clock = options.of("hotbasket_clock_timestamp_seconds")
    return (
        # Other jobs of the same Prometheus are none of ours: a process is one that was scraped as such, ever since.
        Record(
            _SEEN,
            f"group by (job, instance) ({options.of('hotbasket_streams_open')})\n"
            f"or\ngroup by (job, instance) (last_over_time({_SEEN}[{options.window(DAY_S)}]))\n"
            f"and on (job, instance)\ngroup by (job, instance) ({options.of('up')})",
        ),
        Alert(
            name="HotbasketNoGatewayReady",
            severity="page",
            expression=f"(sum({options.of('hotbasket_gateway_ready')}) or vector(0)) == 0",
            for_s=MINUTE_S,
            summary="No gateway is ready",
            description="For a minute no gateway has been ready, or none could be scraped.",
            section="no-gateway-is-ready",
        ),
        Alert(
            name="HotbasketProcessDown",
            severity="ticket",
            expression=f"up == 0\nand on (job, instance)\n{_SEEN}",
            for_s=5 * MINUTE_S,
            summary="A process can't be scraped",
            description="{{ $labels.instance }} of job {{ $labels.job }} has not answered for five minutes.",
            section="a-process-is-down",
        ),
        Alert(
            name="HotbasketControlDataOld",
            severity="ticket",
            expression=f"{options.of('hotbasket_control_age_seconds')} > {CONTROL_AGE_S}",
            for_s=5 * MINUTE_S,
            summary="A process goes by old keys, catalogues and lists",
            description="{{ $labels.instance }} last saw the control data {{ $value | humanizeDuration }} ago.",
            section="postgres-is-down-or-slow",
        ),
        Alert(
            name="HotbasketClockWrong",
            severity="ticket",
            # A sample's timestamp is when Prometheus asked for it, by its own clock.
            expression=f"abs({clock} - timestamp({clock})) > {CLOCK_S}",
            for_s=5 * MINUTE_S,
            summary="A clock is wrong",
            description="{{ $labels.instance }} and Prometheus disagree by {{ $value | humanizeDuration }}.",
            section="a-clock-is-wrong",
        ),
    )


def _working(options: Options) -> tuple[Alert, ...]:
    window = options.window(5 * MINUTE_S)
    processed = options.of("hotbasket_processed_events_total")
    return (
        Alert(
            name="HotbasketWorkerLags",
            severity="page",
            expression=_at_most(options, "hotbasket_worker_lag_seconds", 2 * MINUTE_S, LAG_S),
            # Longer than the window by what a takeover takes: one lag that is over is nobody's business.
            for_s=4 * MINUTE_S,
            summary="A worker lags",
            description="The oldest event in hand at {{ $labels.instance }} was {{ $value | humanizeDuration }} old.",
            section=_LATE,
        ),
        Alert(
            name="HotbasketNothingProcessed",
            severity="page",
            expression=f"sum(rate({_stored(options)}[{window}])) > {IDLE_PER_S}\n"
            f"and on ()\n(sum(rate({processed}[{window}])) or vector(0)) == 0",
            for_s=5 * MINUTE_S,
            summary="Events are stored and none is processed",
            description="{{ $value | humanize }} events a second are stored, and no worker processes any.",
            section=_LATE,
        ),
        Alert(
            name="HotbasketPartitionWithoutOwner",
            severity="page",
            expression=f"{options.partitions} - (sum({options.of('hotbasket_partitions_owned')}) or vector(0)) > 0",
            for_s=2 * MINUTE_S,
            summary="Partitions of the event log have no owner",
            description=f"Of {options.partitions} partitions {{{{ $value }}}} belong to no worker: their shoppers "
            "get no experiences.",
            section="a-partition-has-no-owner",
        ),
        Alert(
            name="HotbasketEventsFail",
            severity="ticket",
            expression=grown(options, "hotbasket_failed_events", 15 * MINUTE_S, FAILED_MAX, by="reason"),
            for_s=0,
            at_once="the window is the patience, and what failed does not get well by waiting",
            summary="Events can't be processed",
            description="About {{ $value | humanize }} events failed in a quarter of an hour: {{ $labels.reason }}.",
            section="events-cant-be-processed",
        ),
    )


def _keeping(options: Options) -> tuple[Alert, ...]:
    failures = f"{options.of('hotbasket_checkpoint_failures_total')}[{options.window(5 * MINUTE_S)}]"
    return (
        Alert(
            name="HotbasketCheckpointsFail",
            severity="ticket",
            expression=f"increase({failures}) > 0",
            for_s=10 * MINUTE_S,
            summary="Checkpoints fail again and again",
            description="About {{ $value | humanize }} checkpoints of {{ $labels.instance }} failed in five minutes.",
            section="checkpoints-fail",
        ),
        Alert(
            name="HotbasketCheckpointsOld",
            severity="ticket",
            expression=f"{options.of('hotbasket_checkpoint_age_seconds')} > {CHECKPOINT_AGE_S}",
            for_s=5 * MINUTE_S,
            summary="A worker does not save",
            description="{{ $labels.instance }} last began a checkpoint {{ $value | humanizeDuration }} ago.",
            section="checkpoints-fail",
        ),
        Alert(
            name="HotbasketLogGap",
            severity="page",
            expression=grown(options, "hotbasket_log_gap_records", HOUR_S, 0, by="job, instance"),
            for_s=0,
            at_once="each record that the log no longer had is lost to its reader for good, and more may follow",
            summary="The log dropped records before they were read",
            description="About {{ $value | humanize }} records were gone when {{ $labels.instance }} came for them.",
            section=_ARCHIVER,
        ),
    )


def _archiving(options: Options) -> tuple[Record | Alert, ...]:
    kept_s = options.scaled(options.log_days * DAY_S)
    lag = "hotbasket_archive_lag_seconds"
    silent_s = f"time() - ({_UNARCHIVED} > 0)"
    said = f"{{{{ $value | humanizeDuration }}}} old; Kafka keeps {options.log_days} days."
    return (
        Record(_UNARCHIVED, _unarchived(options)),
        Alert(
            name="HotbasketArchiverLags",
            severity="ticket",
            expression=_at_most(options, lag, 5 * MINUTE_S, kept_s // 4),
            for_s=15 * MINUTE_S,
            summary="An archiver lags by a quarter of the log's retention",
            description=f"The oldest event that {{{{ $labels.instance }}}} has to copy is {said}",
            section=_ARCHIVER,
        ),
        Alert(
            name="HotbasketArchiverNearlyTooLate",
            severity="page",
            # A dead archiver says nothing of its lag: it is at least as old as its silence.
            expression=f"{_at_most(options, lag, 5 * MINUTE_S, kept_s * 3 // 4)}\nor\n{silent_s} > {kept_s * 3 // 4}",
            for_s=15 * MINUTE_S,
            summary="Events are about to leave the log before they are archived",
            description=f'The oldest event that {{{{ or $labels.instance "no archiver" }}}} has to copy is {said}',
            section=_ARCHIVER,
        ),
        Alert(
            name="HotbasketNothingArchived",
            severity="ticket",
            expression=f"{silent_s} > {options.scaled(SILENT_S)}",
            for_s=0,
            at_once="the silence is the patience, and lasts until something is archived",
            summary="Events are stored and none is archived",
            description="Events have been stored for {{ $value | humanizeDuration }}, and no archiver copies any.",
            section=_ARCHIVER,
        ),
    )


def _unarchived(options: Options) -> str:
    """Gives since when events are stored and none is archived, seconds since 1970; 0 while they are.

    It goes by what it said before, for a day, so that neither a quiet night nor a restart of Prometheus ends it. An
    archiver that came since and has copied something ends it, though all was copied between two scrapes.
    """
    window, before = options.window(SILENT_S), options.window(DAY_S)
    archived, born = (options.of(f"hotbasket_archived_records_{one}") for one in ("total", "created"))
    since = f"(last_over_time({_UNARCHIVED}[{before}]) > 0)"
    anew = f"{archived} and on (job, instance, kind) ({born} > on () group_left () {since})"
    return (
        f"(vector(0) and on () sum(rate({archived}[{window}])) > 0)\n"
        f"or (vector(0) and on () sum({anew}) > 0)\n"
        f"or {since}\n"
        f"or (vector(time()) and on () sum(increase({_stored(options)}[{window}])) > 0)\n"
        "or vector(0)"
    )


def _at_most(options: Options, gauge: str, window_s: int, above: int) -> str:
    """Gives where the most that a gauge said in a window is above a bound: lags are 0 between two batches."""
    return f"max_over_time({options.of(gauge)}[{options.window(window_s)}]) > {above}"


def _stored(options: Options) -> str:
    return options.of("hotbasket_events_total", 'outcome="stored"')
