"""The control file: retailers, keys, catalogues, trees, campaigns, leases, audit, requests; commands write it.

A running process learns of a change through `PRAGMA data_version`, looked at no more often than once a millisecond,
since every request asks.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from adapters.sqlite.database import Database, Schema, open_connection, port_error, transaction

T = TypeVar("T")
_LOOK_NS = 1_000_000
_SUBJECTS = ("retailers", "trees", "replays")

_RELEASES = (
    # What was shown once: visible until it is rolled back. The table `generations` counts what was begun.
    """CREATE TABLE releases (
        retailer_id TEXT NOT NULL, generation INTEGER NOT NULL, trees INTEGER NOT NULL,
        shown_at_ms INTEGER NOT NULL, rolled_back_at_ms INTEGER,
        PRIMARY KEY (retailer_id, generation)) WITHOUT ROWID""",
    "CREATE INDEX trees_by_generation ON trees (retailer_id, generation)",
    # EXISTS, so that each tree asks by key for its generation, however many generations there are.
    """CREATE VIEW visible_trees AS SELECT retailer_id, shopper, generation, blob FROM trees WHERE EXISTS (
        SELECT 1 FROM releases WHERE releases.retailer_id = trees.retailer_id
        AND releases.generation = trees.generation AND rolled_back_at_ms IS NULL)""",
    # Whatever was there before was visible; since when, nobody noted.
    """INSERT INTO releases
        SELECT retailer_id, generation, COUNT(*), CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), NULL
        FROM trees GROUP BY retailer_id, generation""",
)

_CAMPAIGNS = (
    "INSERT INTO versions VALUES ('campaigns', 1)",
    # Every version, never altered.
    """CREATE TABLE campaign_versions (
        retailer_id TEXT NOT NULL, campaign_id TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
        action TEXT NOT NULL, made_by TEXT NOT NULL, changed_at_ms INTEGER NOT NULL, definition TEXT NOT NULL,
        PRIMARY KEY (retailer_id, campaign_id, version)) WITHOUT ROWID""",
    # What the ledger asks of the newest version, and the sum of leases less returns, so that it need not be counted.
    # A prize's stock is a row too, of the state 'stock', under an id that no campaign can have.
    """CREATE TABLE campaigns (
        retailer_id TEXT NOT NULL, campaign_id TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
        ends_at_ms INTEGER NOT NULL, budget_minor INTEGER, budget_count INTEGER,
        held_minor INTEGER NOT NULL DEFAULT 0, held_count INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (retailer_id, campaign_id)) WITHOUT ROWID""",
    """CREATE TABLE leases (
        retailer_id TEXT NOT NULL, campaign_id TEXT NOT NULL, partition INTEGER NOT NULL,
        leased_minor INTEGER NOT NULL, leased_count INTEGER NOT NULL,
        returned_minor INTEGER NOT NULL, returned_count INTEGER NOT NULL,
        reserved_minor INTEGER NOT NULL, reserved_count INTEGER NOT NULL,
        committed_minor INTEGER NOT NULL, committed_count INTEGER NOT NULL,
        PRIMARY KEY (retailer_id, campaign_id, partition)) WITHOUT ROWID""",
    # The newest owner of each partition that asked: those before it change nothing any more.
    "CREATE TABLE lease_owners (partition INTEGER PRIMARY KEY, token INTEGER NOT NULL)",
    # What the seeds of draws are made from: nowhere else, and nothing but what draws reads it.
    """CREATE TABLE draw_chains (
        retailer_id TEXT NOT NULL, campaign_id TEXT NOT NULL, epochs INTEGER NOT NULL, chain_end BLOB NOT NULL,
        PRIMARY KEY (retailer_id, campaign_id)) WITHOUT ROWID""",
)

_AUDIT = (
    """CREATE TABLE audit (
        number INTEGER PRIMARY KEY, retailer_id TEXT NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL,
        action TEXT NOT NULL, target TEXT, outcome TEXT NOT NULL)""",
    "CREATE INDEX audit_by_time ON audit (retailer_id, at_ms, number)",
    # Append-only, whoever writes. The third keeps INSERT OR REPLACE out, which deletes without asking the second.
    """CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    """CREATE TRIGGER audit_keeps_every_entry BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    """CREATE TRIGGER audit_replaces_nothing BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
)

