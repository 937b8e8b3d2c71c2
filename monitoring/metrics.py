"""Every metric of every process, declared once: prefix `hotbasket_`, base units, bounded labels, never a shopper."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from monitoring.labels import BORN
from monitoring.plain import PlainCounter, PlainGauge, PlainHistogram

LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Buckets of latencies; 0.25 s is the contract's bound."""
FOLD_S = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1)
"""Buckets of what one event costs a processor."""


class StreamMetrics:
    """What the gateway's streams feed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams_open = Gauge("hotbasket_streams_open", "Open experience streams", registry=registry)
        self.streams_max = Gauge("hotbasket_streams_max", "Streams that may be open at once", registry=registry)
        self.streams_slow = Gauge(
            "hotbasket_streams_slow", "Open streams more than half of whose queue is full", registry=registry
        )
        self.streams_dropped = Counter(
            "hotbasket_streams_dropped", "Streams closed by us, by reason", ["reason"], registry=registry
        )
        self.delivered = Counter(
            "hotbasket_delivered_experiences", "Experiences put on a stream, by kind", ["kind"], registry=registry
        )
        self.experience_s = Histogram(
            "hotbasket_experience_seconds",
            "Event received to experience on the stream",
            buckets=LATENCY_S,
            registry=registry,
        )


class GatewayMetrics(StreamMetrics):
    """What the gateway feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        StreamMetrics.__init__(self, registry)
        self.events = PlainCounter("hotbasket_events", "Events answered, by type and outcome", ("type", "outcome"))
        registry.register(self.events)
        self.refused_requests = Counter(
            "hotbasket_refused_requests",
            "Requests refused, by status and error",
            ["status", "error"],
            registry=registry,
        )
        self.ack_s = PlainHistogram("hotbasket_ack_seconds", "Request received to answer, POST /v1/events", LATENCY_S)
        registry.register(self.ack_s)
        self.redacted = Counter(
            "hotbasket_redacted_values", "Personal data found in free text, by kind", ["kind"], registry=registry
        )
        self.waits_refused = Counter(
            "hotbasket_waits_refused",
            "Requests answered without the wait they asked for: too many wait",
            registry=registry,
        )
        self.recent_evicted = Counter(
            "hotbasket_recent_evicted", "Experiences that left a gateway's full memory early", registry=registry
        )
        self.erased_on_withdrawal = Counter(
            "hotbasket_erased_on_withdrawal",
            "Shoppers who withdrew consent where that begins an erasure, by whether it has begun",
            ["outcome"],
            registry=registry,
        )
        self.gateway_errors = Counter(
            "hotbasket_gateway_errors", "Errors at the gateway's edge, by what failed", ["what"], registry=registry
        )
        self.gateway_ready = Gauge(
            "hotbasket_gateway_ready", "1 while this gateway's /health/ready says ready", registry=registry
        )


class WorkerMetrics:
    """What the worker feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.processed = Counter("hotbasket_processed_events", "Events processed, by type", ["type"], registry=registry)
        self.repeats = Counter("hotbasket_repeated_events", "Events absorbed as repeats", registry=registry)
        self.meaning_faults = Counter(
            "hotbasket_meaning_faults",
            "Events stored whose meaning does not fit the state",
            ["fault"],
            registry=registry,
        )
        self.decided = Counter(
            "hotbasket_decided_experiences", "Experiences decided, by kind", ["kind"], registry=registry
        )
        self.failed = Counter(
            "hotbasket_failed_events", "Events that could not be processed", ["reason"], registry=registry
        )
        self.lag_s = Gauge(
            "hotbasket_worker_lag_seconds", "Age of the oldest event in hand, 0 when there is none", registry=registry
        )
        self.batch_s = Histogram(
            "hotbasket_batch_seconds", "Poll to closing Progress of one batch", buckets=LATENCY_S, registry=registry
        )
        self.batch_events = Histogram(
            "hotbasket_batch_events",
            "Events of one batch",
            buckets=(1, 2, 5, 10, 50, 100, 500, 2000),
            registry=registry,
        )
        self.fold_s = Histogram(
            "hotbasket_fold_seconds",
            "Folding and deciding one event, the mean of its batch",
            buckets=FOLD_S,
            registry=registry,
        )
        self.checkpoint_s = Histogram(
            "hotbasket_checkpoint_seconds", "Duration of a checkpoint", buckets=LATENCY_S, registry=registry
        )
        self.checkpoint_age_s = Gauge(
            "hotbasket_checkpoint_age_seconds", "Since the last checkpoint", registry=registry
        )
        self.checkpoint_failures = Counter(
            "hotbasket_checkpoint_failures", "Checkpoints that failed", registry=registry
        )
        self.worker_errors = Counter(
            "hotbasket_worker_errors", "Errors at the worker's loop, by what failed", ["what"], registry=registry
        )


class ShopperMetrics:
    """What the worker feeds of the shoppers in memory, and of what becomes of their experiences."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.residents = Gauge("hotbasket_residents", "Shoppers in memory", registry=registry)
        self.residents_max = Gauge("hotbasket_residents_max", "Shoppers that may be in memory", registry=registry)
        self.activations = Counter("hotbasket_activations", "Shoppers brought into memory", registry=registry)
        self.passivations = Counter(
            "hotbasket_passivations", "Shoppers put out of memory, by cause", ["cause"], registry=registry
        )
        self.timers_armed = Gauge("hotbasket_timers_armed", "Pending idle timers", registry=registry)
        self.fates = Counter(
            "hotbasket_experience_fates",
            "What became of experiences decided before, by kind and fate",
            ["kind", "fate"],
            registry=registry,
        )


