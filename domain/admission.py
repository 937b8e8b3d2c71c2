"""The last step at the door: a well-formed event becomes the record that is stored, or is dropped.

Here consent is settled, the shopper's id is replaced by its hash, texts lose query strings and personal data, the
client's clock is corrected, and the catalogue adds what it knows at this moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeVar

from msgspec.structs import replace

from domain.door import Accepted, Arrival, Door, Dropped
from domain.events import (
    AddedToBasket,
    ConsentWithdrawn,
    ExperienceClicked,
    ExperienceDismissed,
    ExperienceShown,
    LinkClicked,
    OrderLine,
    OrderPaid,
    OrderStatusChanged,
    OutsideEvent,
    PageViewed,
    ProductsSearched,
    RemovedFromBasket,
    StatusLine,
)
from domain.faults import Fault
from domain.ids import ShopperHash, shopper_digest, shopper_hash, withdrawal_event_id
from domain.money import is_currency
from domain.personal_data import Kind, contains_email, redact
from domain.records import SCHEMA_VERSION, Known, Record, inside_record
from domain.timestamps import event_time_ms, from_unix_ms, is_plausible, unix_ms

QUERY_MAX: Final = 200
TEXT_MAX: Final = 2_000
# A pasted line break or tab in a text is harmless and kept; any other control character is nobody's typing.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_QUERY_OR_FRAGMENT = re.compile(r"[?#].*", re.DOTALL)

EventT = TypeVar("EventT", bound=OutsideEvent)


def admit(event: OutsideEvent, arrival: Arrival, *, sent_at_ms: int | None, plain: bool) -> Accepted | Dropped:
    """Turns an event into its record.

    Args:
        event: as the client sent it, its shape and bounds already checked.
        arrival: what it shares with its request.
        sent_at_ms: by the client's clock, checked; None = no correction.
        plain: the JSON was printable ASCII without escapes, so that no identifier can hold anything else.

    Raises:
        Fault: with the path in the native event.
    """
    door = arrival.door
    if not plain:
        _check_characters(event)
    shopper_id = event.shopper_id
    if contains_email(shopper_id):
        raise Fault("personal_data", "a shopper id is technical: an e-mail address is never taken", "$.shopper_id")
    occurred_at_ms = unix_ms(event.occurred_at)
    received_at_ms = arrival.received_at_ms
    if not is_plausible(occurred_at_ms, received_at_ms=received_at_ms):
        raise Fault("invalid_value", "before 2000 or more than ten years ahead", "$.occurred_at")
    shopper = shopper_hash(door.shopper_key, shopper_id)
    if door.suppressed and shopper_digest(door.privacy_key, shopper) in door.suppressed:
        return Dropped(event.event_id, "suppressed")
    event, known, redacted = _settled(event, door)
    consent = "denied" if arrival.is_refused else event.consent
    if consent == "denied":
        return Dropped(event.event_id, "no_consent", _withdrawal(event, arrival, shopper))
    if (consent or door.consent_default) == "denied":
        return Dropped(event.event_id, "no_consent")
    record = Record(
        schema_version=SCHEMA_VERSION,
        retailer_id=door.retailer_id,
        received_at_ms=received_at_ms,
        event_time_ms=event_time_ms(occurred_at_ms, received_at_ms=received_at_ms, sent_at_ms=sent_at_ms),
        # Whatever is stored was granted: saying so in every record would only make it longer.
        event=replace(event, shopper_id=shopper, consent=None),
        verified=arrival.verified,
        known=known,
        presumed=consent is None,
        trace=arrival.trace,
    )
    return Accepted((record,), redacted)


def _withdrawal(event: OutsideEvent, arrival: Arrival, shopper: ShopperHash) -> Record:
    """Gives the record that the shopper's consent has ended: when it came, and nothing of the event but whose it is."""
    withdrawn = ConsentWithdrawn(
        event_id=withdrawal_event_id(event.event_id),
        occurred_at=from_unix_ms(arrival.received_at_ms),
        shopper_id=shopper,
    )
    return inside_record(arrival.door.retailer_id, withdrawn, arrival.received_at_ms)


