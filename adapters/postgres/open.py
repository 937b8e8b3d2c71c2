"""Opens the control plane's ports over one database: checked, loaded once, and followed until closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from adapters.postgres.audit_trail import PostgresAuditTrail
from adapters.postgres.budget_ledger import PostgresBudgetLedger
from adapters.postgres.campaigns import PostgresCampaigns
from adapters.postgres.control_cache import ControlCache
from adapters.postgres.control_expiry import PostgresControlExpiry
from adapters.postgres.database import Database
from adapters.postgres.erasures import PostgresErasures
from adapters.postgres.exports import PostgresExports
from adapters.postgres.gateway_words import PostgresGatewayWords
from adapters.postgres.generations import PostgresGenerations
from adapters.postgres.identity_keys import PostgresIdentityKeyRows
from adapters.postgres.migrations import schema_fault, schema_version
from adapters.postgres.privacy_requests import PostgresPrivacyRequests
from adapters.postgres.replay_requests import PostgresReplayRequests
from adapters.postgres.retailers import PostgresRetailers
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.clock import Clock
from monitoring.metrics import Metrics


class PostgresControl(NamedTuple):
    """What Postgres stands behind, opened.

    Attributes:
        close: stops following changes and closes the connections; may be repeated.
    """

    retailers: PostgresRetailers
    key_rows: PostgresIdentityKeyRows
    campaigns: PostgresCampaigns
    ledger: PostgresBudgetLedger
    audit: PostgresAuditTrail
    privacy: PostgresPrivacyRequests
    words: PostgresGatewayWords
    erasures: PostgresErasures
    exports: PostgresExports
    expiry: PostgresControlExpiry
    generations: PostgresGenerations
    requests: PostgresReplayRequests
    close: Callable[[], Awaitable[None]]


class PostgresReleases(NamedTuple):
    """The generations alone, opened; `close` as in `PostgresControl`."""

    generations: PostgresGenerations
    close: Callable[[], Awaitable[None]]


async def open_control(settings: Settings, metrics: Metrics, clock: Clock) -> PostgresControl:
    """Checks the schema, loads everything once and starts following changes.

    Raises:
        PortError: not retriable: who starts a process wants to hear now that the server can't be reached, has another
            password, database or certificate, or that its schema is older or newer than this code.
        Refused: no address is set.
    """
    database = Database(settings)
    cache = ControlCache(database, settings, metrics, clock)
    # In this order they are loaded: a row that can't be read never keeps the smaller ones from being seen.
    generations = PostgresGenerations(cache)
    requests = PostgresReplayRequests(cache)
    privacy = PostgresPrivacyRequests(cache)
    retailers = PostgresRetailers(cache)
    campaigns = PostgresCampaigns(cache)
    ledger = PostgresBudgetLedger(database, clock)
    audit = PostgresAuditTrail(database)
    words = PostgresGatewayWords(database)
    await _start(database, cache)

    async def close() -> None:
        await words.close()
        await audit.close()
        await ledger.close()
        await cache.close()

    key_rows = PostgresIdentityKeyRows(cache)
    return PostgresControl(
        retailers,
        key_rows,
        campaigns,
        ledger,
        audit,
        privacy,
        words,
        PostgresErasures(database),
        PostgresExports(database),
        PostgresControlExpiry(database),
        generations,
        requests,
        close,
    )


async def open_generations(settings: Settings, metrics: Metrics, clock: Clock) -> PostgresReleases:
    """Does the same for a process that only puts trees, without retailers and their catalogues.

    Raises:
        PortError, Refused: see `open_control`.
    """
    database = Database(settings)
    cache = ControlCache(database, settings, metrics, clock)
    generations = PostgresGenerations(cache)
    await _start(database, cache)
    return PostgresReleases(generations, cache.close)


async def _start(database: Database, cache: ControlCache) -> None:
    try:
        async with database.session() as session:
            fault = schema_fault(await schema_version(session), database.address)
        if fault is not None:
            raise fault
        await cache.start()
    except PortError as error:
        if error.retriable:
            raise PortError(str(error), retriable=False) from error
        raise
