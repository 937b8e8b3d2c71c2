"""The machine's clocks, for entry points to hand down."""

from __future__ import annotations

import time


class SystemClock:
    """Reads the machine's clocks (`domain.ports.clock.Clock`)."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()
