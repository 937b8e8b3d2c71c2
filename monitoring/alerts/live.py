"""Alerts on the live path: what needs a person although, or because, nothing comes through that could be late."""

from __future__ import annotations

from monitoring.alerts.rules import DAY_S, HOUR_S, MINUTE_S, Alert, Group, Options
from monitoring.alerts.steps import grown

_LATE = "experiences-come-late"
_ARCHIVER = "the-archiver-dies-or-lags"
LAG_S = 5
"""Of a worker, before somebody is woken up."""
IDLE_PER_S = 0.1
"""Events a second below which it may be chance that none was processed: a labelled counter is born with its first."""
CHECKPOINT_AGE_S = 60
CONTROL_AGE_S = 30
FAILED_MAX = 10
"""Failed events of one reason in a quarter of an hour that are no burst yet."""


def live(options: Options) -> Group:
    """Gives the group."""
    archiving = _archiving(options) if options.archiver else ()
    return Group("hotbasket, live path", (*_serving(options), *_working(options), *_keeping(options), *archiving))


def _serving(options: Options) -> tuple[Alert, ...]:
    seen = f"last_over_time({options.of('hotbasket_streams_open')}[{options.window(DAY_S)}])"
    return (
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
            # Other jobs of the same Prometheus are none of ours: a process is one that was scraped as such this day.
            expression=f"up == 0\nand on (job, instance)\n{seen}",
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
    )


def _working(options: Options) -> tuple[Alert, ...]:
    window = options.window(5 * MINUTE_S)
    processed = options.of("hotbasket_processed_events_total")
    return (
        Alert(
            name="HotbasketWorkerLags",
            severity="page",
            expression=f"{options.of('hotbasket_worker_lag_seconds')} > {LAG_S}",
            for_s=2 * MINUTE_S,
            summary="A worker lags",
            description="The oldest event in hand at {{ $labels.instance }} is {{ $value | humanizeDuration }} old.",
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


def _archiving(options: Options) -> tuple[Alert, ...]:
    window, kept_s = options.window(30 * MINUTE_S), options.scaled(options.log_days * DAY_S)
    lag, archived = options.of("hotbasket_archive_lag_seconds"), options.of("hotbasket_archived_records_total")
    said = "The oldest event that {{ $labels.instance }} has to copy is {{ $value | humanizeDuration }} old; "
    said += f"Kafka keeps {options.log_days} days."
    return (
        Alert(
            name="HotbasketArchiverLags",
            severity="ticket",
            expression=f"{lag} > {kept_s // 4}",
            for_s=15 * MINUTE_S,
            summary="An archiver lags by a quarter of the log's retention",
            description=said,
            section=_ARCHIVER,
        ),
        Alert(
            name="HotbasketArchiverNearlyTooLate",
            severity="page",
            expression=f"{lag} > {kept_s * 3 // 4}",
            for_s=15 * MINUTE_S,
            summary="Events are about to leave the log before they are archived",
            description=said,
            section=_ARCHIVER,
        ),
        Alert(
            name="HotbasketNothingArchived",
            severity="ticket",
            # Where nothing was ever archived, as in the embedded system, nothing has to be.
            expression=f"sum(rate({_stored(options)}[{window}])) > {IDLE_PER_S}\n"
            f"and on ()\n(sum(rate({archived}[{window}])) or vector(0)) == 0\n"
            f"and on ()\nsum(last_over_time({archived}[{options.window(DAY_S)}])) > 0",
            for_s=30 * MINUTE_S,
            summary="Events are stored and none is archived",
            description="{{ $value | humanize }} events a second are stored, and no archiver copies any.",
            section=_ARCHIVER,
        ),
    )


def _stored(options: Options) -> str:
    return options.of("hotbasket_events_total", 'outcome="stored"')
