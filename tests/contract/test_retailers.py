"""The contract of `domain.ports.retailers.Retailers`."""

from __future__ import annotations

import pytest
from msgspec import structs

from adapters.wiring import Ports
from domain.errors import Refused
from domain.permissions import Scope
from domain.ports.retailers import CatalogueItem, Grant, Retailer
from domain.records import Known
from tests.contract.conftest import System
from tests.contract.consumer import eventually
from tests.identity import WRAPPED
from tests.story import NOON_MS

FRESH = Retailer(
    retailer_id="r-1",
    name="Fresh & Co",
    origins=("https://fresh.example", "https://m.fresh.example"),
    consent_default="denied",
    retention_days=30,
    currency="GBP",
    time_zone="Europe/London",
    pii="refuse",
    on_withdrawal="erase_verified",
)
OTHER = Retailer(retailer_id="r-2", name="Épicerie", origins=("https://epicerie.example",))
PASTA = CatalogueItem(product_id="p-1", name="Pasta", category_id="pasta", brand="Roma", price_minor=120, cost_minor=70)
SAUCE = CatalogueItem(product_id="p-2", name="Sauce", category_id="sauce")


async def with_both(ports: Ports) -> None:
    """Adds two retailers."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)
    await ports.retailers.add(OTHER, "other-write", "other-secret", WRAPPED)


async def test_empty_control_data_is_readable(ports: Ports) -> None:
    """A system is ready without a retailer."""
    control = ports.retailers.current()
    assert ({}, {}, frozenset(), {}, {}) == (
        control.retailers,
        control.grants,
        control.origins,
        control.known,
        control.wrapped,
    )


async def test_an_added_retailer_is_in_force(ports: Ports) -> None:
    """Its settings, both keys and its origins are there with the next look."""
    await with_both(ports)
    control = ports.retailers.current()
    assert {"r-1": FRESH, "r-2": OTHER} == control.retailers
    assert {
        "fresh-write": Grant(FRESH, "write", None),
        "fresh-secret": Grant(FRESH, "secret", None),
        "other-write": Grant(OTHER, "write", None),
        "other-secret": Grant(OTHER, "secret", None),
    } == control.grants
    assert {"https://fresh.example", "https://m.fresh.example", "https://epicerie.example"} == control.origins


async def test_retailers_are_there_after_reopening(system: System) -> None:
    """Retailers, keys and catalogues last."""
    async with system() as ports:
        await with_both(ports)
        await ports.retailers.import_catalogue("r-1", [PASTA])
        before = ports.retailers.current()
    async with system() as ports:
        assert before == ports.retailers.current()


async def test_a_taken_name_is_refused(ports: Ports) -> None:
    """A second retailer of the same name is not added, and its keys open nothing."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)
    with pytest.raises(Refused, match="Fresh & Co"):
        await ports.retailers.add(structs.replace(OTHER, name=FRESH.name), "other-write", "other-secret", WRAPPED)
    control = ports.retailers.current()
    assert ({"r-1"}, {"fresh-write", "fresh-secret"}) == (set(control.retailers), set(control.grants))


async def test_change_replaces_the_settings(ports: Ports) -> None:
    """New rules hold for the keys that were given before."""
    await with_both(ports)
    changed = structs.replace(FRESH, name="Fresher", origins=(), consent_default="granted", currency="EUR")
    await ports.retailers.change(changed)
    control = ports.retailers.current()
    assert {"r-1": changed, "r-2": OTHER} == control.retailers
    assert Grant(changed, "write", None) == control.grants["fresh-write"]
    assert {"https://epicerie.example"} == control.origins


async def test_a_change_to_a_taken_name_is_refused(ports: Ports) -> None:
    """Two retailers never have one name."""
    await with_both(ports)
    with pytest.raises(Refused, match="Fresh & Co"):
        await ports.retailers.change(structs.replace(OTHER, name=FRESH.name))
    assert OTHER == ports.retailers.current().retailers["r-2"]


async def test_what_is_unknown_is_refused(ports: Ports) -> None:
    """Nobody's settings, keys or catalogue can be changed."""
    with pytest.raises(Refused, match="r-1"):
        await ports.retailers.change(FRESH)
    with pytest.raises(Refused, match="r-1"):
        await ports.retailers.rotate_key("r-1", "write", "new", old_until_ms=NOON_MS)
    with pytest.raises(Refused, match="r-1"):
        await ports.retailers.import_catalogue("r-1", [PASTA])
    assert {} == ports.retailers.current().grants


async def test_a_rotated_key_is_valid_beside_the_old_one_for_a_while(ports: Ports) -> None:
    """The new key is in force at once, the old one ends at its time, the other scope is left alone."""
    await with_both(ports)
    await ports.retailers.rotate_key("r-1", "write", "fresh-write-2", old_until_ms=NOON_MS)
    grants = ports.retailers.current().grants
    assert Grant(FRESH, "write", NOON_MS) == grants["fresh-write"]
    assert Grant(FRESH, "write", None) == grants["fresh-write-2"]
    assert Grant(FRESH, "secret", None) == grants["fresh-secret"]
    assert Grant(OTHER, "write", None) == grants["other-write"]


