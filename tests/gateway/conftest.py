"""Gateways for the tests of this folder, each over stores of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.desk import Desk
from tests.gateway.standing import Standing

Stand = Callable[..., Awaitable[Standing]]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Gives a function that starts a gateway with these settings; all are ended with the test."""
    standing: list[Standing] = []

    async def start(**settings: Any) -> Standing:
        made = Standing(tmp_path / str(len(standing)), **settings)
        standing.append(made)
        await made.start()
        return made

    yield start
    for made in standing:
        await made.close()


@pytest.fixture
async def standing(stand: Stand) -> Standing:
    """A started gateway with the usual settings."""
    return await stand()


@pytest.fixture
def desk(standing: Standing) -> Desk:
    """The shop's server."""
    return Desk(standing)
