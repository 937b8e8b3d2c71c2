"""What a decision leaves in the shopper's state beyond the page: promises to keep, and campaigns seen.

From the decision's record alone, so that a partition's next owner reaches the same state without campaigns or purse.
"""

from __future__ import annotations

from msgspec import structs

from domain.plays import after_plays
from domain.records import Decided, Decision, Reserved
from domain.reservations import Reservation
from domain.shopper import EXPOSURE_TIMES_KEPT, EXPOSURES_KEPT, Exposure, Shopper


def after_decision(state: Shopper, decided: Decided) -> Shopper:
    """Gives the state with the promises and exposures of a decision.

    Args:
        state: after `apply` of the same event.
        decided: the event's record in the experience log.
    """
    if decided.plays:
        state = structs.replace(state, reservations=after_plays(state, decided))
    seen = [one for one in (*decided.decisions, *decided.held_out) if one.experience.campaign_id is not None]
    if not seen:
        return state
    reservations = _renewed(state.reservations, decided)
    by_id = {one.experience.experience_id: one for one in decided.decisions}
    made = tuple(
        _reservation(reserved, by_id[reserved.experience_id])
        for reserved in decided.reservations
        if reserved.experience_id in by_id
    )
    return structs.replace(
        state,
        reservations=reservations + made,
        exposures=_exposed(state.exposures, [one for one in seen if is_entered(one)], decided.received_at_ms),
    )


def is_entered(decision: Decision) -> bool:
    """Tells a decision at a node that was entered from an open basket tension that is told again."""
    return len(decision.path) > 1


def _renewed(reservations: tuple[Reservation, ...], decided: Decided) -> tuple[Reservation, ...]:
    """Gives open promises under the id of the experience that tells them now."""
    again = {
        (one.experience.campaign_id, one.experience.slot): one.experience.experience_id
        for one in decided.decisions
        if not is_entered(one)
    }
    if not again:
        return reservations
    return tuple(
        structs.replace(one, experience_id=again[one.campaign_id, one.slot])
        if one.is_open and (one.campaign_id, one.slot) in again
        else one
        for one in reservations
    )


def _reservation(reserved: Reserved, decision: Decision) -> Reservation:
    shown = decision.experience
    return Reservation(
        experience_id=shown.experience_id,
        campaign_id=reserved.campaign_id,
        kind=shown.kind,
        slot=shown.slot,
        content=shown.content,
        cost_minor=reserved.cost_minor,
        decided_at_ms=shown.decided_at_ms,
        honoured_until_ms=shown.expires_at_ms,
        group=reserved.group,
        priority=reserved.priority,
    )


def _exposed(exposures: tuple[Exposure, ...], seen: list[Decision], at_ms: int) -> tuple[Exposure, ...]:
    for decision in seen:
        campaign_id = decision.experience.campaign_id
        assert campaign_id is not None, "only decisions of campaigns are exposures"
        before = next((one.at_ms for one in exposures if one.campaign_id == campaign_id), ())
        others = tuple(one for one in exposures if one.campaign_id != campaign_id)
        fresh = Exposure(campaign_id, (*before, at_ms)[-EXPOSURE_TIMES_KEPT:])
        exposures = (*others, fresh)[-EXPOSURES_KEPT:]
    return exposures
