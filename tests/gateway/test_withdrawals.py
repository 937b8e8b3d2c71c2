"""Consent that ends where the retailer wants an erasure then: one request for what comes within a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec.structs import replace

from domain.errors import PortError
from domain.ids import shopper_digest, withdrawal_event_id, withdrawals_request_id
from domain.ports.audit_trail import AuditEntry
from domain.ports.privacy_requests import PrivacyRequests, Request, Subject
from domain.ports.retailers import OnWithdrawal
from gateway import withdrawals
from gateway.app import Gateway
from tests.gateway.conftest import Stand
from tests.gateway.standing import Standing, added, until
from tests.gateway.test_app import client
from tests.gateway.test_privacy import statuses

GPC = {"sec-gpc": "1"}
WITHDRAWN = ("dropped", "no_consent")
UNAVAILABLE = (503, "erasure_unavailable", "1")
AWAY = PortError("Postgres at 10.0.0.7:5432/control: it can't be used now", retriable=True)


class Held:
    """The requests of a gateway, which a test may hold up or let fail; the list is never longer than at first.

    Attributes:
        may_open: cleared, calls wait.
        fault: what they raise.
        opened: the ids that were asked for.
    """

    def __init__(self, requests: PrivacyRequests) -> None:
        self._requests = requests
        self._listed = requests.suppressed()
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.fault: Exception | None = None
        self.opened: list[str] = []

    def suppressed(self) -> Any:
        """Gives an old list, as a gateway of production does for two seconds."""
        return self._listed

    async def open(self, request: Request, subjects: Sequence[Subject]) -> Request:
        """Opens it, when it may."""
        self.opened.append(request.request_id)
        await self.may_open.wait()
        if self.fault is not None:
            raise self.fault
        return await self._requests.open(request, subjects)


class Broken:
    """A trail that can't be written."""

    async def append(self, _: AuditEntry) -> None:
        """Fails, as a port does."""
        raise AWAY


async def ruled(standing: Standing, rule: OnWithdrawal) -> None:
    """Sets the shop's rule."""
    await standing.ports.retailers.change(replace(standing.shop.retailer, on_withdrawal=rule))


def holding(standing: Standing) -> tuple[Gateway, Held]:
    """Gives another gateway, whose requests are held."""
    held = Held(standing.ports.privacy)
    stores = standing.stores()._replace(privacy=held)  # type: ignore[arg-type]  # only what is asked
    return Gateway(stores, standing.keys, standing.settings), held


def denied(shopper_id: str = "c-7") -> Any:
    """An event that ends consent."""
    return added("pasta", shopper_id, consent="denied")


def named(standing: Standing, shopper_id: str) -> str:
    """How requests name a shopper."""
    return shopper_digest(standing.ports.identity.privacy_key("r-shop"), standing.key(shopper_id).shopper)


def request_id(standing: Standing, *events: Any) -> str:
    """The id of the erasure that these events begin together."""
    withdrawn = [
        (withdrawal_event_id(UUID(event["event_id"])), named(standing, event["shopper_id"])) for event in events
    ]
    return str(withdrawals_request_id("r-shop", withdrawn))


async def erased(standing: Standing) -> list[set[str]]:
    """The digests of each erasure that is open."""
    pending = await standing.ports.privacy.pending()
    assert {"erase"} >= {one.kind for one in pending}
    return [{one.digest for one in await standing.ports.privacy.subjects(request.request_id)} for request in pending]


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """What a refused request is told."""
    return answer.status_code, answer.json()["error"], answer.headers["retry-after"]


@pytest.mark.parametrize("is_gpc", [False, True])
@pytest.mark.parametrize(
    ("rule", "key", "is_erased"),
    [
        ("keep", "write", False),
        ("keep", "secret", False),
        ("erase_verified", "write", False),
        ("erase_verified", "secret", True),
        ("erase", "write", True),
        ("erase", "secret", True),
    ],
)
async def test_the_retailers_rule_decides(
    standing: Standing, rule: OnWithdrawal, key: str, is_erased: bool, is_gpc: bool
) -> None:
    """Never, by a key that no page knows, or always; said by the event or by the browser."""
    await ruled(standing, rule)
    headers = standing.shop.secret if key == "secret" else standing.shop.write
    event = added("pasta", "c-7") if is_gpc else denied()
    answer = await standing.post(event, {**headers, **(GPC if is_gpc else {})})
    assert [WITHDRAWN] == statuses(answer)
    assert ([{named(standing, "c-7")}] if is_erased else []) == await erased(standing)
    assert ["ConsentWithdrawn"] == [type(record.event).__name__ for record in await standing.stored()]
    assert float(is_erased) == standing.counted("erased_on_withdrawal_total", outcome="begun")
    after = added("pasta", "c-7", consent="granted")
    assert [("dropped", "suppressed") if is_erased else ("stored", None)] == statuses(await standing.post(after))
    assert [("stored", None)] == statuses(await standing.post(added("pasta", "c-8")))


