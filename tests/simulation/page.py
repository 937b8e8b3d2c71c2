"""Simulated pages: they listen, vanish and come back, and what is on the screen is what the gateways said.

A page removes nothing twice over and hides nothing: an experience that is told twice is an experience shown twice.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64encode
from typing import Any, NamedTuple

import msgspec

from tests.simulation.client import Client
from tests.simulation.control import secret_key
from tests.simulation.network import Connection, Network

Place = tuple[int, ...]
_OK = 200


class Shown(NamedTuple):
    """An experience on a screen."""

    experience_id: str
    expires_at: str


class Told(NamedTuple):
    """An experience as a page was told of it."""

    experience_id: str
    generation: int
    node_id: str
    campaign_id: str | None


class Page:
    """One page of a shopper's browser.

    Attributes:
        screen: by slot.
        told: every experience that any of its screens was told, in order.
        faults: what a shopper must never see.
        forgets: whether the next look is that of a page that knows nothing.
        is_fresh: whether the page has, since it was asked to look again, read all that there was.
    """

    def __init__(self, client: Client, network: Network, draw: random.Random) -> None:
        self.client = client
        self.screen: dict[str, Shown] = {}
        self.told: list[Told] = []
        self.faults: list[str] = []
        self.must_look_again = False
        self.forgets = False
        self.is_fresh = False
        self._network = network
        self._draw = draw
        self._on_screen: set[str] = set()
        self._last = ""
        self._keeps_position = draw.random() < 0.8
        self._restless_s = draw.choice((0.3, 1.0, 60.0))
        self._token_ended = False
        self._stalls = draw.random() < 0.2

    async def live(self) -> None:
        """Listens, for ever; started again with an empty screen after a crash."""
        self._last = ""
        token = ""
        while True:
            if not token:
                self.client.token = token = await self._fetch_token()
            connection = self._open(token)
            if connection is not None:
                await self._listen(connection)
                connection.drop()
                if connection.status != _OK or self._token_ended:
                    token, self._token_ended = "", False
            await asyncio.sleep(self._draw.uniform(0.01, 0.2))

    async def _fetch_token(self) -> str:
        """Asks the retailer's server for a subscription until there is one."""
        while True:
            headers = {"Authorization": basic(secret_key(self.client.retailer_id))}
            document = {"shopper_id": self.client.shopper_id}
            reply = await self._network.post(
                "/v1/subscriptions", document, {**headers, "Content-Type": "application/json"}
            )
            if reply is not None and reply.status == _OK:
                return str(reply.document["subscription"])
            await asyncio.sleep(self._draw.uniform(0.1, 0.5))

    def _open(self, token: str) -> Connection | None:
        """Connects: the same page again, one that follows it, or one that knows nothing."""
        query, headers = f"subscription={token}", {}
        if not self._last or not self._keeps_position or self.forgets:
            self._last = ""
            self.screen.clear()
            self._on_screen.clear()
        elif self._draw.random() < 0.5:
            headers["Last-Event-ID"] = self._last
        else:
            query += f"&after={self._last}"
        self._network.trace(f"connects after {self._last or 'nothing'}")
        return self._network.connect(query, headers)

    async def _listen(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._draw.expovariate(1 / self._restless_s)
        looks_again = self.must_look_again
        rest = b""
        while loop.time() < until_s or looks_again:
            if self.must_look_again and not looks_again:
                return
            if self._stalls and not looks_again and self._draw.random() < 0.1:
                connection.is_stalled = True
                await asyncio.sleep(self._draw.uniform(0.1, 3.0))
                connection.is_stalled = False
                connection.flow()
            part = await connection.read(1.0 if looks_again else 0.3)
            *frames, rest = (rest + part).split(b"\n\n")
            for frame in frames:
                self._take(frame.decode())
            if connection.is_ended:
                return
            if looks_again and not part and connection.status == _OK:
                self.is_fresh = True

    def _take(self, frame: str) -> None:
        """Does what a frame says."""
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
        kind = fields.get("event")
        self._token_ended = self._token_ended or kind == "expired"
        if kind not in ("experience", "withdrawn"):
            return
        self._network.trace(f"is told {fields['id']} {kind} {fields['data'][:54]}")
        if self._last and place_of(fields["id"]) <= place_of(self._last):
            self.faults.append(f"told {fields['id']} after {self._last}: {fields['data']}")
        self._last = fields["id"]
        told: dict[str, Any] = msgspec.json.decode(fields["data"])
        shown = told["experience_id"]
        if kind == "withdrawn":
            self.screen.pop(told["slot"], None)
            return
        if shown in self._on_screen:
            self.faults.append(f"shown twice on one screen: {shown} in {told['slot']}")
        self._on_screen.add(shown)
        self.told.append(Told(shown, told["tree_generation"], told["node_id"], told.get("campaign_id")))
        self.screen[told["slot"]] = Shown(shown, told["expires_at"])
        self.client.known_experiences.append(shown)


def place_of(event_id: str) -> Place:
    """Gives the order of the ids of one shopper's stream."""
    return tuple(int(part) for part in event_id.split("-"))


def basic(key: str) -> str:
    """Gives the header of a key."""
    return "Basic " + b64encode(f"{key}:".encode()).decode()
