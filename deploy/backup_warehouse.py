"""The warehouse's part in a backup, where it is a folder: copied while no job works on it, and put back whole.

An object store is not copied: its own versions and replicas do that better, and it has a lifecycle rule for their end.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, cast

from adapters.backup_folder import BackupReader, BackupWriter
from adapters.erased_shoppers import ErasedShoppers
from adapters.settings import Settings
from batch.folder_lock import folder_lock, folder_of
from batch.shopper_data import WarehouseData
from batch.shopper_table import opened
from batch.table_forms import BY_SHOPPER, RESTORING
from domain.errors import Refused
from domain.ids import ShopperKey
from domain.ports.shopper_data import Erased

PART: Final = "warehouse.tar"
_LOCK: Final = "lock"
_ERASED_AT_ONCE: Final = 5_000
Seen = Callable[[int, int], None]


def warehouse_folder(data: Path | None, settings: Settings) -> Path | None:
    """Gives the folder of the warehouse; None where it is elsewhere, or nobody has said where."""
    if settings.warehouse:
        return folder_of(settings.warehouse)
    return None if data is None else data / "warehouse"


def back_up_warehouse(folder: Path, writer: BackupWriter, seen: Seen) -> None:
    """Copies every file, holding the lock that jobs hold: none writes meanwhile.

    Raises:
        Refused: a job works on it, or the backup can't be written.
    """
    with folder_lock(folder), writer.part(PART) as sink:
        left_out = {folder / _LOCK, folder / RESTORING}
        files = [
            path for path in sorted(folder.rglob("*")) if path.is_file() and left_out.isdisjoint((path, *path.parents))
        ]
        with tarfile.open(fileobj=cast(IO[bytes], sink), mode="w|") as tar:
            for number, path in enumerate(files, start=1):
                tar.add(path, arcname=str(path.relative_to(folder)), recursive=False)
                seen(number, len(files))


def refuse_warehouse(folder: Path) -> None:
    """Looks whether a folder can take a warehouse; what a restore that was killed has left is no hindrance.

    Raises:
        Refused: it holds one.
    """
    held = [path for path in folder.iterdir() if path.name not in (_LOCK, RESTORING)] if folder.is_dir() else []
    if held:
        raise Refused(f"the warehouse {folder} is not empty: move it away first, or name another")


def restore_warehouse(folder: Path, reader: BackupReader, erased: ErasedShoppers) -> int:
    """Puts every file back, and gives how many shoppers are erased from them again.

    No table is where a job looks for it before whoever was erased is gone from all of them.

    Raises:
        Refused: a job works on it, the part is damaged, or a shopper can't be erased.
        PortError: the library is missing that erases from it.
    """
    if len(erased):
        # Before any file is there: without its library nobody could be erased from them.
        opened(str(folder), BY_SHOPPER[0])
    aside = folder / RESTORING
    with folder_lock(folder):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        with tarfile.open(fileobj=_Pieces(reader.chunks(PART)), mode="r|") as tar:
            tar.extractall(aside, filter="data")
        again = asyncio.run(_erase_again(aside, erased)) if len(erased) else 0
        (aside / _LOCK).unlink(missing_ok=True)
        for path in sorted(aside.iterdir()):
            path.rename(folder / path.name)
        aside.rmdir()
    return again


async def _erase_again(folder: Path, erased: ErasedShoppers) -> int:
    held: set[tuple[str, str]] = set()
    for name in BY_SHOPPER:
        table = opened(str(folder), name)
        if table is not None:
            held.update(table.shoppers())
    again = [
        Erased(ShopperKey(*key), buried.place, buried.at_ms)
        for key in sorted(held)
        if (buried := erased.of(*key)) is not None
    ]
    warehouse = WarehouseData(str(folder), expected=True)
    for start in range(0, len(again), _ERASED_AT_ONCE):
        visit = await warehouse.erase(again[start : start + _ERASED_AT_ONCE])
        if visit.left:
            raise Refused(f"{folder} still holds shoppers who were erased: empty it, and restore again")
    return len(again)


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file that can be read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Takes them."""
        self._pieces = pieces
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Gives so many bytes, fewer at the end."""
        held = bytearray(self._held)
        while size < 0 or len(held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            held += piece
        end = len(held) if size < 0 else size
        self._held = bytes(held[end:])
        return bytes(held[:end])
