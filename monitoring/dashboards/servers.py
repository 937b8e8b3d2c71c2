"""Dashboard *Kafka, ScyllaDB & Postgres*: is it a server, and which? First what we notice, then what they say."""

from __future__ import annotations

from monitoring.dashboards.panels import Board, Chart, Limits, Query, Row, slowest, spread
from monitoring.dashboards.promql import else_zero, grown, most, of, quantile, rate

_NORMAL = 3
"""ScyllaDB's number of the mode in which a node serves."""
_HIT = rate("pg_stat_database_blks_hit", by="datname")
_READ = rate("pg_stat_database_blks_read", by="datname")

_NOTICED = Row(
    title="What hotbasket notices",
    width=6,
    panels=(
        Chart(
            title="Log commit",
            description="Duration of one flush of the event log as gateways see it; a p95 over 0.1 s is bad: Kafka's "
            "disks, its network, or too few in-sync replicas.",
            unit="s",
            queries=spread("hotbasket_log_commit_seconds"),
            limits=Limits(warn=0.05, bad=0.1),
        ),
        Chart(
            title="Statement duration, p95",
            description="Time that statements of the hot store take as processes see it; over 0.1 s a shopper who "
            "returns waits, over 2 s statements time out.",
            unit="s",
            queries=slowest("hotbasket_store_seconds", "statement"),
            limits=Limits(warn=0.1, bad=2),
        ),
        Chart(
            title="Statement errors",
            description="Statements of the hot store a second that failed, by what they do; anything that stays above "
            "0 is bad.",
            unit="cps",
            queries=(Query(rate("hotbasket_store_errors_total", by="statement"), "{{statement}}"),),
        ),
        Chart(
            title="Control data",
            description="Time since each process last reached Postgres for what changed; over 2 s a change comes "
            "late, and budgets are leased late too.",
            unit="s",
            queries=(Query(of("hotbasket_control_age_seconds"), "{{instance}}"),),
            limits=Limits(warn=2, bad=30),
        ),
        Chart(
            title="Refused and lost by the log",
            description="Events that the log did not take, and records gone before they were read; the first comes "
            "from full queues, the second from a retention that is too short.",
            unit="none",
            queries=(
                Query(grown("hotbasket_log_refused_events_total"), "refused"),
                Query(grown("hotbasket_log_gap_records_total"), "gone"),
            ),
        ),
        Chart(
            title="Rebalances, producer restarts",
            description="How often a group dealt its partitions anew and a producer was replaced; without a "
            "deployment anything but 0 is bad: brokers or the network come and go.",
            unit="none",
            queries=(
                Query(grown("hotbasket_rebalances_total"), "rebalances"),
                Query(grown("hotbasket_producer_restarts_total"), "producer restarts"),
            ),
        ),
        Chart(
            title="Looks at control data that failed",
            description="Looks at Postgres that failed; what stays above 0 is bad, and what was last known stays in "
            "force.",
            unit="none",
            queries=(Query(grown("hotbasket_control_errors_total", by="instance"), "{{instance}}"),),
        ),
        Chart(
            title="Budgets not leased",
            description="Dealings with the ledger in Postgres that failed; while it lasts campaigns lose for want of "
            "budget.",
            unit="none",
            queries=(Query(grown("hotbasket_worker_errors_total", 'what=~"leases|budgets"', by="what"), "{{what}}"),),
        ),
    ),
)

_KAFKA = Row(
    title="Kafka, by kafka_exporter",
    width=8,
    panels=(
        Chart(
            title="Brokers",
            description="Brokers of the cluster; one less than there are is bad: partitions have fewer replicas.",
            unit="none",
            queries=(Query(most("kafka_brokers"), "brokers"),),
        ),
        Chart(
            title="Under-replicated partitions",
            description="Partitions with fewer replicas in sync than they have; what stays above 0 is bad: one more "
            "broker down and appends are refused.",
            unit="none",
            queries=(Query(f"sum by (topic) ({of('kafka_topic_partition_under_replicated_partition')})", "{{topic}}"),),
            limits=Limits(warn=1, bad=1),
        ),
        Chart(
            title="Records behind",
            description="Records that each group has not committed yet; it saws by a checkpoint's worth, and what "
            "only grows is bad.",
            unit="none",
            queries=(
                Query(most("kafka_consumergroup_lag_sum", by="consumergroup, topic"), "{{consumergroup}} {{topic}}"),
            ),
        ),
        Chart(
            title="Records appended",
            description="Records a second by topic; none while pages are open is bad.",
            unit="cps",
            queries=(
                Query(
                    f"sum by (topic) (deriv({of('kafka_topic_partition_current_offset')}[$__rate_interval]))",
                    "{{topic}}",
                ),
            ),
        ),
        Chart(
            title="Members of groups",
            description="Consumers of each group; fewer than there are workers or archivers is bad.",
            unit="none",
            queries=(Query(most("kafka_consumergroup_members", by="consumergroup"), "{{consumergroup}}"),),
        ),
        Chart(
            title="Leaders out of place",
            description="Partitions that another broker leads than is preferred; many of them load one broker with "
            "the work of others.",
            unit="none",
            queries=(
                Query(else_zero(f"count({of('kafka_topic_partition_leader_is_preferred')} == 0)"), "out of place"),
            ),
        ),
    ),
)

