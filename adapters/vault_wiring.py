"""The only place that opens the reward vault: gateways and vault commands come here, what personalises never does."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.data_dir import prepare
from adapters.secrets import given_secrets, kept_secrets
from adapters.settings import Settings, data_files
from adapters.sqlite import reward_vault as sqlite
from adapters.sqlite.database import Database
from adapters.vault_keys import VaultKeys
from domain.errors import PortError, Refused
from domain.ports.clock import Clock
from domain.ports.reward_vault import RewardVault

if TYPE_CHECKING:
    from adapters.postgres.database import Database as VaultDatabase

_FILE = "vault-secret.json"
_SECRETS = ("vault",)
_LOSS = "without it no e-mail address in the vault can be read"
_OTHER_SECRETS = ("subscription_secret", "identity_secret", "identity_secret_before")

_log = logging.getLogger("hotbasket.vault")


class OpenedVault(NamedTuple):
    """The vault, opened.

    Attributes:
        keys: with which it was opened; they make the ids of claims too.
        close: may be repeated.
    """

    vault: RewardVault
    keys: VaultKeys
    close: Callable[[], Awaitable[None]]


async def open_vault(data: Path | None, settings: Settings, clock: Clock) -> OpenedVault:
    """Opens the vault of a data directory, or of a production system.

    Args:
        data: the directory, made if it is absent; None = the database that HOTBASKET_VAULT names.
        settings: the bounds, and in production the address, the credentials and the secret.
        clock: dates claims and settlements.

    Raises:
        Refused: the directory or its secret can't be used, a setting is missing, or the vault is not kept apart.
        PortError: not retriable: the file is damaged or of a newer version; the database, its password or its schema
            is not what the settings say. A server that is only away is none of these: the vault opens, and each call
            fails until it is back, since shoppers must not wait for it.
    """
    if data is not None:
        return embedded_vault(data, settings, clock)
    with _library():
        from adapters.postgres import reward_vault as postgres  # noqa: PLC0415
    if not settings.vault:
        raise Refused("HOTBASKET_VAULT is not set: it says where the reward vault's database is; see .env.example")
    keys = VaultKeys(_given_secret(settings))
    vault = postgres.PostgresRewardVault(settings, keys, clock)
    try:
        await vault.check()
    except PortError as error:
        if not error.retriable:
            raise
        _log.warning("the reward vault is away, claims are refused until it is back: %s", error)

    async def close() -> None:
        """Every call has closed its own connection."""

    return OpenedVault(vault, keys, close)


def embedded_vault(data: Path, settings: Settings, clock: Clock) -> OpenedVault:
    """Opens the vault of a data directory; its secret is made once, in a file of its own.

    Raises:
        Refused, PortError: see `open_vault`.
    """
    prepare(data)
    path = data_files(data)["vault"]
    (secret,) = kept_secrets(data / _FILE, _SECRETS, path, _LOSS)
    keys = VaultKeys(secret)
    database = Database(path, sqlite.SCHEMA, busy_s=settings.sqlite_busy_s)

    async def close() -> None:
        database.close()

    return OpenedVault(sqlite.SqliteRewardVault(database, keys, clock), keys, close)


def vault_database(settings: Settings) -> tuple[VaultDatabase, int]:
    """Gives a production system's vault for a backup of its rows, which stay sealed, and its schema's version.

    Raises:
        Refused: no address is set, or the vault is not kept apart.
    """
    with _library():
        from adapters.postgres import reward_vault as postgres  # noqa: PLC0415
        from adapters.postgres.database import Database as Postgres  # noqa: PLC0415
    return Postgres(postgres.vault_access(settings)), postgres.VAULT_VERSION


async def migrate_vault(settings: Settings, files: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Brings the vault's database to this version, and gives what it applied; may be repeated.

    Args:
        settings: say where.
        files: name (`0001_vault.sql`) and text of each.

    Raises:
        Refused: the vault is not kept apart, or the files don't go with what was applied.
        PortError: the database can't be worked with.
    """
    with _library():
        from adapters.postgres import reward_vault as postgres  # noqa: PLC0415
    return await postgres.migrate_vault(settings, files)


def has_vault(settings: Settings) -> bool:
    """Tells whether the settings name a production system's vault."""
    return bool(settings.vault)


def _given_secret(settings: Settings) -> bytes:
    """Gives the secret that the settings carry.

    Raises:
        Refused: it is missing, malformed, or one of the others: who holds those must not open the vault.
    """
    (secret,) = given_secrets(settings, ("vault_secret",))
    for name in _OTHER_SECRETS:
        if _bytes_of(getattr(settings, name).get_secret_value()) == secret:
            raise Refused(f"HOTBASKET_VAULT_SECRET is HOTBASKET_{name.upper()}: make another with openssl rand -hex 32")
    return secret


def _bytes_of(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


@contextmanager
def _library() -> Iterator[None]:
    """Says which library is missing: embedded systems run without it."""
    try:
        yield
    except ImportError as error:
        raise Refused(f"{error.name} is not installed: pip install 'hotbasket[postgres]'") from None