class CampaignMetrics:
    """What the worker feeds of campaigns; which campaign it was, their page and the warehouse say, never a label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.held_out = Counter(
            "hotbasket_held_out_experiences",
            "Experiences kept from shoppers who are held out, by kind",
            ["kind"],
            registry=registry,
        )
        self.campaigns_lost = Counter(
            "hotbasket_campaigns_lost",
            "Campaigns that a node proposed and that lost, by reason; the first few of each event",
            ["reason"],
            registry=registry,
        )
        self.clamped = Counter(
            "hotbasket_clamped_experiences",
            "Experiences whose generosity lay outside their campaign's bounds",
            registry=registry,
        )
        self.reserved_minor = Counter(
            "hotbasket_reserved_minor_units", "Promised against budgets, in minor units of money", registry=registry
        )
        self.reservations = Counter("hotbasket_reservations", "Promises made against budgets", registry=registry)
        self.settlements = Counter(
            "hotbasket_settlements", "Promises redeemed, given back or over, by cause", ["cause"], registry=registry
        )


class RetailerMetrics:
    """What the worker knows of each retailer; the label is the name that an operator gave it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def by_retailer(name: str, documentation: str) -> PlainGauge:
            gauge = PlainGauge(f"hotbasket_{name}", documentation, ("retailer",))
            registry.register(gauge)
            return gauge

        self.trees_in_force = by_retailer("tree_generation_in_force", "Newest generation of trees that actors follow")
        self.trees_released_at_s = by_retailer(
            "tree_release_timestamp_seconds", "When the generation in force became visible"
        )
        self.budget_minor = by_retailer(
            "budget_minor_units", "Budgets of the open campaigns, in minor units of money; those without a limit apart"
        )
        self.budget_reserved_minor = by_retailer(
            "budget_reserved_minor_units", "Of the budgets of open campaigns, what is promised and not redeemed"
        )
        self.budget_left_minor = by_retailer(
            "budget_left_minor_units", "Of the budgets of open campaigns, what is neither promised nor redeemed"
        )


class OwnershipMetrics:
    """What the worker feeds of the partitions that it owns."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.partitions_owned = Gauge("hotbasket_partitions_owned", "Partitions of this worker", registry=registry)
        self.takeovers = Counter("hotbasket_takeovers", "Partitions taken", registry=registry)
        self.fenced = Counter(
            "hotbasket_fenced_owners", "Partitions found to be owned by somebody newer", registry=registry
        )


class LogMetrics:
    """What the log's adapter feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.log_commit_s = Histogram(
            "hotbasket_log_commit_seconds", "Duration of one flush of the log", buckets=LATENCY_S, registry=registry
        )
        self.log_queue_events = Gauge(
            "hotbasket_log_queue_events", "Events waiting for the log's flush", registry=registry
        )
        self.log_queue_max = Gauge(
            "hotbasket_log_queue_max_events", "Events that may wait for the log's flush", registry=registry
        )
        self.log_refused = Counter(
            "hotbasket_log_refused_events", "Events refused by a full or failing log", registry=registry
        )


class KafkaMetrics:
    """What the Kafka adapters feed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rebalances = Counter(
            "hotbasket_rebalances", "Times that this consumer's group dealt partitions anew", registry=registry
        )
        self.producer_restarts = Counter(
            "hotbasket_producer_restarts", "Producers that died and were replaced", registry=registry
        )
        self.log_gap_records = Counter(
            "hotbasket_log_gap_records",
            "Records that the log no longer had when they were to be read: retention was too short",
            registry=registry,
        )


class ScyllaMetrics:
    """What the ScyllaDB adapters feed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.store_s = Histogram(
            "hotbasket_store_seconds",
            "Duration of one statement of the hot store, by what it does",
            ["statement"],
            buckets=LATENCY_S,
            registry=registry,
        )
        self.store_errors = Counter(
            "hotbasket_store_errors", "Statements of the hot store that failed", ["statement"], registry=registry
        )


