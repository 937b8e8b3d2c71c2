"""What names shoppers in a process: keys opened once a version, by either key-encryption key, or refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.identity_keys import IdentityKeys
from adapters.key_wrapping import IdentityPair, KeyEncryptionKey
from adapters.secret_source import GivenSecrets
from adapters.secrets import Secrets, secrets_of
from adapters.settings import load_settings
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.identity_keys import SqliteIdentityKeyRows
from adapters.sqlite.retailers import SqliteRetailers
from domain.errors import PortError, Refused
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import CatalogueItem, Retailer
from tests.identity import KEYS

SHOP = Retailer(retailer_id="r-1", name="Shop")
OLD, NEW, OTHER = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
OLD_KEK, NEW_KEK, OTHER_KEK = map(KeyEncryptionKey, (OLD, NEW, OTHER))
PASTA = CatalogueItem(product_id="p-1", name="Pasta", category_id="pasta")


class Changed:
    """Secrets that a command changes beside this process."""

    def __init__(self, secrets: Secrets) -> None:
        self.now = secrets

    def read(self) -> Secrets:
        """Gives those in force."""
        return self.now

    def steady(self) -> AbstractContextManager[None]:
        """Nobody changes them meanwhile."""
        return nullcontext()


class Place:
    """The stored keys of one retailer, and processes that open them."""

    def __init__(self, control: ControlFile) -> None:
        self.retailers = SqliteRetailers(control)
        self.rows = SqliteIdentityKeyRows(control)
        self._file = control

    def with_secrets(self, identity: bytes, before: bytes = b"") -> IdentityKeys:
        """Gives what a process with these key-encryption keys asks."""
        return IdentityKeys(self.retailers, self.rows, GivenSecrets(Secrets(b"s" * 32, identity, before)))

    async def add(self, wrapped: WrappedKeys) -> None:
        """Adds the retailer."""
        await self.retailers.add(SHOP, "w", "s", wrapped)

    async def add_older(self) -> None:
        """Adds the retailer as it was added before keys were stored."""
        await self.add(OLD_KEK.wrap("r-1", KEYS))
        await self._file.change("retailers", lambda connection: connection.execute("DELETE FROM identity_keys"))

    @property
    def kept(self) -> WrappedKeys | None:
        """What is stored of the retailer's keys."""
        return self.retailers.current().wrapped.get("r-1")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A control file."""
    control = ControlFile(tmp_path / "control.db", busy_s=1)
    yield Place(control)
    control.close()


def pair(keys: IdentityKeys) -> IdentityPair:
    """Both keys of the retailer."""
    return IdentityPair(keys.shopper_key("r-1"), keys.privacy_key("r-1"))


async def test_a_new_retailer_has_keys_of_its_own(place: Place) -> None:
    """They are random, stored wrapped, and the same for every process with the key-encryption key."""
    with place.with_secrets(OLD).fresh("r-1") as wrapped:
        await place.add(wrapped)
    assert place.kept == wrapped
    assert OLD_KEK.unwrap("r-1", wrapped) == pair(place.with_secrets(OLD)) != OLD_KEK.derived("r-1")


async def test_a_process_without_the_secret_names_nobody(place: Place) -> None:
    """A worker is given none, whatever the settings say: each thing it might ask is refused with what it lacks."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))
    settings = load_settings(identity_secret=SecretStr(OLD.hex()), identity_secret_before=SecretStr(NEW.hex()))
    keys = IdentityKeys(place.retailers, place.rows, GivenSecrets(secrets_of(settings, needed=False)))
    why = "this process holds no HOTBASKET_IDENTITY_SECRET"
    for ask in (keys.shopper_key, keys.privacy_key, keys.is_wrapped_now):
        with pytest.raises(Refused, match=why):
            ask("r-1")
    for change in (keys.rewrap, keys.renew_shopper_key):
        with pytest.raises(Refused, match=why):
            await change("r-1")
    with pytest.raises(Refused, match=why), keys.fresh("r-2"):
        pass
    with pytest.raises(Refused, match=why):
        _ = keys.kek


