"""CORS: what a browser is told, so that a listed shop's page may post and listen."""

from __future__ import annotations

import pytest

from tests.gateway.standing import FOREIGN_ORIGIN, ORIGIN, OTHER_ORIGIN, Standing, added

ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}


@pytest.mark.parametrize("path", ["/v1/events", "/v1/experiences", "/v1/subscriptions", "/tracker.js"])
@pytest.mark.parametrize("origin", [ORIGIN, OTHER_ORIGIN])
async def test_a_preflight_of_a_listed_origin(standing: Standing, path: str, origin: str) -> None:
    """The browser learns what the page may send, for any origin that some retailer lists."""
    answer = await standing.http.options(path, headers={"origin": origin, **ASKS})
    assert (204, b"") == (answer.status_code, answer.content)
    assert {
        "access-control-allow-origin": origin,
        "vary": "Origin",
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": (
            "authorization, content-type, content-encoding, prefer, x-hotbasket-subscription, traceparent"
        ),
        "access-control-max-age": "7200",
    } == dict(answer.headers)


async def test_a_preflight_of_a_foreign_origin(standing: Standing) -> None:
    """An origin that nobody lists is told so, and gets no permission."""
    answer = await standing.http.options("/v1/events", headers={"origin": FOREIGN_ORIGIN, **ASKS})
    assert (403, "origin_not_listed") == (answer.status_code, answer.json()["error"])
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_preflight_of_nothing(standing: Standing) -> None:
    """A path that is not there has no preflight."""
    answer = await standing.http.options("/v1/nothing", headers={"origin": ORIGIN, **ASKS})
    assert (404, ORIGIN) == (answer.status_code, answer.headers["access-control-allow-origin"])


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (200, "GET", "/health/live"),
        (200, "GET", "/tracker.js"),
        (200, "GET", "/openapi.json"),
        (404, "GET", "/v1/nothing"),
        (405, "PUT", "/v1/events"),
        (401, "POST", "/v1/events"),
        (401, "GET", "/v1/experiences"),
    ],
)
async def test_every_answer_to_a_listed_origin_can_be_read(
    standing: Standing, status: int, method: str, path: str
) -> None:
    """A page reads every answer, errors included, and when to come back; a foreign page reads none."""
    answer = await standing.http.request(method, path, headers={"origin": ORIGIN})
    assert (status, ORIGIN) == (answer.status_code, answer.headers["access-control-allow-origin"])
    assert "Retry-After" == answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    foreign = await standing.http.request(method, path, headers={"origin": FOREIGN_ORIGIN})
    assert (status, False) == (foreign.status_code, "access-control-allow-origin" in foreign.headers)


async def test_events_of_a_page(standing: Standing) -> None:
    """The page that posted may read what became of its events, stored or refused."""
    for event, status in ((added(), 200), (added(quantity=0), 400)):
        answer = await standing.post(event, {"origin": ORIGIN, **standing.shop.write})
        assert (status, ORIGIN) == (answer.status_code, answer.headers["access-control-allow-origin"])
    refused = await standing.post(added(), {"origin": OTHER_ORIGIN, **standing.shop.write})
    assert (403, OTHER_ORIGIN) == (refused.status_code, refused.headers["access-control-allow-origin"])
