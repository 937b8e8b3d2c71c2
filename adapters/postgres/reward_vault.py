"""The production reward vault (`domain.ports.reward_vault`): a Postgres database apart, with a role of its own.

A connection is opened for each call: claims are few, and a vault that is away must not be noticed before one comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from adapters.postgres.database import CONNECTIONS_MAX, Access, Database, Session
from adapters.postgres.migrations import apply_files, schema_fault, schema_version
from adapters.settings import Settings
from adapters.vault_keys import VaultKeys
from adapters.vault_rows import DAY_MS, Row, day_of, in_order, opened, refused, sealed
from domain.errors import PortError, Refused
from domain.ports.clock import Clock
from domain.ports.reward_vault import Claim, ClaimId, Payout, PayoutId, PayoutState, Put, Settled

VAULT_VERSION = 1
"""The highest number of a file of the vault's schema that this code knows."""
_VARIABLE = "HOTBASKET_VAULT"
_PORT = 5_432


class PostgresRewardVault:
    """Claims in one table."""

    def __init__(self, settings: Settings, keys: VaultKeys, clock: Clock) -> None:
        """Takes the settings that say where, the vault's keys, and the clock that dates claims and settlements.

        Raises:
            Refused: see `vault_access`.
        """
        access = vault_access(settings)
        self._database = Database(access)
        self._turn_s = access.timeout_s
        self._turns = asyncio.Semaphore(CONNECTIONS_MAX)
        self._keys = keys
        self._clock = clock

    async def check(self) -> None:
        """Looks whether the database is there and has the schema.

        Raises:
            PortError: it can't be worked with.
        """
        async with self._session() as session:
            fault = schema_fault(await schema_version(session), self._database.address, known=VAULT_VERSION)
        if fault is not None:
            raise fault

    async def put(self, claim: Claim, email: str) -> Put:
        """Inserts a row, or tells why there is one."""
        row = sealed(self._keys, claim, email, now_ms=self._clock.now_ms())
        async with self._session() as session:
            inserted = await session.count(
                "INSERT INTO claims (payout_id, state, settled_ms, retailer_id, campaign_id, terms, email)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (payout_id) DO NOTHING",
                row,
            )
            if inserted:
                return "stored"
            ((found,),) = await session.rows("SELECT state FROM claims WHERE payout_id = %s", (row.payout_id,))
            return refused(found)

    async def withdraw(self, claim_ids: Sequence[ClaimId]) -> int:
        """Changes due rows, and leaves marks where there are none."""
        # Each once, or the statement would meet its own rows; sorted, so that two of them never wait for each other.
        payout_ids = sorted({self._keys.payout_id(claim_id) for claim_id in claim_ids})
        async with self._session() as session:
            return await session.count(
                "INSERT INTO claims (payout_id, state, settled_ms) SELECT unnest(%s::text[]), 'withdrawn', %s"
                " ON CONFLICT (payout_id) DO UPDATE SET state = excluded.state, settled_ms = excluded.settled_ms"
                " WHERE claims.state = 'due'",
                (payout_ids, day_of(self._clock.now_ms())),
            )

    async def payouts(
        self, retailer_id: str, campaign_id: str | None = None, *, state: PayoutState | None = None
    ) -> Sequence[Payout]:
        """Reads rows slice by slice, and opens them."""
        found: list[Payout] = []
        async with self._session() as session, session.transaction("BEGIN READ ONLY"):
            async for rows in session.slices(
                "SELECT payout_id, state, settled_ms, retailer_id, campaign_id, terms, email FROM claims"
                " WHERE retailer_id = %s AND coalesce(campaign_id = %s, true) AND coalesce(state = %s, true)",
                (retailer_id, campaign_id, state),
            ):
                found += [opened(self._keys, Row(*row)) for row in rows]
        return in_order(found)

    async def settle(self, retailer_id: str, payout_ids: Sequence[PayoutId], state: Settled) -> int:
        """Changes due rows."""
        async with self._session() as session:
            return await session.count(
                "UPDATE claims SET state = %s, settled_ms = %s"
                " WHERE payout_id = ANY(%s) AND retailer_id = %s AND state = 'due'",
                (state, day_of(self._clock.now_ms()), list(payout_ids), retailer_id),
            )

    async def expire(self, before_ms: int) -> int:
        """Empties the address of settled rows; the server's vacuum overwrites what it frees, which is sealed."""
        async with self._session() as session:
            return await session.count(
                "UPDATE claims SET email = NULL WHERE email IS NOT NULL AND settled_ms <= %s", (before_ms - DAY_MS,)
            )

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """Gives a connection; who would wait long for a turn is told so, and comes again."""
        try:
            async with asyncio.timeout(self._turn_s):
                await self._turns.acquire()
        except TimeoutError:
            what = f"Postgres at {self._database.address}: no turn in {self._turn_s:g} s, too many wait for the vault"
            raise PortError(what, retriable=True) from None
        try:
            async with self._database.session() as session:
                yield session
        finally:
            self._turns.release()


async def migrate_vault(settings: Settings, files: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Applies the files of the vault's schema that are not applied yet: see `migrations.apply_files`.

    Raises:
        Refused: see `vault_access` too.
    """
    return await apply_files(Database(vault_access(settings)), files)


def vault_access(settings: Settings) -> Access:
    """Gives the way to the vault.

    Raises:
        Refused: no address is set, or what opens the control plane would open the vault.
    """
    faults = []
    if settings.vault and _server(settings.vault) == _server(settings.postgres):
        if urlsplit(settings.vault).path == urlsplit(settings.postgres).path:
            faults.append(
                f"{_VARIABLE} names the database of HOTBASKET_POSTGRES: make another, the vault is kept apart"
            )
        if settings.vault_user == settings.postgres_user:
            faults.append(
                f"{_VARIABLE}_USER is the role of HOTBASKET_POSTGRES_USER: make another, the vault is kept apart"
            )
    if faults:
        raise Refused(*faults)
    return Access(
        variable=_VARIABLE,
        url=settings.vault,
        user=settings.vault_user,
        password=settings.vault_password,
        ca_file=settings.vault_ca_file,
        timeout_s=settings.vault_timeout_s,
    )


def _server(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or _PORT)
