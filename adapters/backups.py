"""What is copied into a backup and put back, store by store: the only place that knows which adapters do so.

The order is the point. Snapshots are copied before the log that they are made from, which may never end before them;
the control plane after both, so that its ledger knows every lease that a partition has, and its lists every retailer,
key and tree that records speak of. What is restored is filtered by the control plane that is there then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.backup_folder import BackupReader, BackupWriter, Holding, Manifest
from adapters.erased_shoppers import Buried, ErasedShoppers
from adapters.sealed_parts import SealedWriter
from adapters.secrets import secrets_file
from adapters.settings import Settings, data_files
from adapters.sqlite import control_file, log_rows, reward_vault, state_file
from adapters.sqlite.backup import copy_in, copy_out, forget_lease_owners
from adapters.sqlite.held_shoppers import held_shoppers
from adapters.vault_wiring import has_vault, vault_database
from adapters.wiring import Ports, embedded, libraries, production, require_servers
from domain.errors import Refused
from domain.ports.clock import Clock
from domain.ports.shopper_data import Erased
from monitoring.metrics import Metrics

if TYPE_CHECKING:
    from adapters.postgres.database import Database as Postgres

Seen = Callable[[str, int, int], None]
"""Told of what, how many parts are done, and of how many."""

_FILES: Final[tuple[tuple[Holding, str], ...]] = (
    ("events", "state"),
    ("events", "log"),
    ("control", "control"),
    ("vault", "vault"),
)
"""In the order in which they are copied."""
_SCHEMAS: Final = {
    "state": state_file.SCHEMA.version,
    "log": log_rows.SCHEMA.version,
    "control": control_file.SCHEMA.version,
    "vault": reward_vault.SCHEMA.version,
}
_ERASED_AT_ONCE: Final = 5_000
_HOT: Final = "hot"


def back_up_files(
    data: Path, settings: Settings, writer: BackupWriter, holds: Sequence[Holding], seen: Seen
) -> dict[str, int]:
    """Copies a data directory's files, and gives their schemas' versions; the system may run meanwhile.

    Raises:
        PortError: a file can't be read.
        Refused: the backup can't be written.
    """
    schemas: dict[str, int] = {}
    there = [name for what, name in _FILES if what in holds and data_files(data)[name].is_file()]
    for number, name in enumerate(there, start=1):
        with writer.part(f"{name}.db") as sink:
            schemas[name] = copy_out(data_files(data)[name], sink, busy_s=settings.sqlite_busy_s)
        seen("files", number, len(there))
    return schemas


def refuse_files(data: Path, manifest: Manifest, holds: Sequence[Holding]) -> None:
    """Looks whether a data directory can take what is to be restored.

    Raises:
        Refused: it holds such a file already, or lacks the secrets; or a newer hotbasket wrote the backup.
    """
    for name, version in manifest.schemas.items():
        if version > _SCHEMAS.get(name, 0):
            raise Refused(f"the backup's {name} has schema version {version}, newer than this: use the newer hotbasket")
    for what, name in _FILES:
        files = sorted(data.glob(f"{name}.db*"))
        if what in holds and files:
            raise Refused(f"{files[0]} is there already: move it and what belongs to it away, or name another --data")
    if not secrets_file(data).is_file():
        raise Refused(f"{secrets_file(data)} is not there: put its copy in its place first, no backup holds it")


async def restore_files(
    data: Path, settings: Settings, clock: Clock, reader: BackupReader, holds: Sequence[Holding], seen: Seen
) -> int:
    """Puts files back, and gives how many shoppers were erased again whom the control file that is there says are gone.

    Raises:
        PortError: a file can't be written, or is damaged.
        Refused: a part is damaged, or a shopper can't be erased.
    """
    files = data_files(data)
    kept_control = files["control"].is_file()
    names = [name for what, name in _FILES if what in holds and f"{name}.db" in reader.names(name)]
    for number, name in enumerate(names, start=1):
        copy_in(files[name], reader.chunks(f"{name}.db"))
        seen("files", number, len(names))
    if not ({"state", "log", "control"} & set(names)) or not files["control"].is_file():
        return 0
    if kept_control and "log" in names:
        forget_lease_owners(files["control"], busy_s=settings.sqlite_busy_s)
    ports = embedded(data, settings, Metrics(), clock)
    try:
        return await _erase_again(ports, await erased_since(ports, reader.manifest.begun_at_ms), data, settings)
    finally:
        await ports.close()


async def _erase_again(ports: Ports, erased: ErasedShoppers, data: Path, settings: Settings) -> int:
    if not len(erased):
        return 0
    again = [
        Erased(key, buried.place, buried.at_ms)
        for key in held_shoppers(data_files(data), busy_s=settings.sqlite_busy_s)
        if (buried := erased.of(*key)) is not None
    ]
    for start in range(0, len(again), _ERASED_AT_ONCE):
        for store in ports.shopper_data:
            visit = await store.erase(again[start : start + _ERASED_AT_ONCE])
            if visit.left:
                raise Refused(f"the {store.name} still holds shoppers who were erased: empty {data}, and restore again")
    return len(again)


async def erased_since(ports: Ports, since_ms: int) -> ErasedShoppers:
    """Asks the control plane that is there, which may be newer than the backup, who was erased since.

    Raises:
        PortError: it can't be read now, or a retailer's privacy key can't be opened.
        Refused: this process holds no key-encryption key.
    """
    found = await ports.erasures.tombstones_since(since_ms)
    buried = {(retailer_id, one.digest): Buried(one.place, one.at_ms) for retailer_id, one in found}
    return ErasedShoppers(buried, ports.identity.privacy_key)


async def back_up_servers(
    settings: Settings, clock: Clock, writer: BackupWriter, holds: Sequence[Holding], seen: Seen
) -> dict[str, int]:
    """Copies the hot store, the control plane and the vault, in this order; gives their schemas' versions.

    Raises:
        PortError: a server can't be worked with.
        Refused: a setting is missing, or the backup can't be written.
    """
    schemas: dict[str, int] = {}

    def parts(what: str) -> Callable[[str], AbstractContextManager[SealedWriter]]:
        return lambda table: writer.part(f"{what}.{table}")

    if "events" in holds:
        require_servers(settings, ("scylla",))
        with libraries():
            from adapters.scylla import backup as scylla  # noqa: PLC0415
            from adapters.scylla.open import open_backup  # noqa: PLC0415
            from adapters.scylla.schema import SCHEMA_VERSION as HOT_VERSION  # noqa: PLC0415
        session = await open_backup(settings, Metrics())
        try:
            await scylla.dump(session, clock, parts(_HOT), partial(seen, "hot store"))
        finally:
            await session.close()
        schemas[_HOT] = HOT_VERSION
    for what, database, known in _databases(settings, holds):
        with libraries():
            from adapters.postgres import backup as postgres  # noqa: PLC0415
        await postgres.dump(database, known, parts(what), partial(seen, what))
        schemas[what] = known
    return schemas


async def restore_servers(
    settings: Settings, clock: Clock, reader: BackupReader, holds: Sequence[Holding], seen: Seen
) -> int:
    """Fills empty tables of servers that `migrate` has made; gives how many rows of the hot store are back.

    Raises:
        PortError: a server can't be worked with, or its schema is another version's.
        Refused: a table holds rows, a setting is missing, or a part is damaged.
    """
    schemas = reader.manifest.schemas
    for what, database, known in _databases(settings, holds):
        if schemas.get(what) != known:
            raise Refused(
                f"the backup's {what} has schema version {schemas.get(what)}, not {known}:"
                " restore it with the hotbasket that made it, then migrate"
            )
        with libraries():
            from adapters.postgres import backup as postgres  # noqa: PLC0415
        await postgres.load(database, known, _parts(reader, what), partial(seen, what))
    if "events" not in holds:
        return 0
    with libraries():
        from adapters.scylla import backup as scylla  # noqa: PLC0415
        from adapters.scylla.open import open_backup  # noqa: PLC0415
        from adapters.scylla.schema import SCHEMA_VERSION as HOT_VERSION  # noqa: PLC0415
    if schemas.get(_HOT) != HOT_VERSION:
        raise Refused(f"the backup's hot store has schema version {schemas.get(_HOT)}, not {HOT_VERSION}")
    erased = await in_control(settings, clock, partial(erased_since, since_ms=reader.manifest.begun_at_ms))
    session = await open_backup(settings, Metrics())
    try:
        return await scylla.load(session, clock, _parts(reader, _HOT), erased, partial(seen, "hot store"))
    finally:
        await session.close()


async def in_control(
    settings: Settings, clock: Clock, work: Callable[[Ports], Awaitable[ErasedShoppers]]
) -> ErasedShoppers:
    """Opens a production system's stores as a command does, and closes them after some work.

    Raises:
        Refused, PortError: see `wiring.production`.
    """
    ports = await production(settings, Metrics(), clock, role="command")
    try:
        return await work(ports)
    finally:
        await ports.close()


def servers_hold(settings: Settings) -> tuple[Holding, ...]:
    """Gives what a production system has, its warehouse apart."""
    return ("events", "control", "vault") if has_vault(settings) else ("events", "control")


def _databases(settings: Settings, holds: Sequence[Holding]) -> Iterator[tuple[str, Postgres, int]]:
    if "control" in holds:
        require_servers(settings, ("postgres",))
        with libraries():
            from adapters.postgres.database import Database  # noqa: PLC0415
            from adapters.postgres.migrations import SCHEMA_VERSION  # noqa: PLC0415
        yield "control", Database(settings), SCHEMA_VERSION
    if "vault" in holds:
        yield "vault", *vault_database(settings)


def _parts(reader: BackupReader, what: str) -> dict[str, Iterator[bytes]]:
    beginning = f"{what}."
    return {name.removeprefix(beginning): reader.chunks(name) for name in reader.names(beginning)}
