"""The data directory of an embedded system: made on first use, and held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from domain.errors import Refused


def prepare(data: Path) -> None:
    """Makes the directory, readable by its owner only.

    Raises:
        Refused: it can't be made or written.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"can't make the directory {data}: {error.strerror}; choose another --data") from None
    if not os.access(data, os.W_OK | os.X_OK):
        raise Refused(f"can't write into {data}: change its permissions or choose another --data")


class DataDirLock:
    """Holds a directory until `close` or the end of the process, however it ends.

    Raises:
        Refused: another process holds it.
    """

    def __init__(self, data: Path) -> None:
        self._file = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Refused(f"{data} is in use by another hotbasket: stop it first or choose another --data") from None

    def close(self) -> None:
        """Lets go."""
        os.close(self._file)
