"""Quotes over HTTP: what the till may deduct, from the moment of the decision until it is redeemed or over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from domain.errors import PortError
from domain.ids import ShopperKey
from gateway.app import Gateway
from tests.gateway.conftest import Stand
from tests.gateway.standing import Standing, until
from tests.gateway.till import Lines, Till

NO_CHECKPOINT = {"checkpoint_s": 60.0}
MINUTE_MS = 60_000
JSON = {"content-type": "application/json"}
ONE = {"p-pasta": (2, 150)}
NOTHING: Lines = {}


class Away:
    """A store of snapshots that can't be reached."""

    async def load(self, _: Sequence[ShopperKey]) -> Mapping[ShopperKey, bytes]:
        """Fails."""
        raise PortError("the snapshots can't be reached", retriable=True)


@asynccontextmanager
async def client(gateway: Gateway, *, started: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another gateway."""
    if started:
        await gateway.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway") as http:
        yield http
    await gateway.stop()


async def opened(stand: Stand, **settings: Any) -> tuple[Standing, Till]:
    """A shop with both campaigns in force."""
    standing = await stand(**settings)
    till = Till(standing)
    await till.open()
    return standing, till


async def test_from_the_promise_to_the_order(stand: Stand) -> None:
    """A promise is quoted at once, before any checkpoint, as often as asked, until a verified order redeems it."""
    _, till = await opened(stand, **NO_CHECKPOINT)
    experience = await till.promised("c-1")
    expected = [{"experience_id": experience["experience_id"], "campaign_id": "ten", "amount_minor": 30}]
    for _ in range(3):
        assert expected == await till.discounts("c-1", ONE)
    answer = (await till.ask("c-1", ONE)).json()
    assert (30, {"discounts", "total_minor", "as_of"}) == (answer["total_minor"], set(answer))
    assert [] == await till.discounts("c-1", {"p-bread": (2, 150)})
    await till.order("c-1", "o-1", ONE)
    assert [] == await till.discounts("c-1", ONE)

    async def is_committed() -> bool:
        return await till.committed() == 30

    await until(is_committed, "the ledger knows that the order cost what was quoted")


async def test_an_experience_says_when_it_ends_and_so_does_the_quote(stand: Stand) -> None:
    """Half an hour later the promise is over; an order of before that is honoured while it is on its way."""
    standing, till = await opened(stand, **NO_CHECKPOINT)
    await till.promised("c-1")
    paid_at_ms = standing.clock.now_ms()
    standing.clock.shift_ms += 29 * MINUTE_MS
    assert 1 == len(await till.discounts("c-1", ONE))
    standing.clock.shift_ms += 2 * MINUTE_MS
    assert [] == await till.discounts("c-1", ONE)
    await till.order("c-1", "o-1", ONE, at_ms=paid_at_ms)

    async def is_committed() -> bool:
        return await till.committed() == 30

    await until(is_committed, "the late order was granted what was promised when it was paid")


async def test_a_tension_is_quoted_under_the_experience_that_tells_it_now(stand: Stand) -> None:
    """Each change of the basket tells it anew; past the threshold the reward in kind is named, and deducts nothing."""
    _, till = await opened(stand, **NO_CHECKPOINT)
    first = await till.promised("c-1", "wine")
    again = await till.promised("c-1", "wine")
    assert first["experience_id"] != again["experience_id"]
    assert [] == await till.discounts("c-1", {"p-wine": (49, 100)})
    assert [
        {
            "experience_id": again["experience_id"],
            "campaign_id": "free",
            "amount_minor": 0,
            "reward": {"type": "delivery", "label": "free delivery"},
        }
    ] == await till.discounts("c-1", {"p-wine": (50, 100)})


async def test_a_snapshot_is_enough(stand: Stand) -> None:
    """A gateway that was started after the checkpoint knows of promises, and of what was redeemed since."""
    standing, till = await opened(stand, checkpoint_s=0.1)
    await till.promised("c-1")

    async def is_saved() -> bool:
        found = await standing.ask("/v1/shoppers/lookup", "c-1")
        return found.status_code == 200 and len(found.json()["promises"]) == 1

    await until(is_saved, "a checkpoint has the promise")
    async with client(standing.another()) as http:
        answers = [await till.ask("c-1", ONE, http=http)]
        await till.order("c-1", "o-1", ONE)
        answers.append(await till.ask("c-1", ONE, http=http))
    assert [30, 0] == [answer.json()["total_minor"] for answer in answers]
    await until(is_redeemed(standing), "a checkpoint has the order")


def is_redeemed(standing: Standing) -> Any:
    """Whether the lookup tells the promise as redeemed."""

    async def tell() -> bool:
        promises = (await standing.ask("/v1/shoppers/lookup", "c-1")).json()["promises"]
        return [one["state"] for one in promises] == ["redeemed"]

    return tell


async def test_nobody_sees_another_retailers_promises(stand: Stand) -> None:
    """The other retailer's shopper of the same id is another shopper, who was never seen."""
    standing, till = await opened(stand, **NO_CHECKPOINT)
    await till.promised("c-1")
    answer = await till.ask("c-1", ONE, shop=standing.other)
    assert (200, []) == (answer.status_code, answer.json()["discounts"])


async def test_a_new_customer_pays_the_price(standing: Standing) -> None:
    """A shopper who was never seen, and a basket without lines, get no discounts and no error."""
    till = Till(standing)
    for lines in (ONE, NOTHING):
        answer = await till.ask("nobody-yet", lines)
        assert (200, [], 0) == (answer.status_code, answer.json()["discounts"], answer.json()["total_minor"])


async def test_without_its_stores_there_is_no_quote(standing: Standing) -> None:
    """Snapshots away, or decisions not followed yet: 503, and when to ask again."""
    till = Till(standing)
    away = Gateway(standing.stores()._replace(snapshots=Away()), standing.keys, standing.settings)  # type: ignore[arg-type]  # all that is asked of it
    for gateway, started in ((away, True), (standing.another(), False)):
        async with client(gateway, started=started) as http:
            answer = await till.ask("c-1", ONE, http=http)
        assert (503, "store_unavailable") == (answer.status_code, answer.json()["error"])
        assert int(answer.headers["retry-after"]) >= 1
    assert 1 == standing.counted("gateway_errors_total", what="snapshot")


async def test_a_promise_that_may_be_missing_is_never_denied(stand: Stand) -> None:
    """Where memory is too small for what was not saved yet, the till is told to ask again, and gets its answer then."""
    _, till = await opened(stand, **NO_CHECKPOINT, recent_max=2)
    await till.promised("c-1")
    await till.promised("c-2")
    answers = [await till.ask(shopper, ONE) for shopper in ("c-1", "c-2", "c-3")]
    assert [503, 200, 200] == [answer.status_code for answer in answers]
    # The worker's last act is a checkpoint.
    till.worker.stop()

    async def is_quoted() -> bool:
        answer = await till.ask("c-1", ONE)
        return answer.status_code == 200 and answer.json()["total_minor"] == 30

    await until(is_quoted, "a snapshot has what memory has not")


LINE = {"product_id": "p-1", "quantity": 1, "price_minor": 1}
BAD: list[tuple[str, Any, str, str | None]] = [
    ("no shopper", {"lines": []}, "missing_field", "$.shopper_id"),
    ("no lines", {"shopper_id": "c-1"}, "missing_field", "$.lines"),
    ("an address", {"shopper_id": "a@b.example", "lines": []}, "personal_data", "$.shopper_id"),
    ("a number as shopper", {"shopper_id": 7, "lines": []}, "invalid_value", "$.shopper_id"),
    ("more than asked for", {"shopper_id": "c-1", "lines": [], "coupon": 1}, "unknown_field", "$.coupon"),
    ("too many lines", {"shopper_id": "c-1", "lines": [LINE] * 5_001}, "invalid_value", "$.lines"),
    (
        "less than nothing",
        {"shopper_id": "c-1", "lines": [LINE | {"price_minor": -1}]},
        "invalid_value",
        "$.lines[0].price_minor",
    ),
    (
        "no pieces",
        {"shopper_id": "c-1", "lines": [LINE, LINE | {"quantity": 0}]},
        "invalid_value",
        "$.lines[1].quantity",
    ),
    ("a colour", {"shopper_id": "c-1", "lines": [LINE | {"colour": "red"}]}, "unknown_field", "$.lines[0].colour"),
    ("a list", [], "not_an_object", None),
]


@pytest.mark.parametrize(("name", "body", "error", "path"), BAD, ids=[case[0] for case in BAD])
async def test_what_is_no_basket(standing: Standing, name: str, body: Any, error: str, path: str | None) -> None:
    """400 with the first fault and its place."""
    answer = await standing.http.post("/v1/quotes", json=body, headers=standing.shop.secret)
    assert (400, error, path) == (answer.status_code, answer.json()["error"], answer.json().get("path")), name


async def test_as_many_lines_as_an_order_has(standing: Standing) -> None:
    """5,000 lines are quoted; a body beyond that of events is refused; the write key may not ask at all."""
    lines = [LINE | {"product_id": f"p-{number}"} for number in range(5_000)]
    body = {"shopper_id": "c-1", "lines": lines}
    asked = [
        await standing.http.post("/v1/quotes", json=body, headers=standing.shop.secret),
        await standing.http.post("/v1/quotes", content=b" " * 600_000, headers=standing.shop.secret | JSON),
        await standing.http.post("/v1/quotes", json=body, headers=standing.shop.write),
    ]
    assert [200, 413, 403] == [answer.status_code for answer in asked]
