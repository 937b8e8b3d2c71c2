"""The embedded reward vault (`domain.ports.reward_vault`): a file apart, whose rows open under its own secret alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adapters.sqlite.database import Database, Schema
from adapters.vault_keys import VaultKeys
from adapters.vault_rows import DAY_MS, Row, day_of, in_order, opened, refused, sealed
from domain.ports.clock import Clock
from domain.ports.reward_vault import Claim, ClaimId, Payout, PayoutId, PayoutState, Put, Settled

SCHEMA = Schema(
    version=1,
    statements=(
        # Without a rowid: it would keep the order in which the claims came.
        """CREATE TABLE claims (
            payout_id TEXT PRIMARY KEY, state TEXT NOT NULL, settled_ms INTEGER, retailer_id TEXT, campaign_id TEXT,
            terms BLOB, email BLOB) WITHOUT ROWID""",
        "CREATE INDEX claims_by_retailer ON claims (retailer_id, state)",
        "CREATE INDEX claims_to_forget ON claims (settled_ms) WHERE email IS NOT NULL",
    ),
    synchronous="FULL",
)


class SqliteRewardVault:
    """Claims in one file, which the running system and commands share."""

    def __init__(self, database: Database, keys: VaultKeys, clock: Clock) -> None:
        """Takes the vault's file, its keys, and the clock by which claims and settlements are dated."""
        self._database = database
        self._keys = keys
        self._clock = clock

    async def put(self, claim: Claim, email: str) -> Put:
        """Inserts a row, or tells why there is one."""
        row = sealed(self._keys, claim, email, now_ms=self._clock.now_ms())

        def write(connection: sqlite3.Connection) -> Put:
            inserted = connection.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount
            if inserted:
                return "stored"
            (found,) = connection.execute("SELECT state FROM claims WHERE payout_id = ?", (row.payout_id,)).fetchone()
            return refused(found)

        return await self._database.write(write)

    async def withdraw(self, claim_ids: Sequence[ClaimId]) -> int:
        """Changes due rows, and leaves marks where there are none."""
        today_ms = day_of(self._clock.now_ms())
        rows = [(self._keys.payout_id(claim_id), today_ms) for claim_id in claim_ids]
        return await self._database.write(
            lambda connection: (
                connection.executemany(
                    "INSERT INTO claims (payout_id, state, settled_ms) VALUES (?, 'withdrawn', ?)"
                    " ON CONFLICT (payout_id) DO UPDATE SET state = excluded.state, settled_ms = excluded.settled_ms"
                    " WHERE claims.state = 'due'",
                    rows,
                ).rowcount
            )
        )

    async def payouts(
        self, retailer_id: str, campaign_id: str | None = None, *, state: PayoutState | None = None
    ) -> Sequence[Payout]:
        """Reads and opens rows."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT payout_id, state, settled_ms, retailer_id, campaign_id, terms, email FROM claims"
                " WHERE retailer_id = ? AND coalesce(campaign_id = ?, true) AND coalesce(state = ?, true)",
                (retailer_id, campaign_id, state),
            ).fetchall()
        )
        return in_order([opened(self._keys, Row(*row)) for row in rows])

    async def settle(self, retailer_id: str, payout_ids: Sequence[PayoutId], state: Settled) -> int:
        """Changes due rows."""
        today_ms = day_of(self._clock.now_ms())
        rows = [(state, today_ms, payout_id, retailer_id) for payout_id in payout_ids]
        return await self._database.write(
            lambda connection: (
                connection.executemany(
                    "UPDATE claims SET state = ?, settled_ms = ?"
                    " WHERE payout_id = ? AND retailer_id = ? AND state = 'due'",
                    rows,
                ).rowcount
            )
        )

    async def expire(self, before_ms: int) -> int:
        """Empties the address of settled rows; the file overwrites what it frees."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE claims SET email = NULL WHERE email IS NOT NULL AND settled_ms <= ?", (before_ms - DAY_MS,)
                ).rowcount
            )
        )
