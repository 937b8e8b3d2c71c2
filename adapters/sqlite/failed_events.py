"""The embedded failed events (`domain.ports.failed_events`): kept in the state's file, replays asked for in control."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database
from domain.ports.clock import Clock
from domain.ports.failed_events import FailedEvent

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FailedEvent)


class SqliteFailedEvents:
    """What could not be processed, and who asked for it again."""

    def __init__(self, state: Database, control: ControlFile, clock: Clock) -> None:
        """Takes both files, and the clock by which events expire."""
        self._state = state
        self._control = control
        self._clock = clock
        self._requests_version = 0
        self._requests: dict[int, list[str]] = {}

    async def put(self, events: Sequence[FailedEvent]) -> None:
        """Keeps events; who is there stays as it is."""
        rows = [
            (one.failed_id, one.partition, one.retailer_id, one.failed_at_ms, one.expires_at_ms, _encoder.encode(one))
            for one in events
        ]
        await self._state.write(
            lambda connection: connection.executemany("INSERT OR IGNORE INTO failed VALUES (?, ?, ?, ?, ?, ?)", rows)
        )

    async def list(self, retailer_id: str, *, events_max: int) -> Sequence[FailedEvent]:
        """Reads the newest first."""
        now_ms = self._clock.now_ms()
        rows = await self._state.read(
            lambda connection: connection.execute(
                "SELECT event FROM failed WHERE retailer_id IN (?, '') AND expires_at_ms > ?"
                " ORDER BY failed_at_ms DESC, failed_id LIMIT ?",
                (retailer_id, now_ms, events_max),
            ).fetchall()
        )
        return [_decoder.decode(event) for (event,) in rows]

    async def request_replay(self, failed_ids: Sequence[str]) -> int:
        """Writes requests; one that is there stays."""
        rows = [(failed_id, int(failed_id.partition("-")[0])) for failed_id in failed_ids]
        return await self._control.change(
            "replays",
            lambda connection: connection.executemany("INSERT OR IGNORE INTO replays VALUES (?, ?)", rows).rowcount,
        )

    async def requested(self, partition: int, *, events_max: int) -> Sequence[FailedEvent]:
        """Looks into memory unless a command left new requests."""
        version = self._control.version("replays")
        if version != self._requests_version:
            rows = await self._control.database.read(
                lambda connection: connection.execute("SELECT partition, failed_id FROM replays").fetchall()
            )
            self._requests = {}
            for number, failed_id in rows:
                self._requests.setdefault(number, []).append(failed_id)
            self._requests_version = version
        wanted = self._requests.get(partition, [])[:events_max]
        if not wanted:
            return ()

        def read(connection: sqlite3.Connection) -> list[FailedEvent]:
            marks = ", ".join("?" * len(wanted))
            rows = connection.execute(
                f"SELECT event FROM failed WHERE failed_id IN ({marks})",  # noqa: S608 - marks are question marks
                wanted,
            )
            return [_decoder.decode(event) for (event,) in rows]

        return await self._state.read(read)

    async def replayed(self, failed_ids: Sequence[str]) -> None:
        """Forgets events, then requests: a crash in between leaves a request for nothing, which harms nobody."""
        rows = [(failed_id,) for failed_id in failed_ids]
        await self._state.write(
            lambda connection: connection.executemany("DELETE FROM failed WHERE failed_id = ?", rows)
        )
        await self._control.change(
            "replays", lambda connection: connection.executemany("DELETE FROM replays WHERE failed_id = ?", rows)
        )

    async def expire(self, now_ms: int) -> int:
        """Removes what has expired, and the requests that have nothing left to replay."""

        def remove(connection: sqlite3.Connection) -> tuple[int, set[str]]:
            gone = connection.execute("DELETE FROM failed WHERE expires_at_ms <= ?", (now_ms,)).rowcount
            return gone, {failed_id for (failed_id,) in connection.execute("SELECT failed_id FROM failed")}

        requests = await self._control.database.read(
            lambda connection: connection.execute("SELECT failed_id FROM replays").fetchall()
        )
        gone, left = await self._state.write(remove)
        void = [request for request in requests if request[0] not in left]
        if void:
            await self._control.change(
                "replays", lambda connection: connection.executemany("DELETE FROM replays WHERE failed_id = ?", void)
            )
        return gone
