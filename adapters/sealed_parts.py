"""Files of backups: compressed, then encrypted in chunks that nobody can alter, reorder, cut off or put elsewhere.

Source: AES-256-GCM (NIST SP 800-38D), chunks numbered as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015). Each
file has a key of its own, derived from the backup's by HKDF-SHA256 (RFC 5869) with a random salt, so that a file which
is written again never repeats a nonce.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import Refused

KEY_BYTES: Final = 32
CHUNK_BYTES: Final = 1_024 * 1_024
_FORM: Final = b"hbk1"
_SALT_BYTES: Final = 16
_TAG_BYTES: Final = 16
_LEVEL: Final = 1
"""Of compression: rows shrink to a third by it, and more would cost the running system its processors."""
_READ_BYTES: Final = 64 * 1_024


class Sink(Protocol):
    """Takes bytes."""

    def write(self, plain: bytes, /) -> int:
        """Takes some."""
        ...


class Written(NamedTuple):
    """What became of a file: its bytes on disk, and their SHA-256 (hex)."""

    size_bytes: int
    sha256: str


class SealedWriter:
    """Writes one file; a context manager. It has its name once its last byte is on disk, or is not there at all.

    Args:
        path: of the file; one that is there is replaced.
        key: of the backup, 32 bytes.
        name: of the part: it opens under no other.
    """

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        self._path = path
        self._draft = path.with_name(f"{path.name}.draft")
        salt = os.urandom(_SALT_BYTES)
        self._cipher = _cipher(key, salt, name)
        self._deflate = zlib.compressobj(_LEVEL)
        self._waiting = bytearray()
        self._chunks = 0
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._head = _FORM + salt

    def __enter__(self) -> Self:
        """Begins the file."""
        path = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(path, "wb")
        self._put(self._head)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the file, or removes what an error left of it."""
        try:
            if kind is None:
                self._finish()
        except BaseException:
            kind = BaseException
            raise
        finally:
            self._file.close()
            if kind is not None:
                self._draft.unlink(missing_ok=True)

    def write(self, plain: bytes | bytearray | memoryview) -> int:
        """Takes bytes, and gives how many; it is what file-like writers expect.

        Raises:
            OSError: the disk is full, or can't be written.
        """
        self._waiting += self._deflate.compress(plain)
        self._seal_whole()
        return len(plain)

    @property
    def written(self) -> Written:
        """What became of it, once the block has ended."""
        return Written(self._size_bytes, self._sha256.hexdigest())

    def _finish(self) -> None:
        self._waiting += self._deflate.flush()
        self._seal_whole()
        self._seal(bytes(self._waiting), is_last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.replace(self._path)

    def _seal_whole(self) -> None:
        # One chunk is always held back: the last one says that it is the last.
        while len(self._waiting) > CHUNK_BYTES:
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._put(self._cipher.encrypt(_nonce(self._chunks, is_last=is_last), chunk, None))
        self._chunks += 1

    def _put(self, sealed: bytes) -> None:
        self._file.write(sealed)
        self._sha256.update(sealed)
        self._size_bytes += len(sealed)


def opened(path: Path, key: bytes, name: str) -> Iterator[bytes]:
    """Gives what a file holds, piece by piece.

    Raises:
        Refused: it was sealed under another key or name, was altered, or ends too early.
    """
    inflate = zlib.decompressobj()
    with path.open("rb") as file:
        head = file.read(len(_FORM) + _SALT_BYTES)
        if not head.startswith(_FORM):
            raise _damaged(path)
        cipher = _cipher(key, head[len(_FORM) :], name)
        number = 0
        sealed = file.read(CHUNK_BYTES + _TAG_BYTES)
        while sealed:
            following = file.read(CHUNK_BYTES + _TAG_BYTES)
            try:
                chunk = cipher.decrypt(_nonce(number, is_last=not following), sealed, None)
                plain = inflate.decompress(chunk)
            except (InvalidTag, zlib.error):
                raise _damaged(path) from None
            if plain:
                yield plain
            number, sealed = number + 1, following
    if not inflate.eof:
        raise _damaged(path)


def digest_of(path: Path) -> Written:
    """Reads a file as it stands on disk.

    Raises:
        OSError: it can't be read.
    """
    sha256, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            sha256.update(piece)
            size_bytes += len(piece)
    return Written(size_bytes, sha256.hexdigest())


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=salt, info=b"hotbasket/backup/" + name.encode()).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _damaged(path: Path) -> Refused:
    return Refused(f"{path} is damaged, or belongs to another backup: restore another one")
