"""What must hold when a run is over, whatever happened in it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.events import InsideEvent
from domain.ids import Position, ShopperKey
from domain.purse import purse_key
from domain.records import Failed, Record, decode_experience_record, decode_record
from domain.shopper import Shopper, decode
from domain.told import read_told
from tests.simulation.client import Client
from tests.simulation.event_log import EPOCH
from tests.simulation.expected import Expected, Heard, expect, hear
from tests.simulation.markets import Markets
from tests.simulation.oracle import Oracle
from tests.simulation.shop import hash_of
from tests.simulation.system import System


def check(system: System, clients: Sequence[Client], *, garbage: int, jumps: bool, grace_ms: int) -> list[str]:
    """Gives every fault that was found.

    Args:
        system: whose workers have stopped.
        clients: everybody who sent events.
        garbage: records written that nobody can read.
        jumps: whether wall clocks jumped.
        grace_ms: after which a promise may end that nothing has redeemed.
    """
    faults = [*system.failures, *system.shelf.complaints]
    records: list[dict[Position, Record]] = []
    for topic in system.broker.events:
        rows = {Position(EPOCH, offset): decode_record(payload) for offset, payload in topic.rows[: topic.durable]}
        records.append({position: record for position, record in rows.items() if isinstance(record, Record)})
    faults += _acknowledged(clients, records)
    markets = Markets(system.books.versions)
    expected: dict[tuple[str, str], Expected] = {}
    for number, topic in enumerate(system.broker.experiences):
        heard = hear([(offset, decode_experience_record(row)) for offset, row in topic.rows[: topic.durable]])
        faults += [f"partition {number}: {fault}" for fault in heard.faults]
        faults += _processed(system, number, records[number], heard)
        oracle = Oracle(number, system.broker, system.pushes, markets, heard)
        oracle.replay(records[number])
        faults += [f"partition {number}: {fault}" for fault in oracle.faults]
        expected |= expect(records[number], heard, system.books.newest, grace_ms)
    faults += _states(system, expected, jumps=jumps)
    unreadable = sum(failure.reason == "undecodable" for failure in system.shelf.failures.values())
    if len(system.shelf.failures) != unreadable or unreadable > garbage:
        faults.append(f"{len(system.shelf.failures)} failed events are left, {garbage} can never be read")
    return faults


def _acknowledged(clients: Sequence[Client], records: Sequence[dict[Position, Record]]) -> list[str]:
    """Acknowledged ⊆ log, under the right shopper; what was sent = what was answered + what was not."""
    faults = []
    logged: dict[UUID, ShopperKey] = {
        record.event.event_id: record.key for partition in records for record in partition.values()
    }
    for client in clients:
        key = ShopperKey(client.retailer_id, hash_of(client.retailer_id, client.shopper_id))
        for event_id in client.made:
            status = client.answered.get(event_id)
            if status == "stored" and logged.get(UUID(event_id)) != key:
                faults.append(f"{event_id} of {key.shopper[:8]} was acknowledged and is not in the log")
            fate = client.fates.get(event_id, "stored")
            if status != fate or (fate != "stored" and UUID(event_id) in logged):
                faults.append(f"{event_id} of {key.shopper[:8]} ended as {status}, and should as {fate}")
        faults += client.faults
        answered = sum(count for status, count in client.posted.items() if status != "sent")
        if client.posted.get("sent", 0) != answered:
            faults.append(f"of {client.posted.get('sent')} events sent, {answered} have an outcome: {client.posted}")
    made = {UUID(event_id) for client in clients for event_id in client.made}
    invented = [
        str(record.event.event_id)
        for partition in records
        for record in partition.values()
        if record.event.event_id not in made and not isinstance(record.event, InsideEvent)
    ]
    return faults + [f"{event_id} is in the log, and nobody sent it" for event_id in invented]


def _processed(system: System, number: int, records: dict[Position, Record], heard: Heard) -> list[str]:
    """Everything is processed and saved; every place that can't be read has failed once."""
    topic = system.broker.events[number]
    if not topic.durable:
        return []
    faults = []
    end = Position(EPOCH, topic.end)
    commit = system.broker.commits.get(number)
    if heard.through != end or commit is None or commit.through != end:
        faults.append(f"partition {number} ends at {end}: said through {heard.through}, saved {commit}")
    for offset, _ in topic.rows[: topic.durable]:
        position = Position(EPOCH, offset)
        if position not in records and not isinstance(heard.records.get(position), Failed):
            faults.append(f"partition {number}: unreadable {position} did not fail")
    return faults


def _states(system: System, expected: dict[tuple[str, str], Expected], *, jumps: bool) -> list[str]:
    """Every snapshot is what the design makes of the logs."""
    faults = []
    for key, shopper in expected.items():
        faults += shopper.promised.faults
        snapshot = system.shelf.snapshots.get(ShopperKey(*key))
        if snapshot is None:
            faults.append(f"{key[1][:8]} has no snapshot")
            continue
        state = decode(snapshot.payload)
        seen, wanted = _of_state(state), _of_expected(shopper)
        faults += [
            f"{key[1][:8]}: {name} is {seen[name]}, and should be {wanted[name]}"
            for name in wanted
            if seen[name] != wanted[name]
        ]
        if state.timer is not None and not jumps:
            faults.append(f"{key[1][:8]} still waits for {state.timer}")
        faults += [f"{key[1][:8]} is promised for ever: {one}" for one in state.reservations if one.is_open]
    purses = {purse_key(number) for number in range(system.broker.partitions)}
    strangers = [key for key in system.shelf.snapshots if key not in expected and key not in purses]
    for key in strangers:
        if decode(system.shelf.snapshots[key].payload) != Shopper(retailer_id=key.retailer_id, shopper=key.shopper):
            faults.append(f"{key.shopper[:8]} has a snapshot, and nothing ever happened to it")
    return faults


def _of_state(state: Shopper) -> dict[str, object]:
    basket, session, order = state.basket, state.session, state.order
    return {
        "basket": (
            [(line.product_id, line.quantity, line.price_minor) for line in basket.lines],
            basket.total_minor,
            basket.currency,
        ),
        "session": (session.started_at_ms, session.last_at_ms, session.events, session.visits),
        "order": None if order is None else (order.order_id, order.status),
        "time": state.clock_ms,
        "place": (state.generation, state.node_id),
        "slots": {
            slot.experience.slot: (slot.experience.experience_id, slot.state, slot.position) for slot in state.slots
        },
        "decisions": [read_told(told).experience_id for told in state.decisions],
        "promises": [(one.experience_id, one.order_id or "", one.committed_minor) for one in state.reservations],
        "verified orders": list(state.verified_orders),
    }


def _of_expected(shopper: Expected) -> dict[str, object]:
    return {
        "basket": shopper.basket(),
        "session": (shopper.started_at_ms, shopper.last_at_ms, shopper.events, shopper.visits),
        "order": shopper.order,
        "time": shopper.clock_ms,
        "place": (shopper.generation, shopper.node_id),
        "slots": shopper.slots,
        "decisions": shopper.decisions,
        "promises": [(one.experience_id, one.order_id, one.committed_minor) for one in shopper.promised.promises],
        "verified orders": list(shopper.promised.orders),
    }
