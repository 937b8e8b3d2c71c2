"""Who may do what: keys, origins and CORS, as the control data in force say; asked first by every route."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final
from urllib.parse import parse_qs

from adapters.settings import Settings
from domain.door import Door
from domain.errors import PortError
from domain.permissions import ACTIONS, Action, is_public, key_name, may, scopes_for
from domain.ports.privacy_requests import Suppressed
from domain.ports.retailers import Control, Grant
from gateway.answers import Headers, Refusal, unauthorized
from gateway.body import RequestHeaders
from gateway.rates import Bucket
from gateway.stores import Keys, Stores

_REMEMBERED_MAX: Final = 4_096
"""Spellings of keys and origins remembered; one key may be spelled in many ways."""
_NOBODY: Final = Suppressed(0, {})
_PREFLIGHT: Final[Headers] = (
    (b"access-control-allow-methods", b"GET, POST"),
    (
        b"access-control-allow-headers",
        b"authorization, content-type, content-encoding, prefer, x-hotbasket-subscription, traceparent",
    ),
    (b"access-control-max-age", b"7200"),
)


class Access:
    """What one key opens, with all that its requests need.

    Attributes:
        grant: the retailer and the scope.
        actions: what the scope may do.
        door: the retailer's rules for events.
        is_secret: whether the key never leaves servers and people: any but the write key.
        is_verified: whether events that come with it count as verified.
        bucket: its share of events a second.
        key_name: the first digits of its digest: enough to tell a retailer's keys apart, and no secret.
    """

    __slots__ = ("actions", "bucket", "door", "grant", "is_secret", "is_verified", "key_name")

    def __init__(self, grant: Grant, door: Door, bucket: Bucket, key_name: str) -> None:
        self.grant = grant
        self.key_name = key_name
        self.door = door
        self.is_secret = not is_public(grant.scope)
        self.actions = frozenset(action for action in ACTIONS if may(grant.scope, action))
        self.is_verified = "verified" in self.actions
        self.bucket = bucket

    @property
    def who(self) -> str:
        """Gives who asks, as histories and the audit trail name them."""
        return f"key {self.key_name}"


class Doorkeeper:
    """Knows keys, origins and who is suppressed; what it remembers is forgotten when the control data change."""

    def __init__(self, stores: Stores, keys: Keys, settings: Settings) -> None:
        self._retailers = stores.retailers
        self._privacy = stores.privacy
        self._listed = _NOBODY
        self._clock = stores.clock
        self._keys = keys
        self._settings = settings
        self._version: int | None = None
        self._control: Control | None = None
        self._by_header: dict[bytes, Access] = {}
        self._by_query: dict[bytes, Access] = {}
        self._cors: dict[bytes, Headers] = {}
        self._doors: dict[str, Door] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def control(self) -> Control:
        """Gives the control data in force.

        Raises:
            Refusal: 503, they were never readable.
        """
        try:
            control = self._retailers.current()
            listed = _NOBODY if self._privacy is None else self._privacy.suppressed()
        except PortError:
            raise Refusal("control_unavailable", "the retailers can't be read now", retry_after_s=1) from None
        if control.version != self._version or listed is not self._listed:
            self._listed = listed
            self._forget(control)
        return control

    def cors(self, headers: RequestHeaders) -> Headers:
        """Gives what an answer to this origin carries; nothing where no retailer lists it."""
        origin = headers.get(b"origin")
        if origin is None:
            return ()
        control = self.control()
        known = self._cors.get(origin)
        if known is None:
            if origin.decode("latin-1") not in control.origins:
                return ()
            known = self._cors[origin] = (
                (b"access-control-allow-origin", origin),
                (b"vary", b"Origin"),
                (b"access-control-expose-headers", b"Retry-After"),
            )
        return known

    def preflight(self, headers: RequestHeaders) -> Headers:
        """Gives the headers that a preflight is answered with.

        Raises:
            Refusal: 403, no retailer lists the origin.
        """
        cors = self.cors(headers)
        if not cors:
            raise Refusal("origin_not_listed", "no retailer lists this origin: add it with hotbasket retailer set")
        return (*cors[:2], *_PREFLIGHT)

    def for_events(self, headers: RequestHeaders, query: bytes) -> Access:
        """Gives what the request's key opens, where it may post events; the write key comes in the query as well.

        Raises:
            Refusal: 401 or 403.
        """
        return self._admitted(headers, query, "events")

    def for_action(self, headers: RequestHeaders, action: Action) -> Access:
        """Gives what the request's key opens, where its scope may do this.

        Raises:
            Refusal: 401 or 403.
        """
        return self._admitted(headers, b"", action)

    def check_origin(self, retailer_id: str, headers: RequestHeaders) -> None:
        """Checks the origin of a request that carries a subscription in place of a key.

        Raises:
            Refusal: 401, the retailer is gone; 403, it does not list the origin.
        """
        retailer = self.control().retailers.get(retailer_id)
        if retailer is None:
            raise unauthorized("the subscription is of a retailer that is not here", "Bearer")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") not in retailer.origins:
            raise _not_listed()

    def door(self, retailer_id: str) -> Door:
        """Gives a retailer's rules for events.

        Raises:
            Refusal: 503, its shoppers can't be named.
        """
        door = self._doors.get(retailer_id)
        if door is None:
            control = self.control()
            retailer = control.retailers[retailer_id]
            suppressed = self._listed.digests.get(retailer_id, frozenset())
            give_privacy_key = self._keys.privacy_key
            privacy_key = b""
            try:
                shopper_key = self._keys.shopper_key(retailer_id)
                if suppressed and give_privacy_key is not None:
                    privacy_key = give_privacy_key(retailer_id)
            except PortError:
                raise Refusal("control_unavailable", "the retailer's keys can't be opened", retry_after_s=1) from None
            door = self._doors[retailer_id] = Door(
                retailer_id=retailer_id,
                shopper_key=shopper_key,
                consent_default=retailer.consent_default,
                pii=retailer.pii,
                currency=retailer.currency,
                catalogue=control.known.get(retailer_id, {}),
                event_bytes_max=self._settings.event_bytes_max,
                suppressed=suppressed,
                privacy_key=privacy_key,
            )
        return door

    def _admitted(self, headers: RequestHeaders, query: bytes, action: Action) -> Access:
        """Decides who comes in, for every route that takes a key."""
        self.control()
        header = headers.get(b"authorization")
        access = self._by_header.get(header) if header is not None else self._by_query.get(query)
        if access is None:
            access = self._of_header(header) if header is not None else self._of_query(query)
        until_ms = access.grant.until_ms
        if until_ms is not None and until_ms <= self._clock.now_ms():
            raise _unauthorized("this key was replaced and is no longer valid")
        if b"origin" in headers:
            _check_origin(access, headers[b"origin"])
        if action not in access.actions:
            raise _not_allowed(access, action)
        return access

    def _forget(self, control: Control) -> None:
        self._version, self._control = control.version, control
        for remembered in (self._by_header, self._by_query, self._cors, self._doors):
            remembered.clear()
        # Buckets stay: a key does not get a new share because a catalogue was imported.
        for key in [key for key in self._buckets if key[0] not in control.retailers]:
            del self._buckets[key]

    def _of_header(self, header: bytes) -> Access:
        scheme, _, credentials = header.partition(b" ")
        if scheme.lower() != b"basic":
            raise _unauthorized("send the key as Authorization: Basic base64(KEY:)")
        try:
            key, _, password = b64decode(credentials.strip(), validate=True).partition(b":")
        except (NotBase64, ValueError):
            raise _unauthorized("Authorization holds no base64: send Basic base64(KEY:)") from None
        if password:
            raise _unauthorized("the key comes with an empty password: send Basic base64(KEY:)")
        access = self._of_key(key)
        _remember(self._by_header, header, access)
        return access

    def _of_query(self, query: bytes) -> Access:
        try:
            written = parse_qs(query.decode("latin-1"), max_num_fields=16).get("write_key", [])
        except ValueError:
            written = []
        if len(written) != 1:
            raise _unauthorized("no key: send Authorization: Basic base64(KEY:), or ?write_key=KEY")
        access = self._of_key(written[0].encode())
        if access.is_secret:
            # An address stands in logs and histories; a secret that was sent in one is none any more.
            raise _unauthorized("only the write key comes in an address: replace this one with hotbasket retailer")
        _remember(self._by_query, query, access)
        return access

    def _of_key(self, key: bytes) -> Access:
        control = self.control()
        # Keys are never compared, their digests are looked up: how long that takes says something of a digest at most,
        # which nobody can steer towards another, and nothing of a key.
        digest = hashlib.sha256(key).hexdigest()
        grant = control.grants.get(digest)
        if grant is None:
            raise _unauthorized("nobody has this key")
        retailer_id = grant.retailer.retailer_id
        bucket = self._buckets.get((retailer_id, grant.scope))
        if bucket is None:
            bucket = Bucket(self._settings.rate_events_per_s, self._clock.monotonic_s())
            self._buckets[retailer_id, grant.scope] = bucket
        return Access(grant, self.door(retailer_id), bucket, key_name(digest))


def _check_origin(access: Access, origin: bytes) -> None:
    if access.is_secret:
        raise Refusal("secret_key_in_browser", "this key belongs on a server, a page uses the write key")
    if origin.decode("latin-1") not in access.grant.retailer.origins:
        raise _not_listed()


def _not_allowed(access: Access, action: Action) -> Refusal:
    *others, last = scopes_for(action)
    scopes = f"{', '.join(others)} or {last}" if others else last
    return Refusal("key_not_allowed", f"a {access.grant.scope} key may not do this: send a key of scope {scopes}")


def _not_listed() -> Refusal:
    return Refusal("origin_not_listed", "the retailer does not list this origin: add it with hotbasket retailer set")


def _unauthorized(detail: str) -> Refusal:
    return unauthorized(detail, "Basic")


def _remember(remembered: dict[bytes, Access], spelling: bytes, access: Access) -> None:
    if len(remembered) >= _REMEMBERED_MAX:
        remembered.clear()
    remembered[spelling] = access
