"""The embedded budget ledger (`domain.ports.budget_ledger`), in the control file beside the campaigns.

It raises no version: what it writes, nobody looks at but itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from adapters.ledger_rows import account_of, part_numbers, total_of
from adapters.sqlite.control_file import ControlFile
from domain.leasing import ASKS_AT_ONCE, Account, Settled, answers, settled_all
from domain.ports.budget_ledger import Answer, Ask, Total
from domain.ports.clock import Clock
from domain.purse import CampaignKey


class SqliteBudgetLedger:
    """Leases, one row for a campaign and partition."""

    def __init__(self, control: ControlFile, clock: Clock) -> None:
        """Takes the control file, and the clock by which campaigns end."""
        self._control = control
        self._clock = clock

    async def settle(self, partition: int, token: int, asks: Sequence[Ask], *, partitions: int) -> Sequence[Answer]:
        """Settles some hundred asks a transaction."""
        given: list[Answer] = []
        for first in range(0, len(asks), ASKS_AT_ONCE):
            given += await self._settle(partition, token, asks[first : first + ASKS_AT_ONCE], partitions)
        return given

    async def totals(self, retailer_id: str) -> Sequence[Total]:
        """Adds up what partitions said."""
        rows = await self._control.database.read(
            lambda connection: connection.execute(
                "SELECT campaign_id, budget_minor, budget_count, held_minor, held_count,"
                " COALESCE(SUM(reserved_minor), 0), COALESCE(SUM(reserved_count), 0),"
                " COALESCE(SUM(committed_minor), 0), COALESCE(SUM(committed_count), 0)"
                " FROM campaigns LEFT JOIN leases USING (retailer_id, campaign_id) WHERE retailer_id = ?"
                " AND state <> 'stock'"
                " GROUP BY campaign_id ORDER BY campaign_id",
                (retailer_id,),
            ).fetchall()
        )
        return [total_of(row) for row in rows]

    async def _settle(self, partition: int, token: int, asks: Sequence[Ask], partitions: int) -> list[Answer]:
        now_ms = self._clock.now_ms()

        def write(connection: sqlite3.Connection) -> list[Answer]:
            is_newest = _is_newest(connection, partition, token)
            accounts = _accounts(connection, partition, {ask.key for ask in asks}, now_ms)
            after = settled_all(accounts, asks, partitions, is_newest=is_newest)
            _keep(connection, partition, accounts, after)
            return answers(after, asks)

        return await self._control.database.write(write)


def _is_newest(connection: sqlite3.Connection, partition: int, token: int) -> bool:
    """Takes an owner's token down, and tells whether nobody with a newer one has asked."""
    connection.execute(
        "INSERT INTO lease_owners VALUES (?, ?) ON CONFLICT DO UPDATE SET token = excluded.token"
        " WHERE excluded.token > lease_owners.token",
        (partition, token),
    )
    (newest,) = connection.execute("SELECT token FROM lease_owners WHERE partition = ?", (partition,)).fetchone()
    return bool(newest == token)


def _accounts(
    connection: sqlite3.Connection, partition: int, keys: Iterable[CampaignKey], now_ms: int
) -> dict[CampaignKey, Account]:
    accounts: dict[CampaignKey, Account] = {}
    for key in keys:
        # By its key each: SQLite answers a list of pairs by reading the whole table.
        row = connection.execute(
            "SELECT state = 'scheduled' AND ends_at_ms > ? OR state = 'stock',"
            " budget_minor, budget_count, held_minor, held_count,"
            " COALESCE(leased_minor, 0), COALESCE(leased_count, 0),"
            " COALESCE(returned_minor, 0), COALESCE(returned_count, 0),"
            " COALESCE(reserved_minor, 0), COALESCE(reserved_count, 0),"
            " COALESCE(committed_minor, 0), COALESCE(committed_count, 0)"
            " FROM campaigns LEFT JOIN leases ON leases.retailer_id = campaigns.retailer_id"
            " AND leases.campaign_id = campaigns.campaign_id AND leases.partition = ?"
            " WHERE campaigns.retailer_id = ? AND campaigns.campaign_id = ?",
            (now_ms, partition, *key),
        ).fetchone()
        if row is not None:
            accounts[key] = account_of(row)
    return accounts


def _keep(
    connection: sqlite3.Connection,
    partition: int,
    before: dict[CampaignKey, Account],
    after: dict[CampaignKey, Settled],
) -> None:
    """Writes what changed."""
    connection.executemany(
        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*key, partition, *part_numbers(found.part))
            for key, found in after.items()
            if found.part != before[key].part
        ],
    )
    connection.executemany(
        "UPDATE campaigns SET held_minor = ?, held_count = ? WHERE retailer_id = ? AND campaign_id = ?",
        [(*found.held, *key) for key, found in after.items() if found.held != before[key].held],
    )
