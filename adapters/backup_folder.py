"""One backup as a folder: a manifest that says what it is, and sealed parts; written, checked and read here alone."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from adapters.sealed_parts import SealedWriter, digest_of, opened
from domain.errors import Refused

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
Holding = Literal["control", "vault", "events", "warehouse"]
Kind = Literal["embedded", "servers"]


class Part(Struct, frozen=True, kw_only=True):
    """One file: `name` with its bytes on disk and their SHA-256 (hex)."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself; it names no shopper.

    Attributes:
        format: of the folder.
        backup_id: its name, which begins with its day.
        kind: of what system.
        holds: what was backed up.
        begun_at_ms, done_at_ms, expires_at_ms: Unix milliseconds.
        schemas: version of each store's schema.
        parts: in the order in which they were made.
        seal: HMAC-SHA-256 (hex) of all this under the backup's key.
    """

    format: int
    backup_id: str
    kind: Kind
    holds: Sequence[Holding]
    begun_at_ms: int
    done_at_ms: int
    expires_at_ms: int
    schemas: Mapping[str, int]
    parts: Sequence[Part]
    seal: str = ""


class BackupWriter:
    """Writes a backup's parts, then its manifest: without one it is none.

    Args:
        folder: of the backup, made if it is absent.
        key: of the backup.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self._key = key
        self._parts: list[Part] = []

    @contextmanager
    def part(self, name: str) -> Iterator[SealedWriter]:
        """Gives where a part's bytes go; it counts once the block has ended well.

        Raises:
            Refused: the folder can't be written.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with SealedWriter(self.folder / name, self._key, name) as writer:
                yield writer
        except OSError as error:
            raise Refused(
                f"can't write {self.folder / name}: {error.strerror}; make room or choose another folder"
            ) from None
        size_bytes, sha256 = writer.written
        self._parts.append(Part(name=name, size_bytes=size_bytes, sha256=sha256))

    def finish(self, manifest: Manifest) -> Manifest:
        """Writes the manifest, and gives it with its parts and its seal.

        Raises:
            Refused: it can't be written.
        """
        whole = replace(manifest, parts=tuple(self._parts), seal="")
        whole = replace(whole, seal=_seal(self._key, whole))
        path = self.folder / MANIFEST
        draft = path.with_name(f"{MANIFEST}.draft")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(whole)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise Refused(f"can't write {path}: {error.strerror}; make room or choose another folder") from None
        return whole


def manifest_of(folder: Path) -> Manifest:
    """Reads what a backup says of itself.

    Raises:
        Refused: it is no backup, was not finished, is damaged, or is of a newer hotbasket.
    """
    path = folder / MANIFEST
    try:
        read = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(f"{folder} holds no backup: there is no {MANIFEST}; name the folder of one") from None
    try:
        found = msgspec.json.decode(read, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Refused(f"{path} is damaged: restore another backup") from None
    if found.format > FORMAT:
        raise Refused(f"{folder} has format {found.format}, newer than {FORMAT}: use the newer hotbasket")
    if any(Path(part.name).name != part.name for part in found.parts):
        raise Refused(f"{path} is damaged: restore another backup")
    return found


def listed(folder: Path) -> list[Manifest]:
    """Gives the finished backups in a folder, oldest first.

    Raises:
        Refused: one is damaged or of a newer hotbasket.
    """
    return [manifest_of(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST}"))]


def verify(folder: Path, manifest: Manifest, seen: Callable[[int, int], None]) -> None:
    """Reads every part as it stands on disk, without its key.

    Args:
        seen: told how many parts were read, of how many.

    Raises:
        Refused: a part is missing or damaged.
    """
    for number, part in enumerate(manifest.parts, start=1):
        path = folder / part.name
        try:
            found = digest_of(path)
        except OSError as error:
            raise Refused(f"{path} can't be read: {error.strerror}; restore another backup") from None
        if (part.size_bytes, part.sha256) != found:
            raise Refused(f"{path} is damaged: its SHA-256 is not what {MANIFEST} says; restore another backup")
        seen(number, len(manifest.parts))


class BackupReader:
    """Reads a backup whose manifest is its own.

    Raises:
        Refused: the manifest was altered, or the key is another backup's.
    """

    def __init__(self, folder: Path, manifest: Manifest, key: bytes) -> None:
        """Takes the folder, what it says of itself, and its key."""
        if not hmac.compare_digest(manifest.seal, _seal(key, replace(manifest, seal=""))):
            raise Refused(f"{folder / MANIFEST} was altered: restore another backup")
        self.folder = folder
        self.manifest = manifest
        self._key = key

    def names(self, beginning: str) -> list[str]:
        """Gives the parts whose name begins so, in the order in which they were made."""
        return [part.name for part in self.manifest.parts if part.name.startswith(beginning)]

    def chunks(self, name: str) -> Iterator[bytes]:
        """Gives what a part holds.

        Raises:
            Refused: it is damaged.
        """
        return opened(self.folder / name, self._key, name)


def _seal(key: bytes, manifest: Manifest) -> str:
    return hmac.digest(key, b"manifest" + msgspec.json.encode(manifest), "sha256").hex()
