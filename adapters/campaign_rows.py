"""How campaigns lie in the tables of a control plane, alike in every technology: a row a version, never altered.

The seeds of draws lie in a table of their own, and the stocks of prizes beside the campaigns, for the ledger alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from domain.campaigns import Action, Budget, Campaign, Change, Definition, State
from domain.draw_chain import SEED_BYTES
from domain.errors import PortError, Refused
from domain.games import Game
from domain.ids import stock_id
from domain.ports.campaigns import Campaigned

_definition = msgspec.json.Decoder(Definition)
_encoder = msgspec.json.Encoder()

Key = tuple[str, str, int]
"""Retailer, campaign and version."""


class VersionRow(NamedTuple):
    """One row of the table `campaign_versions`; fields are its columns, in its order."""

    retailer_id: str
    campaign_id: str
    version: int
    state: str
    action: str
    made_by: str
    changed_at_ms: int
    definition: str


class NewestRow(NamedTuple):
    """What the table `campaigns` says of the newest version, for the ledger; fields are its columns, in its order."""

    retailer_id: str
    campaign_id: str
    version: int
    state: str
    ends_at_ms: int
    budget_minor: int | None
    budget_count: int | None


class StockRow(NamedTuple):
    """A prize's stock in the table `campaigns`, of the state `stock`; fields are columns, in this order."""

    retailer_id: str
    campaign_id: str
    version: int
    state: str
    ends_at_ms: int
    budget_count: int


class ChainRow(NamedTuple):
    """One row of the table `draw_chains`; fields are its columns, in its order."""

    retailer_id: str
    campaign_id: str
    epochs: int
    chain_end: bytes

    def __repr__(self) -> str:
        """Shows no seed."""
        return f"ChainRow({self.retailer_id}, {self.campaign_id})"


class DrawRows(NamedTuple):
    """What is kept of a campaign that draws when it is scheduled; of any other change, nothing."""

    stocks: Sequence[StockRow] = ()
    chain: ChainRow | None = None


def version_row(change: Change) -> VersionRow:
    """Gives the row of a version.

    Raises:
        Refused: its definition could never be read again.
    """
    campaign = change.campaign
    return VersionRow(
        retailer_id=campaign.retailer_id,
        campaign_id=campaign.campaign_id,
        version=campaign.version,
        state=campaign.state,
        action=change.action,
        made_by=change.by,
        changed_at_ms=campaign.changed_at_ms,
        definition=_written(campaign.definition),
    )


def newest_row(campaign: Campaign) -> NewestRow:
    """Gives what the ledger is to know of a version."""
    budget = campaign.definition.budget or Budget()
    return NewestRow(
        retailer_id=campaign.retailer_id,
        campaign_id=campaign.campaign_id,
        version=campaign.version,
        state=campaign.state,
        ends_at_ms=campaign.definition.ends_at_ms,
        budget_minor=budget.money_minor,
        budget_count=budget.count,
    )


def draw_rows(change: Change, chain_end: bytes | None) -> DrawRows:
    """Gives what is to be kept for the draws of a campaign that is being scheduled.

    Raises:
        Refused: it has more days than draws can have, or what its seeds are made from is missing.
    """
    campaign, definition = change.campaign, change.campaign.definition
    if change.action != "schedule" or not definition.has_draws:
        return DrawRows()
    if chain_end is None:
        raise Refused(f"{campaign.campaign_id} draws: {SEED_BYTES} random bytes have to come with it")
    epochs = Game(campaign, chain_end, epochs=definition.days).schedule.epochs
    stocks = [
        StockRow(
            retailer_id=campaign.retailer_id,
            campaign_id=stock_id(campaign.campaign_id, prize.prize_id),
            version=campaign.version,
            state="stock",
            ends_at_ms=definition.ends_at_ms,
            budget_count=prize.stock,
        )
        for prize in definition.prizes
        if prize.stock is not None
    ]
    return DrawRows(stocks, ChainRow(campaign.retailer_id, campaign.campaign_id, epochs, chain_end))


def change_of(row: Sequence[Any]) -> Change:  # Any: a row has the types of its columns
    """Reads a version.

    Raises:
        PortError: not retriable: a newer hotbasket wrote it.
    """
    found = VersionRow(*row)
    try:
        campaign = Campaign(
            retailer_id=found.retailer_id,
            campaign_id=found.campaign_id,
            version=found.version,
            state=msgspec.convert(found.state, State),
            definition=_definition.decode(found.definition),
            changed_at_ms=found.changed_at_ms,
        )
        return Change(campaign=campaign, action=msgspec.convert(found.action, Action), by=found.made_by)
    except msgspec.MsgspecError as error:
        which = f"campaign {found.campaign_id} of {found.retailer_id}, version {found.version},"
        raise PortError(f"{which} can't be read ({error}): run the newer hotbasket", retriable=False) from error


class Loaded:
    """The campaigns that were read, kept as long as they are the newest: one may name thousands of products.

    Attributes:
        campaigns: by retailer, id and version; what was ended by hand is there if it draws.
    """

    def __init__(self) -> None:
        self.campaigns: dict[Key, Campaign] = {}
        self._games: dict[Key, Game] = {}

    def take(self, version: int, read: Mapping[Key, Campaign], chains: Iterable[ChainRow]) -> Campaigned:
        """Takes what is the newest now, and gives it as it is in force.

        Args:
            version: of all.
            read: the campaigns, by id.
            chains: of those that draw.

        Raises:
            PortError: not retriable: a chain can't be used.
        """
        self.campaigns = dict(read)
        ends = {(chain.retailer_id, chain.campaign_id): chain for chain in chains}
        by_retailer: dict[str, list[Campaign]] = {}
        games: dict[str, dict[str, Game]] = {}
        kept: dict[Key, Game] = {}
        for key, campaign in read.items():
            if campaign.state != "ended":
                by_retailer.setdefault(campaign.retailer_id, []).append(campaign)
            chain = ends.get(key[:2])
            if chain is not None:
                game = kept[key] = self._games.get(key) or _game(campaign, chain)
                games.setdefault(campaign.retailer_id, {})[campaign.campaign_id] = game
        self._games = kept
        return Campaigned(version, by_retailer, games)


def _game(campaign: Campaign, chain: ChainRow) -> Game:
    try:
        return Game(campaign, chain.chain_end, epochs=chain.epochs)
    except Refused as refused:
        which = f"the draws of campaign {campaign.campaign_id} of {campaign.retailer_id}"
        raise PortError(f"{which} can't be made: {refused}", retriable=False) from None


def _written(definition: Definition) -> str:
    """Gives the text of a definition that can be read: one that can't would keep all others from being loaded."""
    try:
        text = _encoder.encode(definition)
        if _encoder.encode(_definition.decode(text)) == text:
            return text.decode()
    except UnicodeEncodeError as error:
        raise Refused(f"a text can't be stored ({error.reason}): remove what is no Unicode") from error
    except msgspec.MsgspecError as error:
        raise Refused(f"the definition can't be stored: {error}") from error
    raise Refused("the definition can't be stored: it would be read as another one")
