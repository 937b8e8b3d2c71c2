"""What stands in the logs where a record was erased: records of nobody, of which no reader makes anything.

Each is exactly as long as what it takes the place of, so that SQLite overwrites that on the spot. A row of another size
may move or make its neighbours move, and what is moved leaves a copy behind that no deletion finds.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from domain.events import IdleElapsed
from domain.ids import BEGINNING
from domain.listening import NO_OWNER
from domain.records import SCHEMA_VERSION, Progress, Record, encode
from domain.timestamps import EPOCH

_NIL: Final = UUID(int=0)
_NOBODY: Final = "0000"
"""A hash that no shopper has: shorter, for the record must be no longer than the shortest of any shopper's."""
_FILL: Final = b"\xa3pad\xc6"
"""One more field: the key `pad`, and bytes whose length takes four bytes, however many they are (msgpack's bin 32)."""
_FILL_BYTES: Final = len(_FILL) + 4
_FIELDS_MAX: Final = 0x8E
"""First byte of a map to which msgpack can add a field without making that byte more."""


def blank_event(record: Record, size: int) -> tuple[Record, bytes]:
    """Gives an event for the place of another, and its bytes: a timer of nobody, that came too late.

    The fold takes it as a repeat, and who reads by retailer finds it with none.

    Args:
        record: that is erased; the blank keeps its times, by which rows are read and pruned.
        size: of its bytes.
    """
    blank = _timer(record, "-")
    short = size - len(encode(blank))
    if 0 < short < _FILL_BYTES:
        blank = _timer(record, "-" * (1 + short))
    return blank, _filled(encode(blank), size)


def blank_experience(size: int) -> tuple[Progress, bytes]:
    """Gives a record of the experience log for the place of another, and its bytes.

    Its token is older than that of any owner, and than none: whoever listens drops it.

    Args:
        size: of the bytes of what is erased.
    """
    return _OLD_NEWS, _filled(_OLD_NEWS_BYTES, size)


def _timer(record: Record, node_id: str) -> Record:
    return Record(
        schema_version=SCHEMA_VERSION,
        retailer_id="",
        received_at_ms=record.received_at_ms,
        event_time_ms=record.event_time_ms,
        event=IdleElapsed(event_id=_NIL, occurred_at=EPOCH, shopper_id=_NOBODY, after_event_id=_NIL, node_id=node_id),
    )


_OLD_NEWS: Final = Progress(schema_version=SCHEMA_VERSION, token=NO_OWNER - 1, through=BEGINNING)
_OLD_NEWS_BYTES: Final = encode(_OLD_NEWS)


def _filled(payload: bytes, size: int) -> bytes:
    """Makes a record of so many bytes by a field that readers pass over; one that is as long or longer stays."""
    more = size - len(payload) - _FILL_BYTES
    if more < 0:
        return payload
    assert payload[0] <= _FIELDS_MAX, "a blank record has few fields"
    return bytes((payload[0] + 1,)) + payload[1:] + _FILL + more.to_bytes(4, "big") + bytes(more)
