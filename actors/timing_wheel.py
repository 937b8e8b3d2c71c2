"""The timing wheel: which shoppers' `after` timers are due; arming and firing cost the same with a million armed."""

from __future__ import annotations

from collections.abc import Iterable

from domain.ids import ShopperKey

TICKS_PER_S = 10
TICK_S = 1 / TICKS_PER_S


class TimingWheel:
    """A hashed timing wheel over monotonic seconds; a shopper has at most one entry, the earliest armed.

    An entry says when to look, not what to do: who fires it asks the shopper whether the timer still stands, and arms
    again if it was put off meanwhile. So an event of a shopper with a timer costs nothing here.

    Source: G. Varghese, T. Lauck, "Hashed and hierarchical timing wheels", SOSP 1987 (scheme 6).
    """

    def __init__(self, now_s: float) -> None:
        self._tick = int(now_s * TICKS_PER_S)
        self._due: dict[ShopperKey, int] = {}
        self._slots: dict[int, set[ShopperKey]] = {}

    def __len__(self) -> int:
        """Number of armed shoppers."""
        return len(self._due)

    def arm(self, key: ShopperKey, due_s: float) -> None:
        """Looks at the shopper at `due_s` (monotonic) or at the next tick; an earlier entry stays."""
        tick = max(int(due_s * TICKS_PER_S) + 1, self._tick + 1)
        before = self._due.get(key)
        if before is not None:
            if before <= tick:
                return
            self._take_out(key, before)
        self._due[key] = tick
        self._slots.setdefault(tick, set()).add(key)

    def disarm(self, keys: Iterable[ShopperKey]) -> None:
        """Forgets shoppers, armed or not."""
        for key in keys:
            tick = self._due.pop(key, None)
            if tick is not None:
                self._take_out(key, tick)

    def advance(self, now_s: float) -> list[ShopperKey]:
        """Gives the shoppers whose time has come, earliest first, and forgets them."""
        now = int(now_s * TICKS_PER_S)
        if now - self._tick > len(self._slots):
            ticks = sorted(tick for tick in self._slots if tick <= now)
        else:
            ticks = [tick for tick in range(self._tick + 1, now + 1) if tick in self._slots]
        self._tick = max(self._tick, now)
        due: list[ShopperKey] = []
        for tick in ticks:
            for key in sorted(self._slots.pop(tick)):
                del self._due[key]
                due.append(key)
        return due

    def _take_out(self, key: ShopperKey, tick: int) -> None:
        slot = self._slots[tick]
        slot.discard(key)
        if not slot:
            del self._slots[tick]
