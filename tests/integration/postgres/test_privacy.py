"""Privacy requests and gateways' words where sessions wait for each other, or the server goes away in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
import pytest

from adapters.postgres.migrations import migrate
from adapters.postgres.open import PostgresControl
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.privacy_requests import Confirmation, Kind, Request
from domain.ports.retailers import Retailer
from tests.contract.consumer import eventually
from tests.contract.privacy import digests, request, subjects
from tests.identity import WRAPPED
from tests.integration.postgres.conftest import Files, Open, StartServer, on
from tests.services.postgres import USER
from tests.services.proxy import Proxy
from tests.story import NOON_MS, RETAILER

IN_TIME_S = 10.0
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def opens(control: PostgresControl, name: str, shoppers: str, kind: Kind = "suppress") -> Request:
    """Opens a request."""
    return await control.privacy.open(request(name, kind), subjects(shoppers))


@asynccontextmanager
async def held_up(address: str) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Makes everybody who opens a request wait until the end of the block; gives what waits until so many do."""
    connect = psycopg.AsyncConnection.connect
    # Within a transaction the server would always tell what it told first.
    async with await connect(address, user=USER) as holding, await connect(address, user=USER, autocommit=True) as look:
        await holding.execute("SELECT version FROM versions WHERE subject = 'suppressed' FOR UPDATE")

        async def wait_for(sessions: int) -> None:
            async def are_held_up() -> bool:
                return (sessions,) == await (await look.execute(_WAITING)).fetchone()

            await eventually(are_held_up)

        yield wait_for


async def test_sessions_that_meet_open_one_request(settings: Settings, opened: Open) -> None:
    """Of those that wait for each other at the same place, the next ones find what the first has made."""
    async with opened(settings) as one, opened(settings) as other:
        await one.retailers.add(Retailer(retailer_id=RETAILER, name="Shop"), "w", "s", WRAPPED)
        async with held_up(settings.postgres) as wait_for:
            asked = [asyncio.ensure_future(opens(control, f"{control is one}", "ab")) for control in (one, other)]
            await wait_for(len(asked))
        first, second = await asyncio.gather(*asked)
        assert first == second
        assert [first] == list(await one.privacy.pending())


async def test_a_request_that_was_cut_off_may_be_repeated(
    start_server: StartServer, files: Files, opened: Open
) -> None:
    """Nothing of it is there, nobody waits for it, and it goes through once the server can be reached."""
    server = start_server()
    await migrate(on(server.url), files)
    with Proxy(server.address) as line:
        async with opened(on(f"postgresql://{line.address}/hotbasket")) as control:
            await control.retailers.add(Retailer(retailer_id=RETAILER, name="Shop"), "w", "s", WRAPPED)
            async with held_up(server.url) as wait_for:
                asked = asyncio.ensure_future(opens(control, "one", "ab"))
                await wait_for(1)
                line.cut()
                with pytest.raises(PortError) as failed:
                    await asked
                assert failed.value.retriable
            assert {} == control.privacy.suppressed().digests
            line.forward()
            given = await opens(control, "one", "ab")
            assert [given] == list(await control.privacy.pending())
            assert {RETAILER: digests("ab")} == control.privacy.suppressed().digests


async def test_a_list_whose_requests_are_gone_is_read_whole(settings: Settings, opened: Open) -> None:
    """What no request tells, as after a backup came back, stands in the list all the same."""
    async with opened(settings) as control:
        await control.retailers.add(Retailer(retailer_id=RETAILER, name="Shop"), "w", "s", WRAPPED)
        await opens(control, "one", "a")
        async with await psycopg.AsyncConnection.connect(settings.postgres, user=USER) as other:
            await other.execute("INSERT INTO suppressed VALUES (%s, %s)", (RETAILER, *digests("b")))
            await other.execute("UPDATE versions SET version = version + 1 WHERE subject = 'suppressed'")

        async def is_in_force() -> bool:
            return {RETAILER: digests("ab")} == control.privacy.suppressed().digests

        await eventually(is_in_force)


async def test_a_gateways_word_survives_a_broken_connection(
    start_server: StartServer, files: Files, opened: Open
) -> None:
    """The server was started again: the next word goes through; while it stands still, it is told in time."""
    server = start_server()
    await migrate(on(server.url), files)
    async with opened(on(server.url)) as control:
        await control.words.confirm("a", 1, NOON_MS)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await control.words.confirm("a", 2, NOON_MS + 1)
        assert [Confirmation("a", 2, NOON_MS + 1)] == list(await control.words.confirmations())
        await asyncio.to_thread(server.pause)
        async with asyncio.timeout(IN_TIME_S):
            with pytest.raises(PortError) as failed:
                await control.words.confirm("a", 3, NOON_MS + 2)
        assert failed.value.retriable
        await asyncio.to_thread(server.resume)
        await control.words.leave("a")
        assert [] == list(await control.words.confirmations())
