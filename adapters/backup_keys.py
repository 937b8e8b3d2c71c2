"""The keys of backups: a file each, in a folder that no backup holds; without it a backup can't be read by anybody.

A file is worth nothing without the key-encryption key, which wraps what is in it, bound to its backup and its end. To
let a backup expire is to remove its file, wherever copies of the backup are. Why it is no table: `docs/adr/0015`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from adapters.key_wrapping import KeyEncryptionKey
from adapters.sealed_parts import KEY_BYTES
from adapters.seals import Seals
from adapters.secrets import Secrets
from adapters.settings import Settings
from domain.errors import Refused
from domain.timestamps import rfc3339

_ENDING: Final = ".key"
_DAY_MS: Final = 86_400_000


class KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file holds.

    Attributes:
        backup_id: whose key it is.
        expires_at_ms: from when on it is removed and never used, Unix milliseconds.
        kek: the name of the key-encryption key that wrapped it.
        wrapped: the key.
    """

    backup_id: str
    expires_at_ms: int
    kek: str
    wrapped: bytes


class BackupKeys:
    """The folder of keys.

    Args:
        folder: made when the first key is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, backup_id: str, secrets: Secrets, expires_at_ms: int) -> bytes:
        """Makes a backup's key, which is on disk when this returns.

        Raises:
            Refused: the folder can't be written.
        """
        key = os.urandom(KEY_BYTES)
        secret = secrets.identity
        wrapped = _seals(secret).seal(key, _place(backup_id, expires_at_ms))
        kept = KeyFile(
            backup_id=backup_id, expires_at_ms=expires_at_ms, kek=KeyEncryptionKey(secret).name, wrapped=wrapped
        )
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whole or not there: a file that is cut short would be a key that nobody can open or let expire.
            draft = self.folder / f".{backup_id}.draft"
            opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(opened, "wb") as file:
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, self._path(backup_id))
            draft.unlink()
        except OSError as error:
            raise Refused(f"can't keep the backup's key in {self.folder}: {error.strerror}") from None
        return key

    def key(self, backup_id: str, secrets: Secrets, now_ms: int) -> bytes:
        """Gives a backup's key.

        Raises:
            Refused: it is gone, its time is over, or it was wrapped under another key-encryption key.
        """
        path = self._path(backup_id)
        kept = self.held(backup_id)
        if kept is None:
            raise Refused(
                f"the key of backup {backup_id} is not in {self.folder}: it has expired and was removed, or the key"
                " folder is another one (--keys)"
            )
        if kept.expires_at_ms <= now_ms:
            raise Refused(
                f"backup {backup_id} expired at {rfc3339(kept.expires_at_ms)}: what it holds may not come back;"
                " restore a newer one"
            )
        for secret in (secrets.identity, secrets.identity_before):
            if secret:
                key = _seals(secret).opened(kept.wrapped, _place(backup_id, kept.expires_at_ms))
                if key is not None:
                    return key
        raise Refused(
            f"{path} was wrapped under the key-encryption key {kept.kek}: give that one as"
            " HOTBASKET_IDENTITY_SECRET_BEFORE, embedded by the secrets.json of that time"
        )

    def held(self, backup_id: str) -> KeyFile | None:
        """Gives what is kept of a backup's key, None where nothing is.

        Raises:
            Refused: it is damaged.
        """
        path = self._path(backup_id)
        try:
            return msgspec.json.decode(path.read_bytes(), type=KeyFile)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise Refused(f"{path} is damaged: put a copy of it in its place") from None

    def expire(self, now_ms: int) -> Sequence[str]:
        """Removes the keys whose time is over, and gives their backups; may be repeated.

        Raises:
            Refused: one is damaged; the others went.
            OSError: one can't be removed.
        """
        gone: list[str] = []
        damaged: Refused | None = None
        for path in sorted(self.folder.glob(f"*{_ENDING}")):
            try:
                kept = self.held(path.name.removesuffix(_ENDING))
            except Refused as fault:
                damaged = damaged or fault
                continue
            if kept is not None and kept.expires_at_ms <= now_ms:
                path.unlink(missing_ok=True)
                gone.append(kept.backup_id)
        if damaged is not None:
            raise damaged
        return gone

    def _path(self, backup_id: str) -> Path:
        return self.folder / f"{backup_id}{_ENDING}"


def keys_of(given: Path | None, data: Path | None, settings: Settings) -> BackupKeys:
    """Gives the folder of keys: the one that is given, or set, or beside a data directory.

    Raises:
        Refused: none is named.
    """
    if given is not None or settings.backup_keys:
        return BackupKeys(given or Path(settings.backup_keys))
    if data is None:
        raise Refused("HOTBASKET_BACKUP_KEYS is not set: name the folder of backups' keys, apart from the backups")
    return BackupKeys(beside(data))


def beside(data: Path) -> Path:
    """Gives the folder of keys of a data directory that nobody has named another for."""
    return data.absolute().with_name(f"{data.absolute().name}-backup-keys")


def expiry_ms(settings: Settings, now_ms: int) -> int:
    """Gives when a backup that is begun now expires.

    Raises:
        Refused: it would outlive the deadline of an erasure.
    """
    if settings.backup_days >= settings.privacy_due_days:
        raise Refused(
            f"HOTBASKET_BACKUP_DAYS is {settings.backup_days}: it must be below HOTBASKET_PRIVACY_DUE_DAYS"
            f" ({settings.privacy_due_days}), or backups would keep shoppers beyond the day they must be gone"
        )
    return now_ms + settings.backup_days * _DAY_MS


def _seals(secret: bytes) -> Seals:
    return Seals(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"hotbasket/backups/wrapped keys").derive(secret))


def _place(backup_id: str, expires_at_ms: int) -> str:
    return f"{backup_id}/{expires_at_ms}"
