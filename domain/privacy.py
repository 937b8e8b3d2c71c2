"""What privacy requests are: how they are asked and told, what stands in the log for them, when they are done.

Suppressing a shopper does two things that need not wait for each other. The list of suppressed shoppers, changed with
the request, turns away at the gateways what comes from now on. A record in the event log makes the shopper's actor
clear the page, and pass over what a gateway took before it had heard of the list. The request is done when the record
is durable and every gateway has said that it goes by the list.

Erasing begins like that, for nothing of the shopper may come behind it. Then `ShopperErased` stands in the log, which
makes the actor forget the shopper; once workers and archiver are past it, every store is asked to remove what it holds
and to look again. A log that can't forget on request lets go in its own time, so stores are visited until none of them
finds anything: that is when the receipts are final.

An export changes nothing: one document a shopper is made of what the stores hold, sealed, and kept for some days.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args
from uuid import UUID

from domain.events import ConsentWithdrawn, ShopperErased, ShopperSuppressed, ShopperUnsuppressed
from domain.ids import ShopperHash, erasure_event_id, request_event_id
from domain.ports.erasures import Receipt
from domain.ports.exports import Made
from domain.ports.privacy_requests import ERASING, Confirmation, Kind, Request
from domain.ports.retailers import OnWithdrawal
from domain.ports.shopper_data import Visit
from domain.records import Record, inside_record
from domain.timestamps import from_unix_ms, rfc3339

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_DAY_MS: Final = 86_400_000
SPEAKS_UP_MS: Final = 3_000
"""A gateway that starts goes by the list at once, and has said so by then."""
GATEWAY_GONE_MS: Final = 10 * 60 * 1_000
"""A gateway that has said nothing for so long is not waited for: it was killed, or the host is gone."""


def asked(request_id: UUID, retailer_id: str, kind: Kind, now_ms: int, *, due_days: int) -> Request:
    """Gives a request that is about to be opened; what is said of its shoppers, the store says.

    Args:
        request_id: of the asker's making, or for them.
        retailer_id: whose shoppers.
        kind: what is to be done.
        now_ms: Unix milliseconds.
        due_days: within how many days.
    """
    return Request(
        request_id=str(request_id),
        retailer_id=retailer_id,
        kind=kind,
        opened_at_ms=now_ms,
        due_at_ms=now_ms + due_days * _DAY_MS,
        shoppers=0,
    )


def told(request: Request, receipts: Sequence[Receipt] = (), made: Sequence[Made] = ()) -> dict[str, Any]:
    """Gives a request as the gateway and the command line tell it.

    Args:
        request: as it stands.
        receipts: of an erasure: what each store said.
        made: of an export: whose documents were made.
    """
    is_done = request.stage == "done"
    fields: dict[str, Any] = {
        "request_id": request.request_id,
        "kind": request.kind,
        "state": "done" if is_done else "partial" if receipts else "open",
        "waits_for": None if is_done else request.stage,
        "shoppers": request.shoppers,
        "opened_at": rfc3339(request.opened_at_ms),
        "due_at": rfc3339(request.due_at_ms),
        "done_at": rfc3339(request.stage_at_ms) if is_done else None,
    }
    if request.kind in ERASING:
        fields["receipts"] = [_told_receipt(one) for one in receipts]
    if request.kind == "export":
        ready = [one.until_ms for one in made if one.is_there]
        fields["documents_ready"] = len(ready)
        # Each document lasts as long; the first of them was made first.
        fields["expires_at"] = rfc3339(min(ready)) if ready else None
    return fields


def _told_receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "store": receipt.store,
        "searched_at": rfc3339(receipt.at_ms),
        "visits": receipt.visits,
        "found": receipt.found,
        "removed": receipt.removed,
        "left": receipt.left,
        "waits_for": receipt.waits_for or None,
    }


def receipt_after(before: Receipt | None, store: str, visit: Visit, now_ms: int) -> Receipt:
    """Gives a store's receipt with one more visit in it.

    What a visit leaves is found again by the next one: it counts once.
    """
    so_far = before or unvisited(store, now_ms)
    return Receipt(
        store=store,
        at_ms=now_ms,
        found=so_far.found + max(0, visit.found - so_far.left),
        removed=so_far.removed + visit.removed,
        left=visit.left,
        waits_for=visit.waits_for,
        visits=so_far.visits + 1,
    )


def unvisited(store: str, now_ms: int) -> Receipt:
    """Gives the receipt of a store that nobody has reached yet."""
    return Receipt(store=store, at_ms=now_ms, found=0, removed=0, left=0, visits=0)


def erases(rule: OnWithdrawal, *, verified: bool) -> bool:
    """Tells whether a withdrawal of consent begins an erasure.

    Args:
        rule: the retailer's.
        verified: it came with a key that no page knows.
    """
    return rule == "erase" or (rule == "erase_verified" and verified)


def withdrawn_in(records: Sequence[Record]) -> Sequence[Record]:
    """Gives the withdrawals that were some shopper's last word in one request: consent given again takes it back."""
    last = {record.event.shopper_id: record for record in records}
    return [record for record in last.values() if isinstance(record.event, ConsentWithdrawn)]


def request_target(request_id: str) -> str:
    """Gives how the audit trail names a request."""
    return f"privacy request {request_id}"


def record_of(request: Request, digest: str, shopper: ShopperHash, now_ms: int) -> Record:
    """Gives what stands in the event log for one shopper of a request: the same id however often it is appended."""
    kind = ShopperUnsuppressed if request.kind == "unsuppress" else ShopperSuppressed
    event_id = request_event_id(request.request_id, digest)
    event = kind(event_id=event_id, occurred_at=from_unix_ms(now_ms), shopper_id=shopper)
    return inside_record(request.retailer_id, event, now_ms)


def tombstone_of(request: Request, digest: str, shopper: ShopperHash, now_ms: int) -> Record:
    """Gives the record after which nothing is known of one shopper: the same id however often it is appended."""
    erased = ShopperErased(
        event_id=erasure_event_id(request.request_id, digest),
        occurred_at=from_unix_ms(now_ms),
        shopper_id=shopper,
        stays_suppressed=request.kind == "erase_and_suppress",
    )
    return inside_record(request.retailer_id, erased, now_ms)


def is_in_force(request: Request, words: Iterable[Confirmation], now_ms: int) -> bool:
    """Tells whether no gateway can go by an older list than the request's, but one that was silent for long."""
    return now_ms - request.opened_at_ms >= SPEAKS_UP_MS and not unconfirmed(request, words, now_ms)


def unconfirmed(request: Request, words: Iterable[Confirmation], now_ms: int) -> Sequence[str]:
    """Gives the ids of the gateways that still have to say that they go by the request's list."""
    return [
        word.gateway_id
        for word in words
        if word.version < request.list_version and now_ms - word.at_ms < GATEWAY_GONE_MS
    ]