def _settled(event: OutsideEvent, door: Door) -> tuple[OutsideEvent, dict[str, Known], tuple[Kind, ...]]:
    """Gives the event with clean texts and complete price, what the catalogue knows, and what was redacted."""
    match event:
        case AddedToBasket() | RemovedFromBasket():
            product = event.product
            if product.currency is not None:
                _check_currency(product.currency, "$.product.currency")
            elif product.price_minor is not None and door.currency is not None:
                event = replace(event, product=replace(product, currency=door.currency))
            return event, _known(door, product.product_id), ()
        case PageViewed():
            page = event.page
            known = {} if page.product_id is None else _known(door, page.product_id)
            if page.path is None:
                return event, known, ()
            path, redacted = _cleaned(_without_query(page.path), TEXT_MAX, door, "$.page.path")
            return replace(event, page=replace(page, path=path)), known, redacted
        case LinkClicked():
            target = _without_query(event.target) if _is_address(event.target) else event.target
            target, in_target = _cleaned(target, TEXT_MAX, door, "$.target")
            if event.label is None:
                return replace(event, target=target), {}, in_target
            label, in_label = _cleaned(event.label, TEXT_MAX, door, "$.label")
            return replace(event, target=target, label=label), {}, in_target + in_label
        case ProductsSearched():
            query, redacted = _cleaned(event.query, QUERY_MAX, door, "$.query")
            return replace(event, query=query), {}, redacted
        case OrderPaid():
            _check_currency(event.currency, "$.currency")
            return event, _known(door, *(line.product_id for line in event.lines)), ()
        case OrderStatusChanged() | ExperienceShown() | ExperienceClicked() | ExperienceDismissed():
            return event, {}, ()


def _known(door: Door, *product_ids: str) -> dict[str, Known]:
    catalogue = door.catalogue
    return {product_id: catalogue[product_id] for product_id in product_ids if product_id in catalogue}


def _check_currency(code: str, path: str) -> None:
    if not is_currency(code):
        raise Fault("invalid_value", "no currency of ISO 4217 that has a minor unit, in upper case", path)


def _without_query(address: str) -> str:
    return _QUERY_OR_FRAGMENT.sub("", address) if "?" in address or "#" in address else address


def _is_address(target: str) -> bool:
    """Tells whether a link's target is a URL or path, and no name that happens to hold a question mark."""
    if target.startswith(("/", "./", "../", "?", "#")) or "://" in target:
        return True
    return ("/" in target or "=" in target) and not any(character.isspace() for character in target)


def _cleaned(text: str, length_max: int, door: Door, path: str) -> tuple[str, tuple[Kind, ...]]:
    cleaned, kinds = redact(text)
    if not kinds:
        return text, ()
    if door.pii == "refuse":
        raise Fault("personal_data", f"this text holds personal data: {', '.join(kinds)}", path)
    # A mark may be longer than what it replaces; the stored form keeps the bounds of the event.
    return cleaned[:length_max], kinds


def _check_characters(event: OutsideEvent) -> None:
    for path, identifier in _identifiers(event):
        if identifier is not None and not identifier.isprintable():
            raise Fault("invalid_value", "an identifier is 1-128 printable characters", path)
    for path, text in _texts(event):
        if text is not None and CONTROL.search(text) is not None:
            raise Fault("invalid_value", "control characters are not text", path)


def _texts(event: OutsideEvent) -> tuple[tuple[str, str | None], ...]:
    match event:
        case PageViewed(page=page):
            return (("$.page.path", page.path),)
        case LinkClicked():
            return ("$.target", event.target), ("$.label", event.label)
        case ProductsSearched():
            return (("$.query", event.query),)
        case _:
            return ()


def _identifiers(event: OutsideEvent) -> Iterator[tuple[str, str | None]]:
    yield "$.shopper_id", event.shopper_id
    yield "$.session_id", event.session_id
    match event:
        case PageViewed(page=page):
            yield "$.page.category_id", page.category_id
            yield "$.page.product_id", page.product_id
        case AddedToBasket(product=product) | RemovedFromBasket(product=product):
            yield "$.product.product_id", product.product_id
            yield "$.product.category_id", product.category_id
            yield "$.product.brand", product.brand
        case OrderPaid() | OrderStatusChanged():
            yield "$.order_id", event.order_id
            lines: tuple[OrderLine | StatusLine, ...] = event.lines
            for index, line in enumerate(lines):
                yield f"$.lines[{index}].product_id", line.product_id
                yield f"$.lines[{index}].category_id", line.category_id
        case ExperienceShown() | ExperienceClicked() | ExperienceDismissed():
            yield "$.experience_id", event.experience_id
        case LinkClicked() | ProductsSearched():
            pass
