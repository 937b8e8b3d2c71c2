"""How many events a key may post: a token bucket each, checked before anything of a request is accepted."""

from __future__ import annotations


class Bucket:
    """Allows `per_s` events a second on average, and a burst of one second's worth.

    Args:
        per_s: events a second.
        now_s: monotonic seconds.
    """

    __slots__ = ("_at_s", "_left", "_per_s")

    def __init__(self, per_s: int, now_s: float) -> None:
        self._per_s = float(per_s)
        self._left = float(per_s)
        self._at_s = now_s

    def take(self, events: int, now_s: float) -> float:
        """Takes `events` out, or nothing.

        A request larger than a full bucket passes when the bucket is full and leaves a debt: refusing it would refuse
        it for ever.

        Returns:
            0.0 if they were taken, else the seconds until they could be.
        """
        per_s = self._per_s
        left = self._left
        if now_s > self._at_s:
            # Requests end in another order than they began: the bucket's time never goes back.
            left = min(per_s, left + (now_s - self._at_s) * per_s)
            self._at_s = now_s
        if left >= events or left == per_s:
            self._left = left - events
            return 0.0
        self._left = left
        return (min(events, per_s) - left) / per_s
