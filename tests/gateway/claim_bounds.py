"""The bounds of claims, as rows of the table that `test_bounds.py` tries."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from adapters.settings import data_files
from tests.gateway.bound import REFUSED, Bound, refused
from tests.gateway.claiming import claim, token
from tests.gateway.standing import Standing, until

DAY_MS = 86_400_000


async def late_claim(standing: Standing, _: Path) -> object:
    """A claim a day and a second after its token was issued."""
    claimed = token(standing)
    standing.clock.shift_ms += DAY_MS + 1_000
    answer = await claim(standing, claimed)
    return answer.status_code, answer.json()["error"]


async def claim_behind_another(standing: Standing, folder: Path) -> object:
    """A second claim while the first one waits for a vault that somebody else writes."""
    with sqlite3.connect(data_files(folder / "0")["vault"], isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(claim(standing, token(standing, "e-1")))

        async def waits() -> bool:
            return standing.gateway.in_flight == 1

        await until(waits, "the first claim waits for the vault")
        second = await claim(standing, token(standing, "e-2"))
        other.execute("ROLLBACK")
        stored = (await first).status_code
    other.close()
    return stored, (second.status_code, second.json()["error"], "retry-after" in second.headers)


CLAIM_BOUNDS = {
    "claim_days": Bound({"claim_days": 1}, late_claim, (401, "expired_claim"), REFUSED, refused(401, "expired_claim")),
    "claims_max": Bound(
        {"claims_max": 1},
        claim_behind_another,
        (200, (503, "vault_unavailable", True)),
        REFUSED,
        refused(503, "vault_unavailable"),
    ),
}
