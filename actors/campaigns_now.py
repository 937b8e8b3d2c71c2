"""The campaigns that decisions ask, made ready when control data changes; between the control plane and actors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from domain.campaigns import Campaign
from domain.campaigns_in_force import InForce
from domain.errors import HotbasketError
from domain.games import Game
from domain.ports.budget_ledger import BudgetLedger
from domain.ports.campaigns import Campaigned, Campaigns
from domain.ports.retailers import Retailers
from domain.records import Known

_log = logging.getLogger("hotbasket.worker")
_NO_CATALOGUE: Mapping[str, Known] = {}
_NO_GAMES: Mapping[str, Game] = {}


class MarketPorts(NamedTuple):
    """What a worker needs for campaigns.

    Attributes:
        zone_of: gives a time zone by its IANA name.
    """

    campaigns: Campaigns
    ledger: BudgetLedger
    retailers: Retailers
    zone_of: Callable[[str], tzinfo]


class _Prepared(NamedTuple):
    """One retailer's campaigns, and what they were made from."""

    campaigns: Sequence[Campaign]
    games: Mapping[str, Game]
    known: Mapping[str, Known]
    zone: str
    in_force: InForce


class CampaignsNow:
    """Gives every retailer's campaigns, from memory."""

    def __init__(self, ports: MarketPorts) -> None:
        self._ports = ports
        self._versions: tuple[int, int] | None = None
        self._prepared: dict[str, _Prepared] = {}
        self._current: Mapping[str, InForce] = {}

    def current(self) -> Mapping[str, InForce]:
        """Gives the campaigns by retailer id; the same mapping as long as nothing has changed.

        Raises:
            PortError: control data was never readable.
        """
        campaigned, control = self._ports.campaigns.current(), self._ports.retailers.current()
        versions = (campaigned.version, control.version)
        if versions != self._versions:
            before, self._prepared = self._prepared, {}
            for retailer_id in campaigned.campaigns.keys() | campaigned.games.keys():
                retailer = control.retailers.get(retailer_id)
                if retailer is not None:
                    known = control.known.get(retailer_id, _NO_CATALOGUE)
                    self._prepare(retailer_id, campaigned, known, retailer.time_zone, before.get(retailer_id))
            self._current = {retailer_id: one.in_force for retailer_id, one in self._prepared.items()}
            self._versions = versions
        return self._current

    def _prepare(
        self,
        retailer_id: str,
        campaigned: Campaigned,
        known: Mapping[str, Known],
        zone: str,
        before: _Prepared | None,
    ) -> None:
        """Prepares a retailer's campaigns, unless they, the catalogue and the zone are what they were."""
        campaigns = campaigned.campaigns.get(retailer_id, ())
        games = campaigned.games.get(retailer_id, _NO_GAMES)
        is_same = before is not None and before.known is known and before.zone == zone
        if before is not None and is_same and before.campaigns == campaigns and before.games == games:
            self._prepared[retailer_id] = before
            return
        try:
            in_force = InForce(campaigns, known, self._ports.zone_of, zone, games)
        except HotbasketError as error:
            # A zone that this machine does not know: better no campaigns of this retailer than none of anybody's.
            _log.error("campaigns not in force", extra={"retailer": retailer_id, "detail": str(error)})
            in_force = InForce((), known, self._ports.zone_of, zone, games)
        self._prepared[retailer_id] = _Prepared(campaigns, games, known, zone, in_force)
