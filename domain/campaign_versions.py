"""What a control plane checks before it keeps another version of a campaign; every adapter asks here."""

from __future__ import annotations

from typing import NamedTuple

from domain.campaigns import Budget, Change
from domain.errors import Refused
from domain.purse import Amounts


class Standing(NamedTuple):
    """What a control plane has of a campaign.

    Attributes:
        version: the newest.
        budget: of that version.
        held: leases less returns, of all partitions.
    """

    version: int
    budget: Budget
    held: Amounts


def refuse_bad(change: Change, now: Standing | None) -> None:
    """Checks that a version is the next one, and that its budget covers what partitions hold.

    A budget that is not lowered is never refused: pausing and ending must always be possible.

    Args:
        change: that is to be kept.
        now: what there is; None = no campaign of that id.

    Raises:
        Refused: with every fault.
    """
    campaign = change.campaign
    if campaign.version == 1:
        if now is not None:
            raise taken(campaign.campaign_id)
        return
    if now is None:
        raise Refused(f"there is no campaign {campaign.campaign_id}: hotbasket campaign list shows those there are")
    if campaign.version != now.version + 1:
        raise Refused(f"{campaign.campaign_id} was changed by somebody else meanwhile: read it again")
    budget = campaign.definition.budget or Budget()
    faults = [
        f"$.budget.{name}: {new} is less than the {held} that partitions hold leases of: it can be lowered to {held}"
        for name, old, new, held in (
            ("money_minor", now.budget.money_minor, budget.money_minor, now.held.minor),
            ("count", now.budget.count, budget.count, now.held.promises),
        )
        if new is not None and (old is None or new < old) and new < held
    ]
    if faults:
        raise Refused(*faults)


def taken(campaign_id: str) -> Refused:
    """Gives the refusal of an id that another campaign of the retailer has."""
    return Refused(f"there is a campaign {campaign_id} already: choose another id, or change that one")
