"""HTTP for the load: as little as a tracker and a page need, so that the load takes few of the system's cores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from deploy.replay_connection import Address

GONE = (OSError, asyncio.IncompleteReadError)
"""What a gateway's death looks like."""


class Opened(NamedTuple):
    """An answer whose body is still to be read.

    Attributes:
        status: of the answer.
        headers: by lower-case name.
        lines: of the body, without their ends, as they come.
    """

    status: int
    headers: Mapping[str, str]
    lines: AsyncIterator[str]


@asynccontextmanager
async def get(url: str, target: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Opened]:
    """Asks for something over a connection of its own.

    Raises:
        OSError, IncompleteReadError: nobody is there, or not to the end.
    """
    address = Address.of(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        fields = {"host": f"{address.host}:{address.port}", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        status, *said = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        found = {name.lower(): value for name, _, value in (line.partition(": ") for line in said if line)}
        yield Opened(int(status.split()[1]), found, _lines(reader))
    finally:
        writer.transport.abort()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """Reads a chunked body."""
    rest = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        *whole, rest = (rest + (await reader.readexactly(size + 2))[:-2]).split(b"\n")
        for line in whole:
            yield line.decode()
