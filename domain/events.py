"""Every event of a shopper: the payloads that trackers post and the log keeps.

The same types serve on the wire and in the log. On the wire `shopper_id` is the retailer's id; the gateway replaces
it at once by the keyed hash, so in the log it is the hash. Unknown fields are refused at any depth.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from domain.ids import Identifier

Quantity = Annotated[int, Meta(ge=1, le=9_999)]
Money = Annotated[int, Meta(ge=0, le=10**12)]
"""Integer minor units of an ISO 4217 currency, 0..10**12."""
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
"""An ISO 4217 code; `domain.money` knows which exist."""
Consent = Literal["granted", "denied"]
PageKind = Literal["home", "category", "product", "search", "basket", "checkout", "confirmation", "other"]
OrderStatus = Literal["prepared", "shipped", "delivered", "cancelled", "returned", "partially_returned"]
Text = Annotated[str, Meta(max_length=2_000)]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of an event."""


class Page(Part, frozen=True):
    """The page that was viewed; `path` has no query string in the log."""

    kind: PageKind
    category_id: Identifier | None = None
    product_id: Identifier | None = None
    path: Text | None = None


class Product(Part, frozen=True):
    """The product that was added or removed; `price_minor` is a unit price."""

    product_id: Identifier
    category_id: Identifier | None = None
    brand: Identifier | None = None
    price_minor: Money | None = None
    currency: Currency | None = None


class OrderLine(Part, frozen=True):
    """One line of a paid order; `price_minor` is a unit price."""

    product_id: Identifier
    quantity: Quantity
    price_minor: Money
    category_id: Identifier | None = None


class StatusLine(Part, frozen=True):
    """One line of an order whose status changed, for partial returns."""

    product_id: Identifier
    quantity: Quantity = 1
    price_minor: Money | None = None
    category_id: Identifier | None = None


class Event(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False, tag_field="type"
):
    """What every event carries.

    Attributes:
        event_id: UUID made by the client; makes retries idempotent.
        occurred_at: by the client's clock, with zone.
        shopper_id: the retailer's id on the wire, the keyed hash in the log.
        session_id: the client's own session, stored and not used.
        consent: of the shopper for this event; None = the retailer's default.
    """

    event_id: UUID
    occurred_at: Annotated[datetime, Meta(tz=True)]
    shopper_id: Identifier
    session_id: Identifier | None = None
    consent: Consent | None = None


class PageViewed(Event, frozen=True, tag=True):
    """The shopper viewed a page."""

    page: Page


class LinkClicked(Event, frozen=True, tag=True):
    """The shopper clicked a link."""

    target: Text
    label: Text | None = None


class ProductsSearched(Event, frozen=True, tag=True):
    """The shopper searched the shop."""

    query: Annotated[str, Meta(max_length=200)]
    result_count: Annotated[int, Meta(ge=0, le=10**9)] | None = None


class AddedToBasket(Event, frozen=True, tag=True):
    """The shopper added `quantity` of a product."""

    product: Product
    quantity: Quantity = 1


class RemovedFromBasket(Event, frozen=True, tag=True):
    """The shopper removed `quantity` of a product; more than is there empties the line."""

    product: Product
    quantity: Quantity = 1


class OrderPaid(Event, frozen=True, tag=True):
    """The shopper paid an order; `total_minor` is what was paid and need not equal the lines."""

    order_id: Identifier
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=5_000)]
    total_minor: Money
    currency: Currency


class OrderStatusChanged(Event, frozen=True, tag=True):
    """The retailer moved an order on."""

    order_id: Identifier
    status: OrderStatus
    lines: Annotated[tuple[StatusLine, ...], Meta(max_length=5_000)] = ()


class ExperienceShown(Event, frozen=True, tag=True):
    """The page showed an experience."""

    experience_id: Identifier


class ExperienceClicked(Event, frozen=True, tag=True):
    """The shopper clicked an experience."""

    experience_id: Identifier


class ExperienceDismissed(Event, frozen=True, tag=True):
    """The shopper dismissed an experience."""

    experience_id: Identifier


class IdleElapsed(Event, frozen=True, tag=True):
    """The worker's timer: the shopper did nothing since `after_event_id` while standing at `node_id`; inside only."""

    after_event_id: UUID
    node_id: Identifier


class ReservationExpired(Event, frozen=True, tag=True):
    """The worker's timer: what an experience promised has not been redeemed in its time; inside only."""

    experience_id: Identifier


class DrawRetried(Event, frozen=True, tag=True):
    """The worker's timer: a prize that a play has named is asked for again, until its stock has answered; inside only.

    Attributes:
        experience_id: that gave the right to play.
        tries: how often it was asked for again before.
    """

    experience_id: Identifier
    tries: Annotated[int, Meta(ge=0)]


class ConsentWithdrawn(Event, frozen=True, tag=True):
    """The shopper took back a consent given before; inside only: the door makes it of an event that refuses."""


class ShopperSuppressed(Event, frozen=True, tag=True):
    """Nothing is taken of this shopper any more: the page is cleared and events change nothing; inside only."""


class ShopperErased(Event, frozen=True, tag=True):
    """Everything known of this shopper is forgotten: the tombstone of a privacy request; inside only.

    Attributes:
        stays_suppressed: a suppressed shopper stays so; otherwise the next event is a stranger's.
    """

    stays_suppressed: bool = False


class ShopperUnsuppressed(Event, frozen=True, tag=True):
    """Events of this shopper are taken again; inside only."""


OUTSIDE_TYPES = (
    "PageViewed",
    "LinkClicked",
    "ProductsSearched",
    "AddedToBasket",
    "RemovedFromBasket",
    "OrderPaid",
    "OrderStatusChanged",
    "ExperienceShown",
    "ExperienceClicked",
    "ExperienceDismissed",
)

OutsideEvent = (
    PageViewed
    | LinkClicked
    | ProductsSearched
    | AddedToBasket
    | RemovedFromBasket
    | OrderPaid
    | OrderStatusChanged
    | ExperienceShown
    | ExperienceClicked
    | ExperienceDismissed
)
InsideEvent = (
    IdleElapsed
    | ReservationExpired
    | DrawRetried
    | ConsentWithdrawn
    | ShopperSuppressed
    | ShopperErased
    | ShopperUnsuppressed
)
AnyEvent = OutsideEvent | InsideEvent
