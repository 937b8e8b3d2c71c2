"""A server that is gone costs freshness: reading goes on, changes fail in time, and it passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from adapters.postgres.migrations import migrate
from adapters.postgres.open import PostgresControl
from domain.errors import PortError
from domain.ports.retailers import Retailer
from monitoring.metrics import Metrics
from tests.contract.consumer import eventually
from tests.identity import WRAPPED
from tests.integration.postgres.conftest import Files, Open, StartServer, on
from tests.services.proxy import Proxy

SHOP = Retailer(retailer_id="r-1", name="Fresh & Co")
IN_TIME_S = 10.0
"""Far beyond the settings' one second, far below what a system's own time-outs would take."""


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
async def test_a_server_that_stops_is_survived(
    start_server: StartServer, files: Files, opened: Open, metrics: Metrics, how: str
) -> None:
    """Stopped, killed or standing still: what was last known is served, and changes go through once it is back."""
    server = start_server()
    settings = on(server.url)
    await migrate(settings, files)
    async with opened(settings) as control:
        await control.retailers.add(SHOP, "write", "secret", WRAPPED)
        harm: dict[str, Callable[[], None]] = {"stop": server.stop, "kill": server.kill, "pause": server.pause}
        await asyncio.to_thread(harm[how])
        await _serves_without_server(control, metrics)
        await asyncio.to_thread(server.resume if how == "pause" else server.start)
        await _recovers(control, metrics)


async def test_a_line_that_swallows_everything_is_survived(
    start_server: StartServer, files: Files, opened: Open, metrics: Metrics
) -> None:
    """Connections that stay open and carry nothing are given up and replaced."""
    server = start_server()
    await migrate(on(server.url), files)
    with Proxy(server.address) as line:
        async with opened(on(f"postgresql://{line.address}/hotbasket")) as control:
            await control.retailers.add(SHOP, "write", "secret", WRAPPED)
            line.swallow()
            await _serves_without_server(control, metrics)
            line.forward()
            await _recovers(control, metrics)


async def test_closing_does_not_wait_for_a_dead_server(
    start_server: StartServer, files: Files, opened: Open, metrics: Metrics
) -> None:
    """A process that stops while its server stands still ends in time, and closing twice is harmless."""
    server = start_server()
    settings = on(server.url)
    await migrate(settings, files)
    async with opened(settings) as control:
        server.pause()
        async with asyncio.timeout(IN_TIME_S):
            await control.close()
            await control.close()
        server.resume()


async def _serves_without_server(control: PostgresControl, metrics: Metrics) -> None:
    before = control.retailers.current()
    errors = _value(metrics, "hotbasket_control_errors_total")
    for _ in range(2):
        async with asyncio.timeout(IN_TIME_S):
            with pytest.raises(PortError) as failed:
                await control.retailers.change(structs.replace(SHOP, retention_days=1))
        print(failed.value)
        assert failed.value.retriable is True

    async def has_noticed() -> bool:
        return _value(metrics, "hotbasket_control_errors_total") >= errors + 2

    await eventually(has_noticed)
    assert before is control.retailers.current()
    assert _value(metrics, "hotbasket_control_age_seconds") > 0


async def _recovers(control: PostgresControl, metrics: Metrics) -> None:
    changed = structs.replace(SHOP, retention_days=30)

    async def goes_through() -> bool:
        try:
            await control.retailers.change(changed)
        except PortError:
            return False
        return True

    await eventually(goes_through)
    assert changed == control.retailers.current().retailers["r-1"]

    async def is_fresh() -> bool:
        return _value(metrics, "hotbasket_control_age_seconds") == 0

    await eventually(is_fresh)


def _value(metrics: Metrics, name: str) -> float:
    value = metrics.registry.get_sample_value(name)
    assert value is not None
    return value
