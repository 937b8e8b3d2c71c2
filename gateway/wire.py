"""How an experience looks outside: JSON in answers, server-sent events on streams."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

import msgspec

from domain.experiences import Experience
from domain.ids import Position, ShopperKey
from domain.records import Decided
from domain.timestamps import rfc3339
from domain.traces import traceparent

_encode = msgspec.json.Encoder().encode
_PLACE: Final = re.compile(r"(\d{1,9})-(\d{1,18})-(\d{1,9})", re.ASCII)

Place = tuple[Position, int]
"""Where a delivery stands among all of its shopper: its event's position, and its number among what that event did."""


class Delivery:
    """One thing that a page is told: an experience, or that one has to leave.

    Attributes:
        key: whose page.
        place: order of delivery.
        slot: of the page.
        experience_id: which experience.
        experience: None = it is withdrawn.
        received_at_ms: when the gateway took the event behind it; 0 = not known any more.
        claim: with which the page claims what was won; put there before it is written, and kept nowhere else.
    """

    def __init__(
        self,
        key: ShopperKey,
        place: Place,
        slot: str,
        experience_id: str,
        experience: Experience | None,
        received_at_ms: int = 0,
    ) -> None:
        self.key = key
        self.place = place
        self.slot = slot
        self.experience_id = experience_id
        self.experience = experience
        self.received_at_ms = received_at_ms
        self.claim: str | None = None

    def is_over(self, now_ms: int) -> bool:
        """Tells whether this is an experience that has expired by now."""
        return self.experience is not None and self.experience.expires_at_ms <= now_ms

    @cached_property
    def json(self) -> bytes:
        """The JSON that the page gets; made once for all streams and answers."""
        if self.experience is not None:
            return experience_json(self.experience, self.claim)
        return _encode({"experience_id": self.experience_id, "slot": self.slot})

    @cached_property
    def frame(self) -> bytes:
        """The server-sent event; made once for all streams."""
        (epoch, offset), number = self.place
        name = b"withdrawn" if self.experience is None else b"experience"
        return b"id: %d-%d-%d\nevent: %b\ndata: %b\n\n" % (epoch, offset, number, name, self.json)


def experience_json(experience: Experience, claim: str | None = None) -> bytes:
    """Gives the JSON of an experience; moments are RFC 3339 in UTC with milliseconds.

    Args:
        experience: as it was decided.
        claim: to be sent in its content; None = there is nothing to claim.
    """
    fields: dict[str, object] = {
        "experience_id": experience.experience_id,
        "kind": experience.kind,
        "slot": experience.slot,
        "decided_at": rfc3339(experience.decided_at_ms),
        "expires_at": rfc3339(experience.expires_at_ms),
        "trigger_event_id": experience.trigger_event_id,
        "tree_generation": experience.tree_generation,
        "node_id": experience.node_id,
    }
    if experience.campaign_id is not None:
        fields["campaign_id"] = experience.campaign_id
    if experience.trace:
        fields["traceparent"] = traceparent(experience.trace, experience.experience_id)
    fields["content"] = experience.content if claim is None else {**experience.content, "claim": claim}
    return _encode(fields)


def deliveries_of(decided: Decided) -> list[Delivery]:
    """Gives what a page is told of one event: what leaves first, then what comes, numbered in this order."""
    key = ShopperKey(decided.retailer_id, decided.shopper)
    at, received_at_ms = decided.position, decided.received_at_ms
    told = [
        Delivery(key, (at, number), withdrawal.slot, withdrawal.experience_id, None, received_at_ms)
        for number, withdrawal in enumerate(decided.withdrawals)
    ]
    for number, decision in enumerate(decided.decisions, start=len(told)):
        shown = decision.experience
        told.append(Delivery(key, (at, number), shown.slot, shown.experience_id, shown, received_at_ms))
    return told


def read_place(text: str) -> Place | None:
    """Reads the `id` of a server-sent event; None if it is none of ours."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    return Position(int(found[1]), int(found[2])), int(found[3])
