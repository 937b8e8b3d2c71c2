"""What an owner knows of its own words in the experience log, from the offsets that Kafka gave them.

Offsets of a partition are dense: where an owner's appends follow each other without a hole, nobody else has spoken in
between, so no newer `Owner` stands there. Only holes must be read back.
"""

from __future__ import annotations


class Speech:
    """One owner's words on one partition.

    Attributes:
        token: the owner's.
        progress: offset of its last `Progress`; the token before the first.
        hole: first and last offset of what was not this owner's, as far as it is unread; None where nothing is.
    """

    __slots__ = ("_next", "hole", "progress", "token")

    def __init__(self, token: int) -> None:
        self.token = token
        self.progress = token
        self.hole: tuple[int, int] | None = None
        self._next = token + 1

    def said(self, first: int, last: int, *, is_progress: bool) -> None:
        """Notes an append that became durable at these offsets, the last of them a `Progress` or not."""
        if first > self._next:
            begin = self.hole[0] if self.hole is not None else self._next
            self.hole = begin, first - 1
        self._next = max(self._next, last + 1)
        if is_progress:
            self.progress = max(self.progress, last)

    def read_back(self, hole: tuple[int, int]) -> None:
        """Notes that a hole was read and holds no newer owner."""
        if self.hole == hole:
            self.hole = None
        elif self.hole is not None:
            self.hole = hole[1] + 1, self.hole[1]
