"""What the demo keeps of its retailer, as a real one would after `retailer add`; only the owner can read the file."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

KEYS_FILE = "demo.json"


class DemoKeys(Struct, frozen=True, kw_only=True):
    """What a retailer keeps.

    Attributes:
        retailer_id: the demo's retailer.
        write_key, secret_key: its keys.
        trees: digest of the trees that the demo pushed last; empty = none yet.
    """

    retailer_id: str
    write_key: str
    secret_key: str
    trees: str = ""


def read_keys(data: Path) -> DemoKeys | None:
    """Gives what the data directory keeps; None without a file that can be read."""
    try:
        return msgspec.json.decode((data / KEYS_FILE).read_bytes(), type=DemoKeys)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_keys(data: Path, keys: DemoKeys) -> None:
    """Writes the file whole or not at all, never readable for others."""
    file = data / KEYS_FILE
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(msgspec.json.encode(keys))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