async def test_a_key_is_opened_once_a_version(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request pays for no decryption until the control data change."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))
    opened: list[str] = []
    unwrap = KeyEncryptionKey.unwrap

    def counted(kek: KeyEncryptionKey, retailer_id: str, wrapped: WrappedKeys) -> IdentityPair | None:
        opened.append(retailer_id)
        return unwrap(kek, retailer_id, wrapped)

    monkeypatch.setattr(KeyEncryptionKey, "unwrap", counted)
    keys = place.with_secrets(OLD)
    assert {KEYS} == {pair(keys) for _ in range(100)}
    assert ["r-1"] == opened
    await place.retailers.import_catalogue("r-1", [PASTA])
    assert {KEYS} == {pair(keys) for _ in range(100)}
    assert ["r-1", "r-1"] == opened


async def test_either_key_opens_while_they_change(place: Place) -> None:
    """What the one before wrapped is read beside what the one in force wrapped, and is the same key."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))
    both = place.with_secrets(NEW, OLD)
    assert (KEYS, False) == (pair(both), both.is_wrapped_now("r-1"))
    await both.rewrap("r-1")
    assert (KEYS, True, NEW_KEK.name) == (pair(both), both.is_wrapped_now("r-1"), both.kek)
    assert place.kept is not None
    assert NEW_KEK.name == place.kept.kek
    assert KEYS == pair(place.with_secrets(NEW))


async def test_a_retailer_of_before_keeps_its_keys(place: Place) -> None:
    """Derived while nothing is stored, from the key before while that changes; stored wrapped from the rewrap on."""
    await place.add_older()
    derived = OLD_KEK.derived("r-1")
    assert (None, derived, derived) == (place.kept, pair(place.with_secrets(OLD)), pair(place.with_secrets(NEW, OLD)))
    await place.with_secrets(NEW, OLD).rewrap("r-1")
    assert derived == pair(place.with_secrets(NEW))


async def test_a_key_that_nothing_opens_is_told_in_one_sentence(place: Place) -> None:
    """It names the retailer, the keys tried and the one wanted, and the cure; no byte of any."""
    await place.add(OTHER_KEK.wrap("r-1", KEYS))
    sentence = (
        f"neither key-encryption key {NEW_KEK.name} nor {OLD_KEK.name} opens the keys of retailer r-1, wrapped under"
        f" '{OTHER_KEK.name}': give the key of that name as HOTBASKET_IDENTITY_SECRET_BEFORE, embedded by a backup of"
        " secrets.json"
    )
    keys = place.with_secrets(NEW, OLD)
    for ask in (keys.shopper_key, keys.privacy_key):
        with pytest.raises(PortError) as raised:
            ask("r-1")
        assert (sentence, False) == (str(raised.value), raised.value.retriable)
    for change in (keys.rewrap, keys.renew_shopper_key):
        with pytest.raises(PortError, match=r"^neither key-encryption key"):
            await change("r-1")
    assert place.kept is not None
    assert OTHER_KEK.name == place.kept.kek
    with pytest.raises(PortError, match=f"^key-encryption key {NEW_KEK.name} does not open the keys of retailer r-1"):
        place.with_secrets(NEW).shopper_key("r-1")


async def test_a_damaged_or_moved_key_is_told_apart(place: Place) -> None:
    """The right key is there: what is stored was altered, or is another retailer's."""
    await place.add(OLD_KEK.wrap("r-2", KEYS))
    with pytest.raises(PortError, match=r"altered or are another retailer's: put a backup of the control data"):
        place.with_secrets(OLD).shopper_key("r-1")


async def test_a_fault_is_logged_once_a_version(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Every request meets it, and the log has it once, until the control data change."""
    await place.add(OTHER_KEK.wrap("r-1", KEYS))
    keys = place.with_secrets(OLD)
    with caplog.at_level(logging.ERROR, "hotbasket.control"):
        for _ in range(10):
            with pytest.raises(PortError):
                keys.shopper_key("r-1")
        assert 1 == len(caplog.records)
        await place.retailers.import_catalogue("r-1", [PASTA])
        with pytest.raises(PortError):
            keys.shopper_key("r-1")
    assert 2 == len(caplog.records)


async def test_a_running_process_looks_for_a_key_that_was_made_meanwhile(place: Place) -> None:
    """A command beside it changes the key-encryption key and wraps anew; the next request opens that."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))
    source = Changed(Secrets(b"s" * 32, OLD))
    running = IdentityKeys(place.retailers, place.rows, source)
    assert KEYS == pair(running)
    source.now = Secrets(b"s" * 32, NEW, OLD)
    await place.with_secrets(NEW, OLD).rewrap("r-1")
    source.now = Secrets(b"s" * 32, NEW)
    assert KEYS == pair(running)


async def test_a_new_shopper_key_leaves_the_privacy_key(place: Place) -> None:
    """It is in force in every process as soon as the control data are; what the audit trail says can still be found."""
    await place.add_older()
    running, before = place.with_secrets(NEW, OLD), OLD_KEK.derived("r-1")
    assert before == pair(running)
    await place.with_secrets(NEW, OLD).renew_shopper_key("r-1")
    after = pair(running)
    assert (True, before.privacy) == (after.shopper != before.shopper, after.privacy)
    assert after == pair(place.with_secrets(NEW))


async def test_who_comes_between_is_not_undone(place: Place) -> None:
    """A leaked key that is replaced while keys are rewrapped does not come back, and its successor is rewrapped."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))
    renewed: list[bytes] = []

    class Interrupted(SqliteIdentityKeyRows):
        """Another command is faster, once."""

        async def replace(self, retailer_id: str, wrapped: WrappedKeys, *, instead_of: WrappedKeys | None) -> bool:
            """Lets the other command go first."""
            if not renewed:
                other = place.with_secrets(OLD)
                await other.renew_shopper_key(retailer_id)
                renewed.append(other.shopper_key(retailer_id))
            return await super().replace(retailer_id, wrapped, instead_of=instead_of)

    source = GivenSecrets(Secrets(b"s" * 32, NEW, OLD))
    await IdentityKeys(place.retailers, Interrupted(place._file), source).rewrap("r-1")
    assert [IdentityPair(renewed[0], KEYS.privacy)] == [pair(place.with_secrets(NEW))]


async def test_who_is_never_fast_enough_gives_up(place: Place) -> None:
    """A bounded number of tries, then a sentence, and the call may be repeated."""
    await place.add(OLD_KEK.wrap("r-1", KEYS))

    class Beaten(SqliteIdentityKeyRows):
        """Another command is always faster."""

        async def replace(self, *_: object, **__: object) -> bool:
            """Has nothing replaced."""
            return False

    keys = IdentityKeys(place.retailers, Beaten(place._file), GivenSecrets(Secrets(b"s" * 32, NEW, OLD)))
    for change in (keys.rewrap, keys.renew_shopper_key):
        with pytest.raises(PortError, match="being changed by others") as raised:
            await change("r-1")
        assert raised.value.retriable
