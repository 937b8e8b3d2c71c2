"""How the experience log is read: what counts of it, and when.

One truth for the three who read it: gateways (what pages are told), the next owner of a partition (what was decided)
and the archiver (what is kept).
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from domain.ids import BEGINNING, Position
from domain.ports.experience_log import Entry
from domain.records import Decided, Failed, Lease, Owner, Progress

NO_OWNER = -1


class Heard(NamedTuple):
    """What one `Progress` closes.

    Attributes:
        records: that count, in order; each event's once.
        through: every event at or below is processed.
        leases: that count from here on.
    """

    records: tuple[Decided | Failed, ...]
    through: Position
    leases: tuple[Lease, ...] = ()


class Listener:
    """Hears one partition of the experience log, entry after entry.

    A record counts when the `Progress` of the same owner that closes it has arrived. What an older owner says after a
    newer one took the partition is dropped. Each event is heard once: an append that was repeated, or an owner that
    begins again behind the last commit, has it twice.

    Args:
        through: events at or below were heard before.
        token: newest owner known before.

    Attributes:
        through: every event at or below was processed by an owner heard so far.
        token: newest owner heard.
    """

    __slots__ = ("_held", "through", "token")

    def __init__(self, through: Position = BEGINNING, token: int = NO_OWNER) -> None:
        self.through = through
        self.token = token
        self._held: list[Decided | Failed] = []

    def hear(self, entry: Entry) -> Heard | None:
        """Takes the next entry; gives what it closes, None where nothing is closed by it."""
        record = entry.record
        token = entry.offset if isinstance(record, Owner) else record.token
        if token < self.token:
            return None
        if token > self.token:
            # Also without its `Owner`, which may stand before the place where this reader began.
            self.token = token
            self._held = []
        match record:
            case Owner():
                return None
            case Decided() | Failed():
                last = self._held[-1].position if self._held else self.through
                if record.position > last:
                    self._held.append(record)
                return None
            case Progress():
                held, self._held = tuple(self._held), []
                self.through = max(self.through, record.through)
                return Heard(held, record.through, record.leases)
            case _:
                assert_never(record)