async def test_what_comes_together_is_one_request(standing: Standing) -> None:
    """A hundred shoppers in two hundred events: one request, one entry of the trail, and every answer waits for it."""
    await ruled(standing, "erase")
    shoppers = [f"c-{number}" for number in range(100)]
    sent = [standing.post(denied(shopper)) for shopper in shoppers]
    sent += [standing.post({"events": [denied(shopper), added("wine", "c-stays")]}) for shopper in shoppers]
    answers = await asyncio.gather(*sent)
    assert {("dropped", "no_consent"), ("stored", None)} == {one for answer in answers for one in statuses(answer)}
    assert [{named(standing, shopper) for shopper in shoppers}] == await erased(standing)
    (request,) = await standing.ports.privacy.pending()
    (entry,) = await standing.ports.audit.read("r-shop", 0, 10)
    assert ("withdrawal", "privacy.erase", f"privacy request {request.request_id}", "done") == (
        entry.who,
        entry.action,
        entry.target,
        entry.outcome,
    )
    assert 100 == standing.counted("erased_on_withdrawal_total", outcome="begun")


async def test_consent_given_again_takes_it_back(standing: Standing) -> None:
    """Of one request the last word about a shopper counts."""
    await ruled(standing, "erase")
    granted = added("pasta", "c-7", consent="granted")
    await standing.post({"events": [denied("c-7"), granted, denied("c-8"), added("pasta", "c-9")]})
    assert [{named(standing, "c-8")}] == await erased(standing)


async def test_without_the_control_store_it_is_sent_again(standing: Standing) -> None:
    """503 and a hint; nothing else suffers, decisions stop all the same, and the retry begins what failed."""
    await ruled(standing, "erase")
    gateway, held = holding(standing)
    held.fault = AWAY
    event = denied()
    async with client(gateway) as http:

        async def post(body: Any) -> httpx.Response:
            return await http.post("/v1/events", json=body, headers=standing.shop.write)

        failed = await post(event)
        assert UNAVAILABLE == refusal(failed)
        assert "10.0.0.7" not in failed.text
        assert [("stored", None)] == statuses(await post(added("pasta", "c-8")))
        held.fault = None
        assert [WITHDRAWN] == statuses(await post(event))
    stored = [record.event for record in await standing.stored()]
    assert ["ConsentWithdrawn", "AddedToBasket", "ConsentWithdrawn"] == [type(one).__name__ for one in stored]
    assert stored[0].event_id == stored[2].event_id
    assert [{named(standing, "c-7")}] == await erased(standing)
    assert ["failed", "done"] == [one.outcome for one in await standing.ports.audit.read("r-shop", 0, 10)]
    assert (1, 1) == tuple(
        standing.counted("erased_on_withdrawal_total", outcome=outcome) for outcome in ("failed", "begun")
    )
    assert 1 == standing.counted("events_total", type="ConsentWithdrawn", outcome="retry")


async def test_a_retry_finds_the_same_request(standing: Standing) -> None:
    """At a gateway that has not heard of the list too: the id is made from the withdrawal; elsewhere it is dropped."""
    await ruled(standing, "erase")
    event = denied()
    assert [WITHDRAWN] == statuses(await standing.post(event))
    gateway, held = holding(standing)
    held._listed = held._listed._replace(digests={})
    async with client(gateway) as http:
        again = await http.post("/v1/events", json=event, headers=standing.shop.write)
    assert [WITHDRAWN] == statuses(again)
    assert [request_id(standing, event)] == held.opened
    assert [request_id(standing, event)] == [one.request_id for one in await standing.ports.privacy.pending()]
    assert [("dropped", "suppressed")] == statuses(await standing.post(event))


