"""Packs this installation's own code for `spark-submit --py-files`: python -m deploy.spark.package hotbasket.zip."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from domain.errors import Refused

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "batch", "deploy", "domain", "monitoring")
"""What a job imports; libraries come with the executors' image or environment, since many of them are compiled."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def pack(out: Path) -> int:
    """Writes the archive, the same bytes for the same code, and gives the number of files in it.

    Raises:
        Refused: the folder is not there.
    """
    if not out.parent.is_dir():
        raise Refused(f"{out.parent} is no folder: make it first")
    files = sorted(_files())
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(ZipInfo(str(file.relative_to(ROOT)), _LONG_AGO), file.read_bytes(), ZIP_DEFLATED)
    return len(files)


def _files() -> Iterator[Path]:
    for room in ROOMS:
        yield from (file for file in (ROOT / room).rglob("*") if file.is_file() and "__pycache__" not in file.parts)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m deploy.spark.package OUT.zip")
    try:
        count = pack(Path(sys.argv[1]))
    except Refused as refusal:
        sys.exit(str(refusal))
    sys.stderr.write(f"{sys.argv[1]}: {count} files\n")
