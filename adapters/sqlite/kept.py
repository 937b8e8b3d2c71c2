"""What a subject of the control file says, in memory: read again only when its version is another one."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Generic, TypeVar

from adapters.sqlite.control_file import ControlFile
from domain.errors import PortError

T = TypeVar("T")
_log = logging.getLogger("hotbasket.control")


class Kept(Generic[T]):
    """The content of one subject as last read.

    Args:
        control: the file.
        subject: whose version is looked at.
        load: reads the content as of a version, given what was read before it, if anything was.
        what: it is, for whoever reads the log.
    """

    def __init__(
        self, control: ControlFile, subject: str, load: Callable[[sqlite3.Connection, int, T | None], T], what: str
    ) -> None:
        self._file = control
        self._subject = subject
        self._load = load
        self._what = what
        self._version: int | None = None
        self._value: T | None = None

    def current(self) -> T:
        """Gives the content as of now; while it can't be read, the last known.

        Raises:
            PortError: it was never readable.
        """
        version, held = self._file.version(self._subject), self._value
        if held is not None and version == self._version:
            return held
        try:
            held = self._value = self._file.read_now(lambda connection: self._load(connection, version, self._value))
            self._version = version
        except PortError as error:
            if held is None:
                raise
            _log.error("%s can't be read, the last known stay in force", self._what, extra={"detail": str(error)})
        return held
