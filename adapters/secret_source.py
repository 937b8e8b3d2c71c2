"""Where the key-encryption key comes from: given once by the settings, or kept and changed in a data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from adapters.secrets import Secrets, load_secrets, new_secret, write_secrets
from domain.errors import Refused


class SecretSource(Protocol):
    """Gives the secrets in force, which may change while a process lives."""

    def read(self) -> Secrets:
        """Gives the secrets in force now.

        Raises:
            Refused: they can't be read.
        """
        ...

    def steady(self) -> AbstractContextManager[None]:
        """Keeps them from changing until the block or the process ends.

        Raises:
            Refused: somebody is changing them.
        """
        ...


class GivenSecrets:
    """The secrets that a process was started with."""

    def __init__(self, secrets: Secrets) -> None:
        """Takes them."""
        self._secrets = secrets

    def read(self) -> Secrets:
        """Gives them."""
        return self._secrets

    def steady(self) -> AbstractContextManager[None]:
        """They never change."""
        return nullcontext()


class DirectorySecrets:
    """The secrets of a data directory, changed by a command beside a running system."""

    def __init__(self, data: Path) -> None:
        """Takes the directory."""
        self._data = data

    def read(self) -> Secrets:
        """Reads the file."""
        return load_secrets(self._data)

    def steady(self) -> AbstractContextManager[None]:
        """Shares the directory's lock with others who need them steady."""
        return self._locked(fcntl.LOCK_SH)

    def changing(self) -> AbstractContextManager[None]:
        """Keeps everybody else from changing them, and from what needs them steady.

        Raises:
            Refused: somebody does that now.
        """
        return self._locked(fcntl.LOCK_EX)

    def begin_change(self) -> None:
        """Makes a new key-encryption key and keeps the one before beside it; a change that was begun goes on.

        Within `changing`. Whatever moment the process is killed at, the file holds the keys of before or both.
        """
        kept = self.read()
        if not kept.identity_before:
            write_secrets(self._data, kept._replace(identity=new_secret(), identity_before=kept.identity))

    def end_change(self) -> None:
        """Drops the key before, under which nothing may be wrapped any more; within `changing`."""
        kept = self.read()
        if kept.identity_before:
            write_secrets(self._data, kept._replace(identity_before=b""))

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        # The directory itself is locked: the file in it is replaced.
        descriptor = os.open(self._data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            except OSError:
                raise Refused(f"the secrets of {self._data} are in use by another command: try again") from None
            yield
        finally:
            os.close(descriptor)
