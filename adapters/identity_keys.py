"""The keys under which each retailer's shoppers are named, opened from the control data in force.

Between the key-encryption key, which gateways and commands hold, and the wrapped keys of the control store. A worker,
an archiver or a batch job has no key-encryption key, and is refused whatever it asks here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapters.key_wrapping import IdentityPair, KeyEncryptionKey, fresh_pair
from adapters.secret_source import SecretSource
from adapters.secrets import Secrets
from domain.errors import PortError, Refused
from domain.ports.identity_keys import IdentityKeyRows, WrappedKeys
from domain.ports.retailers import Retailers

_TRIES: Final = 5
_log = logging.getLogger("hotbasket.control")


class IdentityKeys:
    """Every retailer's shopper key and privacy key.

    A key is opened once for each version of the control data: a new one is in force as soon as they are.
    """

    def __init__(self, retailers: Retailers, rows: IdentityKeyRows, source: SecretSource) -> None:
        """Takes the control data, what replaces keys in them, and what gives the key-encryption key."""
        self._retailers = retailers
        self._rows = rows
        self._source = source
        self._keks = _keks_of(source.read())
        self._version: int | None = None
        self._opened: dict[str, IdentityPair] = {}
        self._told: set[str] = set()

    @property
    def kek(self) -> str:
        """The name of the key-encryption key in force.

        Raises:
            Refused: this process was not given one.
        """
        return self._held()[0].name

    def shopper_key(self, retailer_id: str) -> bytes:
        """Gives the key under which a retailer's shopper ids are hashed.

        Raises:
            Refused: this process was not given a key-encryption key.
            PortError: not retriable: none that it was given opens the key.
        """
        return self._of(retailer_id).shopper

    def privacy_key(self, retailer_id: str) -> bytes:
        """Gives the key under which the audit trail names a retailer's shoppers.

        Neither key of a retailer tells the other.

        Raises:
            Refused, PortError: see `shopper_key`.
        """
        return self._of(retailer_id).privacy

    @contextmanager
    def fresh(self, retailer_id: str) -> Iterator[WrappedKeys]:
        """Gives wrapped new keys for a retailer that is to be added within the block.

        Raises:
            Refused: this process was not given a key-encryption key, or that is just being changed.
        """
        with self._source.steady():
            yield self._newest().wrap(retailer_id, fresh_pair())

    def is_wrapped_now(self, retailer_id: str) -> bool:
        """Tells whether a retailer's keys are stored and open with the key-encryption key in force.

        Raises:
            Refused: this process was not given one.
        """
        kept, kek = self._kept(retailer_id), self._newest()
        return kept is not None and kept.kek == kek.name and kek.unwrap(retailer_id, kept) is not None

    async def rewrap(self, retailer_id: str) -> None:
        """Wraps a retailer's keys, derived ones too, under the key-encryption key in force; they stay what they are.

        Raises:
            Refused, PortError: see `shopper_key`; or the control store failed.
        """
        kek = self._newest()
        for _ in range(_TRIES):
            kept = self._kept(retailer_id)
            keys = self._open(retailer_id, kept)
            if await self._rows.replace(retailer_id, kek.wrap(retailer_id, keys), instead_of=kept):
                return
        raise _changing(retailer_id)

    async def renew_shopper_key(self, retailer_id: str) -> None:
        """Gives a retailer a new shopper key; the privacy key stays, so that what the audit trail says can be found.

        Raises:
            Refused, PortError: see `rewrap`; the key may be another one or not.
        """
        with self._source.steady():
            kek = self._newest()
            for _ in range(_TRIES):
                kept = self._kept(retailer_id)
                keys = fresh_pair()._replace(privacy=self._open(retailer_id, kept).privacy)
                if await self._rows.replace(retailer_id, kek.wrap(retailer_id, keys), instead_of=kept):
                    return
        raise _changing(retailer_id)

    def _of(self, retailer_id: str) -> IdentityPair:
        self._held()
        control = self._retailers.current()
        if control.version != self._version:
            self._version = control.version
            self._opened.clear()
            self._told.clear()
        keys = self._opened.get(retailer_id)
        if keys is None:
            keys = self._opened[retailer_id] = self._open(retailer_id, control.wrapped.get(retailer_id))
        return keys

    def _open(self, retailer_id: str, kept: WrappedKeys | None) -> IdentityPair:
        """Opens with whatever key opens it; one that a command made meanwhile is looked for."""
        if kept is None:
            return self._held()[-1].derived(retailer_id)
        for look_again in (False, True):
            if look_again:
                self._newest()
            for kek in self._held():
                keys = kek.unwrap(retailer_id, kept)
                if keys is not None:
                    return keys
        error = _closed(retailer_id, kept, self._keks)
        if retailer_id not in self._told:
            self._told.add(retailer_id)
            _log.error("identity keys can't be opened", extra={"detail": str(error)})
        raise error

    def _kept(self, retailer_id: str) -> WrappedKeys | None:
        return self._retailers.current().wrapped.get(retailer_id)

    def _held(self) -> tuple[KeyEncryptionKey, ...]:
        if not self._keks:
            raise Refused("this process holds no HOTBASKET_IDENTITY_SECRET, so it can't name a shopper")
        return self._keks

    def _newest(self) -> KeyEncryptionKey:
        self._keks = _keks_of(self._source.read())
        return self._held()[0]


def _keks_of(secrets: Secrets) -> tuple[KeyEncryptionKey, ...]:
    """The key-encryption key in force, and the one before where there is one."""
    return tuple(KeyEncryptionKey(secret) for secret in (secrets.identity, secrets.identity_before) if secret)


def _closed(retailer_id: str, kept: WrappedKeys, keks: tuple[KeyEncryptionKey, ...]) -> PortError:
    names = [kek.name for kek in keks]
    which = f"key-encryption key {names[0]} does not open"
    if names[1:]:
        which = f"neither key-encryption key {' nor '.join(names)} opens"
    if kept.kek in names:
        cure = "they were altered or are another retailer's: put a backup of the control data in its place"
    else:
        cure = "give the key of that name as HOTBASKET_IDENTITY_SECRET_BEFORE, embedded by a backup of secrets.json"
    return PortError(
        f"{which} the keys of retailer {retailer_id}, wrapped under {kept.kek[:8]!r}: {cure}", retriable=False
    )


def _changing(retailer_id: str) -> PortError:
    return PortError(f"the keys of retailer {retailer_id} are being changed by others: try again", retriable=True)