_PRIVACY = (
    "INSERT INTO versions VALUES ('suppressed', 1)",
    # `list_version` is of the list that came with the request: the list is what requests made, in this order. The
    # fingerprint is of its shoppers.
    """CREATE TABLE privacy_requests (
        request_id TEXT PRIMARY KEY, retailer_id TEXT NOT NULL, kind TEXT NOT NULL, opened_at_ms INTEGER NOT NULL,
        due_at_ms INTEGER NOT NULL, shoppers INTEGER NOT NULL, list_version INTEGER NOT NULL UNIQUE,
        stage TEXT NOT NULL, stage_at_ms INTEGER NOT NULL, fingerprint TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX privacy_requests_pending ON privacy_requests (list_version) WHERE stage <> 'done'",
    """CREATE INDEX privacy_requests_alike ON privacy_requests (retailer_id, kind, fingerprint)
        WHERE stage <> 'done'""",
    """CREATE TABLE privacy_subjects (
        request_id TEXT NOT NULL, digest TEXT NOT NULL, sealed BLOB NOT NULL,
        PRIMARY KEY (request_id, digest)) WITHOUT ROWID""",
    # The newest list, whole.
    """CREATE TABLE suppressed (
        retailer_id TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (retailer_id, digest)) WITHOUT ROWID""",
    """CREATE TABLE gateway_words (
        gateway_id TEXT PRIMARY KEY, version INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID""",
)

_IDENTITY_KEYS = (
    # Wrapped, and worth nothing without the key-encryption key, which is not in this file.
    """CREATE TABLE identity_keys (
        retailer_id TEXT PRIMARY KEY, kek TEXT NOT NULL, shopper BLOB NOT NULL, privacy BLOB NOT NULL) WITHOUT ROWID""",
)

_ERASURES = (
    # Who was let go, and who is being erased, is asked shopper by shopper.
    "CREATE INDEX privacy_subjects_by_digest ON privacy_subjects (digest)",
    # Where a shopper's record of the erasure stands, and what each store said of a request when it was last visited.
    """CREATE TABLE erasure_tombstones (
        request_id TEXT NOT NULL, digest TEXT NOT NULL, partition INTEGER NOT NULL, epoch INTEGER NOT NULL,
        at_offset INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (request_id, digest)) WITHOUT ROWID""",
    """CREATE TABLE erasure_receipts (
        request_id TEXT NOT NULL, store TEXT NOT NULL, at_ms INTEGER NOT NULL, found INTEGER NOT NULL,
        removed INTEGER NOT NULL, not_gone INTEGER NOT NULL, waits_for TEXT NOT NULL, visits INTEGER NOT NULL,
        PRIMARY KEY (request_id, store)) WITHOUT ROWID""",
)

_EXPORTS = (
    # The table as it was, but for the list version, which is 0 for each export: no column's constraint can be dropped.
    "ALTER TABLE privacy_requests RENAME TO privacy_requests_before",
    "DROP INDEX privacy_requests_pending",
    "DROP INDEX privacy_requests_alike",
    """CREATE TABLE privacy_requests (
        request_id TEXT PRIMARY KEY, retailer_id TEXT NOT NULL, kind TEXT NOT NULL, opened_at_ms INTEGER NOT NULL,
        due_at_ms INTEGER NOT NULL, shoppers INTEGER NOT NULL, list_version INTEGER NOT NULL,
        stage TEXT NOT NULL, stage_at_ms INTEGER NOT NULL, fingerprint TEXT NOT NULL) WITHOUT ROWID""",
    "INSERT INTO privacy_requests SELECT * FROM privacy_requests_before",
    "DROP TABLE privacy_requests_before",
    "CREATE UNIQUE INDEX privacy_requests_list_version ON privacy_requests (list_version) WHERE list_version > 0",
    "CREATE INDEX privacy_requests_pending ON privacy_requests (list_version) WHERE stage <> 'done'",
    """CREATE INDEX privacy_requests_alike ON privacy_requests (retailer_id, kind, fingerprint)
        WHERE stage <> 'done'""",
    # Documents are large: with row ids, so that a search does not read them. `sealed_bytes` is 0 once one is gone.
    """CREATE TABLE exports (
        request_id TEXT NOT NULL, digest TEXT NOT NULL, made_at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
        sealed_bytes INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (request_id, digest))""",
    "CREATE INDEX exports_by_digest ON exports (digest) WHERE sealed_bytes > 0",
    "CREATE INDEX exports_by_end ON exports (until_ms) WHERE sealed_bytes > 0",
)

_RETENTION = (
    # Since when each retailer's trail is whole; what is older has expired, and only that can be deleted. It only grows.
    "CREATE TABLE audit_kept (retailer_id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TRIGGER audit_kept_only_grows BEFORE UPDATE ON audit_kept WHEN NEW.since_ms < OLD.since_ms
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    """CREATE TRIGGER audit_kept_stays BEFORE DELETE ON audit_kept
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    "DROP TRIGGER audit_keeps_every_entry",
    """CREATE TRIGGER audit_keeps_its_time BEFORE DELETE ON audit
        WHEN OLD.at_ms >= COALESCE((SELECT since_ms FROM audit_kept WHERE retailer_id = OLD.retailer_id), 0)
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
)

SCHEMA = Schema(
    version=9,
    statements=(
        "CREATE TABLE versions (subject TEXT PRIMARY KEY, version INTEGER NOT NULL)",
        *(f"INSERT INTO versions VALUES ('{subject}', 1)" for subject in _SUBJECTS),  # noqa: S608 - our own words
        "CREATE TABLE retailers (retailer_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings BLOB NOT NULL)",
        """CREATE TABLE keys (
            digest TEXT PRIMARY KEY, retailer_id TEXT NOT NULL, scope TEXT NOT NULL, until_ms INTEGER)""",
        """CREATE TABLE catalogue (
            retailer_id TEXT NOT NULL, product_id TEXT NOT NULL, item BLOB NOT NULL,
            PRIMARY KEY (retailer_id, product_id)) WITHOUT ROWID""",
        "CREATE TABLE generations (retailer_id TEXT PRIMARY KEY, generation INTEGER NOT NULL)",
        """CREATE TABLE trees (
            retailer_id TEXT NOT NULL, shopper TEXT NOT NULL, generation INTEGER NOT NULL, blob BLOB NOT NULL,
            PRIMARY KEY (retailer_id, shopper, generation))""",
        "CREATE TABLE replays (failed_id TEXT PRIMARY KEY, partition INTEGER NOT NULL)",
    ),
    synchronous="FULL",
    upgrades=(_RELEASES, _CAMPAIGNS, _AUDIT, _PRIVACY, _IDENTITY_KEYS, _ERASURES, _EXPORTS, _RETENTION),
)


class ControlFile:
    """The file, its thread, and a second connection that watches for changes from the event loop."""

    def __init__(self, path: Path, *, busy_s: float) -> None:
        """Opens the file.

        Raises:
            PortError: see `database.open_connection`.
        """
        self.database = Database(path, SCHEMA, busy_s=busy_s)
        self._path = path
        self._watcher = open_connection(path, SCHEMA, busy_s=busy_s, check=False)
        self._looked_ns = 0
        self._seen = -1
        self._versions: dict[str, int] = {}

    def version(self, subject: str) -> int:
        """Gives the version of a subject (`retailers`, `trees`, `campaigns`): another number, another content.

        Raises:
            PortError: the file was never readable; later failures give the last known version.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self._looked_ns > _LOOK_NS:
            self._looked_ns = now_ns
            try:
                (seen,) = self._watcher.execute("PRAGMA data_version").fetchone()
                if seen != self._seen:
                    self._versions = dict(self._watcher.execute("SELECT subject, version FROM versions"))
                    self._seen = seen
            except sqlite3.Error as error:
                if not self._versions:
                    raise port_error(error, self._path) from error
        return self._versions[subject]

    def read_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a short read on the event loop, in one transaction, for what must be in force before the next request.

        Raises:
            PortError: SQLite failed.
        """
        try:
            with transaction(self._watcher, "DEFERRED"):
                return work(self._watcher)
        except sqlite3.Error as error:
            raise port_error(error, self._path) from error

    async def change(self, subject: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs a change in one transaction and makes everybody look; our own changes are seen by the next call too.

        Raises:
            PortError: nothing was changed.
            Refused: `work` said so; nothing was changed.
        """

        def run(connection: sqlite3.Connection) -> T:
            result = work(connection)
            connection.execute("UPDATE versions SET version = version + 1 WHERE subject = ?", (subject,))
            return result

        result = await self.database.write(run)
        self._looked_ns = 0
        return result

    def close(self) -> None:
        """Closes both connections."""
        self.database.close()
        self._watcher.close()
