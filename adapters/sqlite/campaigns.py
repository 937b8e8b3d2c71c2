"""The embedded campaigns (`domain.ports.campaigns`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adapters.campaign_rows import ChainRow, Key, Loaded, change_of, draw_rows, newest_row, version_row
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.kept import Kept
from adapters.sqlite.retailers import check_known
from domain.campaign_versions import Standing, refuse_bad
from domain.campaigns import Budget, Campaign, Change
from domain.ports.campaigns import Campaigned
from domain.purse import Amounts

_SUBJECT = "campaigns"


class SqliteCampaigns:
    """Campaigns, each with all its versions."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control
        self._kept = Kept(control, _SUBJECT, self._load, "campaigns")
        self._loaded = Loaded()

    def current(self) -> Campaigned:
        """Gives what is in force now; reads again only when somebody put a version, and only what is new."""
        return self._kept.current()

    async def put(self, change: Change, chain_end: bytes | None = None) -> None:
        """Writes the version, what the ledger is to know of it, and what its draws are made from."""
        campaign = change.campaign
        version, newest, draws = version_row(change), newest_row(campaign), draw_rows(change, chain_end)

        def write(connection: sqlite3.Connection) -> None:
            check_known(connection, campaign.retailer_id)
            refuse_bad(change, _standing(connection, campaign))
            connection.execute("INSERT INTO campaign_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", version)
            connection.execute(
                "INSERT INTO campaigns (retailer_id, campaign_id, version, state, ends_at_ms, budget_minor,"
                " budget_count) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version,"
                " state = excluded.state, ends_at_ms = excluded.ends_at_ms, budget_minor = excluded.budget_minor,"
                " budget_count = excluded.budget_count",
                newest,
            )
            connection.executemany(
                "INSERT INTO campaigns (retailer_id, campaign_id, version, state, ends_at_ms, budget_count)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                draws.stocks,
            )
            if draws.chain is not None:
                connection.execute("INSERT INTO draw_chains VALUES (?, ?, ?, ?)", draws.chain)

        await self._file.change(_SUBJECT, write)

    async def get(self, retailer_id: str, campaign_id: str) -> Campaign | None:
        """Reads the newest version."""
        rows = await self._file.database.read(
            lambda connection: connection.execute(
                "SELECT * FROM campaign_versions WHERE retailer_id = ? AND campaign_id = ?"
                " ORDER BY version DESC LIMIT 1",
                (retailer_id, campaign_id),
            ).fetchall()
        )
        return change_of(rows[0]).campaign if rows else None

    async def listed(self, retailer_id: str) -> Sequence[Campaign]:
        """Reads the newest versions."""
        rows = await self._file.database.read(
            lambda connection: connection.execute(
                "SELECT campaign_versions.* FROM campaigns JOIN campaign_versions"
                " USING (retailer_id, campaign_id, version) WHERE retailer_id = ? ORDER BY campaign_id",
                (retailer_id,),
            ).fetchall()
        )
        return [change_of(row).campaign for row in rows]

    async def history(self, retailer_id: str, campaign_id: str) -> Sequence[Change]:
        """Reads every version."""
        rows = await self._file.database.read(
            lambda connection: connection.execute(
                "SELECT * FROM campaign_versions WHERE retailer_id = ? AND campaign_id = ? ORDER BY version",
                (retailer_id, campaign_id),
            ).fetchall()
        )
        return [change_of(row) for row in rows]

    def _load(self, connection: sqlite3.Connection, version: int, _: Campaigned | None) -> Campaigned:
        newest = connection.execute(
            "SELECT retailer_id, campaign_id, version FROM campaigns LEFT JOIN draw_chains"
            " USING (retailer_id, campaign_id) WHERE state IN ('scheduled', 'paused')"
            " OR state = 'ended' AND draw_chains.epochs IS NOT NULL ORDER BY retailer_id, campaign_id"
        ).fetchall()
        chains = [ChainRow(*row) for row in connection.execute("SELECT * FROM draw_chains")]
        # This is the event loop: what was read once is not read again.
        held = self._loaded.campaigns
        return self._loaded.take(version, {key: held.get(key) or _read(connection, key) for key in newest}, chains)


def _read(connection: sqlite3.Connection, key: Key) -> Campaign:
    row = connection.execute(
        "SELECT * FROM campaign_versions WHERE retailer_id = ? AND campaign_id = ? AND version = ?", key
    ).fetchone()
    return change_of(row).campaign


def _standing(connection: sqlite3.Connection, campaign: Campaign) -> Standing | None:
    row = connection.execute(
        "SELECT version, budget_minor, budget_count, held_minor, held_count FROM campaigns"
        " WHERE retailer_id = ? AND campaign_id = ?",
        (campaign.retailer_id, campaign.campaign_id),
    ).fetchone()
    if row is None:
        return None
    version, budget_minor, budget_count, *held = row
    return Standing(version, Budget(money_minor=budget_minor, count=budget_count), Amounts(*held))
