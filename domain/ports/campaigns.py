"""Campaigns in the control plane: each version with who made it, and what is in force from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.campaigns import Campaign, Change
from domain.games import Game


class Campaigned(NamedTuple):
    """Every campaign of every retailer at one moment, immutable.

    Attributes:
        version: changes when anything in it does.
        campaigns: by retailer id, those that are neither drafts nor ended by hand, by campaign id.
        games: by retailer and campaign id, what was ever scheduled and draws, ended by hand or not; the same object as
            long as its campaign is of the same version.
    """

    version: int
    campaigns: Mapping[str, Sequence[Campaign]]
    games: Mapping[str, Mapping[str, Game]] = {}


class Campaigns(Protocol):
    """The campaigns of all retailers; a version once made is never altered or deleted."""

    def current(self) -> Campaigned:
        """Gives what is in force: embedded as of now, in production at most 2 s old. From memory, cheap when unchanged.

        Raises:
            PortError: it was never readable; later failures keep serving the last known.
        """
        ...

    async def put(self, change: Change, chain_end: bytes | None = None) -> None:
        """Adds a version: of a new campaign 1, else one more than the newest; the ledger knows its budget with it.

        Scheduling a campaign that draws also keeps its seeds, apart from its versions, and the stocks of its prizes for
        the ledger. Nothing but `current` ever gives a seed away.

        Args:
            change: the version, and who made it.
            chain_end: 32 bytes that nobody can guess and no campaign had before, from which the seeds are made; needed
                when a campaign that draws is scheduled, and otherwise unused.

        Raises:
            Refused: the retailer is unknown; the id is taken (version 1); somebody else changed the campaign meanwhile;
                or the budget would be less than partitions hold leases of (`BudgetLedger`), with the least that can be.
        """
        ...

    async def get(self, retailer_id: str, campaign_id: str) -> Campaign | None:
        """Gives a campaign's newest version, None where the retailer has none of that id."""
        ...

    async def listed(self, retailer_id: str) -> Sequence[Campaign]:
        """Gives the newest version of each of a retailer's campaigns, by id."""
        ...

    async def history(self, retailer_id: str, campaign_id: str) -> Sequence[Change]:
        """Gives every version of a campaign, oldest first; empty where there is none."""
        ...
