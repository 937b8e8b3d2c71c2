"""`hotbasket restore`: puts a backup where there is nothing, but for shoppers who were erased since."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from adapters.backup_folder import BackupReader, Holding, Manifest, manifest_of, verify
from adapters.backup_keys import keys_of
from adapters.backups import Seen, erased_since, in_control, refuse_files, restore_files, restore_servers
from adapters.clock import SystemClock
from adapters.data_dir import DataDirLock, prepare
from adapters.erased_shoppers import ErasedShoppers
from adapters.settings import Settings, data_files, load_settings
from adapters.wiring import embedded
from deploy.backup import Keys, Only, chosen_kinds, counting, secrets_in
from deploy.backup_warehouse import refuse_warehouse, restore_warehouse, warehouse_folder
from deploy.options import Json, Where, document, say
from deploy.stores import meant
from domain.errors import Refused
from domain.timestamps import rfc3339
from monitoring.metrics import Metrics


def restore(
    backup: Annotated[Path, typer.Argument(help="Folder of one backup.", file_okay=False)],
    only: Only = None,
    data: Where = None,
    keys: Keys = None,
    as_json: Json = False,
) -> None:
    """Put a backup into a directory that has nothing but its secrets, or into empty tables of servers.

    Nothing may run meanwhile. Shoppers whom the control plane that is there knows to be erased since are left out.

    Example: hotbasket restore /mnt/backups/2026-11-26T020000Z-4f1a2b --data data
    """
    settings, clock = load_settings(), SystemClock()
    manifest = manifest_of(backup)
    holds = tuple(one for one in chosen_kinds(only) if one in manifest.holds)
    place = meant(data, settings)
    _refuse(manifest, holds, place, settings)
    reader_key = keys_of(keys, place, settings).key(manifest.backup_id, secrets_in(place, settings), clock.now_ms())
    reader = BackupReader(backup, manifest, reader_key)
    with counting() as seen:
        verify(backup, manifest, lambda done, of: seen("verified", done, of))
        erased = _restore(reader, holds, place, settings, seen)
    if as_json:
        document({"backup_id": manifest.backup_id, "restored": holds, "erased_again": erased})
        return
    say(f"restored {', '.join(holds)} as of {rfc3339(manifest.begun_at_ms)}")
    if erased:
        say(f"  {erased} shoppers were erased again, as the control plane says")
    if "control" in holds:
        say("  erase and suppress again whoever asked for it since then, before anything is started")


def _refuse(manifest: Manifest, holds: Sequence[Holding], place: Path | None, settings: Settings) -> None:
    if not holds:
        raise Refused(f"the backup holds {', '.join(manifest.holds)}, and nothing of what is asked for")
    kind = "servers" if place is None else "embedded"
    if manifest.kind != kind:
        raise Refused(f"the backup is of another kind of system ({manifest.kind}): name --data, or the servers")
    folder = warehouse_folder(place, settings)
    if "warehouse" in holds:
        if folder is None:
            raise Refused("HOTBASKET_WAREHOUSE names no folder: a warehouse is restored into one")
        refuse_warehouse(folder)
    if place is not None:
        prepare(place)
        refuse_files(place, manifest, holds)
        if "control" not in holds and set(holds) != {"vault"} and not data_files(place)["control"].is_file():
            raise Refused(f"{data_files(place)['control']} is not there: restore it too, it says who was erased")


def _restore(reader: BackupReader, holds: Sequence[Holding], place: Path | None, settings: Settings, seen: Seen) -> int:
    clock = SystemClock()
    folder = warehouse_folder(place, settings)
    since_ms = reader.manifest.begun_at_ms
    erased: ErasedShoppers | None = None
    if place is None:
        uvloop.run(restore_servers(settings, clock, reader, holds, seen))
        again = 0
        if "warehouse" in holds:
            erased = uvloop.run(in_control(settings, clock, partial(erased_since, since_ms=since_ms)))
    else:
        lock = DataDirLock(place)
        try:
            again = uvloop.run(restore_files(place, settings, clock, reader, holds, seen))
            if "warehouse" in holds:
                erased = uvloop.run(_erased_in(place, settings, since_ms))
        finally:
            lock.close()
    if erased is not None and folder is not None:
        again = max(again, restore_warehouse(folder, reader, erased))
        seen("warehouse", 1, 1)
    return again


async def _erased_in(place: Path, settings: Settings, since_ms: int) -> ErasedShoppers:
    ports = embedded(place, settings, Metrics(), SystemClock())
    try:
        return await erased_since(ports, since_ms)
    finally:
        await ports.close()
