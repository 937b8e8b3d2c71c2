"""What was asked about shoppers' data, durable until it is done, and the list of shoppers of whom nothing is taken.

An erasure suppresses its shoppers too, for as long as it is open; `erase_and_suppress` for longer.

Shoppers are named by their digest: HMAC-SHA-256 (hex) of the shopper hash under the retailer's privacy key, as in the
audit trail. The hash itself stands here only sealed, and only while a request is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from msgspec import Struct

Kind = Literal["suppress", "unsuppress", "erase", "erase_and_suppress", "export"]
ERASING: Final[frozenset[Kind]] = frozenset({"erase", "erase_and_suppress"})
Stage = Literal["log", "gateways", "tombstones", "workers", "stores", "done"]
"""What a request waits for: its records in the event log, then every gateway's word that it goes by the list; an
erasure also for its `ShopperErased` in the event log, for workers and archiver to be past them, and for the stores. An
export waits for the stores alone, from its beginning on."""


class Request(Struct, frozen=True, kw_only=True):
    """One request.

    Attributes:
        request_id: a UUID, made by whoever asked or for them.
        retailer_id: whose shoppers.
        kind: what is to be done.
        opened_at_ms: when it became durable, Unix milliseconds.
        due_at_ms: when it has to be done.
        shoppers: how many it is about.
        list_version: the list of suppressed shoppers that came with it; 0 for an export, which changes none.
        stage: how far it is.
        stage_at_ms: since when.
    """

    request_id: str
    retailer_id: str
    kind: Kind
    opened_at_ms: int
    due_at_ms: int
    shoppers: int
    list_version: int = 0
    stage: Stage = "log"
    stage_at_ms: int = 0


class Subject(NamedTuple):
    """One shopper of a request.

    Attributes:
        digest: how the request names the shopper.
        sealed: the shopper hash, encrypted: what has to be done needs it. Empty once the request is done.
    """

    digest: str
    sealed: bytes


class Suppressed(NamedTuple):
    """The shoppers of whom nothing is taken, at one moment, immutable.

    Attributes:
        version: grows with every request that is opened.
        digests: by retailer id; retailers without any are absent.
    """

    version: int
    digests: Mapping[str, frozenset[str]]


class Confirmation(NamedTuple):
    """The last word of a gateway.

    Attributes:
        gateway_id: of the process, made when it started.
        version: of the list that it goes by.
        at_ms: when it said so.
    """

    gateway_id: str
    version: int
    at_ms: int


class PrivacyRequests(Protocol):
    """Requests of all retailers. What is known of a request never goes back to an earlier stage."""

    def suppressed(self) -> Suppressed:
        """Gives the list in force: embedded as of now, in production at most 2 s old. Cheap when unchanged.

        Raises:
            PortError: it was never readable; later failures keep serving the last known.
        """
        ...

    async def open(self, request: Request, subjects: Sequence[Subject]) -> Request:
        """Makes a request durable and changes the list with it, in one step; gives it as it stands.

        Suppressing and erasing add its shoppers to the list; the opposite takes them off it, but for those that are
        being erased, who leave it when that is done. A request whose id is there already changes nothing, however far
        it is, and is given as it stands. Without that, one of the retailer that is not done, of the same kind and about
        the same shoppers, is given in its place, unless a later one took back a part of its change. Any other raises
        the list's version, even where the list was so already; but an export, which leaves the list as it is.

        Args:
            request: its `shoppers`, `list_version`, `stage` and `stage_at_ms` are not looked at.
            subjects: 1 to 5,000, each digest once, in any order.

        Raises:
            Refused: the retailer is unknown, there are too few or too many shoppers or one twice, or another request
                has this id: of another retailer or kind, or about others. Nothing was changed.
            PortError: it may be there or not; the call may be repeated.
        """
        ...

    async def get(self, retailer_id: str, request_id: str) -> Request | None:
        """Gives a request as it stands; None where the retailer has none of that id.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def pending(self) -> Sequence[Request]:
        """Gives the requests of all retailers that are not done: exports, then the others as they changed the list.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def subjects(self, request_id: str) -> Sequence[Subject]:
        """Gives a request's shoppers by digest, 5,000 at most; empty where there is none of that id.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def advance(self, request_id: str, stage: Stage, now_ms: int) -> None:
        """Notes that a request has come to a stage; one that is there or beyond stays. Done, its seals are forgotten.

        The shoppers of an erasure that is done leave the list, which is then another version, unless the last request
        about them that says so wants them on it, or another erasure is open. Without a request of that id, nothing
        happens.

        Raises:
            PortError: it may be noted or not; the call may be repeated.
        """
        ...


class RequestsAbout(Protocol):
    """What was ever asked about one shopper, for whoever wants to know what is held."""

    async def about(self, retailer_id: str, digest: str) -> Sequence[Request]:
        """Gives the requests of a retailer that name a shopper, done or not, oldest first.

        Raises:
            PortError: can't be read now.
        """
        ...


class GatewayWords(Protocol):
    """What gateways have confirmed: a change of the list is in force once all that run have said so."""

    async def confirm(self, gateway_id: str, version: int, now_ms: int) -> None:
        """Takes down a gateway's word, in place of its last one.

        Raises:
            PortError: it may be there or not; the call may be repeated.
        """
        ...

    async def leave(self, gateway_id: str) -> None:
        """Forgets a gateway that stopped.

        Raises:
            PortError: it may be forgotten or not; the call may be repeated.
        """
        ...

    async def confirmations(self) -> Sequence[Confirmation]:
        """Gives the last word of every gateway, by id.

        Raises:
            PortError: can't be read now.
        """
        ...
