"""Puts events into Kafka's log without a gateway, at once or at a pace: what a worker or archiver is measured with."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from hashlib import sha256

import msgspec
import uvloop

from adapters.clock import SystemClock
from adapters.kafka.open import KafkaLogs, open_logs
from adapters.settings import load_settings
from domain.records import Record, encode
from monitoring.metrics import Metrics
from tests.bench.events import CATEGORIES
from tests.story import record

_AT_ONCE = 2_000
_TICK_S = 0.01


def records(retailer_id: str, shoppers: int, first: int, count: int) -> list[Record]:
    """Gives additions to baskets as the gateway stores them, shoppers in turns."""
    now_ms = int(time.time() * 1_000)
    made = []
    for number in range(first, first + count):
        one = _TEMPLATES[number % len(_TEMPLATES)]
        shopper = sha256(b"fill-%d" % (number % shoppers)).hexdigest()
        event = msgspec.structs.replace(one.event, event_id=uuid.uuid4(), shopper_id=shopper)
        made.append(
            msgspec.structs.replace(
                one, retailer_id=retailer_id, received_at_ms=now_ms, event_time_ms=now_ms, event=event
            )
        )
    return made


def _template(number: int) -> Record:
    product = {
        "product_id": f"p-{number % 97}",
        "category_id": f"category-{number * 7 % CATEGORIES}",
        "brand": "Bench",
        "price_minor": 100 + number % 50,
        "currency": "EUR",
    }
    session = f"s-bench-{number}"
    return record("AddedToBasket", 0, number, session_id=session, product=product, quantity=1)


_TEMPLATES = [_template(number) for number in range(97)]
RECORD_BYTES = len(encode(records("r-0123456789abcdef", 1, 0, 1)[0]))


async def _at_once(logs: KafkaLogs, retailer_id: str, shoppers: int, count: int) -> None:
    for first in range(0, count, _AT_ONCE):
        await logs.events.append(records(retailer_id, shoppers, first, min(_AT_ONCE, count - first)))


async def _paced(logs: KafkaLogs, retailer_id: str, shoppers: int, rate: float, seconds: float) -> None:
    start_s, sent = time.perf_counter(), 0
    while (passed_s := time.perf_counter() - start_s) < seconds:
        due = int(passed_s * rate) - sent
        if due:
            await logs.events.append(records(retailer_id, shoppers, sent, due))
            sent += due
        await asyncio.sleep(_TICK_S)


async def _fill(options: argparse.Namespace) -> None:
    logs = await open_logs(load_settings(), Metrics(), SystemClock(), group="hot", member=None)
    try:
        if options.rate:
            await _paced(logs, options.retailer, options.shoppers, options.rate, options.seconds)
        else:
            await _at_once(logs, options.retailer, options.shoppers, options.count)
    finally:
        await logs.close()


def main() -> None:
    """Fills the log that the settings name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("retailer")
    parser.add_argument("--shoppers", type=int, default=20_000)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=0, help="events a second; 0 = all at once")
    parser.add_argument("--seconds", type=float, default=10)
    uvloop.run(_fill(parser.parse_args()))
    print(json.dumps({"record_bytes": RECORD_BYTES}))


if __name__ == "__main__":
    main()