class ControlMetrics:
    """What the control plane's cache feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.control_age_s = Gauge(
            "hotbasket_control_age_seconds", "Since the control data was last looked at", registry=registry
        )
        self.control_errors = Counter(
            "hotbasket_control_errors", "Looks at the control data that failed", registry=registry
        )


class PrivacyMetrics:
    """What the privacy worker feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.privacy_open = Gauge(
            "hotbasket_privacy_requests_open",
            "Privacy requests that are not done, by kind and by what they wait for",
            ["kind", "stage"],
            registry=registry,
        )
        self.privacy_oldest_s = Gauge(
            "hotbasket_privacy_oldest_request_seconds",
            "Age of the oldest privacy request that is not done, 0 when there is none",
            registry=registry,
        )
        self.privacy_overdue = Gauge(
            "hotbasket_privacy_requests_overdue", "Privacy requests past their deadline", registry=registry
        )
        self.privacy_errors = Counter(
            "hotbasket_privacy_errors", "Attempts at a privacy request that failed", registry=registry
        )
        self.privacy_too_old_s = Gauge(
            "hotbasket_privacy_too_old_seconds",
            "Seconds by which the oldest record of a store is beyond what its retailer allows, 0 when none is",
            ["store"],
            registry=registry,
        )
        self.privacy_checked_at_s = Gauge(
            "hotbasket_privacy_check_timestamp_seconds",
            "When all stores were last searched for what is too old",
            registry=registry,
        )


class ArchiverMetrics:
    """What the archiver feeds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.archived = Counter(
            "hotbasket_archived_records",
            "Records copied from the log to the event store: event, decided, failed",
            ["kind"],
            registry=registry,
        )
        self.archive_lag_s = Gauge(
            "hotbasket_archive_lag_seconds",
            "Age of the oldest event being archived, 0 when there is none",
            registry=registry,
        )
        self.archive_errors = Counter(
            "hotbasket_archive_errors", "Attempts to archive that failed, by what failed", ["what"], registry=registry
        )
        self.archive_batch_s = Histogram(
            "hotbasket_archive_batch_seconds",
            "Poll to stored of one batch",
            buckets=LATENCY_S,
            registry=registry,
        )


class BatchMetrics:
    """What a job of the cold half leaves behind of its last run, since it is gone when anybody could scrape it.

    Every metric has a label, so that a job exports only what it measured; none is called `job`: Prometheus and its
    Pushgateway have their own.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.job_s = Gauge("hotbasket_job_seconds", "Duration of a job's last run", ["step"], registry=registry)
        self.job_succeeded_at_s = Gauge(
            "hotbasket_job_last_success_timestamp_seconds", "When a job last succeeded", ["step"], registry=registry
        )
        self.job_failed = Gauge(
            "hotbasket_job_failed", "1 when a job's last run failed, else 0", ["step"], registry=registry
        )
        self.cooled = Gauge(
            "hotbasket_cooled_rows",
            "Rows of the last cooling: in = merged + repeated + failed; missing is a fault",
            ["fate"],
            registry=registry,
        )
        self.model_quality = Gauge(
            "hotbasket_model_quality",
            "Of the last evaluation, 0..1, by model and measure",
            ["model", "measure"],
            registry=registry,
        )
        self.trees = Gauge("hotbasket_batch_trees", "Trees of the last run, by fate", ["fate"], registry=registry)
        self.tree_generation = Gauge(
            "hotbasket_tree_generation", "Generation that the last push made visible", ["retailer"], registry=registry
        )


class Metrics(
    GatewayMetrics,
    WorkerMetrics,
    ShopperMetrics,
    CampaignMetrics,
    RetailerMetrics,
    OwnershipMetrics,
    LogMetrics,
    KafkaMetrics,
    ScyllaMetrics,
    ControlMetrics,
    PrivacyMetrics,
    ArchiverMetrics,
):
    """The metrics of one process, on one registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for part in Metrics.__bases__:
            part.__init__(self, self.registry)  # type: ignore[misc]  # they are the parts above, each with a registry
        for name, series in BORN.items():
            for labels in series:
                getattr(self, name).labels(*labels)
        Gauge(
            "hotbasket_clock_timestamp_seconds", "This process's wall clock at the scrape", registry=self.registry
        ).set_function(time.time)
