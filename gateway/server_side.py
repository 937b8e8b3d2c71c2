"""What a retailer's server may ask, with a server key: a page's subscription, and what is known of a shopper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from domain.campaigns import Definition
from domain.errors import PortError
from domain.ids import ShopperHash, ShopperKey
from domain.lookup import Beside, view
from domain.permissions import Action
from domain.shopper import Shopper, decode
from domain.timestamps import rfc3339
from domain.tree import Tree, TreeUnreadable
from gateway.access import Access, Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.audited import Auditor
from gateway.body import Bodies, RequestHeaders
from gateway.shopper_named import read_shopper
from gateway.stores import Stores
from gateway.subscriptions import Subscriptions

_RETRY_AFTER_S: Final = 1
_encode = msgspec.json.Encoder().encode


class ServerSide:
    """Answers a retailer's server.

    Args:
        stores: snapshots, trees and campaigns for the lookup.
        doorkeeper: asks for a key that may do this.
        bodies: reads bodies.
        subscriptions: issues tokens.
        auditor: takes down who looked a shopper up.
    """

    def __init__(
        self,
        stores: Stores,
        doorkeeper: Doorkeeper,
        bodies: Bodies,
        subscriptions: Subscriptions,
        auditor: Auditor,
    ) -> None:
        self._stores = stores
        self._doorkeeper = doorkeeper
        self._bodies = bodies
        self._subscriptions = subscriptions
        self._auditor = auditor

    async def subscribe(self, _: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`POST /v1/subscriptions`: answers with a token for the shopper's page."""
        access, shopper = await self._shopper(receive, headers, "subscribe")
        token, until_ms = self._subscriptions.issue(access.door.retailer_id, shopper)
        body = _encode({"subscription": token, "expires_at": rfc3339(until_ms)})
        await answer_json(send, 200, body, cors)

    async def look_up(self, _: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`POST /v1/shoppers/lookup`: answers with state, position and reasons, at most one checkpoint old."""
        access, shopper = await self._shopper(receive, headers, "lookup")
        target = self._auditor.shopper(access, shopper)
        async with self._auditor.noting(access, "lookup", target):
            found = await self._found(ShopperKey(access.door.retailer_id, shopper), access)
        await answer_json(send, 200, _encode(found), cors)

    async def _found(self, key: ShopperKey, access: Access) -> dict[str, Any]:
        try:
            payload = (await self._stores.snapshots.load([key])).get(key)
            if payload is None:
                raise Refusal("unknown_shopper", "no event of this shopper has reached a checkpoint yet")
            state = decode(payload)
            tree = await self._tree(state)
            return view(state, tree, Beside(self._campaigns(key.retailer_id), access.door.catalogue))
        except (PortError, msgspec.MsgspecError):
            detail = "the shopper's state can't be read now"
            raise Refusal("store_unavailable", detail, retry_after_s=_RETRY_AFTER_S) from None

    def _campaigns(self, retailer_id: str) -> Mapping[str, Definition]:
        if self._stores.campaigns is None:
            return {}
        campaigns = self._stores.campaigns.current().campaigns.get(retailer_id, ())
        return {campaign.campaign_id: campaign.definition for campaign in campaigns}

    async def _tree(self, state: Shopper) -> Tree | None:
        """Gives the tree in which the shopper stands, while it is kept."""
        if not state.generation:
            return None
        stored = await self._stores.trees.get(state.key, state.generation)
        try:
            return None if stored is None else Tree(stored.blob, stored.generation)
        except TreeUnreadable:
            return None

    async def _shopper(self, receive: Receive, headers: RequestHeaders, action: Action) -> tuple[Access, ShopperHash]:
        access = self._doorkeeper.for_action(headers, action)
        self._bodies.check_type(headers)
        return access, read_shopper(await self._bodies.read(receive, headers), access.door)
