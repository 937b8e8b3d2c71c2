"""The tail of the experience log: what the owners before this one decided and nobody has saved yet."""

from __future__ import annotations

from collections.abc import Sequence

from domain.ids import BEGINNING, Position
from domain.listening import NO_OWNER, Listener
from domain.ports.event_log import Committed
from domain.ports.experience_log import Entry, ExperienceLog
from domain.records import Decided, Failed, Lease

_READ_RECORDS = 1_000


class Tail:
    """Reads entries in order and keeps what counts.

    Attributes:
        said: by event position, what was decided or failed; events without an entry only changed what `apply` changes.
        failures: the failed events, in order.
        leases: of campaigns' budgets, in order.
    """

    def __init__(self, committed: Committed | None) -> None:
        self.said: dict[Position, Decided | Failed] = {}
        self.failures: list[Failed] = []
        self.leases: list[Lease] = []
        self._listener = (
            Listener(BEGINNING, NO_OWNER) if committed is None else Listener(committed.through, committed.token)
        )

    @property
    def through(self) -> Position:
        """Every event at or below was processed by an owner before."""
        return self._listener.through

    def take(self, entries: Sequence[Entry]) -> None:
        """Takes entries, in order."""
        for entry in entries:
            heard = self._listener.hear(entry)
            if heard is not None:
                self.said.update((record.position, record) for record in heard.records)
                self.leases += heard.leases
                self.failures += [record for record in heard.records if isinstance(record, Failed)]


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
