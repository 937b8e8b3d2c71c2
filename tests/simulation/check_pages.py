"""What shoppers must have seen when a run is over: every decision that still stands, once, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from domain.events import ShopperErased
from domain.records import Decided, Record, decode_experience_record, decode_record
from tests.simulation.expected import hear
from tests.simulation.page import Page, Told
from tests.simulation.shop import hash_of
from tests.simulation.system import System

_MARGIN_MS = 60_000
"""Around the end of an experience, whether a page still shows it depends on the moment."""


class _Slot:
    """The latest state of a slot, as the experience log says."""

    def __init__(self) -> None:
        self.experience_id = ""
        self.expires_at_ms = 0
        self.is_open = False
        self.is_withdrawn = False


def check_pages(system: System, pages: Sequence[Page], now_ms: int) -> list[str]:
    """Gives every fault that was found, after all pages have looked again."""
    counted = _counted(system)
    forgotten = _forgotten(system)
    faults = []
    for page in pages:
        name = f"page of {page.client.shopper_id}"
        faults += [f"{name}: {fault}" for fault in page.faults]
        theirs = [
            said
            for said in counted
            if said.retailer_id == page.client.retailer_id
            and said.shopper == hash_of(page.client.retailer_id, page.client.shopper_id)
        ]
        decided = {
            Told(shown.experience_id, shown.tree_generation, shown.node_id, shown.campaign_id)
            for said in theirs
            for shown in (decision.experience for decision in said.decisions)
        }
        faults += [f"{name}: was told of {told}, which nobody decided" for told in page.told if told not in decided]
        brought = {
            (str(said.trigger_event_id), decision.experience.experience_id)
            for said in theirs
            for decision in said.decisions
        }
        faults += [
            f"{name}: an answer tells of {told}, which nobody decided"
            for told in page.client.brought
            if told not in brought
        ]
        is_forgotten = hash_of(page.client.retailer_id, page.client.shopper_id) in forgotten
        faults += [f"{name}: {fault}" for fault in _screen(page, theirs, now_ms, is_forgotten=is_forgotten)]
    return faults


def _screen(page: Page, theirs: Sequence[Decided], now_ms: int, *, is_forgotten: bool) -> list[str]:
    """Compares the screen with the latest state of each slot.

    Of who was erased, nobody remembers what a page shows that was away meanwhile: it goes when its time is over.
    """
    faults = []
    slots = _slots(theirs)
    for slot, latest in slots.items():
        shown = page.screen.get(slot)
        if latest.is_open and latest.expires_at_ms > now_ms + _MARGIN_MS:
            if shown is None or shown.experience_id != latest.experience_id:
                faults.append(f"{slot} shows {shown}, and should show {latest.experience_id}")
        elif latest.is_withdrawn and shown is not None and not is_forgotten:
            # What expired or was dismissed in the meantime is not told any more, so an older one may still be there.
            faults.append(f"{slot} shows {shown}, after {latest.experience_id} was withdrawn")
    faults += [f"{slot} shows {shown}, and has nothing" for slot, shown in page.screen.items() if slot not in slots]
    return faults


def _slots(theirs: Sequence[Decided]) -> dict[str, _Slot]:
    slots: dict[str, _Slot] = {}
    for said in theirs:
        for latest in slots.values():
            if latest.experience_id in said.dismissals:
                latest.is_open = False
        for gone in said.withdrawals:
            latest = slots.setdefault(gone.slot, _Slot())
            latest.is_open, latest.is_withdrawn = False, True
        for decision in said.decisions:
            latest = slots.setdefault(decision.experience.slot, _Slot())
            latest.experience_id = decision.experience.experience_id
            latest.expires_at_ms = decision.experience.expires_at_ms
            latest.is_open, latest.is_withdrawn = True, False
    return slots


def _counted(system: System) -> list[Decided]:
    """Gives what counts of the experience log, in the order of the events."""
    counted: list[Decided] = []
    for topic in system.broker.experiences:
        heard = hear([(offset, decode_experience_record(row)) for offset, row in topic.rows[: topic.durable]])
        counted += [said for _, said in sorted(heard.records.items()) if isinstance(said, Decided)]
    return counted


def _forgotten(system: System) -> set[str]:
    """Gives the hashes of the shoppers who were erased, once or more."""
    records = (decode_record(row) for topic in system.broker.events for _, row in topic.rows[: topic.durable])
    events = (record.event for record in records if isinstance(record, Record))
    return {event.shopper_id for event in events if isinstance(event, ShopperErased)}
