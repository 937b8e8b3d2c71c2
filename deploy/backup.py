"""`hotbasket backup`: make an encrypted copy of what the system keeps, check it, and let it expire."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop
from msgspec.structs import replace

from adapters.backup_folder import FORMAT, BackupWriter, Holding, Manifest, listed, manifest_of, verify
from adapters.backup_keys import BackupKeys, expiry_ms, keys_of
from adapters.backups import Seen, back_up_files, back_up_servers, servers_hold
from adapters.clock import SystemClock
from adapters.secrets import Secrets, load_secrets, secrets_of
from adapters.settings import Settings, load_settings
from deploy.backup_warehouse import back_up_warehouse, warehouse_folder
from deploy.options import Json, Where, document, progress, say
from deploy.stores import meant, place_of
from domain.errors import Refused
from domain.timestamps import rfc3339

commands = typer.Typer(help="Make encrypted backups, check them, and let them expire.", no_args_is_help=True)

KINDS: Final[tuple[Holding, ...]] = ("events", "control", "vault", "warehouse")
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="control, vault, warehouse or events (states, trees, logs); may be repeated."),
]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        help="Folder of backups' keys, apart from the backups; otherwise HOTBASKET_BACKUP_KEYS, or beside --data.",
        file_okay=False,
    ),
]
Backup = Annotated[Path, typer.Argument(help="Folder of one backup.", file_okay=False)]


@commands.command()
def create(
    to: Annotated[Path, typer.Argument(help="Folder in which the backup is made, under its time.", file_okay=False)],
    only: Only = None,
    data: Where = None,
    keys: Keys = None,
    as_json: Json = False,
) -> None:
    """Make a backup while the system runs; it can be read until its key expires (HOTBASKET_BACKUP_DAYS).

    Secrets are not in it: keep copies of them, and of the key's file, in two other places.

    Example: hotbasket backup create /mnt/backups --data data
    """
    settings, clock = load_settings(), SystemClock()
    place = place_of(data, settings)
    folder = warehouse_folder(place, settings)
    holds = _holds(chosen_kinds(only), place, folder, settings)
    now_ms = clock.now_ms()
    expires_at_ms = expiry_ms(settings, now_ms)
    kept = keys_of(keys, place, settings)
    backup_id = f"{datetime.fromtimestamp(now_ms / 1_000, UTC):%Y-%m-%dT%H%M%SZ}-{os.urandom(3).hex()}"
    target = to / backup_id
    refuse_together(target, kept)
    writer = BackupWriter(target, kept.make(backup_id, secrets_in(place, settings), expires_at_ms))
    manifest = Manifest(
        format=FORMAT,
        backup_id=backup_id,
        kind="servers" if place is None else "embedded",
        holds=holds,
        begun_at_ms=now_ms,
        done_at_ms=0,
        expires_at_ms=expires_at_ms,
        schemas={},
        parts=(),
    )
    with counting() as seen:
        # The warehouse first: what it has was cooled from events that the others still hold.
        if "warehouse" in holds and folder is not None:
            back_up_warehouse(folder, writer, lambda done, of: seen("warehouse", done, of))
        if place is not None:
            schemas = back_up_files(place, settings, writer, holds, seen)
        else:
            schemas = uvloop.run(back_up_servers(settings, clock, writer, holds, seen))

    done = writer.finish(replace(manifest, schemas=schemas, done_at_ms=clock.now_ms()))
    view = told(target, done, kept)
    if as_json:
        document(view)
    else:
        say(f"{target}: {', '.join(holds)}, {view['size_bytes']:,} bytes, readable until {view['expires_at']}")
        say(f"  its key: {kept.folder / backup_id}.key; keep a copy apart from the backup, and remove it with it")


@commands.command("list")
def list_(
    folder: Annotated[Path, typer.Argument(help="Folder in which backups were made.", file_okay=False)],
    data: Where = None,
    keys: Keys = None,
    as_json: Json = False,
) -> None:
    """List the backups of a folder, and whether their keys are there.

    Example: hotbasket backup list /mnt/backups
    """
    settings = load_settings()
    kept = keys_of(keys, meant(data, settings), settings)
    views = [told(folder / one.backup_id, one, kept) for one in listed(folder)]
    if as_json:
        document(views)
        return
    for view in views:
        key = "key is there" if view["has_key"] else "key is gone: unreadable"
        say(f"{view['backup_id']}  {', '.join(view['holds'])}  {view['size_bytes']:,} bytes  {key}")
    if not views:
        say(f"no backup in {folder}")


@commands.command("verify")
def verify_(backup: Backup, as_json: Json = False) -> None:
    """Check that every file of a backup is there and as it was written; no key is needed.

    Example: hotbasket backup verify /mnt/backups/2026-11-26T020000Z-4f1a2b
    """
    manifest = manifest_of(backup)
    with counting() as seen:
        verify(backup, manifest, lambda done, of: seen("verified", done, of))
    if as_json:
        document({"backup_id": manifest.backup_id, "parts": len(manifest.parts), "whole": True})
    else:
        say(f"{backup} is whole: {len(manifest.parts)} parts")


@commands.command()
def expire(data: Where = None, keys: Keys = None, as_json: Json = False) -> None:
    """Remove the keys whose time is over: those backups can't be read any more, wherever copies of them are.

    The privacy worker does so every hour, and so does `hotbasket run`.

    Example: hotbasket backup expire --keys /etc/hotbasket/backup-keys
    """
    settings = load_settings()
    gone = keys_of(keys, meant(data, settings), settings).expire(SystemClock().now_ms())
    if as_json:
        document({"expired": gone})
    else:
        say(f"removed the keys of {len(gone)} backups" + (f": {', '.join(gone)}" if gone else ""))


def chosen_kinds(only: Sequence[str] | None) -> tuple[Holding, ...]:
    """Gives what was asked for; everything where nothing was.

    Raises:
        Refused: a word is none of those.
    """
    unknown = sorted(set(only or ()) - set(KINDS))
    if unknown:
        raise Refused(f"--only {unknown[0]}: choose among {', '.join(KINDS)}")
    return tuple(one for one in KINDS if not only or one in only)


def secrets_in(place: Path | None, settings: Settings) -> Secrets:
    """Gives the secrets of a data directory, or those that the settings carry.

    Raises:
        Refused: they are missing, damaged, or readable by others.
    """
    return secrets_of(settings, needed=True) if place is None else load_secrets(place)


def refuse_together(backup: Path, kept: BackupKeys) -> None:
    """Looks that a backup and its key stand apart.

    Raises:
        Refused: whoever copies one copies the other.
    """
    where, key = backup.absolute().parent.resolve(), kept.folder.absolute().resolve()
    if where == key or where in key.parents or key in where.parents:
        raise Refused(
            f"the keys in {kept.folder} would be copied along with the backups in {backup.parent}: keep them apart"
        )


@contextmanager
def counting() -> Iterator[Seen]:
    """Shows how far each kind of work is."""
    with progress("parts") as bar:
        tasks: dict[str, Any] = {}

        def seen(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield seen


def told(folder: Path, manifest: Manifest, kept: BackupKeys) -> dict[str, Any]:
    """Gives a backup as commands tell it."""
    return {
        "backup_id": manifest.backup_id,
        "path": str(folder),
        "kind": manifest.kind,
        "holds": manifest.holds,
        "made_at": rfc3339(manifest.begun_at_ms),
        "seconds": (manifest.done_at_ms - manifest.begun_at_ms) / 1_000,
        "expires_at": rfc3339(manifest.expires_at_ms),
        "size_bytes": sum(part.size_bytes for part in manifest.parts),
        "has_key": kept.held(manifest.backup_id) is not None,
    }


def _holds(
    wanted: tuple[Holding, ...], place: Path | None, folder: Path | None, settings: Settings
) -> tuple[Holding, ...]:
    """Gives what there is of what is wanted.

    Raises:
        Refused: there is nothing of it.
    """
    there: set[Holding] = set(servers_hold(settings)) if place is None else {"events", "control", "vault"}
    if folder is not None and folder.is_dir():
        there.add("warehouse")
    found = tuple(one for one in wanted if one in there)
    if not found:
        elsewhere = "an object store's own versions and replicas keep the warehouse" if settings.warehouse else ""
        raise Refused(f"there is no {' or '.join(wanted)} here to back up" + (f": {elsewhere}" if elsewhere else ""))
    return found
