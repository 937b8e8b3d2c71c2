"""The tables of the state's file: snapshots, how far the worker is saved, failed events; the log refills it."""

from __future__ import annotations

from adapters.sqlite.database import Schema

SCHEMA = Schema(
    version=1,
    statements=(
        """CREATE TABLE snapshots (
            retailer_id TEXT NOT NULL, shopper TEXT NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL,
            payload BLOB NOT NULL, due_at_ms INTEGER, touched_at_ms INTEGER NOT NULL,
            PRIMARY KEY (retailer_id, shopper))""",
        "CREATE INDEX snapshots_due ON snapshots (due_at_ms) WHERE due_at_ms IS NOT NULL",
        "CREATE INDEX snapshots_touched ON snapshots (touched_at_ms)",
        "CREATE INDEX snapshots_newest ON snapshots (epoch, at)",
        """CREATE TABLE commits (
            partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, through INTEGER NOT NULL,
            token INTEGER NOT NULL, tail INTEGER NOT NULL)""",
        """CREATE TABLE failed (
            failed_id TEXT PRIMARY KEY, partition INTEGER NOT NULL, retailer_id TEXT NOT NULL,
            failed_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, event BLOB NOT NULL)""",
        "CREATE INDEX failed_by_time ON failed (failed_at_ms)",
    ),
    synchronous="NORMAL",
)
