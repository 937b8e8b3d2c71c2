"""What processes see of each other's changes, generations and requests."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from msgspec import structs

from adapters.postgres.open import PostgresControl
from adapters.postgres.replay_requests import WANTED_MAX
from adapters.settings import Settings
from domain.errors import PortError, Refused
from domain.ports.retailers import CatalogueItem, Retailer
from domain.releases import Overtaken
from monitoring.metrics import Metrics
from tests.contract.consumer import eventually
from tests.identity import WRAPPED
from tests.integration.postgres.conftest import Open

SHOP = Retailer(retailer_id="r-1", name="Fresh & Co", origins=("https://fresh.example",))
OTHER = Retailer(retailer_id="r-2", name="Épicerie")


async def test_a_change_of_another_process_is_in_force(settings: Settings, opened: Open) -> None:
    """A running process sees retailers, generations and requests that another one leaves."""
    async with opened(settings) as running, opened(settings) as command:
        before = running.generations.version()
        await command.retailers.add(SHOP, "write", "secret", WRAPPED)
        await command.generations.show("r-1", await command.generations.reserve("r-1"), 1)
        assert 1 == await command.requests.request(["3-17"])

        async def is_in_force() -> bool:
            return (
                running.retailers.current().retailers == {"r-1": SHOP}
                and running.generations.visible() == {"r-1": frozenset({1})}
                and list(running.requests.wanted(3)) == ["3-17"]
            )

        await eventually(is_in_force)
        assert before != running.generations.version()


async def test_what_did_not_change_is_not_loaded_again(settings: Settings, opened: Open) -> None:
    """Another subject's change leaves the control data the same object, another retailer's catalogue the same one."""
    async with opened(settings) as running:
        await running.retailers.add(SHOP, "write", "secret", WRAPPED)
        await running.retailers.add(OTHER, "other-write", "other-secret", WRAPPED)
        await running.retailers.import_catalogue("r-1", [CatalogueItem(product_id="p", name="P", category_id="c")])
        before = running.retailers.current()
        await running.requests.request(["3-17"])
        await running.generations.show("r-1", await running.generations.reserve("r-1"), 1)
        assert before is running.retailers.current()
        await running.retailers.import_catalogue("r-2", [CatalogueItem(product_id="q", name="Q", category_id="c")])
        after = running.retailers.current()
        assert before.known["r-1"] is after.known["r-1"]
        assert {"q"} == set(after.known["r-2"])


async def test_a_generation_is_reserved_once(settings: Settings, opened: Open) -> None:
    """Of many who reserve at the same moment each gets a number of its own, without a gap, for each retailer."""
    async with opened(settings) as one, opened(settings) as other:
        got = await asyncio.gather(*(who.generations.reserve("r-1") for who in (one, other) * 8))
        assert list(range(1, 17)) == sorted(got)
        assert 1 == await one.generations.reserve("r-2")


async def test_a_reserved_generation_is_invisible_until_shown(settings: Settings, opened: Open) -> None:
    """What is reserved, used or not, is seen by nobody; what is shown stays visible beside later ones."""
    async with opened(settings) as control:
        numbers = [await control.generations.reserve("r-1") for _ in range(3)]
        assert {} == control.generations.visible()
        for _ in range(2):
            await control.generations.show("r-1", numbers[0], 5)
            await control.generations.show("r-1", numbers[2], 7)
        assert {"r-1": frozenset({1, 3})} == control.generations.visible()
        assert [(3, 7), (2, 0), (1, 5)] == [
            (row.generation, row.trees) for row in await control.generations.rows("r-1")
        ]
        with pytest.raises(Overtaken, match="generation 2 was overtaken by 3"):
            await control.generations.show("r-1", 2, 1)
        with pytest.raises(Refused, match="generation 4"):
            await control.generations.show("r-1", 4, 1)


async def test_of_many_rollbacks_at_once_one_counts(settings: Settings, opened: Open) -> None:
    """Two people who roll back at the same moment go one step back together, not two."""
    async with opened(settings) as one, opened(settings) as other:
        for _ in range(4):
            await one.generations.show("r-1", await one.generations.reserve("r-1"), 1)
        got = await asyncio.gather(*(who.generations.hide("r-1") for who in (one, other) * 3), return_exceptions=True)
        assert [3] == [found for found in got if not isinstance(found, BaseException)]
        assert {"Refused"} == {type(found).__name__ for found in got if isinstance(found, BaseException)}
        await other.generations.forgotten("r-1", [4])
        rows = [(row.generation, row.is_rolled_back, row.is_forgotten) for row in await one.generations.rows("r-1")]
        assert [(4, True, True), (3, False, False), (2, False, False), (1, False, False)] == rows


async def test_a_process_of_before_sees_a_rollback(settings: Settings, opened: Open) -> None:
    """What runs during an upgrade looks at `visible_at` alone, and writes rows without the newer columns."""
    async with opened(settings) as control:
        with psycopg.connect(settings.postgres, user=settings.postgres_user) as older:
            for generation in (1, 2):
                older.execute("INSERT INTO generations SELECT 'r-1', %s", (generation,))
                older.execute("UPDATE generations SET visible_at = now() WHERE generation = %s", (generation,))
        assert 1 == await control.generations.hide("r-1")
        with psycopg.connect(settings.postgres, user=settings.postgres_user) as older:
            seen = older.execute("SELECT generation FROM generations WHERE visible_at IS NOT NULL").fetchall()
        assert [(1,)] == seen


async def test_requests_are_kept_by_partition_until_forgotten(settings: Settings, opened: Open) -> None:
    """One that is there is not new; forgetting is seen at once, and what is unknown is forgotten already."""
    async with opened(settings) as control:
        assert 3 == await control.requests.request(["3-17", "3-17", "3-18", "12-4"])
        assert 1 == await control.requests.request(["3-17", "12-5"])
        assert 0 == await control.requests.request([])
        assert (["3-17", "3-18"], ["12-4", "12-5"], []) == _wanted(control, 3, 12, 1)
        await control.requests.forget(["3-17", "12-5", "7-7"])
        assert (["3-18"], ["12-4"]) == _wanted(control, 3, 12)


async def test_memory_holds_a_bounded_number_of_requests(settings: Settings, opened: Open) -> None:
    """Beyond the bound of a partition, requests take the places of those that are forgotten."""
    async with opened(settings) as control:
        asked = [f"3-{number:05}" for number in range(WANTED_MAX + 5)]
        assert len(asked) + 1 == await control.requests.request([*asked, "4-1"])
        assert (asked[:WANTED_MAX], ["4-1"]) == _wanted(control, 3, 4)
        await control.requests.forget(asked[:WANTED_MAX])
        assert (asked[WANTED_MAX:],) == _wanted(control, 3)


async def test_what_is_no_failed_id_is_refused(settings: Settings, opened: Open) -> None:
    """Nothing is requested when one of the ids has no partition."""
    async with opened(settings) as control:
        for wrong in ("abc", "-3", "99999999999-1"):
            with pytest.raises(Refused):
                await control.requests.request(["3-17", wrong])
        assert ([],) == _wanted(control, 3)


async def test_text_that_postgres_cannot_hold_is_refused(settings: Settings, opened: Open) -> None:
    """A NUL character or half a surrogate pair is a fault of who sent it, and the next change goes through."""
    async with opened(settings) as control:
        for wrong in ("a\0b", "a\ud800b"):
            with pytest.raises(Refused):
                await control.retailers.add(structs.replace(SHOP, retailer_id=wrong), "write", "secret", WRAPPED)
        await control.retailers.add(SHOP, "write", "secret", WRAPPED)
        with pytest.raises(Refused):
            await control.retailers.import_catalogue(
                "r-1", [CatalogueItem(product_id="p", name="a\0b", category_id="c")]
            )
        assert {} == control.retailers.current().known["r-1"]


async def test_a_row_that_cannot_be_read_leaves_the_last_known_in_force(
    settings: Settings, opened: Open, metrics: Metrics
) -> None:
    """What a newer hotbasket wrote is counted and holds up nothing else; who starts with it is told what to do."""
    async with opened(settings) as running:
        await running.retailers.add(SHOP, "write", "secret", WRAPPED)
        before = running.retailers.current()
        unreadable = "UPDATE retailers SET settings = settings || %s::jsonb"
        raised = "UPDATE versions SET version = version + 1 WHERE subject = 'retailers'"
        with psycopg.connect(settings.postgres, user=settings.postgres_user) as newer:
            newer.execute(unreadable, ('{"pii": "from the future"}',))
            newer.execute(raised)

        async def is_counted() -> bool:
            return (metrics.registry.get_sample_value("hotbasket_control_errors_total") or 0) > 0

        await eventually(is_counted)
        await running.generations.show("r-1", await running.generations.reserve("r-1"), 1)
        assert (before, {"r-1": frozenset({1})}) == (running.retailers.current(), running.generations.visible())
        with pytest.raises(PortError, match="retailer r-1 can't be read"):
            async with opened(settings):
                pass
        await running.retailers.change(SHOP)
        assert SHOP == running.retailers.current().retailers["r-1"]


def _wanted(control: PostgresControl, *partitions: int) -> tuple[list[str], ...]:
    return tuple(list(control.requests.wanted(partition)) for partition in partitions)
