"""The tail of the experience log: what the owners before this one decided and nobody has saved yet."""

from __future__ import annotations

from collections.abc import Sequence

from domain.ids import BEGINNING, Position
from domain.ports.event_log import Committed
from domain.ports.experience_log import Entry, ExperienceLog
from domain.records import Decided, Failed, Owner, Progress

_READ_RECORDS = 1_000


class Tail:
    """Reads entries in order and keeps what counts.

    A record counts when the `Progress` that closes it stood before any newer `Owner`.

    Attributes:
        through: every event at or below was processed by an owner before.
        said: by event position, what was decided or failed; events without an entry only changed what `apply` changes.
        failures: the failed events, in order.
    """

    def __init__(self, committed: Committed | None) -> None:
        self.through: Position = committed.through if committed is not None else BEGINNING
        self.said: dict[Position, Decided | Failed] = {}
        self.failures: list[Failed] = []
        self._token = committed.token if committed is not None else -1
        self._open: list[Decided | Failed] = []

    def take(self, entries: Sequence[Entry]) -> None:
        """Takes entries, in order."""
        for entry in entries:
            record = entry.record
            if isinstance(record, Owner):
                self._token = entry.offset
                self._open = []
            elif record.token < self._token:
                continue
            elif isinstance(record, Progress):
                self._close(record)
            else:
                self._open.append(record)

    def _close(self, progress: Progress) -> None:
        for record in self._open:
            if record.position > self.through and record.position not in self.said:
                self.said[record.position] = record
                if isinstance(record, Failed):
                    self.failures.append(record)
        self._open = []
        self.through = max(self.through, progress.through)


async def read_tail(log: ExperienceLog, partition: int, committed: Committed | None, token: int) -> Tail:
    """Reads from the last commit's tail position up to the own `Owner` record at offset `token`.

    Raises:
        PortError: the log can't be read now.
    """
    tail = Tail(committed)
    after = committed.tail if committed is not None else -1
    while after < token:
        entries = await log.read(partition, after=after, records_max=_READ_RECORDS)
        if not entries:
            break
        tail.take([entry for entry in entries if entry.offset < token])
        after = entries[-1].offset
    return tail
