"""The lock of a warehouse in a folder: the system's, so it goes however its holder ends. Needs no Spark.

Jobs of the night take it, and the visits of the privacy worker (`batch.shopper_data`), which are short: a job waits for
a visit, nothing waits for a job.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from domain.errors import Refused

BUSY: Final = "is in use by another job: let it finish, or stop it"
VISIT: Final = "visit"
"""Who holds the lock, or how the holder of a lease begins, where it is a visit."""
VISIT_S: Final = 600.0
"""For how long a job waits for visits."""
_LOOK_S = 0.2


@contextmanager
def folder_lock(folder: Path, holder: str = "job", wait_s: float = VISIT_S) -> Iterator[None]:
    """Holds it; a folder that is absent is made.

    Args:
        folder: the warehouse.
        holder: `VISIT`, or a job.
        wait_s: for how long a job waits for visits.

    Raises:
        Refused: somebody else holds it, or the folder can't be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"can't write into the warehouse {folder}: {error.strerror}") from None
    try:
        until_s = time.monotonic() + (0 if holder == VISIT else wait_s)
        while not _taken(file):
            if time.monotonic() >= until_s or _holder(file) != VISIT:
                raise Refused(f"the warehouse {folder} {BUSY}")
            time.sleep(_LOOK_S)
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode(), 0)
        yield
    finally:
        os.close(file)


def folder_of(root: str) -> Path | None:
    """Gives the folder that an address names, None where it is elsewhere."""
    scheme, separator, rest = root.partition(":")
    if not separator or "/" in scheme:
        return Path(root)
    return Path("/" + rest.lstrip("/")) if scheme == "file" else None


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(file: int) -> str:
    """Gives who wrote last that it holds the lock; asked twice, since it is written behind the taking."""
    said = os.pread(file, 16, 0).decode(errors="replace")
    if said != VISIT:
        time.sleep(_LOOK_S)
        said = os.pread(file, 16, 0).decode(errors="replace")
    return said
