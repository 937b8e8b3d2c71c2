"""A page that listens: one stream over a real socket, read as a browser's EventSource reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.gateway.standing import DEADLINE_S


class Message(NamedTuple):
    """One server-sent event; a comment has the name `:`, a hint when to come back `retry`."""

    name: str
    data: Any = None
    id: str = ""


class Page:
    """An open stream.

    Attributes:
        head: status and headers.
    """

    def __init__(self, head: httpx.Response) -> None:
        self.head = head
        self._lines = head.aiter_lines()

    async def next(self, *, comments: bool = False) -> Message | None:
        """Gives the next message, comments among them if asked; None at the end of the stream."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self._read()
                if comments or message != Message(":"):
                    return message

    async def experience(self) -> dict[str, Any]:
        """Gives the next message, which has to be an experience."""
        message = await self.next()
        assert message is not None
        assert message.name == "experience", message
        experience: dict[str, Any] = message.data
        return experience

    async def _read(self) -> Message | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            elif "" in fields:
                return Message(":")
            elif "retry" in fields:
                return Message("retry", int(fields["retry"]))
            elif fields:
                return Message(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
        return None


@asynccontextmanager
async def listening(
    address: str, subscription: str, after: str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Page]:
    """Opens a stream, and closes it as a page that is left does."""
    params = {"subscription": subscription} | ({} if after is None else {"after": after})
    async with (
        httpx.AsyncClient(base_url=f"http://{address}", timeout=DEADLINE_S) as http,
        http.stream("GET", "/v1/experiences", params=params, headers=headers) as head,
    ):
        assert head.status_code == 200, await head.aread()
        yield Page(head)
