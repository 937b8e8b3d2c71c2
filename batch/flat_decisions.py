"""Decisions as flat rows of the warehouse's `decisions`: what a worker emitted, held out, withdrew and settled."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import msgspec

from batch.flat import DAY_MS
from domain.experiences import Experience, Withdrawal
from domain.promises import is_entered
from domain.records import Decided, Decision, Reserved, Settlement

Action = Literal["emitted", "held_out", "withdrawn", "settled"]


class Row(NamedTuple):
    """One row, its columns in the table's order.

    Days are counted from 1970-01-01, times are Unix microseconds, both UTC.

    Attributes:
        day: of an emitted or held-out experience when it was decided, in the shopper's time; a withdrawal and a
            settlement have no time of their own and stand on the day on which their event was received.
        action: what was done with the experience.
        again: an open basket tension was told again with what is missing now; no new promise.
        reserved_minor, reserved_count: emitted: what it may cost and that it is one promise, None where it promises
            nothing; settled: change of what is reserved.
        committed_minor, committed_count: settled: change of what is redeemed.
        cause: of a settlement.
        order_id: of a settlement's order.
    """

    retailer_id: str
    day: int
    action: Action
    experience_id: str
    shopper_id: str
    trigger_event_id: str
    kind: str | None
    slot: str | None
    decided_at: int | None
    expires_at: int | None
    received_at: int
    generation: int
    node_id: str
    campaign_id: str | None
    products: list[str] | None
    content: str | None
    again: bool | None
    reserved_minor: int | None
    reserved_count: int | None
    committed_minor: int | None
    committed_count: int | None
    cause: str | None
    order_id: str | None
    log_epoch: int
    log_partition: int
    log_offset: int


COLUMNS: Final = Row._fields
_encoder = msgspec.json.Encoder(order="deterministic")


def flat_decisions(decided: Decided, partition: int) -> list[Row]:
    """Gives a row for each experience that an event emitted, held out or withdrew, and for each settled promise.

    An event that only moved gives none.
    """
    reserved = {one.experience_id: one for one in decided.reservations}
    rows = [
        _decided(decided, one, "emitted", reserved.get(one.experience.experience_id), partition)
        for one in decided.decisions
    ]
    rows += [_decided(decided, one, "held_out", None, partition) for one in decided.held_out]
    rows += [_withdrawn(decided, one, partition) for one in decided.withdrawals]
    return rows + [_settled(decided, one, partition) for one in decided.settlements]


def products_of(content: dict[str, Any]) -> list[str]:
    """Gives the ids of the products that an experience is about, in its order; a basket tension is about none."""
    found = []
    for product in content.get("products") or ():
        product_id = product.get("product_id") if isinstance(product, dict) else product
        if isinstance(product_id, str):
            found.append(product_id)
    return found


def _decided(decided: Decided, decision: Decision, action: Action, reserved: Reserved | None, partition: int) -> Row:
    shown: Experience = decision.experience
    return _nothing(decided, action, shown.experience_id, partition)._replace(
        day=shown.decided_at_ms // DAY_MS,
        kind=shown.kind,
        slot=shown.slot,
        decided_at=shown.decided_at_ms * 1_000,
        expires_at=shown.expires_at_ms * 1_000,
        generation=shown.tree_generation,
        node_id=shown.node_id,
        campaign_id=shown.campaign_id,
        products=products_of(shown.content),
        content=_encoder.encode(shown.content).decode(),
        again=not is_entered(decision),
        reserved_minor=None if reserved is None else reserved.cost_minor,
        reserved_count=None if reserved is None else 1,
    )


def _withdrawn(decided: Decided, withdrawal: Withdrawal, partition: int) -> Row:
    return _nothing(decided, "withdrawn", withdrawal.experience_id, partition)._replace(slot=withdrawal.slot)


def _settled(decided: Decided, settlement: Settlement, partition: int) -> Row:
    return _nothing(decided, "settled", settlement.experience_id, partition)._replace(
        campaign_id=settlement.campaign_id,
        reserved_minor=settlement.reserved_minor,
        reserved_count=settlement.reserved_count,
        committed_minor=settlement.committed_minor,
        committed_count=settlement.committed_count,
        cause=settlement.cause,
        order_id=settlement.order_id,
    )


def _nothing(decided: Decided, action: Action, experience_id: str, partition: int) -> Row:
    """Gives a row with what every row has."""
    return Row(
        retailer_id=decided.retailer_id,
        day=decided.received_at_ms // DAY_MS,
        action=action,
        experience_id=experience_id,
        shopper_id=decided.shopper,
        trigger_event_id=str(decided.trigger_event_id),
        kind=None,
        slot=None,
        decided_at=None,
        expires_at=None,
        received_at=decided.received_at_ms * 1_000,
        generation=decided.generation,
        node_id=decided.node_id,
        campaign_id=None,
        products=None,
        content=None,
        again=None,
        reserved_minor=None,
        reserved_count=None,
        committed_minor=None,
        committed_count=None,
        cause=None,
        order_id=None,
        log_epoch=decided.position.epoch,
        log_partition=partition,
        log_offset=decided.position.offset,
    )
