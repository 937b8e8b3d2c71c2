"""Files of backups: what was written comes back, and whatever else a file says is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.sealed_parts import CHUNK_BYTES, KEY_BYTES, SealedWriter, digest_of, opened
from domain.errors import Refused

KEY = bytes(range(KEY_BYTES))
HEAD, SEALED = 20, CHUNK_BYTES + 16
SIZES = (0, 1, 100, 3 * CHUNK_BYTES)


def sealed(path: Path, plain: bytes, key: bytes = KEY) -> bytes:
    """Writes a part in two pieces, and gives the bytes of its file."""
    with SealedWriter(path, key, "log.db") as writer:
        for piece in (plain[:1_000], plain[1_000:]):
            writer.write(piece)
    assert writer.written == digest_of(path)
    return path.read_bytes()


def read(path: Path, key: bytes = KEY, name: str = "log.db") -> bytes:
    """Reads a part whole."""
    return b"".join(opened(path, key, name))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_comes_back(tmp_path: Path, size: int) -> None:
    """Whole, however many chunks it takes; and the same bytes never look the same twice."""
    plain = os.urandom(size)
    first = sealed(tmp_path / "one", plain)
    assert plain == read(tmp_path / "one")
    assert first != sealed(tmp_path / "two", plain)


def test_another_key_or_name_opens_nothing(tmp_path: Path) -> None:
    """A part opens under its backup's key and its own name alone."""
    sealed(tmp_path / "one", b"basket")
    for key, name in ((bytes(KEY_BYTES), "log.db"), (KEY, "state.db")):
        with pytest.raises(Refused, match="is damaged, or belongs to another backup"):
            read(tmp_path / "one", key, name)


@pytest.mark.parametrize("how", ["cut between chunks", "cut in the head", "chunks swapped", "more behind", "empty"])
def test_an_altered_file_is_refused(tmp_path: Path, how: str) -> None:
    """Nothing can be cut off, reordered or added, at the borders of chunks either."""
    path = tmp_path / "one"
    whole = sealed(path, os.urandom(3 * CHUNK_BYTES))
    head, first, second, rest = (
        whole[:HEAD],
        whole[HEAD : HEAD + SEALED],
        whole[HEAD + SEALED : HEAD + 2 * SEALED],
        whole[HEAD + 2 * SEALED :],
    )
    assert rest
    altered = {
        "cut between chunks": head + first + second,
        "cut in the head": head[:-1],
        "chunks swapped": head + second + first + rest,
        "more behind": whole + first,
        "empty": b"",
    }
    path.write_bytes(altered[how])
    with pytest.raises(Refused, match="is damaged"):
        read(path)


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    """Neither under its name nor as a draft."""
    with pytest.raises(ZeroDivisionError), SealedWriter(tmp_path / "one", KEY, "log.db") as writer:
        writer.write(b"basket" * (1 // 0))
    assert [] == list(tmp_path.iterdir())
