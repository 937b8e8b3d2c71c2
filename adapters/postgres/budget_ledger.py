"""The production budget ledger (`domain.ports.budget_ledger`), in Postgres beside the campaigns.

It raises no version: what it writes, nobody looks at but itself. One connection is kept, since workers settle all day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from adapters.ledger_rows import account_of, part_numbers, total_of
from adapters.postgres.database import Database, Session
from adapters.postgres.kept_session import KeptSession
from domain.leasing import ASKS_AT_ONCE, Settled, answers, settled_all
from domain.ports.budget_ledger import Answer, Ask, Total
from domain.ports.clock import Clock
from domain.purse import CampaignKey

_ACCOUNTS: LiteralString = (
    "SELECT campaigns.retailer_id, campaigns.campaign_id, state = 'scheduled' AND ends_at_ms > %s OR state = 'stock',"
    " budget_minor, budget_count, held_minor, held_count,"
    " COALESCE(leased_minor, 0), COALESCE(leased_count, 0), COALESCE(returned_minor, 0), COALESCE(returned_count, 0),"
    " COALESCE(reserved_minor, 0), COALESCE(reserved_count, 0),"
    " COALESCE(committed_minor, 0), COALESCE(committed_count, 0)"
    " FROM unnest(%s::text[], %s::text[]) AS asked (retailer_id, campaign_id)"
    " JOIN campaigns USING (retailer_id, campaign_id)"
    " LEFT JOIN leases ON leases.retailer_id = campaigns.retailer_id"
    " AND leases.campaign_id = campaigns.campaign_id AND leases.partition = %s"
)
# In one order, so that two who settle the same campaigns never wait for each other in a circle.
_AND_LOCKED: LiteralString = " ORDER BY campaigns.retailer_id, campaigns.campaign_id FOR UPDATE OF campaigns"


class PostgresBudgetLedger:
    """Leases, one row for a campaign and partition."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Takes the database, and the clock by which campaigns end; nothing is connected before it is asked for."""
        self._database = database
        self._clock = clock
        self._kept = KeptSession(database)

    async def settle(self, partition: int, token: int, asks: Sequence[Ask], *, partitions: int) -> Sequence[Answer]:
        """Settles some hundred asks a transaction."""
        given: list[Answer] = []
        for first in range(0, len(asks), ASKS_AT_ONCE):
            some = asks[first : first + ASKS_AT_ONCE]
            async with self._kept.turn() as session, session.transaction():
                given += await self._settle(session, partition, token, some, partitions)
        return given

    async def totals(self, retailer_id: str) -> Sequence[Total]:
        """Adds up what partitions said, on a connection of its own: those who settle need not wait."""
        async with self._database.session() as session:
            rows = await session.rows(
                "SELECT campaign_id, budget_minor, budget_count, held_minor, held_count,"
                " COALESCE(SUM(reserved_minor), 0)::bigint, COALESCE(SUM(reserved_count), 0)::bigint,"
                " COALESCE(SUM(committed_minor), 0)::bigint, COALESCE(SUM(committed_count), 0)::bigint"
                " FROM campaigns LEFT JOIN leases USING (retailer_id, campaign_id) WHERE retailer_id = %s"
                " AND state <> 'stock'"
                " GROUP BY retailer_id, campaign_id, budget_minor, budget_count, held_minor, held_count"
                " ORDER BY campaign_id",
                (retailer_id,),
            )
        return [total_of(row) for row in rows]

    async def close(self) -> None:
        """Closes the connection, under a call in flight too; may be repeated."""
        await self._kept.close()

    async def _settle(
        self, session: Session, partition: int, token: int, asks: Sequence[Ask], partitions: int
    ) -> list[Answer]:
        is_newest = await _is_newest(session, partition, token)
        keys = sorted({ask.key for ask in asks})
        query = _ACCOUNTS + _AND_LOCKED if is_newest else _ACCOUNTS
        names = [[key.retailer_id for key in keys], [key.campaign_id for key in keys]]
        rows = await session.rows(query, (self._clock.now_ms(), *names, partition))
        before = {CampaignKey(retailer_id, campaign_id): account_of(row) for retailer_id, campaign_id, *row in rows}
        after = settled_all(before, asks, partitions, is_newest=is_newest)
        await _keep_parts(session, partition, {k: found for k, found in after.items() if found.part != before[k].part})
        await _keep_held(session, {k: found for k, found in after.items() if found.held != before[k].held})
        return answers(after, asks)


async def _is_newest(session: Session, partition: int, token: int) -> bool:
    """Takes an owner's token down, and tells whether nobody with a newer one has asked.

    Other owners of the partition wait until the transaction ends: its leases stand still.
    """
    ((newest,),) = await session.rows(
        "INSERT INTO lease_owners VALUES (%s, %s) ON CONFLICT (partition)"
        " DO UPDATE SET token = GREATEST(lease_owners.token, EXCLUDED.token) RETURNING token",
        (partition, token),
    )
    return bool(newest == token)


async def _keep_parts(session: Session, partition: int, changed: Mapping[CampaignKey, Settled]) -> None:
    if not changed:
        return
    rows = [(*key, *part_numbers(found.part)) for key, found in changed.items()]
    await session.rows(
        "INSERT INTO leases SELECT retailer_id, campaign_id, %s, leased_minor, leased_count, returned_minor,"
        " returned_count, reserved_minor, reserved_count, committed_minor, committed_count"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::bigint[], %s::bigint[], %s::bigint[]) AS asked (retailer_id, campaign_id, leased_minor, leased_count,"
        " returned_minor, returned_count, reserved_minor, reserved_count, committed_minor, committed_count)"
        " ON CONFLICT (retailer_id, campaign_id, partition) DO UPDATE SET"
        " leased_minor = EXCLUDED.leased_minor, leased_count = EXCLUDED.leased_count,"
        " returned_minor = EXCLUDED.returned_minor, returned_count = EXCLUDED.returned_count,"
        " reserved_minor = EXCLUDED.reserved_minor, reserved_count = EXCLUDED.reserved_count,"
        " committed_minor = EXCLUDED.committed_minor, committed_count = EXCLUDED.committed_count",
        (partition, *_columns(rows)),
    )


async def _keep_held(session: Session, changed: Mapping[CampaignKey, Settled]) -> None:
    if not changed:
        return
    await session.rows(
        "UPDATE campaigns SET held_minor = asked.held_minor, held_count = asked.held_count"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])"
        " AS asked (retailer_id, campaign_id, held_minor, held_count)"
        " WHERE campaigns.retailer_id = asked.retailer_id AND campaigns.campaign_id = asked.campaign_id",
        _columns([(*key, *found.held) for key, found in changed.items()]),
    )


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:  # Any: each column has a type of its own
    return [list(column) for column in zip(*rows, strict=True)]
