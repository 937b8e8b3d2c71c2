"""`/v1/privacy/requests`: what a retailer asks about its shoppers' data, with a privacy key, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import msgspec
from starlette.types import Receive, Scope, Send

from adapters.sealed_shoppers import Sealer
from adapters.settings import Settings
from domain.door import Door
from domain.errors import PortError, Refused
from domain.faults import of_unknown_name, step
from domain.ids import ShopperHash
from domain.ports.clock import Clock
from domain.ports.erasures import Erasures
from domain.ports.exports import Exports
from domain.ports.privacy_requests import ERASING, Kind, PrivacyRequests, Request, Subject
from domain.privacy import KINDS, asked, request_target, told
from domain.repeated_requests import SUBJECTS_MAX
from gateway.access import Access, Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.audited import Auditor
from gateway.body import Bodies, RequestHeaders
from gateway.exports import ExportDesk
from gateway.fields import read_fields
from gateway.handler import Handler
from gateway.shopper_named import hash_of
from gateway.stores import Keys

PATH: Final = "/v1/privacy/requests"
BODY_BYTES_MAX: Final = 4 * 1_024 * 1_024
"""Of SUBJECTS_MAX ids of 128 characters, whatever they are written in."""
_EXAMPLE: Final = '{"kind": "suppress", "shopper_ids": [...]}'
_FIELDS: Final = frozenset({"kind", "shopper_ids", "request_id"})
_RETRY_AFTER_S: Final = 1
_encode = msgspec.json.Encoder().encode


class PrivacyPorts(NamedTuple):
    """Where requests are known.

    Attributes:
        requests: what was asked.
        erasures: what stores said of erasures.
        exports: the documents that were made.
    """

    requests: PrivacyRequests
    erasures: Erasures
    exports: Exports


class PrivacyDesk:
    """Takes requests and tells how far they are.

    Args:
        ports: see there.
        doorkeeper: asks for a key that may do this.
        auditor: takes down who asked.
        bodies: reads bodies of up to BODY_BYTES_MAX.
        clock: dates requests.
        keys: of which the privacy keys are asked.
        settings: within how many days requests have to be done.
    """

    def __init__(
        self,
        ports: PrivacyPorts,
        doorkeeper: Doorkeeper,
        auditor: Auditor,
        bodies: Bodies,
        clock: Clock,
        keys: Keys,
        settings: Settings,
    ) -> None:
        self._requests, self._erasures, self._exports = ports
        self._export = ExportDesk(ports.requests, ports.exports, doorkeeper, auditor, bodies, clock, keys).post
        self._doorkeeper = doorkeeper
        self._auditor = auditor
        self._bodies = bodies
        self._clock = clock
        self._privacy_key = keys.privacy_key
        self._due_days = settings.privacy_due_days
        self.methods: Mapping[str, Handler] = {"POST": self._post}

    def at(self, scope: Scope) -> Mapping[str, Handler] | None:
        """Gives what a path below `/v1/privacy/requests/` takes, None where there is nothing."""
        before, _, below = scope["path"].partition(f"{PATH}/")
        request_id, slash, verb = below.partition("/")
        if before or not request_id:
            return None
        if not slash:
            return {"GET": partial(self._get, request_id)}
        return {"POST": partial(self._export, request_id)} if verb == "export" else None

    def below(self) -> Mapping[str, Sequence[str]]:
        """Gives the methods of each path below `/v1/privacy/requests/`, with `{request_id}` for any id."""
        return {f"{PATH}/{{request_id}}": ["GET"], f"{PATH}/{{request_id}}/export": ["POST"]}

    async def _post(self, _: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`POST /v1/privacy/requests`: makes a request durable; what it asks for is done afterwards."""
        access = self._doorkeeper.for_action(headers, "privacy")
        self._bodies.check_type(headers)
        kind, shoppers, request_id = _read(await self._bodies.read(receive, headers), access.door)
        subjects = self._sealed(access, shoppers)
        retailer_id, now_ms = access.door.retailer_id, self._clock.now_ms()
        request = asked(request_id or uuid4(), retailer_id, kind, now_ms, due_days=self._due_days)
        async with self._auditor.noting(access, f"privacy.{kind}", request_target(request.request_id)) as noted:
            try:
                opened = await self._requests.open(request, subjects)
                view = await self._told(opened)
            except Refused as refused:
                raise Refusal("request_exists", str(refused), "$.request_id") from None
            except PortError:
                raise _unavailable("; it may have been taken: send it again with the same request_id") from None
            noted.target = request_target(opened.request_id)
        location = (b"location", f"{PATH}/{opened.request_id}".encode())
        await answer_json(send, 202, _encode(view), (location, *cors))

    async def _get(
        self, request_id: str, _: Scope, __: Receive, send: Send, headers: RequestHeaders, cors: Headers
    ) -> None:
        """`GET /v1/privacy/requests/{id}`: how far a request is."""
        access = self._doorkeeper.for_action(headers, "privacy")
        try:
            found = await self._requests.get(access.door.retailer_id, request_id)
            view = {} if found is None else await self._told(found)
        except PortError:
            raise _unavailable("") from None
        if found is None:
            raise Refusal("unknown_request", "this retailer has made no such request")
        await answer_json(send, 200, _encode(view), cors)

    async def _told(self, request: Request) -> dict[str, Any]:
        if request.kind == "export":
            return told(request, (), await self._exports.made(request.request_id))
        return told(request, await self._erasures.receipts(request.request_id) if request.kind in ERASING else ())

    def _sealed(self, access: Access, shoppers: Sequence[ShopperHash]) -> list[Subject]:
        if self._privacy_key is None:
            raise Refusal("not_found", "this gateway holds no privacy keys")
        sealer = Sealer(self._privacy_key(access.door.retailer_id))
        return [sealer.subject(shopper) for shopper in shoppers]