async def test_a_store_that_hangs_holds_up_nobody_else(stand: Stand) -> None:
    """Who waits is answered in time; others withdraw meanwhile, into one request that follows the first."""
    standing = await stand(append_timeout_s=0.2)
    await ruled(standing, "erase")
    gateway, held = holding(standing)
    held.may_open.clear()
    first, others = denied("c-1"), [denied(f"c-{number}") for number in (2, 3, 4)]
    async with client(gateway) as http:

        async def post(body: Any) -> httpx.Response:
            return await http.post("/v1/events", json=body, headers=standing.shop.write)

        assert UNAVAILABLE == refusal(await post(first))
        assert [UNAVAILABLE] * 3 == [refusal(one) for one in await asyncio.gather(*map(post, others))]
        assert [("stored", None)] == statuses(await post(added("pasta", "c-8")))
        assert [request_id(standing, first)] == held.opened
        held.may_open.set()

        async def both() -> bool:
            return 2 == len(await erased(standing))

        await until(both, "the second request is open")
        assert [WITHDRAWN] == statuses(await post(first))
    assert [request_id(standing, first), request_id(standing, *others), request_id(standing, first)] == held.opened
    await gateway.stop()


async def test_a_stop_gives_up_what_hangs(stand: Stand) -> None:
    """Nobody waits any more, and nothing is left running."""
    standing = await stand(append_timeout_s=0.1)
    await ruled(standing, "erase")
    gateway, held = holding(standing)
    held.may_open.clear()
    async with client(gateway) as http:
        assert UNAVAILABLE == refusal(await http.post("/v1/events", json=denied(), headers=standing.shop.write))
    await gateway.stop()
    assert [] == [task for task in asyncio.all_tasks() if task.get_name() == "gateway-withdrawals"]
    assert [] == await erased(standing)


async def test_a_full_group_is_followed_by_another(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request takes no more shoppers than one may; who came for both waits for both."""
    monkeypatch.setattr(withdrawals, "SUBJECTS_MAX", 3)
    await ruled(standing, "erase")
    answer = await standing.post({"events": [denied(f"c-{number}") for number in range(7)]})
    assert [WITHDRAWN] * 7 == statuses(answer)
    digests = [named(standing, f"c-{number}") for number in range(7)]
    assert [set(digests[:3]), set(digests[3:6]), set(digests[6:])] == await erased(standing)


async def test_how_many_may_wait_is_bounded(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is asked to come again, and does when the others have gone."""
    monkeypatch.setattr(withdrawals, "WAITING_MAX", 2)
    await ruled(standing, "erase")
    two = asyncio.create_task(standing.post({"events": [denied("c-1"), denied("c-2")]}))

    async def are_stored() -> bool:
        return 2 == len(await standing.stored())

    await until(are_stored, "two wait")
    assert UNAVAILABLE == refusal(await standing.post(denied("c-3")))
    assert [WITHDRAWN] * 2 == statuses(await two)
    assert [WITHDRAWN] == statuses(await standing.post(denied("c-3")))
    assert 2 == len(await erased(standing))


async def test_a_bug_is_that_groups_answer(standing: Standing, caplog: pytest.LogCaptureFixture) -> None:
    """Logged with its traceback, counted, without the shopper's id or hash; the next group is served."""
    await ruled(standing, "erase")
    gateway, held = holding(standing)
    held.fault = RuntimeError("a bug")
    async with client(gateway) as http:
        assert UNAVAILABLE == refusal(await http.post("/v1/events", json=denied(), headers=standing.shop.write))
        held.fault = None
        assert 200 == (await http.post("/v1/events", json=denied(), headers=standing.shop.write)).status_code
    assert 1 == standing.counted("gateway_errors_total", what="withdrawals")
    assert "RuntimeError: a bug" in caplog.text
    assert [] == [name for name in ("c-7", standing.key("c-7").shopper) if name in caplog.text]


@pytest.mark.parametrize("missing", ["privacy", "audit", "keys"])
async def test_what_can_not_be_asked_or_written_down_is_not_done_silently(standing: Standing, missing: str) -> None:
    """A gateway without requests, trail or privacy keys acknowledges no withdrawal that should erase."""
    await ruled(standing, "erase")
    trail: Any = Broken()
    stores, keys = standing.stores(), standing.keys
    if missing == "privacy":
        stores = stores._replace(privacy=None)
    elif missing == "audit":
        stores = stores._replace(audit=trail)
    else:
        keys = keys._replace(privacy_key=None)
    async with client(Gateway(stores, keys, standing.settings)) as http:
        assert UNAVAILABLE == refusal(await http.post("/v1/events", json=denied(), headers=standing.shop.write))
        await ruled(standing, "keep")
        answer = await http.post("/v1/events", json=denied("c-8"), headers=standing.shop.write)
        assert [WITHDRAWN] == statuses(answer)
