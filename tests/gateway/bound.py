"""A row of the table of bounds: a setting made small, how to go beyond it, and what has to come of that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.gateway.standing import Standing

Exceed = Callable[[Standing, Path], Awaitable[object]]
REFUSED = "refused_requests_total"


class Bound(NamedTuple):
    """One setting.

    Attributes:
        settings: small values.
        exceed: goes beyond them, and gives what came of it.
        expected: what has to come of it.
        metric: the sample that has to be 1 afterwards; empty where nothing was refused or dropped.
    """

    settings: dict[str, Any]
    exceed: Exceed
    expected: object
    metric: str = ""
    labels: dict[str, str] = {}


def refused(status: int, error: str) -> dict[str, str]:
    """Gives the labels of a refused request."""
    return {"status": str(status), "error": error}
