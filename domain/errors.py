"""The errors of hotbasket: one root; what callers can expect to meet and to handle."""

from __future__ import annotations


class HotbasketError(Exception):
    """Root of every expected failure; its message is one sentence that names what, which, the limit and the cure."""


class PortError(HotbasketError):
    """A port could not do its work: the log is down, the disk is full, a file is corrupt.

    Attributes:
        retriable: whether the same call may succeed later without anybody's intervention.
    """

    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class Full(PortError):
    """A bounded queue in front of a port is full: nothing was accepted; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message, retriable=True)
        self.retry_after_s = retry_after_s


class Fenced(PortError):
    """The partition has a newer owner: this worker may neither speak nor save for it any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retriable=False)


class Refused(HotbasketError):
    """A request of a person or program breaks a rule: its message says which, where and the cure.

    Attributes:
        faults: every fault found, one sentence each, in order of appearance.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
