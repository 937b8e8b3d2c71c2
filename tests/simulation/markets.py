"""What decisions may have known of campaigns and budgets: the one thing that the logs don't say beforehand.

Campaigns must be some version that was in force between the event and its decision, and an owner never goes back to
an older one. What the purse had left is taken from the decision itself: `recount.py` says whether it had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.zones import zone_of
from domain.arbitration import Market
from domain.campaigns_in_force import InForce
from domain.purse import CampaignKey, Purse
from domain.records import Decided
from domain.terms import promise_minor
from tests.simulation.budgets import OLD_MAX_S, Version
from tests.simulation.control import CONTROL

_NOT_ASKED = ("unknown", "not_open", "other_kind", "late", "budget")
"""Reasons that say nothing of what was left, or all."""


class Markets:
    """Every version of all campaigns, prepared when it is asked for."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions = versions
        self._prepared: dict[int, Mapping[str, InForce]] = {}

    def between(self, after_s: float, until_s: float) -> range:
        """Gives the versions that some process may have seen in a time (virtual seconds), oldest first."""
        seen_s = [version.stamp.at_s for version in self._versions]
        # A version is seen until the next one can't be overlooked any more.
        first = max((number for number, at_s in enumerate(seen_s) if at_s < after_s - OLD_MAX_S), default=0)
        return range(first, max(number for number, at_s in enumerate(seen_s) if at_s <= until_s) + 1)

    def of(self, version: int, said: Decided | None) -> Iterator[Market]:
        """Gives the markets in which this may have been decided, the likeliest first."""
        in_force = self._in_force(version)
        if said is None:
            yield Market(in_force, Purse())
            return
        theirs = in_force.get(said.retailer_id)
        offers = {offer.key.campaign_id: offer for offer in theirs.offers} if theirs is not None else {}
        costs = {one.campaign_id: one.cost_minor for one in said.reservations}
        for shown in (decision.experience for decision in said.held_out):
            offer = offers.get(shown.campaign_id or "")
            if offer is not None:
                costs[offer.key.campaign_id] = promise_minor(offer.definition, shown.kind, shown.content)
        denied = {one.campaign_id: 0 for one in said.against if one.reason == "budget"}
        yield Market(in_force, _SaidPurse(denied | {name: costs[name] for name in denied.keys() & costs}))
        # Of a campaign only the first reason is told in each slot, and of many campaigns not all are told of: who lost
        # may have had too little for a second proposal, though enough to be asked for the first.
        told = {one.campaign_id for one in said.against if one.reason not in _NOT_ASKED}
        least = {name: offer.least_minor if name in told else 0 for name, offer in offers.items()}
        yield Market(in_force, _SaidPurse({**least, **denied, **costs}))

    def _in_force(self, version: int) -> Mapping[str, InForce]:
        found = self._prepared.get(version)
        if found is None:
            campaigns = self._versions[version].campaigned.campaigns
            found = self._prepared[version] = {
                retailer_id: InForce(
                    theirs, CONTROL.known[retailer_id], zone_of, CONTROL.retailers[retailer_id].time_zone
                )
                for retailer_id, theirs in campaigns.items()
            }
        return found


class _SaidPurse(Purse):
    """Has as much left as a decision says that there was.

    Args:
        left: money, by campaigns that had too little for something; all others have plenty.
    """

    def __init__(self, left: Mapping[str, int]) -> None:
        super().__init__()
        self._left = left

    def has(self, key: CampaignKey, minor: int, promises: int) -> bool:
        """Tells whether there was enough; of a campaign without money there was no promise left to count either."""
        left = self._left.get(key.campaign_id)
        return left is None or (minor <= left and (left > 0 or promises == 0))
