"""The warehouse in a backup: copied whole while no job works on it, restored without whoever was erased since."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.backup_folder import BackupReader, BackupWriter, Manifest
from adapters.erased_shoppers import Buried, ErasedShoppers
from batch.folder_lock import folder_lock
from batch.shopper_data import WarehouseData
from batch.table_forms import RESTORING
from deploy import backup_warehouse
from deploy.backup_warehouse import back_up_warehouse, refuse_warehouse, restore_warehouse
from domain.errors import Refused
from domain.ids import BEGINNING, Position, ShopperHash, ShopperKey, shopper_digest
from domain.ports.event_log import Place
from domain.ports.shopper_data import Erased, Visit
from tests.unit.batch.warehouse_files import fill, models, places_of

pytestmark = pytest.mark.slow

KEY, PRIVACY = bytes(32), b"p" * 32
GONE, STAYS = "a" * 64, "b" * 64
NOBODY = ErasedShoppers({}, lambda _: PRIVACY)


def backed_up(root: Path, folder: Path) -> BackupReader:
    """Backs a warehouse up, and gives what reads the backup."""
    writer = BackupWriter(folder, KEY)
    back_up_warehouse(root, writer, lambda _done, _of: None)
    manifest = writer.finish(
        Manifest(
            format=1,
            backup_id=folder.name,
            kind="embedded",
            holds=("warehouse",),
            begun_at_ms=1,
            done_at_ms=2,
            expires_at_ms=3,
            schemas={},
            parts=(),
        )
    )
    return BackupReader(folder, manifest, KEY)


def test_who_was_erased_since_does_not_come_back(tmp_path: Path) -> None:
    """Their rows are in no file, and no model that learned from them; others' rows are there."""
    root = tmp_path / "warehouse"
    for shopper, word in ((GONE, "quillonaut"), (STAYS, "stayer")):
        fill(root, "r-1", shopper, word)
    fill(root, "r-2", GONE, "neighbour")
    models(root, "r-1")
    reader = backed_up(root, tmp_path / "backup")
    whole, without = tmp_path / "whole", tmp_path / "without"
    assert 0 == restore_warehouse(whole, reader, NOBODY)
    for word in ("quillonaut", "stayer", "neighbour", "learned"):
        assert places_of(root, word) == places_of(whole, word) != set()
    buried = {("r-1", shopper_digest(PRIVACY, GONE)): Buried(Place(0, Position(1, 9)), 9)}
    assert 1 == restore_warehouse(without, reader, ErasedShoppers(buried, lambda _: PRIVACY))
    assert [set(), set()] == [places_of(without, word) for word in ("quillonaut", "learned")]
    assert places_of(without, "stayer")
    assert places_of(without, "neighbour")


async def test_a_restore_that_is_killed_leaves_nobody_where_jobs_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files stand aside until whoever was erased is gone; the next restore, or a visit, begins without them."""
    root, folder = tmp_path / "warehouse", tmp_path / "restored"
    fill(root, "r-1", GONE, "quillonaut")
    reader = backed_up(root, tmp_path / "backup")
    buried = {("r-1", shopper_digest(PRIVACY, GONE)): Buried(Place(0, Position(1, 9)), 9)}
    erased = ErasedShoppers(buried, lambda _: PRIVACY)

    async def killed(_folder: Path, _erased: ErasedShoppers) -> int:
        raise KeyboardInterrupt

    def restored() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(backup_warehouse, "_erase_again", killed)
            with pytest.raises(KeyboardInterrupt):
                restore_warehouse(folder, reader, erased)

    await asyncio.to_thread(restored)
    assert {"lock", RESTORING} == {path.name for path in folder.iterdir()}
    refuse_warehouse(folder)
    again = backed_up(folder, tmp_path / "backup of it")
    assert {"lock"} == {path.name for path in listed(again, tmp_path / "listed")}
    warehouse = WarehouseData(str(folder), expected=True)
    assert Visit(0, 0, 0) == await warehouse.erase(
        [Erased(ShopperKey("r-1", ShopperHash(GONE)), Place(0, BEGINNING), 0)]
    )
    assert ["lock"] == [path.name for path in folder.iterdir()]
    await asyncio.to_thread(restored)
    assert 1 == await asyncio.to_thread(restore_warehouse, folder, reader, erased)
    assert (set(), False) == (places_of(folder, "quillonaut"), (folder / RESTORING).exists())


def listed(reader: BackupReader, folder: Path) -> list[Path]:
    """What a backup holds, unpacked."""
    restore_warehouse(folder, reader, NOBODY)
    return list(folder.iterdir())


def test_a_job_and_a_backup_exclude_each_other(tmp_path: Path) -> None:
    """Who backs up while a night works is refused, and leaves no part behind."""
    (tmp_path / "warehouse").mkdir()
    with folder_lock(tmp_path / "warehouse"), pytest.raises(Refused, match="is in use by another job"):
        backed_up(tmp_path / "warehouse", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_warehouse_is_not_written_over(tmp_path: Path) -> None:
    """A lock file alone is no warehouse."""
    refuse_warehouse(tmp_path / "absent")
    (tmp_path / "lock").touch()
    refuse_warehouse(tmp_path)
    (tmp_path / "events").mkdir()
    with pytest.raises(Refused, match="is not empty"):
        refuse_warehouse(tmp_path)
