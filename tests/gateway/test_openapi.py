"""The OpenAPI document, held against the gateway: what it promises is what is answered, whatever is sent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from gateway.openapi import document
from tests.gateway.standing import DEADLINE_S, Standing

EXAMPLES = 50
BEYOND_SCHEMAS = [
    # No schema says that a shopper id holds no e-mail address, or that a time is plausible.
    positive_data_acceptance,
    # It can't take away the key that is given here for all requests; the table of bad input tries requests without.
    ignored_auth,
]
TOLD = json.loads(document())


class Aside:
    """A gateway on a socket, in a thread with an event loop of its own: the generator of requests blocks."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self.url = ""
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Aside:  # noqa: PYI034 - it is never subclassed
        self._thread.start()
        assert self._started.wait(DEADLINE_S), "the gateway did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _live(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        standing = Standing(self._data)
        await standing.start()
        self.url = f"http://{await standing.listen()}"
        self.headers = standing.shop.secret
        self._started.set()
        await self._stopping.wait()
        await standing.close()


@pytest.fixture(scope="module")
def aside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aside]:
    """The gateway under test."""
    with Aside(tmp_path_factory.mktemp("openapi")) as running:
        yield running


@pytest.fixture(scope="module")
def promised(aside: Aside) -> Any:
    """What the gateway promises."""
    return schemathesis.openapi.from_url(f"{aside.url}/openapi.json")


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, methods in TOLD["paths"].items() for method in methods]
)
def test_answers_are_as_promised(aside: Aside, promised: Any, path: str, method: str) -> None:
    """Whatever is sent, valid or not: a promised status, a body of the promised form, no fault of the server."""

    @hypothesis.given(promised[path][method].as_strategy())
    @hypothesis.settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
    def holds(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=aside.headers, excluded_checks=BEYOND_SCHEMAS, timeout=DEADLINE_S)

    holds()


async def test_every_route_is_described(standing: Standing) -> None:
    """The document has the gateway's own routes and no others, so that none is left out of what is tried here."""
    served = {(path, method) for path, methods in standing.gateway.routes.items() for method in methods}
    assert served - {(path, "HEAD") for path in standing.gateway.routes} == {
        (path, method.upper()) for path, methods in TOLD["paths"].items() for method in methods
    }


@pytest.mark.parametrize("kind", ["suppress", "unsuppress", "erase", "erase_and_suppress"])
def test_a_request_that_is_there_is_told_as_promised(aside: Aside, promised: Any, kind: str) -> None:
    """Random ids find no privacy request: of each kind one is made, and told in the form of its 200."""
    path = "/v1/privacy/requests"
    body = {"kind": kind, "shopper_ids": [f"c-{kind}"]}
    made = promised[path]["POST"].Case(body=body, media_type="application/json")
    answer = made.call_and_validate(headers=aside.headers, excluded_checks=BEYOND_SCHEMAS, timeout=DEADLINE_S)
    assert 202 == answer.status_code
    asked = promised[f"{path}/{{request_id}}"]["GET"].Case(path_parameters={"request_id": answer.json()["request_id"]})
    told = asked.call_and_validate(headers=aside.headers, excluded_checks=BEYOND_SCHEMAS, timeout=DEADLINE_S)
    assert (200, kind) == (told.status_code, told.json()["kind"])


def test_the_document_names_every_path_and_error() -> None:
    """Each path of the interface is described, each event type has its schema, and every reference leads somewhere."""
    assert {
        "/v1/events",
        "/v1/experiences",
        "/v1/subscriptions",
        "/v1/shoppers/lookup",
        "/v1/quotes",
        "/v1/rewards/claims",
        "/v1/campaigns",
        "/v1/campaigns/{campaign_id}",
        "/v1/campaigns/{campaign_id}/history",
        "/v1/campaigns/{campaign_id}/schedule",
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/tracker.js",
    } <= set(TOLD["paths"])
    assert 10 == len(TOLD["components"]["schemas"]["Event"]["anyOf"])
    for reference in _references(TOLD):
        found: Any = TOLD
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found


def _references(value: Any) -> Iterator[str]:
    """Gives every reference in the document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
