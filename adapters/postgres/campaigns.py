"""The production campaigns (`domain.ports.campaigns`): each version a row in Postgres; `current` is from memory."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.campaign_rows import (
    ChainRow,
    DrawRows,
    Key,
    Loaded,
    NewestRow,
    change_of,
    draw_rows,
    newest_row,
    version_row,
)
from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Session
from adapters.postgres.faults import Taken
from adapters.postgres.retailers import check_known
from domain.campaign_versions import Standing, refuse_bad, taken
from domain.campaigns import Budget, Campaign, Change
from domain.ports.campaigns import Campaigned
from domain.purse import Amounts

_SUBJECT = "campaigns"
_KEY = "campaigns_pkey"


class PostgresCampaigns:
    """Campaigns, each with all its versions."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        self._loaded = Loaded()
        self._kept = cache.keep(_SUBJECT, self._load, Campaigned(0, {}))

    def current(self) -> Campaigned:
        """Gives what was last loaded, at most 2 s old while the server answers."""
        return self._kept.value

    async def put(self, change: Change, chain_end: bytes | None = None) -> None:
        """Writes the version, what the ledger is to know of it, and what its draws are made from."""
        campaign = change.campaign
        version, newest, draws = version_row(change), newest_row(campaign), draw_rows(change, chain_end)

        async def write(session: Session) -> None:
            await check_known(session, campaign.retailer_id)
            refuse_bad(change, await _standing(session, campaign))
            await (_add(session, newest) if campaign.version == 1 else _replace(session, newest))
            await session.rows("INSERT INTO campaign_versions VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", version)
            await _add_draws(session, draws)

        try:
            await self._cache.change((_SUBJECT,), write)
        except Taken as found:
            if found.constraint == _KEY:
                raise taken(campaign.campaign_id) from found
            raise

    async def get(self, retailer_id: str, campaign_id: str) -> Campaign | None:
        """Asks the server for the newest version."""
        async with self._cache.database.session() as session:
            rows = await session.rows(
                "SELECT * FROM campaign_versions WHERE retailer_id = %s AND campaign_id = %s"
                " ORDER BY version DESC LIMIT 1",
                (retailer_id, campaign_id),
            )
        return change_of(rows[0]).campaign if rows else None

    async def listed(self, retailer_id: str) -> Sequence[Campaign]:
        """Asks the server for the newest versions."""
        found: list[Campaign] = []
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            query = (
                "SELECT campaign_versions.* FROM campaigns JOIN campaign_versions"
                " USING (retailer_id, campaign_id, version) WHERE retailer_id = %s ORDER BY campaign_id"
            )
            async for rows in session.slices(query, (retailer_id,)):
                found += [change_of(row).campaign for row in rows]
        return found

    async def history(self, retailer_id: str, campaign_id: str) -> Sequence[Change]:
        """Asks the server for every version."""
        found: list[Change] = []
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            query = "SELECT * FROM campaign_versions WHERE retailer_id = %s AND campaign_id = %s ORDER BY version"
            async for rows in session.slices(query, (retailer_id, campaign_id)):
                found += [change_of(row) for row in rows]
        return found

    async def _load(self, session: Session, versions: Versions) -> Campaigned:
        newest = await session.rows(
            "SELECT retailer_id, campaign_id, version FROM campaigns LEFT JOIN draw_chains"
            " USING (retailer_id, campaign_id) WHERE state IN ('scheduled', 'paused')"
            " OR state = 'ended' AND draw_chains.epochs IS NOT NULL ORDER BY retailer_id, campaign_id"
        )
        chains = [ChainRow(*row) for row in await session.rows("SELECT * FROM draw_chains")]
        # This is the event loop: what was read once is not read again.
        held = self._loaded.campaigns
        read = await _read(session, [key for key in newest if key not in held])
        return self._loaded.take(versions.get(_SUBJECT, 0), {key: held.get(key) or read[key] for key in newest}, chains)


async def _read(session: Session, keys: Sequence[Key]) -> dict[Key, Campaign]:
    found: dict[Key, Campaign] = {}
    if not keys:
        return found
    query = (
        "SELECT campaign_versions.* FROM unnest(%s::text[], %s::text[], %s::integer[])"
        " AS asked (retailer_id, campaign_id, version) JOIN campaign_versions USING (retailer_id, campaign_id, version)"
    )
    async for rows in session.slices(query, [list(column) for column in zip(*keys, strict=True)]):
        for row in rows:
            campaign = change_of(row).campaign
            found[campaign.retailer_id, campaign.campaign_id, campaign.version] = campaign
    return found


async def _standing(session: Session, campaign: Campaign) -> Standing | None:
    """Reads what there is, and makes everybody else who changes the campaign or its leases wait."""
    rows = await session.rows(
        "SELECT version, budget_minor, budget_count, held_minor, held_count FROM campaigns"
        " WHERE retailer_id = %s AND campaign_id = %s FOR UPDATE",
        (campaign.retailer_id, campaign.campaign_id),
    )
    for version, budget_minor, budget_count, *held in rows:
        return Standing(version, Budget(money_minor=budget_minor, count=budget_count), Amounts(*held))
    return None


async def _add(session: Session, newest: NewestRow) -> None:
    await session.rows(
        "INSERT INTO campaigns (retailer_id, campaign_id, version, state, ends_at_ms, budget_minor, budget_count)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        newest,
    )


async def _add_draws(session: Session, draws: DrawRows) -> None:
    for stock in draws.stocks:
        await session.rows(
            "INSERT INTO campaigns (retailer_id, campaign_id, version, state, ends_at_ms, budget_count)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            stock,
        )
    if draws.chain is not None:
        await session.rows("INSERT INTO draw_chains VALUES (%s, %s, %s, %s)", draws.chain)


async def _replace(session: Session, newest: NewestRow) -> None:
    await session.rows(
        "UPDATE campaigns SET version = %s, state = %s, ends_at_ms = %s, budget_minor = %s, budget_count = %s"
        " WHERE retailer_id = %s AND campaign_id = %s",
        (
            newest.version,
            newest.state,
            newest.ends_at_ms,
            newest.budget_minor,
            newest.budget_count,
            newest.retailer_id,
            newest.campaign_id,
        ),
    )
