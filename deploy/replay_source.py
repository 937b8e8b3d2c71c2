"""The events of a JSONL file, one at a time, each with its lane and the moment it should leave; feeds the replay."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from domain.errors import Refused


class Pace(NamedTuple):
    """When events leave.

    Attributes:
        rate: events a second, evenly spaced; None = not by count.
        speed: seconds of the file's time that pass in one second; None = not by the file's time.
        shift_to_now: whether the first event's `occurred_at` becomes now and the others move with it.
    """

    rate: float | None = None
    speed: float | None = None
    shift_to_now: bool = False


class Item(NamedTuple):
    """One line of the file.

    Attributes:
        line: its number, from 1.
        body: the JSON object, as it will be sent.
        lane: events of one shopper share it.
        due_s: seconds after the start when it should leave, None = as soon as the lane is free.
        alone: whether it is a batch in itself and can't share a request.
    """

    line: int
    body: bytes
    lane: int
    due_s: float | None
    alone: bool


class _Line(msgspec.Struct, gc=False):
    """What a replay needs to know of an event, in our vocabulary, Segment's or GA4's; the gateway judges the rest."""

    shopper_id: Any = None
    user_id: Any = None
    client_id: Any = None
    segment_user: Any = msgspec.field(name="userId", default=None)
    segment_anonymous: Any = msgspec.field(name="anonymousId", default=None)
    occurred_at: Any = None
    timestamp: Any = None
    events: msgspec.Raw = msgspec.Raw()


class Source:
    """Reads a file of events, plain or gzip; a context manager. The file is never in memory as a whole."""

    def __init__(self, path: Path, pace: Pace, lanes: int) -> None:
        """Opens the file.

        Raises:
            Refused: it is no readable file.
        """
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from None
        self.bytes_total = path.stat().st_size
        self._path = path
        self._pace = pace
        self._lanes = lanes
        self._first: datetime | None = None
        self._shift = timedelta()
        self._decoder = msgspec.json.Decoder(_Line)

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes the file."""
        self._file.close()

    @property
    def bytes_read(self) -> int:
        """Bytes of the file that were read so far, of `bytes_total`."""
        return self._file.tell()

    def __iter__(self) -> Iterator[Item]:
        """Gives each event in the order of the file.

        Raises:
            Refused: a line is no event that can be sent as asked; the message names it.
        """
        zipped = self._file.peek(2)[:2] == b"\x1f\x8b"
        lines = gzip.GzipFile(fileobj=self._file) if zipped else self._file
        count = 0
        try:
            for number, raw in enumerate(lines, start=1):
                body = raw.strip()
                if body:
                    yield self._item(number, count, body)
                    count += 1
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Refused(f"{self._path}: the gzip data is broken after {count} events: {error}") from None

    def _item(self, number: int, count: int, body: bytes) -> Item:
        try:
            line = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"{self._path} line {number} is no event: {error}; the lines before it were sent") from None
        pace = self._pace
        due_s = None if pace.rate is None else count / pace.rate
        if pace.speed is not None or pace.shift_to_now:
            at = self._occurred_at(line, number)
            if self._first is None:
                self._first = at
                self._shift = datetime.fromtimestamp(time.time(), UTC) - at
            if pace.speed is not None:
                due_s = max(0.0, (at - self._first).total_seconds() / pace.speed)
            if pace.shift_to_now:
                body = _moved(body, at + self._shift)
        shopper = line.shopper_id or line.segment_user or line.user_id or line.client_id or line.segment_anonymous
        lane = zlib.crc32(str(shopper).encode("utf-8", "replace")) % self._lanes
        return Item(number, body, lane, due_s, alone=bool(line.events))

    def _occurred_at(self, line: _Line, number: int) -> datetime:
        try:
            at = msgspec.convert(line.occurred_at or line.timestamp, datetime)
        except msgspec.ValidationError:
            at = None
        if at is None or at.tzinfo is None:
            raise Refused(
                f"{self._path} line {number} has no occurred_at with a zone, which --speed and --shift-to-now need; "
                "the lines before it were sent"
            )
        return at


def _moved(body: bytes, at: datetime) -> bytes:
    """The event with another time."""
    event = msgspec.json.decode(body)
    event["timestamp" if "occurred_at" not in event else "occurred_at"] = at
    return msgspec.json.encode(event)