def _read(body: bytes, door: Door) -> tuple[Kind, Sequence[ShopperHash], UUID | None]:
    """Gives what is asked, about whom, each once, and under which id, if one was sent.

    Raises:
        Refusal: 400.
    """
    fields = read_fields(body, _EXAMPLE)
    unknown = next((name for name in fields if name not in _FIELDS), None)
    if unknown is not None:
        reason, detail = of_unknown_name(unknown)
        raise Refusal(reason, detail, step("$", unknown))
    return _kind(fields), _shoppers(fields, door), _request_id(fields)


def _kind(fields: Mapping[str, Any]) -> Kind:
    if "kind" not in fields:
        raise Refusal("missing_field", "this field is required", "$.kind")
    kind = next((known for known in KINDS if known == fields["kind"]), None)
    if kind is None:
        raise Refusal("invalid_value", f"expected one of {', '.join(KINDS)}", "$.kind")
    return kind


def _shoppers(fields: Mapping[str, Any], door: Door) -> Sequence[ShopperHash]:
    path = "$.shopper_ids"
    if "shopper_ids" not in fields:
        raise Refusal("missing_field", "this field is required", path)
    shopper_ids = fields["shopper_ids"]
    if not isinstance(shopper_ids, list) or not 1 <= len(shopper_ids) <= SUBJECTS_MAX:
        raise Refusal("invalid_value", f"expected a list of 1 to {SUBJECTS_MAX} shopper ids", path)
    return list(dict.fromkeys(hash_of(one, f"{path}[{index}]", door) for index, one in enumerate(shopper_ids)))


def _request_id(fields: Mapping[str, Any]) -> UUID | None:
    given = fields.get("request_id")
    if given is None:
        return None
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise Refusal("invalid_value", "expected a UUID of your making", "$.request_id") from None


def _unavailable(hint: str) -> Refusal:
    detail = f"privacy requests can't be read or written now{hint}"
    return Refusal("requests_unavailable", detail, retry_after_s=_RETRY_AFTER_S)
