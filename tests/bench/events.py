"""The events that the benchmarks post: realistic in size, unique in id, cheap to make."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime

SHOPPERS = 2_000
CATEGORIES = 40
"""More than the benchmark tree has branches for, as in a real shop: most additions lead nowhere."""


class Events:
    """An endless row of single-event requests, ready for the socket.

    Args:
        host: for the `Host` header.
        key: write or secret key.
        shoppers: how many take turns.
    """

    def __init__(self, host: str, key: str, shoppers: int = SHOPPERS) -> None:
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self._head = (
            f"POST /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {basic}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._run = secrets.token_hex(4)
        self._number = 0
        self._shoppers = shoppers

    def next_body(self, shopper: str | None = None) -> tuple[str, str]:
        """Gives the next event's id and JSON."""
        self._number = number = self._number + 1
        event_id = f"{self._run}-0000-7000-8000-{number:012x}"
        name = shopper or f"bench-{number % self._shoppers}"
        return event_id, (
            f'{{"event_id":"{event_id}","type":"AddedToBasket","occurred_at":"{_now()}",'
            f'"shopper_id":"{name}","session_id":"s-{name}",'
            f'"product":{{"product_id":"p-{number % 97}","category_id":"category-{number * 7 % CATEGORIES}",'
            f'"brand":"Bench","price_minor":{100 + number % 50},"currency":"EUR"}},"quantity":1}}'
        )

    def next_request(self) -> bytes:
        """Gives the next request's bytes."""
        return self.request(self.next_body()[1])

    def request(self, body: str) -> bytes:
        """Gives the bytes of a request with this body."""
        return f"{self._head}{len(body)}\r\n\r\n{body}".encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
