"""Identity keys in tests: wrapped ones for stores that only keep them, and those of a data directory's retailers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from adapters.data_dir import prepare
from adapters.identity_keys import IdentityKeys
from adapters.key_wrapping import IdentityPair, KeyEncryptionKey
from adapters.secret_source import DirectorySecrets
from adapters.secrets import load_secrets
from adapters.settings import data_files
from adapters.sqlite.control_file import SCHEMA, ControlFile
from adapters.sqlite.database import open_connection
from adapters.sqlite.identity_keys import SqliteIdentityKeyRows
from adapters.sqlite.retailers import SqliteRetailers
from adapters.wiring import Ports
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import Retailer

WRAPPED = WrappedKeys("00000000", b"a wrapped shopper key", b"a wrapped privacy key")
"""Opened by nobody."""
KEYS = IdentityPair(shopper=bytes(range(32)), privacy=bytes(range(32, 64)))
"""Of retailers whose shoppers a test names by itself, on whatever system they are."""


def shopper_key(data: Path, retailer_id: str) -> bytes:
    """Gives the key under which a retailer's shopper ids are hashed, beside whatever runs there."""
    return pair(data, retailer_id).shopper


def pair(data: Path, retailer_id: str) -> IdentityPair:
    """Gives both keys of a retailer of a data directory."""
    control = ControlFile(data_files(data)["control"], busy_s=5)
    try:
        rows = SqliteIdentityKeyRows(control)
        keys = IdentityKeys(SqliteRetailers(control), rows, DirectorySecrets(data))
        return IdentityPair(keys.shopper_key(retailer_id), keys.privacy_key(retailer_id))
    finally:
        control.close()


def wrapped(ports: Ports, retailer_id: str) -> WrappedKeys:
    """Gives KEYS as this system keeps them for a retailer."""
    return KeyEncryptionKey(ports.secrets.identity).wrap(retailer_id, KEYS)


def older_directory(data: Path, *retailers: Retailer) -> None:
    """Makes a data directory as it was made before identity keys were stored; whose secret key is `ID-secret`."""
    prepare(data)
    load_secrets(data)
    older = SCHEMA._replace(version=SCHEMA.version - 1, upgrades=SCHEMA.upgrades[:-1])
    connection = open_connection(data_files(data)["control"], older, busy_s=5)
    try:
        for one in retailers:
            row = (one.retailer_id, one.name, msgspec.msgpack.encode(one))
            connection.execute("INSERT INTO retailers VALUES (?, ?, ?)", row)
            for scope in ("write", "secret"):
                digest = hashlib.sha256(f"{one.retailer_id}-{scope}".encode()).hexdigest()
                connection.execute("INSERT INTO keys VALUES (?, ?, ?, NULL)", (digest, one.retailer_id, scope))
    finally:
        connection.close()
