"""A large catalogue is loaded beside requests, not instead of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.settings import Settings
from domain.ports.retailers import Retailer
from domain.records import Known
from tests.contract.consumer import eventually
from tests.identity import WRAPPED
from tests.integration.postgres.conftest import Open

PRODUCTS = 100_000
_LOOK_S = 0.001
SHOP = Retailer(retailer_id="r-1", name="Fresh & Co")
IMPORT = """
import asyncio, sys
from adapters.clock import SystemClock
from adapters.postgres.open import open_control
from adapters.settings import load_settings
from domain.ports.retailers import CatalogueItem
from monitoring.metrics import Metrics

async def main(address, products, price):
    control = await open_control(load_settings(postgres=address), Metrics(), SystemClock())
    await control.retailers.import_catalogue("r-1", [
        CatalogueItem(product_id=f"p-{n}", name=f"Product {n}", category_id=f"c-{n % 500}", price_minor=price)
        for n in range(products)
    ])
    await control.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


class Lag:
    """Measures for how long an event loop did not come round, at worst.

    Attributes:
        worst_s: by the clock; on a busy machine, others' work is in it.
        worst_own_s: by the processor's time of its thread.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.worst_own_s = 0.0

    async def measure(self) -> None:
        """Measures until cancelled."""
        while True:
            before_s, own_before_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_LOOK_S)
            self.worst_s = max(self.worst_s, time.perf_counter() - before_s - _LOOK_S)
            self.worst_own_s = max(self.worst_own_s, time.thread_time() - own_before_s)


@pytest.mark.slow
async def test_a_large_import_is_in_force_while_the_loop_goes_on(
    settings: Settings, opened: Open, checkout: Path
) -> None:
    """A running process takes another one's catalogue, then its replacement, and says how long its loop stood still."""
    async with opened(settings) as running:
        await running.retailers.add(SHOP, "write", "secret", WRAPPED)
        for price_minor in (100, 200):
            lag = Lag()
            measuring = asyncio.create_task(lag.measure())
            arguments = (settings.postgres, str(PRODUCTS), str(price_minor))
            importer = await asyncio.create_subprocess_exec(
                sys.executable, "-c", IMPORT, *arguments, cwd=checkout, stderr=subprocess.PIPE
            )
            _, said = await importer.communicate()
            assert (0, b"") == (importer.returncode, said)
            last = Known(category_id=f"c-{(PRODUCTS - 1) % 500}", price_minor=price_minor, currency="EUR")

            async def is_in_force(last: Known = last) -> bool:
                return running.retailers.current().known["r-1"].get(f"p-{PRODUCTS - 1}") == last

            await eventually(is_in_force)
            measuring.cancel()
            assert PRODUCTS == len(running.retailers.current().known["r-1"])
            print(
                f"{PRODUCTS} products: longest stop of the loop {lag.worst_s * 1_000:.1f} ms,"
                f" {lag.worst_own_s * 1_000:.1f} ms of them its own work"
            )
