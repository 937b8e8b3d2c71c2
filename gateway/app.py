"""The gateway as an ASGI application: from a retailer's pages and servers to the event log, and experiences back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from adapters.settings import Settings
from domain.campaign_faults import DOCUMENT_BYTES_MAX
from domain.draw_chain import SEED_BYTES
from domain.ids import Position
from gateway.access import Doorkeeper
from gateway.answers import STATUS, Headers, Refusal, answer, answer_json, refuse
from gateway.audit import PATH as AUDIT
from gateway.audit import Audit
from gateway.audited import Auditor
from gateway.body import Bodies, Gone, RequestHeaders
from gateway.campaign_asked import PATH as CAMPAIGNS
from gateway.campaigns import CampaignDesk
from gateway.claims import BODY_BYTES_MAX, Claims
from gateway.collect import Collect
from gateway.deadlines import Deadlines
from gateway.deliver import Deliver
from gateway.follow import Follower
from gateway.handler import Desk, Handler
from gateway.health import Health
from gateway.load import Load
from gateway.openapi import document
from gateway.privacy import BODY_BYTES_MAX as REQUEST_BYTES_MAX
from gateway.privacy import PATH as PRIVACY
from gateway.privacy import PrivacyDesk, PrivacyPorts
from gateway.quotes import Quotes
from gateway.recent import Recent
from gateway.scripts import scripts
from gateway.server_side import ServerSide
from gateway.stores import Keys, Stores
from gateway.streams import Streams
from gateway.subscriptions import Subscriptions
from gateway.tally import Tally
from gateway.traced import Traced
from gateway.wait_for import WaitFor
from gateway.waits import Waits
from gateway.winners import Winners
from gateway.withdrawals import Withdrawals
from gateway.words import Words
from monitoring.metrics import GatewayMetrics

_log = logging.getLogger("hotbasket.gateway")
_EVENTS: Final = "/v1/events"
_UNCOUNTED: Final = frozenset({"/v1/experiences", "/health/live", "/health/ready"})
"""Streams end by themselves when drained; who watches the health may always ask."""
_GOING_AWAY: Final = 1001
_GATEWAY_ID_BYTES: Final = 8
_SUFFIX_BYTES: Final = 4
"""Of a campaign id that is made from a name."""


class Gateway:
    """One gateway; an ASGI callable.

    Its lifecycle: `start`, then requests; `drain`, which ends streams and waits for requests, and `stop`. Under a
    server that speaks ASGI's lifespan protocol it starts and stops by itself; `drain` is its entry point's to call
    when told to stop, before the server closes connections.

    Args:
        stores: the ports it calls.
        keys: its secrets.
        settings: every bound.
        extra_routes: Starlette routes served beside its own; they never hide one of those.
    """

    def __init__(self, stores: Stores, keys: Keys, settings: Settings, extra_routes: Sequence[BaseRoute] = ()) -> None:
        self._metrics = _from_zero(stores.metrics)
        self._drain_s = settings.drain_s
        self._deadlines = Deadlines(settings.body_idle_s, settings.body_total_s, settings.append_timeout_s)
        self._doorkeeper = Doorkeeper(stores, keys, settings)
        self._load = Load(settings.requests_max)
        claims: Claims | None = None
        if stores.vault is not None and keys.claims is not None:
            small = Bodies(settings, self._deadlines, self._load, bytes_max=BODY_BYTES_MAX)
            claims = Claims(stores.vault, keys.claims, stores, self._doorkeeper, small, settings)
        winners, traced = Winners(claims), Traced(settings, stores.clock)
        self._streams = Streams(settings, stores.clock, stores.metrics, winners, traced)
        recent, waits = Recent(settings, stores.clock, stores.metrics), Waits()
        self._recent, self._waits = recent, waits
        self._follower = Follower(stores, recent, waits, self._streams.deliver)
        self._is_started = False
        bodies = Bodies(settings, self._deadlines, self._load)
        subscriptions = Subscriptions(keys, settings, stores.clock)
        wait_for = WaitFor(stores, waits, recent, subscriptions, settings, winners, traced)
        auditor, tally = Auditor(stores, keys), Tally(stores.metrics, traced)
        self._withdrawals = Withdrawals(stores, keys, auditor, settings)
        ends = self._withdrawals
        collect = Collect(stores, self._doorkeeper, bodies, self._deadlines, wait_for, tally, ends, settings)
        is_current = self._follower.is_current
        deliver = Deliver(stores, self._doorkeeper, subscriptions, self._streams, recent, waits, is_current, settings)
        server_side = ServerSide(stores, self._doorkeeper, bodies, subscriptions, auditor)
        quotes = Quotes(stores, self._doorkeeper, bodies, recent, self._follower.until_current)
        desk = self._campaign_desk(stores, auditor, settings)
        requests = self._privacy_desk(stores, auditor, keys, settings)
        self._words = _words(stores)
        self._desks: list[Desk] = [one for one in (desk, requests) if one is not None]
        self._health = health = Health(stores.events, self._why_not_ready, stores.clock)
        stores.metrics.gateway_ready.set_function(lambda: float(health.is_ready()))
        self._collect: Handler = collect.post
        self._routes: dict[str, Mapping[str, Handler]] = {
            _EVENTS: {"POST": collect.post},
            "/v1/subscriptions": {"POST": server_side.subscribe},
            "/v1/shoppers/lookup": {"POST": server_side.look_up},
            "/v1/quotes": {"POST": quotes.post},
            "/v1/experiences": {"GET": deliver.get},
            **({} if claims is None else {"/v1/rewards/claims": {"POST": claims.post}}),
            **({} if desk is None else {CAMPAIGNS: desk.methods}),
            **({} if requests is None else {PRIVACY: requests.methods}),
            **({} if stores.audit is None else {AUDIT: {"GET": Audit(stores.audit, self._doorkeeper).get}}),
            "/health/live": _readable(health.live),
            "/health/ready": _readable(health.ready),
            "/openapi.json": _readable(_describe),
            **{path: _readable(script.get) for path, script in scripts().items()},
        }
        self._extra = Router(routes=list(extra_routes), redirect_slashes=False, default=_not_found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        headers: RequestHeaders = dict(scope["headers"])
        cors: Headers = ()
        try:
            if b"origin" in headers:
                cors = self._doorkeeper.cors(headers)
            if scope["path"] == _EVENTS and scope["method"] == "POST":
                # As `with self._load` does; here it would be felt.
                load = self._load
                load.in_flight += 1
                try:
                    await self._collect(scope, receive, send, headers, cors)
                finally:
                    load.leave()
            else:
                await self._route(scope, receive, send, headers, cors)
        except Refusal as refusal:
            self._metrics.refused_requests.labels(str(refusal.status), refusal.error).inc()
            await refuse(send, refusal, cors)
        except Gone:
            self._metrics.refused_requests.labels("499", "client_gone").inc()
        except Exception:  # noqa: BLE001 - the loop's edge: one request's bug is that request's answer
            self._metrics.gateway_errors.labels("request").inc()
            _log.exception("a request failed", extra={"method": scope["method"], "path": scope["path"]})
            await refuse(send, Refusal("internal", "this is a fault of the server, which has noted it"), cors)

    @property
    def routes(self) -> Mapping[str, Sequence[str]]:
        """The gateway's own paths with their methods, without preflights; `{campaign_id}` stands for any id."""
        found: dict[str, Sequence[str]] = {path: list(methods) for path, methods in self._routes.items()}
        for desk in self._desks:
            found |= desk.below()
        return found

    @property
    def in_flight(self) -> int:
        """How many requests are in hand now, streams not counted."""
        return self._load.in_flight

    @property
    def waiting(self) -> int:
        """How many requests wait for their experiences now."""
        return self._waits.open

    @property
    def remembered(self) -> int:
        """How many experiences, withdrawals and dismissals are in memory now."""
        return self._recent.size

    def is_processed(self, partition: int, position: Position) -> bool:
        """Tells whether this gateway knows that an event is processed, and what came of it."""
        return position <= self._waits.through(partition)

    async def start(self) -> None:
        """Begins to follow the experience log; the gateway is ready when it has caught up."""
        if not self._is_started:
            self._is_started = True
            self._follower.start()
            self._health.start()
            if self._words is not None:
                self._words.start()

    async def drain(self) -> None:
        """Takes no more requests, closes streams with a hint to come back and finishes the requests in hand.

        Returns when that is done, or after `drain_s`. From its first moment the gateway is not ready.
        """
        try:
            async with asyncio.timeout(self._drain_s):
                await asyncio.gather(self._load.drain(), self._streams.drain())
        except TimeoutError:
            _log.warning("stopped with %d requests unanswered", self._load.in_flight)

    async def stop(self) -> None:
        """Ends what runs in the background; after `drain`."""
        if self._words is not None:
            await self._words.stop()
        await self._withdrawals.stop()
        await self._health.stop()
        await self._follower.stop()
        self._deadlines.stop()

    def _campaign_desk(self, stores: Stores, auditor: Auditor, settings: Settings) -> CampaignDesk | None:
        if stores.campaigns is None or stores.ledger is None:
            return None
        large = Bodies(settings, self._deadlines, self._load, bytes_max=DOCUMENT_BYTES_MAX)
        suffix, chain_end = partial(secrets.token_hex, _SUFFIX_BYTES), partial(secrets.token_bytes, SEED_BYTES)
        ports = stores.campaigns, stores.ledger
        return CampaignDesk(*ports, self._doorkeeper, auditor, large, stores.clock, suffix, chain_end)

    def _privacy_desk(self, stores: Stores, auditor: Auditor, keys: Keys, settings: Settings) -> PrivacyDesk | None:
        if stores.privacy is None or stores.erasures is None or stores.exports is None:
            return None
        large = Bodies(settings, self._deadlines, self._load, bytes_max=REQUEST_BYTES_MAX)
        ports = PrivacyPorts(stores.privacy, stores.erasures, stores.exports)
        return PrivacyDesk(ports, self._doorkeeper, auditor, large, stores.clock, keys, settings)

    def _why_not_ready(self) -> str | None:
        if self._load.is_draining:
            return "this gateway is stopping"
        if not self._follower.is_caught_up:
            return "recent experiences are being loaded"
        return None

    async def _route(self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        path, method = scope["path"], scope["method"]
        methods = self._routes.get(path)
        if methods is None:
            methods = next((found for desk in self._desks if (found := desk.at(scope)) is not None), None)
        if methods is None:
            await self._elsewhere(scope, receive, send)
            return
        handler = methods.get(method)
        if handler is None:
            if method != "OPTIONS" or not _is_preflight(headers):
                allow = (b"allow", ", ".join(methods).encode())
                raise Refusal("method_not_allowed", f"{path} takes {', '.join(methods)}", headers=(allow,))
            await answer(send, 204, self._doorkeeper.preflight(headers))
        elif path in _UNCOUNTED:
            await handler(scope, receive, send, headers, cors)
        else:
            with self._load:
                await handler(scope, receive, send, headers, cors)

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands on what is none of the gateway's own paths."""
        with self._load:
            await self._extra(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starts and stops with the server; speaks no other protocol than HTTP."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _GOING_AWAY})
            return
        while True:
            match (await receive())["type"]:
                case "lifespan.startup":
                    await self.start()
                    await send({"type": "lifespan.startup.complete"})
                case "lifespan.shutdown":
                    await self.stop()
                    await send({"type": "lifespan.shutdown.complete"})
                    return


def _from_zero(metrics: GatewayMetrics) -> GatewayMetrics:
    """Has refusals counted from 0: a series that begins with its first one shows no growth."""
    for error, status in STATUS.items():
        metrics.refused_requests.labels(str(status), error)
    return metrics


def _readable(handler: Handler) -> Mapping[str, Handler]:
    """Gives the methods of what is only read; the server leaves the body out of an answer to HEAD."""
    return {"GET": handler, "HEAD": handler}


def _words(stores: Stores) -> Words | None:
    if stores.privacy is None or stores.words is None:
        return None
    return Words(secrets.token_hex(_GATEWAY_ID_BYTES), stores.privacy, stores.words, stores)


def _is_preflight(headers: RequestHeaders) -> bool:
    return b"origin" in headers and b"access-control-request-method" in headers


async def _describe(_: Scope, __: Receive, send: Send, ___: RequestHeaders, cors: Headers) -> None:
    await answer_json(send, 200, document(), cors)


async def _not_found(_: Scope, __: Receive, ___: Send) -> None:
    raise Refusal("not_found", "there is nothing here; /openapi.json says what there is")
