"""Shoppers who go on shopping at every gateway of a production system, whatever is done to it and to them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

from tests.gateway.standing import added
from tests.integration.test_privacy import Shop

GATEWAYS = (0, 1)
_PAUSE_S = 0.03


class Shoppers:
    """Shoppers who put pasta into their baskets, in turns, at one gateway.

    Attributes:
        stored: ids of the events that were acknowledged, by shopper.
        became: how often each answer came.
    """

    def __init__(self, shop: Shop, gateway: int, shopper_ids: Sequence[str]) -> None:
        self.stored: dict[str, list[str]] = {shopper_id: [] for shopper_id in shopper_ids}
        self.became: Counter[str] = Counter()
        self._shop = shop
        self._gateway = gateway

    def live(self, closing: threading.Event) -> None:
        """Posts until the shop closes; what can't be taken now is sent again under its id."""
        for shopper_id in cycle(self.stored):
            event = added("pasta", shopper_id)
            while (asked := self._shop.ask(self._gateway, "/v1/events", event))[0] == 503:
                time.sleep(_PAUSE_S)
            assert 200 == asked[0], asked
            became = asked[1]["results"][0]["status"]
            self.became[became] += 1
            if became == "stored":
                self.stored[shopper_id].append(event["event_id"])
            if closing.wait(_PAUSE_S):
                return


class Shopping:
    """Groups of shoppers, each at both gateways.

    Args:
        shop: where.
        groups: ids of shoppers.
    """

    def __init__(self, shop: Shop, *groups: Sequence[str]) -> None:
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(max_workers=len(groups) * len(GATEWAYS) + 1)
        self._groups = [[Shoppers(shop, gateway, group) for gateway in GATEWAYS] for group in groups]
        self._lives = [self._threads.submit(one.live, self._closing) for group in self._groups for one in group]

    def beside(self, work: Callable[[], None]) -> Future[None]:
        """Does something else meanwhile."""
        return self._threads.submit(work)

    def close(self) -> None:
        """Ends when every event in flight has its answer; what went wrong is raised here."""
        self._closing.set()
        self._threads.shutdown()
        for life in self._lives:
            life.result()

    def stored(self, group: int) -> dict[str, set[str]]:
        """Gives the ids of a group's acknowledged events, by shopper."""
        found: dict[str, set[str]] = {}
        for shoppers in self._groups[group]:
            for shopper_id, event_ids in shoppers.stored.items():
                found.setdefault(shopper_id, set()).update(event_ids)
        return found

    def became(self, group: int) -> Counter[str]:
        """Counts what became of a group's events."""
        return sum((one.became for one in self._groups[group]), Counter())


@contextmanager
def shopping(shop: Shop, *groups: Sequence[str]) -> Iterator[Shopping]:
    """Shoppers shop until the block ends."""
    going_on = Shopping(shop, *groups)
    try:
        yield going_on
    finally:
        going_on.close()
