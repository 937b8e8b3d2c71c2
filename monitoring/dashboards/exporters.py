"""Metrics of the servers that dashboards show, as their exporters name them.

Kafka is asked by kafka_exporter (1.9), Postgres by postgres_exporter (0.15 and newer, its usual collectors); ScyllaDB
serves its own on port 9180. An installation without one of them sees `No data` in its panels.
"""

from __future__ import annotations

from typing import Final, Literal

Type = Literal["gauge", "counter"]

EXPORTED: Final[dict[str, Type]] = {
    "kafka_brokers": "gauge",
    "kafka_consumergroup_lag_sum": "gauge",
    "kafka_consumergroup_members": "gauge",
    "kafka_topic_partition_current_offset": "gauge",
    "kafka_topic_partition_leader_is_preferred": "gauge",
    "kafka_topic_partition_under_replicated_partition": "gauge",
    "pg_database_size_bytes": "gauge",
    "pg_settings_max_connections": "gauge",
    "pg_stat_activity_max_tx_duration": "gauge",
    "pg_stat_database_blks_hit": "counter",
    "pg_stat_database_blks_read": "counter",
    "pg_stat_database_deadlocks": "counter",
    "pg_stat_database_numbackends": "gauge",
    "pg_stat_database_xact_commit": "counter",
    "pg_stat_database_xact_rollback": "counter",
    "pg_up": "gauge",
    "scylla_compaction_manager_pending_compactions": "gauge",
    "scylla_node_operation_mode": "gauge",
    "scylla_reactor_utilization": "gauge",
    "scylla_storage_proxy_coordinator_read_latency_bucket": "counter",
    "scylla_storage_proxy_coordinator_read_timeouts": "counter",
    "scylla_storage_proxy_coordinator_read_unavailable": "counter",
    "scylla_storage_proxy_coordinator_write_latency_bucket": "counter",
    "scylla_storage_proxy_coordinator_write_timeouts": "counter",
    "scylla_storage_proxy_coordinator_write_unavailable": "counter",
    "scylla_transport_requests_served": "counter",
}
"""By name, whether it is to be rated; an offset only grows, but its exporter calls it a gauge."""
