"""What `hotbasket doctor` is told by those who looked."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What one check found.

    Attributes:
        check: its name.
        good: whether all is well.
        detail: what was seen.
        cure: what to do; empty where all is well.
    """

    check: str
    good: bool
    detail: str
    cure: str = ""
