"""Every setting of every process, from `HOTBASKET_*` environment variables, typed, bounded and frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import Refused

KIB = 1_024


class Settings(BaseSettings):
    """All settings; each field says its unit, its default and what it bounds or sets."""

    model_config = SettingsConfigDict(env_prefix="HOTBASKET_", frozen=True, extra="forbid")

    metrics_port: int = Field(default=9464, ge=0, le=65_535, description="port of /metrics; 0 = any free port")

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

    # SQLite.
    sqlite_busy_s: float = Field(
        default=5.0, gt=0, le=60, description="seconds to wait for another writer of the same file"
    )

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
