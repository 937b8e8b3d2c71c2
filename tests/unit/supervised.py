"""Two supervised children that do as they are told: `python -m tests.unit.supervised works|refuses|learns DIR`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.supervisor import Supervisor
from domain.errors import Refused


def serve(how: str, folder: Path, number: int, ready: Callable[[], None]) -> int:
    """Writes down that it started; then works until SIGTERM, or is refused."""
    starts = folder / f"{number}.starts"
    with starts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    begun = len(starts.read_text().split())
    if how == "refuses" or (how == "learns" and begun == 2):
        raise Refused("nobody is there: start the server")
    ready()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        time.sleep(60)


if __name__ == "__main__":
    how, folder = sys.argv[1], Path(sys.argv[2])
    sys.exit(Supervisor("child", 2, lambda number, ready: serve(how, folder, number, ready)).run())
