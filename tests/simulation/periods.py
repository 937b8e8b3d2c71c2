"""Periods of the system that a run of seconds would never see: drawn shorter, so that what they end happens in it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from actors import lease_desk
from domain import reservations


@contextmanager
def quickened(draw: random.Random) -> Iterator[None]:
    """Draws the periods of one run; in some they are as everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reservations, "GRACE_MS", draw.choice((reservations.GRACE_MS, 3_000, 500)))
        haste = draw.choice((1, 5, 20))
        for name in ("SPENT_S", "TELL_S", "IDLE_S"):
            patch.setattr(lease_desk, name, getattr(lease_desk, name) / haste)
        yield
