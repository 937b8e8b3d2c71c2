"""Time as an input: only shells read a clock, and simulations bring their own."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that people agree on and may jump, one that only goes forward."""

    def now_ms(self) -> int:
        """Unix time in milliseconds; may jump either way."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...
