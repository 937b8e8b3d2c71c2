"""What becomes of experiences once they are decided: told by the event that did it and by the page before it.

The shopper actor asks after each event that can have done something to an experience; the worker counts.
"""

from __future__ import annotations

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


def fates(before: Shopper, record: Record, decided: Decided | None) -> tuple[Fated, ...]:
    """Gives what an event made of experiences, in no order.

    Args:
        before: the shopper before the event; what is not on this page is a stranger's, and counts nowhere.
        record: the event; no repeat.
        decided: what it led to, None = nothing that is told.
    """
    if not before.slots:
        return ()
    answer = ANSWERS.get(type(record.event))
    found = () if answer is None else _answered(before, record, answer)
    if decided is None or not (decided.decisions or decided.withdrawals or decided.dismissals):
        return found
    filled = {one.experience.slot: one.experience.decided_at_ms for one in decided.decisions}
    withdrawn = [one.experience_id for one in decided.withdrawals]
    ended = []
    for slot in before.slots:
        shown = slot.experience
        if slot.state != "open":
            continue
        if shown.experience_id in withdrawn:
            ended.append(Fated(shown.kind, "withdrawn"))
        elif shown.experience_id in decided.dismissals:
            ended.append(Fated(shown.kind, "dismissed"))
        elif (at_ms := filled.get(shown.slot)) is not None:
            ended.append(Fated(shown.kind, "replaced" if at_ms < shown.expires_at_ms else "expired"))
    return (*found, *ended)


def _answered(before: Shopper, record: Record, answer: Fate) -> tuple[Fated, ...]:
    event = record.event
    assert isinstance(event, ExperienceShown | ExperienceClicked)
    return tuple(
        Fated(slot.experience.kind, answer)
        for slot in before.slots
        if slot.experience.experience_id == event.experience_id
    )
