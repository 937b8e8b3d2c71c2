"""What servers have on disk, byte by byte: every file as it is, and what CQL's compressed tables hold."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_DATA, _INFO = "-Data.db", "-CompressionInfo.db"
_CHECKSUM_BYTES = 4
_MATCH_MIN = 4
_LENGTH_GOES_ON = 15
_BYTE_MAX = 255


class Found(NamedTuple):
    """Bytes that were looked for, and a file that holds them.

    Attributes:
        file: the server's name, and the path in its folder.
        needle: the bytes.
    """

    file: str
    needle: bytes


def found(folders: Mapping[str, Sequence[Path]], needles: Sequence[bytes]) -> list[Found]:
    """Searches every file of servers, whether they run or not.

    Args:
        folders: where each server keeps its files, by its name.
        needles: what to look for.
    """
    return [
        Found(f"{name}/{file}", needle)
        for name, some in sorted(folders.items())
        for folder in some
        for file, text in _texts(folder)
        for needle in needles
        if needle in text
    ]


def _texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Gives the path and the content of each file, and of a compressed table its content unpacked as well."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        # Servers that run remove files between a look and the next.
        with suppress(FileNotFoundError):
            text = file.read_bytes()
            yield str(file.relative_to(folder)), text
            info = file.with_name(file.name.replace(_DATA, _INFO))
            if file.name.endswith(_DATA) and info.is_file():
                yield f"{file.relative_to(folder)} unpacked", unpacked(text, info.read_bytes())


def unpacked(table: bytes, info: bytes) -> bytes:
    """Gives what a compressed table of Cassandra holds.

    Source: `CompressionMetadata` and `LZ4Compressor` of Cassandra 5: the compressor's name, its options, the length of
    a chunk, the largest that is stored compressed, the length of all, and where each chunk begins; behind each its
    checksum. A chunk is its unpacked length, little-endian, and an LZ4 block.

    Args:
        table: its `-Data.db`.
        info: its `-CompressionInfo.db`.
    """
    name, at = _text(info, 0)
    assert name == b"LZ4Compressor", f"tables are packed by {name.decode()}, which nobody here can unpack"
    (options,) = struct.unpack_from(">i", info, at)
    at += 4
    for _ in range(2 * options):
        _, at = _text(info, at)
    _, packed_max, _, chunks = struct.unpack_from(">iiqi", info, at)
    begins = [*struct.unpack_from(f">{chunks}q", info, at + 20), len(table)]
    whole = []
    for begin, following in pairwise(begins):
        chunk = table[begin : following - _CHECKSUM_BYTES]
        whole.append(chunk if len(chunk) >= packed_max else _unpacked_block(chunk))
    return b"".join(whole)


def _text(info: bytes, at: int) -> tuple[bytes, int]:
    """Gives a text as Java writes it, and where the next field begins."""
    (length,) = struct.unpack_from(">H", info, at)
    return info[at + 2 : at + 2 + length], at + 2 + length


def _unpacked_block(chunk: bytes) -> bytes:
    """Unpacks one LZ4 block behind its length.

    Source: LZ4 block format: a token with two lengths, literals, the distance of what is repeated; the last sequence
    has literals only.
    """
    (length,) = struct.unpack_from("<i", chunk)
    out = bytearray()
    at = 4
    while True:
        token = chunk[at]
        literals, at = _length(chunk, at + 1, token >> 4)
        out += chunk[at : at + literals]
        at += literals
        if at >= len(chunk):
            break
        (distance,) = struct.unpack_from("<H", chunk, at)
        repeated, at = _length(chunk, at + 2, token & 15)
        start = len(out) - distance
        for place in range(start, start + repeated + _MATCH_MIN):
            out.append(out[place])
    assert len(out) == length, "the block says how long it is"
    return bytes(out)


def _length(chunk: bytes, at: int, length: int) -> tuple[int, int]:
    """Gives a length that may go on in the bytes from a place on, and where they end."""
    if length < _LENGTH_GOES_ON:
        return length, at
    while True:
        more = chunk[at]
        at += 1
        length += more
        if more < _BYTE_MAX:
            return length, at
