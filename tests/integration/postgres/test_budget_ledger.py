"""The budget ledger while its server goes away, and what it makes other processes do: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from adapters.postgres.migrations import migrate
from adapters.postgres.open import PostgresControl
from adapters.settings import Settings
from domain.campaigns import Budget, Campaign, Change, created, moved
from domain.errors import PortError
from domain.ports.retailers import Retailer
from domain.purse import Amounts
from monitoring.metrics import Metrics
from tests.contract.campaigning import definition
from tests.contract.consumer import eventually
from tests.contract.leasing_partition import Partition, lease
from tests.identity import WRAPPED
from tests.integration.postgres.conftest import Files, Open, StartServer, on
from tests.integration.postgres.test_outages import IN_TIME_S
from tests.story import RETAILER

SHOP = Retailer(retailer_id=RETAILER, name="Fresh & Co")
AT_MS = 0


async def with_spring(control: PostgresControl) -> Campaign:
    """Schedules a campaign with a budget that never ends."""
    await control.retailers.add(SHOP, "write", "secret", WRAPPED)
    far = definition().ends_at.replace(year=9_000)
    campaign = created(RETAILER, "spring", definition(ends_at=far, budget=Budget(money_minor=1_000)), AT_MS)
    await control.campaigns.put(Change(campaign=campaign, action="create", by="command"))
    live = moved(campaign, "schedule", AT_MS)
    await control.campaigns.put(Change(campaign=live, action="schedule", by="command"))
    return live


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
async def test_a_server_that_is_gone_leases_nothing_twice(
    start_server: StartServer, files: Files, opened: Open, how: str
) -> None:
    """Asks fail in time and may be repeated: once the server is back, the budget has been leased once."""
    server = start_server()
    await migrate(on(server.url), files)
    async with opened(on(server.url)) as control:
        await with_spring(control)
        partition = Partition(control.ledger)
        await partition.ask(100)
        harm: dict[str, Callable[[], None]] = {"stop": server.stop, "kill": server.kill, "pause": server.pause}
        await asyncio.to_thread(harm[how])
        for _ in range(2):
            async with asyncio.timeout(IN_TIME_S):
                with pytest.raises(PortError) as failed:
                    await partition.ask(200)
            assert failed.value.retriable is True
        await asyncio.to_thread(server.resume if how == "pause" else server.start)

        async def is_answered() -> bool:
            try:
                await partition.ask(200)
            except PortError:
                return False
            return True

        await eventually(is_answered)
        assert lease(leased_minor=300) == (await partition.ask()).lease
        (found,) = await control.ledger.totals(RETAILER)
        assert Amounts(300) == found.leased


async def test_closing_does_not_wait_for_an_ask_in_flight(
    start_server: StartServer, files: Files, opened: Open
) -> None:
    """A process that stops while its server stands still ends in time, and closing twice is harmless."""
    server = start_server()
    await migrate(on(server.url), files)
    async with opened(on(server.url, postgres_timeout_s=60)) as control:
        await with_spring(control)
        partition = Partition(control.ledger)
        await partition.ask(100)
        server.pause()
        asking = asyncio.create_task(partition.ask(100))
        await asyncio.sleep(0)
        async with asyncio.timeout(IN_TIME_S):
            await control.close()
            await control.close()
            with pytest.raises(PortError):
                await asking
        server.resume()


async def test_settling_raises_no_version(settings: Settings, opened: Open) -> None:
    """Otherwise every process would load control data again each second."""
    async with opened(settings) as control:
        await with_spring(control)
        with psycopg.connect(settings.postgres, user=settings.postgres_user, autocommit=True) as server:
            before = server.execute("SELECT subject, version FROM versions ORDER BY subject").fetchall()
            await Partition(control.ledger).ask(100)
            assert before == server.execute("SELECT subject, version FROM versions ORDER BY subject").fetchall()
            assert (1,) == server.execute("SELECT count(*) FROM leases").fetchone()


async def test_the_running_sum_is_the_sum_of_leases(settings: Settings, opened: Open) -> None:
    """After leases and returns of many partitions at once, in two processes."""
    async with opened(settings) as one, opened(settings) as other:
        await with_spring(one)
        partitions = [Partition((one, other)[number % 2].ledger, number) for number in range(16)]
        await asyncio.gather(*(partition.ask(number, 2) for number, partition in enumerate(partitions, 40)))
        for number, partition in enumerate(partitions):
            partition.give_back(min(2 * number, partition.balance().leased.minor))
        await asyncio.gather(*(partition.ask(3, 1) for partition in partitions))
        with psycopg.connect(settings.postgres, user=settings.postgres_user) as server:
            kept = server.execute("SELECT held_minor, held_count FROM campaigns").fetchone()
            summed = server.execute(
                "SELECT sum(leased_minor - returned_minor)::bigint, sum(leased_count - returned_count)::bigint"
                " FROM leases"
            ).fetchone()
        assert summed == kept
        assert kept is not None
        assert 0 < kept[0] <= 1_000


async def test_a_campaign_that_can_not_be_read_keeps_the_last_known_in_force(
    settings: Settings, opened: Open, metrics: Metrics
) -> None:
    """What a newer hotbasket wrote is counted and keeps no retailer from being seen; who starts with it is told."""
    async with opened(settings) as running:
        await with_spring(running)
        before = running.campaigns.current()
        with psycopg.connect(settings.postgres, user=settings.postgres_user) as newer:
            newer.execute("UPDATE campaign_versions SET version = 3, definition = '{\"future\": 1}' WHERE version = 2")
            newer.execute("UPDATE campaigns SET version = 3")
            newer.execute("UPDATE versions SET version = version + 1 WHERE subject = 'campaigns'")

        async def is_counted() -> bool:
            return (metrics.registry.get_sample_value("hotbasket_control_errors_total") or 0) > 0

        await eventually(is_counted)
        changed = Retailer(retailer_id=RETAILER, name="Fresher")
        await running.retailers.change(changed)
        assert (before, changed) == (running.campaigns.current(), running.retailers.current().retailers[RETAILER])
        with pytest.raises(PortError, match=r"campaign spring of r-1, version 3, can't be read"):
            async with opened(settings):
                pass
