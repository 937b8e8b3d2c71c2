"""What must hold after a chaos run, computed from what trackers sent, what pages were told and what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.events import IdleElapsed
from domain.ids import ShopperKey, shopper_hash
from domain.records import Failed
from domain.shopper import Shopper
from domain.told import read_told
from tests.chaos.load import Page, Tracker
from tests.chaos.stored import Stored
from tests.real_data import independent_fold
from tests.simulation.expected import Expected


class Checks:
    """The checks of one retailer's shoppers.

    Args:
        retailer_id: whose.
        key: under which their ids are hashed.
        trackers: all that ever sent it anything.
    """

    def __init__(self, retailer_id: str, key: bytes, trackers: Sequence[Tracker]) -> None:
        self._trackers = {
            ShopperKey(retailer_id, shopper_hash(key, tracker.page.shopper_id)): tracker for tracker in trackers
        }

    @property
    def shoppers(self) -> list[ShopperKey]:
        """Under which names they are stored."""
        return list(self._trackers)

    def unseen(self, logs: Sequence[Stored]) -> list[str]:
        """Gives every slot whose page does not show its latest state."""
        expected = _expected(logs)
        faults = []
        for key, tracker in self._trackers.items():
            slots = expected[key].slots if key in expected else {}
            wanted = {slot: shown for slot, (shown, state, _) in slots.items() if state == "open"}
            if wanted != tracker.page.screen:
                faults.append(f"{tracker.page.shopper_id} sees {tracker.page.screen}, and should see {wanted}")
        return faults

    def at_the_end(self, logs: Sequence[Stored], snapshots: Mapping[tuple[str, str], Shopper]) -> list[str]:
        """Gives every fault of a system that is at rest.

        Args:
            logs: of every partition.
            snapshots: of these shoppers.
        """
        expected, decided = _expected(logs), _decided(logs)
        faults = [fault for stored in logs for fault in stored.heard.faults]
        faults += [str(said) for stored in logs for said in stored.heard.records.values() if isinstance(said, Failed)]
        faults += self.logged(logs)
        if set(snapshots) != set(self._trackers):
            faults.append(f"{len(snapshots)} snapshots of {len(self._trackers)} shoppers")
        folded = independent_fold.fold(event for tracker in self._trackers.values() for event in tracker.made)
        for key, state in snapshots.items():
            page = self._trackers[ShopperKey(*key)].page
            faults += _differences(page, _of_log(expected[key]), _of_state(state))
            faults += _differences(page, independent_fold.summary(folded[page.shopper_id]), _summary(state))
            foreign = page.told.keys() - decided.get(key, set())
            faults += [f"{page.shopper_id} was shown {shown}, which nobody decided" for shown in foreign]
        return faults + [fault for tracker in self._trackers.values() for fault in tracker.page.faults]

    def logged(self, logs: Sequence[Stored]) -> list[str]:
        """Acknowledged ⊆ log, each shopper's in the order in which they were sent; nothing that nobody sent."""
        logged: dict[tuple[str, str], dict[str, None]] = {}
        for stored in logs:
            for record in stored.records.values():
                if not isinstance(record.event, IdleElapsed):
                    logged.setdefault(record.key, {})[str(record.event.event_id)] = None
        faults = []
        for key, tracker in self._trackers.items():
            found = list(logged.get(key, ()))
            lost = tracker.acknowledged.keys() - set(found)
            faults += [f"{event_id} was acknowledged and is not in the log" for event_id in lost]
            if found != [event["event_id"] for event in tracker.made]:
                faults.append(f"{tracker.page.shopper_id}: the log has other events, or another order, than were sent")
        return faults + [f"an unknown shopper {key} is in the log" for key in set(logged) - set(self._trackers)]


def _expected(logs: Sequence[Stored]) -> dict[tuple[str, str], Expected]:
    return {key: shopper for stored in logs for key, shopper in stored.expected.items()}


def _decided(logs: Sequence[Stored]) -> dict[tuple[str, str], set[str]]:
    decided: dict[tuple[str, str], set[str]] = {}
    for stored in logs:
        for said in stored.heard.records.values():
            if not isinstance(said, Failed):
                shown = {decision.experience.experience_id for decision in said.decisions}
                decided.setdefault((said.retailer_id, said.shopper), set()).update(shown)
    return decided


def _differences(page: Page, wanted: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    return [
        f"{page.shopper_id}: {name} is {seen[name]}, and should be {wanted[name]}"
        for name in wanted
        if wanted[name] != seen[name]
    ]


def _of_log(shopper: Expected) -> dict[str, Any]:
    """What both logs come to."""
    lines, total_minor, currency = shopper.basket()
    return {
        "basket": (lines, total_minor, currency),
        "session": (shopper.started_at_ms, shopper.last_at_ms, shopper.events, shopper.visits),
        "order": shopper.order,
        "time": shopper.clock_ms,
        "place": (shopper.generation, shopper.node_id),
        "slots": shopper.slots,
        "decisions": shopper.decisions,
        "waits": shopper.waits,
    }


def _of_state(state: Shopper) -> dict[str, Any]:
    basket, session, order = state.basket, state.session, state.order
    lines = [(line.product_id, line.quantity, line.price_minor) for line in basket.lines]
    return {
        "basket": (lines, basket.total_minor, basket.currency),
        "session": (session.started_at_ms, session.last_at_ms, session.events, session.visits),
        "order": None if order is None else (order.order_id, order.status),
        "time": state.clock_ms,
        "place": (state.generation, state.node_id),
        "slots": {
            slot.experience.slot: (slot.experience.experience_id, slot.state, slot.position) for slot in state.slots
        },
        "decisions": [read_told(told).experience_id for told in state.decisions],
        "waits": state.timer is not None,
    }


def _summary(state: Shopper) -> dict[str, Any]:
    """The same facts as those computed from what was sent."""
    return {
        "lines": [
            {"product_id": line.product_id, "quantity": line.quantity, "price_minor": line.price_minor}
            for line in state.basket.lines
        ],
        "total_minor": state.basket.total_minor,
        "order": None if state.order is None else {"order_id": state.order.order_id, "status": state.order.status},
        "started_at_ms": state.session.started_at_ms,
        "events": state.session.events,
        "visits": state.session.visits,
    }
