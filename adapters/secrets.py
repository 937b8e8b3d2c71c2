"""The secrets of an embedded system, made once in its data directory and readable by its owner only."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from adapters.settings import Settings, data_files
from domain.errors import Refused

_FILE = "secrets.json"
_BYTES = 32
_OTHERS = 0o077


class Secrets(NamedTuple):
    """The master secrets.

    Attributes:
        subscription: signs subscription tokens.
        identity: from which every retailer's shopper key and privacy key are made.
    """

    subscription: bytes
    identity: bytes

    def __repr__(self) -> str:
        """Shows nothing."""
        return "Secrets(***)"

    def shopper_key(self, retailer_id: str) -> bytes:
        """Gives the key under which a retailer's shopper ids are hashed.

        Raises:
            Refused: this process was not given the secret.
        """
        return self._derived("shopper-key", retailer_id)

    def privacy_key(self, retailer_id: str) -> bytes:
        """Gives the key under which the audit trail names a retailer's shoppers.

        It is made from the same secret as the shopper key, and neither tells the other.

        Raises:
            Refused: this process was not given the secret.
        """
        return self._derived("privacy-key", retailer_id)

    def _derived(self, purpose: str, retailer_id: str) -> bytes:
        if not self.identity:
            raise Refused("this process holds no HOTBASKET_IDENTITY_SECRET, so it can't name a shopper")
        return hmac.digest(self.identity, f"{purpose}:{retailer_id}".encode(), "sha256")


def secrets_file(data: Path) -> Path:
    """Gives the file that holds the secrets of a data directory."""
    return data / _FILE


def load_secrets(data: Path) -> Secrets:
    """Reads the secrets of a data directory, and makes them once: where nothing was kept yet.

    Raises:
        Refused: others may read them, the file is damaged, or it is gone while what was made with it is there.
    """
    loss = "without it no shopper can be recognised again"
    return Secrets(*kept_secrets(secrets_file(data), Secrets._fields, data_files(data)["control"], loss))


def kept_secrets(path: Path, names: Sequence[str], made_with: Path, loss: str) -> list[bytes]:
    """Reads the secrets of a file, and makes them once.

    Args:
        path: of the file.
        names: of the secrets in it.
        made_with: what is worth nothing without them: where it is there, lost secrets are not replaced.
        loss: what their loss means, for the sentence that says so.

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
        made = [bytes.fromhex(read[name]) for name in names]
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
    return Secrets(*given_secrets(settings, ("subscription_secret", "identity_secret")))


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
    fresh = {name: secrets.token_hex(_BYTES) for name in names}
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(fresh))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        draft.unlink()