_SCYLLA = Row(
    title="ScyllaDB, by itself on port 9180",
    width=8,
    panels=(
        Chart(
            title="Nodes not serving",
            description="Nodes in another mode than normal: they start, leave or drain; more than a replica's worth "
            "at once is an outage.",
            unit="none",
            queries=(Query(else_zero(f"count({of('scylla_node_operation_mode')} != {_NORMAL})"), "not serving"),),
            limits=Limits(warn=1, bad=2),
        ),
        Chart(
            title="Load of the busiest shard",
            description="Share of time that a node's busiest shard works; near 100 % statements wait, while others "
            "may be idle.",
            unit="percent",
            queries=(Query(most("scylla_reactor_utilization", by="instance"), "{{instance}}"),),
            limits=Limits(warn=80, bad=95),
        ),
        Chart(
            title="Requests served",
            description="Requests a second by node; one node far above the others is bad: its shoppers' rows are hot.",
            unit="reqps",
            queries=(Query(rate("scylla_transport_requests_served", by="instance"), "{{instance}}"),),
        ),
        Chart(
            title="Coordinator latency, p95",
            description="Time that coordinators take for reads and writes; far below what hotbasket notices, the time "
            "goes on the network or in a process of ours.",
            unit="µs",
            queries=(
                Query(quantile(0.95, "scylla_storage_proxy_coordinator_read_latency"), "read"),
                Query(quantile(0.95, "scylla_storage_proxy_coordinator_write_latency"), "write"),
            ),
            limits=Limits(warn=50_000, bad=1_000_000),
        ),
        Chart(
            title="Timeouts, unavailable",
            description="Reads and writes a second that timed out or found too few replicas; anything above 0 is bad.",
            unit="cps",
            queries=(
                Query(rate("scylla_storage_proxy_coordinator_read_timeouts"), "read timeouts"),
                Query(rate("scylla_storage_proxy_coordinator_write_timeouts"), "write timeouts"),
                Query(rate("scylla_storage_proxy_coordinator_read_unavailable"), "read unavailable"),
                Query(rate("scylla_storage_proxy_coordinator_write_unavailable"), "write unavailable"),
            ),
        ),
        Chart(
            title="Pending compactions",
            description="Compactions that wait, by node; a number that only grows is bad: reads become slower, and "
            "the disk fills.",
            unit="none",
            queries=(
                Query(f"sum by (instance) ({of('scylla_compaction_manager_pending_compactions')})", "{{instance}}"),
            ),
        ),
    ),
)

_POSTGRES = Row(
    title="Postgres, by postgres_exporter",
    width=8,
    panels=(
        Chart(
            title="Up",
            description="Whether the exporter reaches Postgres, 1 or 0; at 0 nobody can change anything, and what is "
            "known stays.",
            unit="none",
            queries=(Query(of("pg_up"), "{{instance}}"),),
            limits=Limits(warn=1, bad=1),
        ),
        Chart(
            title="Connections used",
            description="Share of the connections that Postgres allows; near 100 % processes that start find none.",
            unit="percentunit",
            queries=(
                Query(
                    f"sum by (instance) ({of('pg_stat_database_numbackends')})"
                    f" / {most('pg_settings_max_connections', by='instance')}",
                    "{{instance}}",
                ),
            ),
            limits=Limits(warn=0.8, bad=0.95),
        ),
        Chart(
            title="Transactions",
            description="Transactions a second by their end; many rolled back are bad: somebody's changes collide.",
            unit="cps",
            queries=(
                Query(rate("pg_stat_database_xact_commit"), "committed"),
                Query(rate("pg_stat_database_xact_rollback"), "rolled back"),
            ),
        ),
        Chart(
            title="Longest transaction",
            description="Age of the oldest transaction by database; minutes are bad: it keeps others waiting, and "
            "dead rows from being removed.",
            unit="s",
            queries=(Query(most("pg_stat_activity_max_tx_duration", by="datname"), "{{datname}}"),),
            limits=Limits(warn=60, bad=300),
        ),
        Chart(
            title="Deadlocks, reads from disk",
            description="Deadlocks, and the share of blocks that were not in memory; the first should be none, much "
            "of the second wants more memory.",
            unit="none",
            queries=(
                Query(grown("pg_stat_database_deadlocks", by="datname"), "deadlocks {{datname}}"),
                Query(f"{_READ} / (({_HIT} + {_READ}) > 0)", "from disk {{datname}}"),
            ),
        ),
        Chart(
            title="Size",
            description="Bytes of each database; catalogues, audit trail and requests grow slowly, so a jump is worth "
            "a look.",
            unit="bytes",
            queries=(Query(most("pg_database_size_bytes", by="datname"), "{{datname}}"),),
        ),
    ),
)

SERVERS = Board(
    uid="hotbasket-servers",
    title="hotbasket: Kafka, ScyllaDB & Postgres",
    description="Is it a server, and which? First what hotbasket notices, then what the servers say of themselves.",
    rows=(_NOTICED, _KAFKA, _SCYLLA, _POSTGRES),
    told_by="up",
)
