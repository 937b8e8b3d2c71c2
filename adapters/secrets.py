"""The secrets of an embedded system, made once in its data directory and readable by its owner only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from adapters.settings import Settings, data_files
from domain.errors import Refused

_FILE = "secrets.json"
_NAMES = ("subscription", "identity")
_BEFORE = "identity_before"
_BYTES = 32
_OTHERS = 0o077


class Secrets(NamedTuple):
    """The master secrets.

    Attributes:
        subscription: signs subscription tokens.
        identity: the key-encryption key, which wraps every retailer's shopper key and privacy key; empty in a process
            that names nobody.
        identity_before: the one before it, while keys may still be wrapped under that; empty otherwise.
    """

    subscription: bytes
    identity: bytes
    identity_before: bytes = b""

    def __repr__(self) -> str:
        """Shows nothing."""
        return "Secrets(***)"


def secrets_file(data: Path) -> Path:
    """Gives the file that holds the secrets of a data directory."""
    return data / _FILE


def load_secrets(data: Path) -> Secrets:
    """Reads the secrets of a data directory, and makes them once: where nothing was kept yet.

    Raises:
        Refused: others may read them, the file is damaged, or it is gone while what was made with it is there.
    """
    loss = "without it no shopper can be recognised again"
    made_with = data_files(data)["control"]
    return Secrets(*kept_secrets(secrets_file(data), _NAMES, made_with, loss, at_times=(_BEFORE,)))


def write_secrets(data: Path, kept: Secrets) -> None:
    """Replaces the secrets of a data directory, whole or not at all, whatever happens meanwhile; their owner stays.

    Raises:
        OSError: they can't be written; those before are still there.
    """
    fields = {name: secret.hex() for name, secret in zip((*_NAMES, _BEFORE), kept, strict=True) if secret}
    path = secrets_file(data)
    draft = path.with_name(f".{path.name}.next")
    _write(draft, fields)
    owner = path.stat()
    # A system that runs as somebody else must still read what an administrator's command has changed.
    os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_secret() -> bytes:
    """Gives a secret that nobody has had before."""
    return secrets.token_bytes(_BYTES)


def kept_secrets(
    path: Path, names: Sequence[str], made_with: Path, loss: str, at_times: Sequence[str] = ()
) -> list[bytes]:
    """Reads the secrets of a file, and makes them once.

    Args:
        path: of the file.
        names: of the secrets in it.
        made_with: what is worth nothing without them: where it is there, lost secrets are not replaced.
        loss: what their loss means, for the sentence that says so.
        at_times: names of secrets that are not always in it; those that are there follow the others, in this order.

    Raises:
        Refused: others may read them, the file is damaged, or it is gone while what was made with it is there.
    """
    if not path.exists():
        if made_with.exists():
            raise Refused(f"{path} is gone: put its backup in its place; {loss}")
        _make(path, names)
    if path.stat().st_mode & _OTHERS:
        raise Refused(f"{path} can be read by others: chmod 600 {path}, and think about who has read it")
    try:
        read = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        made = [bytes.fromhex(read[name]) for name in (*names, *(name for name in at_times if name in read))]
    except (msgspec.MsgspecError, KeyError, ValueError):
        made = [b""]
    if min(map(len, made)) < _BYTES:
        raise Refused(f"{path} is damaged: put its backup in its place; {loss}")
    return made


def secrets_of(settings: Settings, *, needed: bool) -> Secrets:
    """Gives the secrets that the settings carry.

    Args:
        settings: of a process that works on servers.
        needed: whether this process names shoppers and issues tokens; others get none, whatever is set.

    Raises:
        Refused: they are needed, and missing or malformed.
    """
    if not needed:
        return Secrets(b"", b"")
    names = ["subscription_secret", "identity_secret"]
    if settings.identity_secret_before.get_secret_value():
        names.append("identity_secret_before")
    return Secrets(*given_secrets(settings, names))


def given_secrets(settings: Settings, names: Sequence[str]) -> list[bytes]:
    """Gives the secrets of these settings.

    Raises:
        Refused: those that are missing or malformed, all together.
    """
    made: list[bytes] = []
    faults = []
    for name in names:
        try:
            secret = bytes.fromhex(getattr(settings, name).get_secret_value())
        except ValueError:
            secret = b""
        if len(secret) < _BYTES:
            faults.append(f"HOTBASKET_{name.upper()} must be 64 hex digits: make it once with openssl rand -hex 32")
        made.append(secret)
    if faults:
        raise Refused(*faults)
    return made


def _make(path: Path, names: Sequence[str]) -> None:
    """Writes new secrets beside the file and links them into place, so that two processes agree on one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    _write(draft, {name: secrets.token_hex(_BYTES) for name in names})
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        draft.unlink()


def _write(path: Path, fields: Mapping[str, str]) -> None:
    """Writes a file that its owner alone may read, durably, in place of what a killed process left there."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(fields))
        file.flush()
        os.fsync(file.fileno())
