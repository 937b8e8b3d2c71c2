"""What tests on servers share: settings of a system that nobody has used yet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.settings import Settings
from tests.contract.production import Stores
from tests.services.given import Servers


@pytest.fixture
async def settings(servers: Servers) -> AsyncIterator[Settings]:
    """The settings of a system on empty servers."""
    stores = Stores(servers)
    try:
        async with stores.fresh() as made:
            yield made
    finally:
        stores.close()
