"""Every setting of every process, from `HOTBASKET_*` environment variables, typed, bounded and frozen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import Refused

KIB = 1_024


class Settings(BaseSettings):
    """All settings; each field says its unit, its default and what it bounds or sets."""

    model_config = SettingsConfigDict(env_prefix="HOTBASKET_", frozen=True, extra="forbid")

    metrics_port: int = Field(default=9464, ge=0, le=65_535, description="port of metrics and operator's page; 0 = any")

    metrics_host: str = Field(default="127.0.0.1", description="address of /metrics; 0.0.0.0 = every one")
    worker_id: str = Field(
        default="",
        pattern=r"^[a-zA-Z0-9._-]{0,100}$",
        description="stable name of this machine's workers and archivers; empty = the host's name",
    )
    trace_lines_per_s: int = Field(
        default=50, ge=0, le=10_000, description="log lines a second about sampled traces, of one process; 0 = none"
    )

    # Gateway: what a request may be.
    event_bytes_max: int = Field(default=32 * KIB, ge=KIB, le=1_024 * KIB, description="bytes of one event")
    body_bytes_max: int = Field(
        default=500 * KIB, ge=KIB, le=16_384 * KIB, description="bytes of one request, inflated"
    )
    body_idle_s: float = Field(default=10.0, gt=0, le=300, description="seconds without a body byte before 408")
    body_total_s: float = Field(default=30.0, gt=0, le=600, description="seconds for a whole body before 408")
    requests_max: int = Field(default=10_000, ge=1, description="requests in flight in one gateway, then 503")
    rate_events_per_s: int = Field(default=20_000, ge=1, description="events a second of one write key, then 429")
    log_queue_events_max: int = Field(default=20_000, ge=1, description="events waiting for the log's flush, then 503")
    append_timeout_s: float = Field(
        default=1.0, gt=0, le=30, description="seconds to wait for the log's flush, then 503"
    )
    wait_max_s: float = Field(default=2.0, ge=0, le=30, description="longest `Prefer: wait`, seconds")
    waits_max: int = Field(
        default=5_000, ge=1, description="requests waiting for their experiences at once, beyond no wait"
    )

    # Gateway: streams.
    streams_max: int = Field(default=20_000, ge=1, description="open streams in one gateway, then 503")
    streams_per_retailer_max: int = Field(default=20_000, ge=1, description="open streams of one retailer, then 429")
    streams_per_shopper_max: int = Field(
        default=8, ge=1, description="open streams of one shopper; the oldest is closed"
    )
    stream_queue_max: int = Field(
        default=64, ge=1, description="messages waiting in one stream; a slower reader is dropped"
    )
    stream_comment_s: float = Field(default=15.0, gt=0, le=120, description="seconds between a stream's comments")
    recent_s: float = Field(
        default=60.0, ge=1, description="seconds of experiences kept in a gateway's memory for resumes"
    )
    recent_max: int = Field(default=200_000, ge=1, description="experiences kept in a gateway's memory for resumes")
    subscription_s: int = Field(default=3_600, ge=1, le=86_400, description="seconds that a subscription token lasts")
    drain_s: float = Field(
        default=10.0, gt=0, le=60, description="seconds that a stopping gateway waits for its requests"
    )

    # Gateway: rewards that were won.
    claim_days: int = Field(
        default=30, ge=1, le=365, description="days that a winner may take to leave an e-mail address"
    )
    claims_max: int = Field(
        default=256, ge=1, le=10_000, description="claims waiting for the vault in one gateway, then 503"
    )

    # Privacy.
    privacy_due_days: int = Field(
        default=30, ge=1, le=90, description="days within which a privacy request has to be done"
    )
    export_days: int = Field(default=7, ge=1, le=30, description="days that what an export brought can be fetched")

    # Backups.
    backup_days: int = Field(
        default=28, ge=1, le=89, description="days until a backup's key is removed; below privacy_due_days"
    )
    backup_keys: str = Field(
        default="",
        description="folder of backups' keys, where no backup is; empty = beside the data directory, embedded only",
    )

    # Worker.
    poll_records_max: int = Field(default=2_000, ge=1, le=100_000, description="records of one batch")
    checkpoint_s: float = Field(default=1.0, gt=0, le=60, description="seconds between checkpoints")
    residents_max: int = Field(
        default=200_000, ge=1, description="shoppers in memory; beyond, the longest idle are passivated"
    )
    resident_idle_s: float = Field(
        default=3_600.0, gt=0, description="seconds without an event before a shopper is passivated"
    )
    failed_days: int = Field(default=14, ge=1, le=365, description="days that a failed event's payload is kept")
    hot_days: int = Field(default=14, ge=1, le=49, description="days that raw events stay in the event store")

    # Servers: where production's logs and stores are. Embedded needs none of them.
    kafka: str = Field(default="", description="Kafka brokers, host:port,host:port; empty = none")
    kafka_topics: str = Field(
        default="hotbasket", pattern=r"^[a-zA-Z0-9._-]{1,100}$", description="topics are NAME.events, NAME.experiences"
    )
    kafka_ca_file: str = Field(default="", description="PEM file that signs the brokers' certificates; empty = no TLS")
    kafka_user: str = Field(default="", description="SASL/SCRAM-SHA-512 user; empty = no password is asked for")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="of kafka_user")
    kafka_session_s: float = Field(
        default=10.0, ge=1, le=300, description="seconds without a sign of life before a worker's partitions move"
    )
    kafka_checkpoint_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds between a worker's checkpoints on Kafka"
    )
    kafka_batch_bytes: int = Field(
        default=512 * KIB,
        ge=64 * KIB,
        le=16_384 * KIB,
        description="largest batch; below the topics' message.max.bytes",
    )
    scylla: str = Field(default="", description="ScyllaDB or Cassandra nodes, host:port,host:port; empty = none")
    scylla_keyspace: str = Field(default="hotbasket", pattern=r"^[a-z][a-z0-9_]{0,47}$", description="keyspace")
    scylla_ca_file: str = Field(default="", description="PEM file that signs the nodes' certificates; empty = no TLS")
    scylla_user: str = Field(default="", description="empty = no password is asked for")
    scylla_password: SecretStr = Field(default=SecretStr(""), description="of scylla_user")
    scylla_timeout_s: float = Field(default=2.0, gt=0, le=60, description="seconds to wait for one statement")
    scylla_requests_max: int = Field(default=128, ge=1, le=10_000, description="statements in flight of one process")
    scylla_consistency: Literal["LOCAL_ONE", "LOCAL_QUORUM"] = Field(
        default="LOCAL_QUORUM", description="of reads and writes"
    )
    postgres: str = Field(default="", description="postgresql://host:port/database, no password in it; empty = none")
    postgres_user: str = Field(default="hotbasket", description="role")
    postgres_password: SecretStr = Field(default=SecretStr(""), description="of postgres_user")
    postgres_ca_file: str = Field(
        default="", description="PEM file that signs the server's certificate; empty = no TLS"
    )
    postgres_timeout_s: float = Field(default=2.0, gt=0, le=60, description="seconds to wait for one statement")
    control_poll_s: float = Field(
        default=0.5, gt=0, le=2, description="seconds between looks for changed retailers, trees and requests"
    )
    subscription_secret: SecretStr = Field(
        default=SecretStr(""), description="signs subscription tokens, 64 hex digits, the same for every gateway"
    )
    identity_secret: SecretStr = Field(
        default=SecretStr(""),
        description="key-encryption key: wraps the keys that name shoppers, 64 hex digits; gateways and commands only",
    )
    identity_secret_before: SecretStr = Field(
        default=SecretStr(""),
        description="key-encryption key of before, until `retailer rewrap-keys` is done; empty = none",
    )

    # Reward vault: a database apart, for gateways and `hotbasket rewards` alone. No other process needs any of these.
    vault: str = Field(
        default="",
        description="postgresql://host:port/database of the vault, not the one of the control plane; empty = none",
    )
    vault_user: str = Field(default="hotbasket_vault", description="role, not the one of the control plane")
    vault_password: SecretStr = Field(default=SecretStr(""), description="of vault_user")
    vault_ca_file: str = Field(
        default="", description="PEM file that signs the vault server's certificate; empty = no TLS"
    )
    vault_timeout_s: float = Field(default=2.0, gt=0, le=60, description="seconds to wait for one statement")
    vault_secret: SecretStr = Field(
        default=SecretStr(""),
        description="seals e-mail addresses and signs claims, 64 hex digits, unlike every other secret",
    )
    vault_days: int = Field(
        default=90, ge=1, le=3_650, description="days after payment or withdrawal until an e-mail address is forgotten"
    )

    # Archiver.
    archive_batch_events: int = Field(default=50, ge=1, le=1_000, description="events written as one batch")
    archive_commit_s: float = Field(default=1.0, gt=0, le=60, description="seconds between the archiver's commits")

    # Batch: the cold half. Only `hotbasket batch` and its Spark executors read these.
    warehouse: str = Field(
        default="", description="folder or object store URL of the warehouse; empty = warehouse/ in the data directory"
    )
    spark_master: str = Field(
        default="local[*]", description="Spark's master where spark-submit did not set one; local[*] = this machine"
    )
    spark_cache: str = Field(
        default="~/.cache/hotbasket/spark", description="folder that keeps Delta's jars, which are fetched once"
    )
    spark_memory: str = Field(
        default="2g", pattern=r"^\d+[gm]$", description="of Spark's one Java process where spark-submit did not set it"
    )
    batch_shoppers_max: int = Field(
        default=20_000, ge=100, le=200_000, description="shoppers that a model learns from, chosen by hash"
    )
    batch_active_days: int = Field(
        default=90, ge=1, le=1_095, description="days without an order after which a shopper gets no new tree"
    )
    batch_textfiles: str = Field(
        default="", description="folder of the node exporter's textfile collector, one file a job; empty = none"
    )
    batch_push_gateway: str = Field(
        default="", description="Prometheus Pushgateway, host:port, told by each job; empty = none"
    )
    margin_share: float = Field(
        default=0.27, gt=0, lt=1, description="margin share of a price where neither a cost nor the category's is known"
    )
    reward_cost_share: float = Field(
        default=1.0, gt=0, le=1, description="cost of a basket's reward as a share of its value; 1 = money off"
    )
    generosity_max_percent: int = Field(default=30, ge=0, le=100, description="highest generosity that a rule gives")

    # SQLite.
    sqlite_busy_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds to wait for another writer of the same file"
    )

    @field_validator("postgres", "vault")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if value and not re.fullmatch(r"postgres(ql)?://[^:@/]+(:\d+)?/[A-Za-z0-9_]+", value):
            raise ValueError("write postgresql://host:port/database; user and password have settings of their own")
        return value

    @field_validator("kafka", "scylla")
    @classmethod
    def _addresses(cls, value: str) -> str:
        if value and not all(re.fullmatch(r"\S+:\d{1,5}", one) for one in value.split(",")):
            raise ValueError("write host:port,host:port")
        return value

    def __str__(self) -> str:
        """Settings without anything secret, for logs."""
        return " ".join(f"{name}={value}" for name, value in self.model_dump().items())


def load_settings(**overrides: Any) -> Settings:  # Any: pydantic validates each
    """Reads the environment once.

    Args:
        overrides: fields that a command's options set.

    Raises:
        Refused: every fault of every setting, together.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in fault["loc"]).upper()
            faults.append(f"HOTBASKET_{name}: {fault['msg']}; see .env.example for its unit and default")
        raise Refused(*faults) from None


def data_files(data: Path) -> dict[str, Path]:
    """Gives the embedded stores' files in a data directory, by what they hold."""
    return {name: data / f"{name}.db" for name in ("log", "state", "control", "vault")}
