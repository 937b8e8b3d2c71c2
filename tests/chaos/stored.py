"""What both logs of a partition come to; and what a data directory holds, read straight from its files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from domain.campaigns import Campaign
from domain.ids import Position
from domain.purse import CampaignKey
from domain.records import ExperienceRecord, Owner, Record, decode_experience_record, decode_record
from domain.reservations import GRACE_MS
from domain.shopper import Shopper, decode
from tests.simulation.expected import Expected, Heard, expect, hear

EPOCH = 1
_NO_CAMPAIGNS: Mapping[CampaignKey, Campaign] = {}


class Stored(NamedTuple):
    """Both logs of one partition, and what they come to when they are folded without the system.

    Attributes:
        records: of the event log.
        heard: what readers of the experience log act upon.
        owners: how often the partition was taken.
        expected: every shopper, by retailer and hash.
    """

    records: dict[Position, Record]
    heard: Heard
    owners: int
    expected: dict[tuple[str, str], Expected]

    @property
    def is_at_rest(self) -> bool:
        """Whether every event is processed and no timer is pending."""
        idle = not any(shopper.waits for shopper in self.expected.values())
        return idle and (not self.records or self.heard.through == max(self.records))


def stored_of(
    records: dict[Position, Record],
    said: Sequence[tuple[int, ExperienceRecord]],
    campaigns: Mapping[CampaignKey, Campaign] = _NO_CAMPAIGNS,
) -> Stored:
    """Folds one partition: its events by position, and its experience log by offset; campaigns never changed."""
    heard = hear(said)
    owners = sum(isinstance(record, Owner) for _, record in said)
    return Stored(records, heard, owners, expect(records, heard, campaigns, GRACE_MS))


def read_logs(data: Path) -> Stored:
    """Reads the logs, of a system that runs or of one that has ended."""
    with closing(_opened(data, "log")) as connection:
        # In this order: what is processed can't be ahead of what was read of the events.
        said = [(offset, decode_experience_record(payload)) for offset, payload in _rows(connection, "experiences")]
        records = {}
        for offset, payload in _rows(connection, "events"):
            record = decode_record(payload)
            assert isinstance(record, Record), record
            records[Position(EPOCH, offset)] = record
    return stored_of(records, said)


def read_snapshots(data: Path) -> dict[tuple[str, str], Shopper]:
    """Reads every shopper's snapshot."""
    with closing(_opened(data, "state")) as connection:
        rows = connection.execute("SELECT retailer_id, shopper, payload FROM snapshots").fetchall()
    return {(retailer_id, shopper): decode(payload) for retailer_id, shopper, payload in rows}


def _opened(data: Path, name: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{(data / f'{name}.db').absolute().as_uri()}?mode=ro", uri=True)


def _rows(connection: sqlite3.Connection, table: Literal["events", "experiences"]) -> Iterator[tuple[int, Any]]:
    """Gives offset and bytes of every record; offsets have no gap."""
    expected = 0
    for first, count, blob in connection.execute(f"SELECT first_offset, count, payloads FROM {table} ORDER BY 1"):
        payloads = msgspec.msgpack.decode(blob, type=list[bytes])
        assert (expected, count) == (first, len(payloads)), f"{table}@{first}"
        yield from enumerate(payloads, start=first)
        expected = first + count
