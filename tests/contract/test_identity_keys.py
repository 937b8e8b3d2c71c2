"""The contract of `domain.ports.identity_keys.IdentityKeyRows`, and what is read of it with the control data."""

from __future__ import annotations

import pytest

from adapters.wiring import Ports
from domain.errors import Refused
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import CatalogueItem, Retailer
from tests.contract.conftest import System
from tests.contract.consumer import eventually

FRESH, OTHER = Retailer(retailer_id="r-1", name="Fresh & Co"), Retailer(retailer_id="r-2", name="Épicerie")
FIRST = WrappedKeys("1a2b3c4d", b"\x01\x00shopper\xff", b"\x01\x00privacy\xff")
SECOND = WrappedKeys("5e6f7a8b", b"\x01another shopper", b"\x01another privacy")


async def with_both(ports: Ports) -> None:
    """Adds two retailers with keys."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", FIRST)
    await ports.retailers.add(OTHER, "other-write", "other-secret", SECOND)


async def test_keys_come_with_the_retailer(ports: Ports) -> None:
    """Byte for byte, and each retailer has its own."""
    await with_both(ports)
    assert {"r-1": FIRST, "r-2": SECOND} == ports.retailers.current().wrapped


async def test_a_retailer_that_is_refused_leaves_no_keys(ports: Ports) -> None:
    """Nor does it replace those of the retailer that is there."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", FIRST)
    for taken in (FRESH, Retailer(retailer_id="r-2", name=FRESH.name)):
        with pytest.raises(Refused, match="Fresh & Co"):
            await ports.retailers.add(taken, "other-write", "other-secret", SECOND)
    assert {"r-1": FIRST} == ports.retailers.current().wrapped


async def test_keys_are_replaced_where_they_are_what_was_read(ports: Ports) -> None:
    """Those of the other retailer stay; this process sees it at once, as another version of the control data."""
    await with_both(ports)
    before = ports.retailers.current().version
    assert await ports.key_rows.replace("r-1", SECOND, instead_of=FIRST)
    assert {"r-1": SECOND, "r-2": SECOND} == ports.retailers.current().wrapped
    assert before != ports.retailers.current().version


@pytest.mark.parametrize(
    "instead_of",
    [
        None,
        SECOND,
        FIRST._replace(kek=SECOND.kek),
        FIRST._replace(shopper=SECOND.shopper),
        FIRST._replace(privacy=SECOND.privacy),
    ],
    ids=["none", "others", "another kek", "another shopper key", "another privacy key"],
)
async def test_keys_that_were_replaced_meanwhile_stay(ports: Ports, instead_of: WrappedKeys | None) -> None:
    """Whatever of it is not what was read: nothing is replaced, and the caller is told."""
    await with_both(ports)
    assert not await ports.key_rows.replace("r-1", SECOND, instead_of=instead_of)
    assert {"r-1": FIRST, "r-2": SECOND} == ports.retailers.current().wrapped


async def test_nobodys_keys_are_not_replaced(ports: Ports) -> None:
    """Keys without a retailer would be found by the one that is added next."""
    with pytest.raises(Refused, match="r-1"):
        await ports.key_rows.replace("r-1", FIRST, instead_of=None)
    assert {} == ports.retailers.current().wrapped


async def test_other_changes_leave_the_keys(ports: Ports) -> None:
    """Rules, presented keys and a catalogue are changed without them."""
    await with_both(ports)
    await ports.retailers.change(Retailer(retailer_id="r-1", name="Fresher"))
    await ports.retailers.rotate_key("r-1", "write", "new", old_until_ms=None)
    await ports.retailers.import_catalogue("r-1", [CatalogueItem(product_id="p", name="P", category_id="c")])
    assert {"r-1": FIRST, "r-2": SECOND} == ports.retailers.current().wrapped


async def test_keys_are_there_after_reopening(system: System) -> None:
    """They last, replaced or not."""
    async with system() as ports:
        await with_both(ports)
        await ports.key_rows.replace("r-1", SECOND, instead_of=FIRST)
    async with system() as ports:
        assert {"r-1": SECOND, "r-2": SECOND} == ports.retailers.current().wrapped


async def test_a_new_shopper_key_is_in_force_in_another_process(system: System) -> None:
    """A running system names shoppers under the key that a command made; within two seconds on servers."""
    async with system() as running, system() as command:
        with command.identity.fresh("r-1") as wrapped:
            await command.retailers.add(FRESH, "fresh-write", "fresh-secret", wrapped)

        async def knows_the_retailer() -> bool:
            return "r-1" in running.retailers.current().retailers

        await eventually(knows_the_retailer)
        before = running.identity.shopper_key("r-1")
        privacy = running.identity.privacy_key("r-1")
        assert before == command.identity.shopper_key("r-1")
        await command.identity.renew_shopper_key("r-1")
        after = command.identity.shopper_key("r-1")
        assert before != after

        async def is_in_force() -> bool:
            return after == running.identity.shopper_key("r-1")

        await eventually(is_in_force)
        assert privacy == running.identity.privacy_key("r-1") == command.identity.privacy_key("r-1")
