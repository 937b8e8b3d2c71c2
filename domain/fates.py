"""What becomes of experiences once they are decided: told by the event that did it and by the page before it.

The shopper actor asks after each event that can have done something to an experience; the worker counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from domain.events import ExperienceClicked, ExperienceShown
from domain.experiences import Kind
from domain.records import Decided, Record
from domain.shopper import Shopper

Fate = Literal["shown", "clicked", "dismissed", "withdrawn", "replaced", "expired"]
"""`replaced`: another took its slot while it was on the page, a tension told anew too; `expired`: its time was over
when another took its slot. An experience may have several, as shown and clicked; a page may say so more than once.
"""
ANSWERS: Final[dict[type, Fate]] = {ExperienceShown: "shown", ExperienceClicked: "clicked"}
"""Events with which a page says what it did with an experience."""


class Fated(NamedTuple):
    """One experience, and what became of it."""

    kind: Kind
    fate: Fate


def fates(before: Shopper, record: Record, decided: Decided | None) -> Iterator[Fated]:
    """Gives what an event made of experiences, in no order.

    Args:
        before: the shopper before the event; what is not on this page is a stranger's, and counts nowhere.
        record: the event; no repeat.
        decided: what it led to, None = nothing that is told.
    """
    event = record.event
    if isinstance(event, ExperienceShown | ExperienceClicked):
        for slot in before.slots:
            if slot.experience.experience_id == event.experience_id:
                yield Fated(slot.experience.kind, ANSWERS[type(event)])
    if decided is None:
        return
    withdrawn = {one.experience_id for one in decided.withdrawals}
    filled = {one.experience.slot: one.experience.decided_at_ms for one in decided.decisions}
    for slot in before.slots:
        shown = slot.experience
        if shown.experience_id in withdrawn:
            yield Fated(shown.kind, "withdrawn")
        elif shown.experience_id in decided.dismissals:
            yield Fated(shown.kind, "dismissed")
        elif slot.state == "open" and shown.slot in filled:
            yield Fated(shown.kind, "replaced" if filled[shown.slot] < shown.expires_at_ms else "expired")