async def test_a_second_rotation_never_prolongs_a_key(ports: Ports) -> None:
    """A key that was about to end keeps its end; one may be ended earlier."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)
    await ports.retailers.rotate_key("r-1", "write", "fresh-write-2", old_until_ms=NOON_MS)
    await ports.retailers.rotate_key("r-1", "write", "fresh-write-3", old_until_ms=NOON_MS + 1)
    grants = ports.retailers.current().grants
    ends = [grants[f"fresh-write{suffix}"].until_ms for suffix in ("", "-2", "-3")]
    assert [NOON_MS, NOON_MS + 1, None] == ends
    await ports.retailers.rotate_key("r-1", "write", "fresh-write-4", old_until_ms=0)
    assert [0, 0, 0] == [
        ports.retailers.current().grants[f"fresh-write{suffix}"].until_ms for suffix in ("", "-2", "-3")
    ]


@pytest.mark.parametrize("scope", ["server", "privacy", "operator"])
async def test_the_first_key_of_a_scope_is_made_by_a_rotation(ports: Ports, scope: Scope) -> None:
    """There is none until one is made; keys of other scopes and retailers are left alone."""
    await with_both(ports)
    before = ports.retailers.current().grants
    await ports.retailers.rotate_key("r-1", scope, "first", old_until_ms=NOON_MS)
    assert {**before, "first": Grant(FRESH, scope, None)} == ports.retailers.current().grants


async def test_keys_of_a_scope_stand_beside_each_other(ports: Ports) -> None:
    """Without an end for the old ones a new key is one more; one that was about to end still ends."""
    await with_both(ports)
    await ports.retailers.rotate_key("r-1", "server", "first", old_until_ms=None)
    await ports.retailers.rotate_key("r-1", "server", "second", old_until_ms=NOON_MS)
    await ports.retailers.rotate_key("r-1", "server", "third", old_until_ms=None)
    grants = ports.retailers.current().grants
    assert [NOON_MS, None, None] == [grants[digest].until_ms for digest in ("first", "second", "third")]


async def test_one_key_is_ended_alone(ports: Ports) -> None:
    """The others of its scope stay as they are, and none is made; an end is never put off."""
    await with_both(ports)
    for digest in ("first", "second", "third"):
        await ports.retailers.rotate_key("r-1", "privacy", digest, old_until_ms=None)
    before = ports.retailers.current().grants
    await ports.retailers.rotate_key("r-1", "privacy", None, old_until_ms=NOON_MS, only="second")
    assert {**before, "second": Grant(FRESH, "privacy", NOON_MS)} == ports.retailers.current().grants
    await ports.retailers.rotate_key("r-1", "privacy", None, old_until_ms=NOON_MS + 1, only="second")
    await ports.retailers.rotate_key("r-1", "privacy", None, old_until_ms=None, only="second")
    assert NOON_MS == ports.retailers.current().grants["second"].until_ms


async def test_a_key_that_is_not_there_is_not_ended(ports: Ports) -> None:
    """Nobody's key, another scope's and another retailer's are refused, and no new key is made."""
    await with_both(ports)
    before = ports.retailers.current().grants
    for only in ("nobody's", "fresh-write", "other-secret"):
        with pytest.raises(Refused, match="no such secret key"):
            await ports.retailers.rotate_key("r-1", "secret", "new", old_until_ms=NOON_MS, only=only)
    assert before == ports.retailers.current().grants


async def test_a_catalogue_is_known_to_the_gateway(ports: Ports) -> None:
    """Prices are in the retailer's currency; a product without a price has none."""
    await with_both(ports)
    await ports.retailers.import_catalogue("r-1", [PASTA, SAUCE])
    assert {
        "p-1": Known(category_id="pasta", brand="Roma", price_minor=120, currency="GBP"),
        "p-2": Known(category_id="sauce"),
    } == ports.retailers.current().known["r-1"]
    assert {} == ports.retailers.current().known["r-2"]


async def test_a_changed_currency_is_that_of_the_catalogue(ports: Ports) -> None:
    """Catalogue prices follow the retailer's currency."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)
    await ports.retailers.import_catalogue("r-1", [PASTA])
    assert "GBP" == ports.retailers.current().known["r-1"]["p-1"].currency
    await ports.retailers.change(structs.replace(FRESH, currency="USD"))
    assert "USD" == ports.retailers.current().known["r-1"]["p-1"].currency


async def test_an_import_replaces_the_whole_catalogue(ports: Ports) -> None:
    """What is not in the new catalogue is gone, of this retailer only; `catalogue` gives it by product id."""
    await with_both(ports)
    await ports.retailers.import_catalogue("r-1", [SAUCE, PASTA])
    await ports.retailers.import_catalogue("r-2", [PASTA])
    assert [PASTA, SAUCE] == list(await ports.retailers.catalogue("r-1"))
    dearer = structs.replace(SAUCE, price_minor=250)
    await ports.retailers.import_catalogue("r-1", [dearer])
    assert [dearer] == list(await ports.retailers.catalogue("r-1"))
    assert [PASTA] == list(await ports.retailers.catalogue("r-2"))
    assert {"p-2": Known(category_id="sauce", price_minor=250, currency="GBP")} == ports.retailers.current().known[
        "r-1"
    ]


async def test_current_is_the_same_object_until_something_changes(ports: Ports) -> None:
    """A request pays nothing for control data that did not change; any change has a new version."""
    await ports.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)
    before = ports.retailers.current()
    assert before is ports.retailers.current()
    await ports.retailers.change(structs.replace(FRESH, retention_days=31))
    assert before.version != ports.retailers.current().version


async def test_another_process_sees_a_change(system: System) -> None:
    """A retailer that a command adds is in force in a running system."""
    async with system() as running:
        assert {} == running.retailers.current().retailers
        async with system() as command:
            await command.retailers.add(FRESH, "fresh-write", "fresh-secret", WRAPPED)

        async def is_in_force() -> bool:
            return Grant(FRESH, "write", None) == running.retailers.current().grants.get("fresh-write")

        await eventually(is_in_force)
