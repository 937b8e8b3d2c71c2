"""Reads what the night's jobs left behind in a textfile collector's folder, for the operator's page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

FILES_MAX = 512
"""Of a folder; there is one for each job of each retailer."""
FILE_BYTES_MAX = 64 * 1_024


class JobFiles(Collector):
    """The metrics of `hotbasket_*.prom`, the files that `batch_export` writes.

    Args:
        folder: which need not be there; a file that is damaged, too large or may not be read is passed over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Gives each file's metrics, as they stand there now."""
        for path in sorted(self._folder.glob("hotbasket_*.prom"))[:FILES_MAX]:
            yield from _read(path)


def _read(path: Path) -> list[Metric]:
    try:
        with path.open("rb") as file:
            read = file.read(FILE_BYTES_MAX + 1)
        return [] if len(read) > FILE_BYTES_MAX else list(text_string_to_metric_families(read.decode()))
    except (OSError, ValueError):
        return []
