"""What bad input gets: status, `error` and `path`, and proof that nothing else was harmed."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import uuid4

import jwt
import pytest

from tests.gateway.standing import (
    FOREIGN_ORIGIN,
    ORIGIN,
    OTHER_ORIGIN,
    Shop,
    Standing,
    added,
    basic,
    until,
)

SHOP, OTHER = Shop("shop", ORIGIN), Shop("other", OTHER_ORIGIN)
TOO_LARGE = 33 * 1_024


class Bad(NamedTuple):
    """A request, and what it gets.

    Attributes:
        body: bytes, or what its JSON says.
        headers: beside content-type and the write key; None takes one away.
        params: of the query.
        challenge: whether the answer has to say how to authenticate.
    """

    name: str
    status: int
    error: str
    path: str | None = None
    body: Any = None
    headers: Mapping[str, str | None] = MappingProxyType({})
    params: Mapping[str, str] = MappingProxyType({})

    @property
    def content(self) -> bytes:
        """The bytes to send."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(added() if self.body is None else self.body).encode()

    def all_headers(self) -> dict[str, str]:
        """The headers to send."""
        headers = {"content-type": "application/json", **SHOP.write, **self.headers}
        return {name: value for name, value in headers.items() if value is not None}


def product(**fields: Any) -> Any:
    """Gives an event with these fields of its product."""
    return added() | {"product": {"product_id": "p-1"} | fields}


def raw(old: bytes, new: bytes) -> bytes:
    """Gives an event's JSON with a part of it replaced, for what `json` would not write."""
    written = json.dumps(added()).encode()
    assert old in written
    return written.replace(old, new)


def searched(query: str) -> Any:
    """Gives a search."""
    return {name: value for name, value in added().items() if name != "product"} | {
        "type": "ProductsSearched",
        "query": query,
    }


def without(name: str) -> Any:
    """Gives an event that lacks a field."""
    return {field: value for field, value in added().items() if field != name}


GZIPPED: Mapping[str, str | None] = {"content-encoding": "gzip"}
WHOLE = gzip.compress(json.dumps(added()).encode())
NO_KEY: dict[str, str | None] = {"authorization": None}

BODIES = [
    Bad("empty", 400, "empty_body", body=b""),
    Bad("white space", 400, "empty_body", body=b" \n"),
    Bad("not JSON", 400, "invalid_json", body=b"basket=pasta"),
    Bad("cut JSON", 400, "invalid_json", body=json.dumps(added()).encode()[:-20]),
    Bad("a text", 400, "not_an_object", body=b'"pasta"'),
    Bad("a list", 400, "not_an_object", body=[added()]),
    Bad("a number", 400, "not_an_object", body=b"7"),
    Bad("null", 400, "not_an_object", body=b"null"),
    Bad("no events", 400, "no_events", "$.events", body={"events": []}),
    Bad("an empty object", 400, "no_events", body={}),
    Bad("events is no list", 400, "no_events", "$.events", body={"events": 7}),
    Bad("naive sent_at", 400, "invalid_sent_at", "$.sent_at", {"events": [added()], "sent_at": "2026-01-01T00:00:00"}),
    Bad(
        "absurd sent_at", 400, "invalid_sent_at", "$.sent_at", {"events": [added()], "sent_at": "1970-01-01T00:00:00Z"}
    ),
    Bad("unknown beside events", 400, "unknown_field", "$.shop", {"events": [added()], "shop": 1}),
    Bad("invalid UTF-8", 400, "invalid_utf8", body=raw(b'"c-1842"', b'"c-\xff"')),
    Bad("5,000 levels deep", 400, "too_deep", body=raw(b'"c-1842"', b"[" * 5_000 + b"]" * 5_000)),
    Bad("100 levels deep", 400, "too_deep", body=raw(b'"c-1842"', b"[" * 100 + b"]" * 100)),
    Bad("broken gzip", 400, "broken_gzip", body=b"\x1f\x8bnonsense", headers=GZIPPED),
    Bad("cut gzip", 400, "broken_gzip", body=WHOLE[:-9], headers=GZIPPED),
    Bad("rubbish behind the gzip", 400, "broken_gzip", body=WHOLE + b"rubbish", headers=GZIPPED),
    Bad("no gzip at all", 400, "broken_gzip", headers=GZIPPED),
    Bad("zlib, no gzip", 400, "broken_gzip", body=zlib.compress(json.dumps(added()).encode()), headers=GZIPPED),
    Bad("gzip bomb", 413, "body_too_large", body=gzip.compress(b" " * 50_000_000), headers=GZIPPED),
    Bad("nothing in the gzip", 400, "empty_body", body=gzip.compress(b""), headers=GZIPPED),
    Bad("501 KB", 413, "body_too_large", body=b" " * (501 * 1_024)),
    Bad("a form", 415, "unsupported_content_type", headers={"content-type": "application/x-www-form-urlencoded"}),
    Bad("no content type", 415, "unsupported_content_type", headers={"content-type": None}),
    Bad("another charset", 415, "unsupported_content_type", headers={"content-type": "text/plain; charset=latin-1"}),
    Bad("brotli", 415, "unsupported_content_encoding", headers={"content-encoding": "br"}),
]
EVENTS = [
    Bad("33 KB event", 400, "too_large", "$", added(session_id="s" * TOO_LARGE)),
    Bad("wrong type of a field", 400, "invalid_value", "$.quantity", added(quantity="two")),
    Bad("quantity 0", 400, "invalid_value", "$.quantity", added(quantity=0)),
    Bad("quantity negative", 400, "invalid_value", "$.quantity", added(quantity=-1)),
    Bad("quantity fractional", 400, "invalid_value", "$.quantity", added(quantity=1.5)),
    Bad("quantity huge", 400, "invalid_value", "$.quantity", added(quantity=10**30)),
    Bad("NaN", 400, "invalid_json", None, added(quantity=float("nan"))),
    Bad("unknown type", 400, "unknown_type", "$.type", added(type="BasketEmptied")),
    Bad("internal type", 400, "internal_type", "$.type", added(type="IdleElapsed")),
    Bad("no type", 400, "missing_field", "$.type", without("type")),
    Bad("unknown field", 400, "unknown_field", "$.colour", added(colour="red")),
    Bad("unknown field deeper", 400, "unknown_field", "$.product.colour", product(colour="red")),
    Bad("name", 400, "personal_data", "$.name", added(name="Ada")),
    Bad("email", 400, "personal_data", "$.email", added(email="ada@example.com")),
    Bad("age, deeper", 400, "personal_data", "$.product.age", product(age=36)),
    Bad("no id", 400, "missing_field", "$.event_id", without("event_id")),
    Bad("bad UUID", 400, "invalid_value", "$.event_id", added(event_id="4711")),
    Bad("no shopper", 400, "missing_field", "$.shopper_id", without("shopper_id")),
    Bad("empty shopper", 400, "invalid_value", "$.shopper_id", added(shopper_id="")),
    Bad("long shopper", 400, "invalid_value", "$.shopper_id", added(shopper_id="c" * 129)),
    Bad("e-mail as shopper", 400, "personal_data", "$.shopper_id", added(shopper_id="ada@example.com")),
    Bad("naive time", 400, "invalid_value", "$.occurred_at", added(occurred_at="2026-11-23T09:00:00")),
    Bad("no time", 400, "invalid_value", "$.occurred_at", added(occurred_at="yesterday")),
    Bad("absurdly early", 400, "invalid_value", "$.occurred_at", added(occurred_at="1999-12-31T23:59:59Z")),
    Bad("absurdly late", 400, "invalid_value", "$.occurred_at", added(occurred_at="2099-01-01T00:00:00Z")),
    Bad("lone surrogate", 400, "invalid_value", "$.shopper_id", raw(b'"c-1842"', b'"c-\\ud800"')),
    Bad("control character", 400, "invalid_value", "$.shopper_id", added(shopper_id="c-\u0007")),
    Bad("long query", 400, "invalid_value", "$.query", searched("pasta " * 40)),
    Bad("in a batch", 400, "invalid_value", "$.events[0].quantity", {"events": [added(quantity=0)]}),
    Bad("no object in a batch", 400, "invalid_value", "$.events[0]", {"events": [7]}),
]
ACCESS = [
    Bad("no key", 401, "unauthorized", headers=NO_KEY),
    Bad("wrong key", 401, "unauthorized", headers=dict(basic("nobody's"))),
    Bad("empty key", 401, "unauthorized", headers=dict(basic(""))),
    Bad("a password", 401, "unauthorized", headers=dict(basic(SHOP.write_key, "secret"))),
    Bad("no base64", 401, "unauthorized", headers={"authorization": "Basic !!!"}),
    Bad("no UTF-8", 401, "unauthorized", headers={"authorization": f"Basic {b64encode(bytes([255, 254])).decode()}"}),
    Bad("another scheme", 401, "unauthorized", headers={"authorization": f"Bearer {SHOP.write_key}"}),
    Bad("empty Authorization", 401, "unauthorized", headers={"authorization": ""}),
    Bad("wrong key in the query", 401, "unauthorized", headers=NO_KEY, params={"write_key": "nobody's"}),
    Bad("secret key in the query", 401, "unauthorized", headers=NO_KEY, params={"write_key": SHOP.secret_key}),
    Bad("foreign origin", 403, "origin_not_listed", headers={"origin": FOREIGN_ORIGIN}),
    Bad("origin of another retailer", 403, "origin_not_listed", headers={"origin": OTHER_ORIGIN}),
    Bad("origin null", 403, "origin_not_listed", headers={"origin": "null"}),
    Bad("secret key with an origin", 403, "secret_key_in_browser", headers={"origin": ORIGIN, **SHOP.secret}),
]
ORDER = [
    Bad("401 before 403", 401, "unauthorized", headers={"origin": FOREIGN_ORIGIN, **NO_KEY}),
    Bad("403 before 415", 403, "origin_not_listed", headers={"origin": FOREIGN_ORIGIN, "content-type": "a/b"}),
    Bad("415 before 413", 415, "unsupported_content_type", None, b" " * 600_000, {"content-type": "a/b"}),
    Bad("413 before 400", 413, "body_too_large", None, b"{" * 600_000),
]
SERVER_SIDE = [
    Bad("write key", 403, "key_not_allowed"),
    Bad("no key", 401, "unauthorized", headers=NO_KEY),
    Bad("an origin", 403, "secret_key_in_browser", headers={"origin": ORIGIN, **SHOP.secret}),
    Bad("write key in the query", 401, "unauthorized", headers=NO_KEY, params={"write_key": SHOP.write_key}),
    Bad("a form", 415, "unsupported_content_type", headers={"content-type": "a/b", **SHOP.secret}),
    Bad("too large", 413, "body_too_large", None, b" " * 600_000, dict(SHOP.secret)),
    Bad("empty", 400, "empty_body", None, b"", dict(SHOP.secret)),
    Bad("not JSON", 400, "invalid_json", None, b"{", dict(SHOP.secret)),
    Bad("invalid UTF-8", 400, "invalid_utf8", None, b'{"shopper_id": "\xff"}', dict(SHOP.secret)),
    Bad("too deep", 400, "too_deep", None, b"[" * 5_000 + b"]" * 5_000, dict(SHOP.secret)),
    Bad("lone surrogate", 400, "invalid_json", None, b'{"shopper_id": "\\ud800"}', dict(SHOP.secret)),
    Bad("a list", 400, "not_an_object", None, [], dict(SHOP.secret)),
    Bad("no shopper", 400, "missing_field", "$.shopper_id", {}, dict(SHOP.secret)),
    Bad("unknown field", 400, "unknown_field", "$.shop", {"shopper_id": "c", "shop": 1}, dict(SHOP.secret)),
    Bad("personal data", 400, "personal_data", "$.email", {"shopper_id": "c", "email": "a"}, dict(SHOP.secret)),
    Bad("no text", 400, "invalid_value", "$.shopper_id", {"shopper_id": 7}, dict(SHOP.secret)),
    Bad("empty id", 400, "invalid_value", "$.shopper_id", {"shopper_id": ""}, dict(SHOP.secret)),
    Bad("long id", 400, "invalid_value", "$.shopper_id", {"shopper_id": "c" * 129}, dict(SHOP.secret)),
    Bad("control character", 400, "invalid_value", "$.shopper_id", {"shopper_id": "c\n"}, dict(SHOP.secret)),
    Bad("e-mail", 400, "personal_data", "$.shopper_id", {"shopper_id": "a@example.com"}, dict(SHOP.secret)),
]


def named(rows: list[Bad]) -> pytest.MarkDecorator:
    """Gives a table to pytest."""
    return pytest.mark.parametrize("bad", rows, ids=[row.name for row in rows])


async def check(standing: Standing, bad: Bad, path: str = "/v1/events") -> dict[str, Any]:
    """Sends a bad request, checks its answer, and that the next good one is served as if it had never been."""
    before = await standing.stored_ids()
    answer = await standing.http.post(path, content=bad.content, headers=bad.all_headers(), params=bad.params)
    told: dict[str, Any] = answer.json()
    assert (bad.status, bad.error, bad.path) == (answer.status_code, told["error"], told.get("path")), told
    assert {"error", "detail"} <= set(told) <= {"error", "detail", "path", "results"}
    assert (bad.status == 401) == ("www-authenticate" in answer.headers)
    assert 1 == standing.counted("refused_requests_total", status=str(bad.status), error=bad.error)
    good = added()
    stored = await standing.post(good)
    assert (200, "stored") == (stored.status_code, stored.json()["results"][0]["status"])
    assert [*before, good["event_id"]] == await standing.stored_ids()
    return told


@named(BODIES)
async def test_a_bad_body_is_refused(standing: Standing, bad: Bad) -> None:
    """A body that can't be read gets its error, and nothing of it is stored."""
    assert "results" not in await check(standing, bad)


@named(EVENTS)
async def test_a_bad_event_is_rejected(standing: Standing, bad: Bad) -> None:
    """A bad event alone gets 400 and a result with its reason and path, and is not stored."""
    told = await check(standing, bad)
    if bad.name != "NaN":  # which is no JSON, so that there is no event to have a result
        (result,) = told["results"]
        assert ("rejected", bad.error, bad.path) == (result["status"], result["reason"], result["path"])


@named(ACCESS)
async def test_bad_access_is_refused(standing: Standing, bad: Bad) -> None:
    """Without the right key from the right place nothing is read."""
    await check(standing, bad)


@named(ORDER)
async def test_errors_come_in_their_order(standing: Standing, bad: Bad) -> None:
    """A request with two faults gets the one that is checked first."""
    await check(standing, bad)


@named(SERVER_SIDE)
@pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/shoppers/lookup"])
async def test_bad_requests_of_a_server_are_refused(standing: Standing, bad: Bad, path: str) -> None:
    """Subscriptions and lookups ask for the secret key and one shopper's id."""
    await check(standing, bad, path)


async def test_a_bad_event_never_harms_its_neighbours(standing: Standing) -> None:
    """All bad events of the table among good ones: the good ones are stored, each bad one has its path."""
    bad = [row for row in EVENTS if isinstance(row.body, dict) and "events" not in row.body and row.name != "NaN"]
    bodies = [row.body for row in bad]
    good = [added() for _ in bad]
    events = [event for pair in zip(bodies, good, strict=True) for event in pair]
    answer = await standing.post({"events": events})
    results = answer.json()["results"]
    assert 200 == answer.status_code
    assert ["rejected", "stored"] * len(bad) == [result["status"] for result in results]
    expected = [(row.error, f"$.events[{2 * at}]{(row.path or '$')[1:]}") for at, row in enumerate(bad)]
    assert expected == [(result["reason"], result["path"]) for result in results[::2]]
    assert [event["event_id"] for event in good] == await standing.stored_ids()


async def test_an_id_twice_in_one_request_is_stored_twice_and_taken_once(standing: Standing) -> None:
    """A repeated id is no fault of the request: each has its result, and the worker takes the first alone."""
    event = added()
    answer = await standing.post({"events": [event, event]})
    assert ["stored", "stored"] == [result["status"] for result in answer.json()["results"]]
    await standing.work()

    async def is_absorbed() -> bool:
        return standing.counted("repeated_events_total") == 1

    await until(is_absorbed, "the repeat is absorbed")


async def test_personal_data_in_a_query_are_redacted(standing: Standing) -> None:
    """A phone or card number that somebody searched for is replaced before anything is stored, and counted."""
    answer = await standing.post({"events": [searched("+33 6 12 34 56 78"), searched("4111 1111 1111 1111")]})
    assert ["stored", "stored"] == [result["status"] for result in answer.json()["results"]]
    stored = b"".join(str(record).encode() for record in await standing.stored())
    assert b"12 34" not in stored
    assert b"1111" not in stored
    assert 1 == standing.counted("redacted_values_total", kind="phone")
    assert 1 == standing.counted("redacted_values_total", kind="card")


async def test_faults_of_meaning_are_stored(standing: Standing) -> None:
    """What the gateway can't judge is stored: removing what is absent, an empty order, a foreign experience's id."""
    common = without("product")
    removal = added() | {"type": "RemovedFromBasket"}
    order = common | {"type": "OrderPaid", "order_id": "o", "lines": [], "total_minor": 0, "currency": "EUR"}
    click = common | {"type": "ExperienceClicked", "experience_id": "somebody-else's"}
    events = [event | {"event_id": str(uuid4())} for event in (removal, order, click)]
    answer = await standing.post({"events": events})
    assert ["stored"] * 3 == [result["status"] for result in answer.json()["results"]]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_another_method_gets_405_and_what_is_allowed(standing: Standing, method: str) -> None:
    """A method that a path does not take is refused before keys are looked at."""
    answer = await standing.http.request(method, "/v1/events")
    assert (405, "POST") == (answer.status_code, answer.headers["allow"])
    assert "method_not_allowed" == answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/events/", "/v1//events", "/v1/nothing", "/tracker.js/", "/../x"])
async def test_another_path_gets_404(standing: Standing, path: str) -> None:
    """A path that is not there is refused whatever the method and key."""
    answer = await standing.http.post(path, headers=basic("nobody's"))
    assert (404, "not_found") == (answer.status_code, answer.json()["error"])


def forged(standing: Standing, **changes: Any) -> str:
    """Gives a token like a real one but for the changes."""
    key = standing.key("c-1")
    now_s = standing.clock.now_ms() // 1_000
    claims = {
        "aud": "hotbasket/experiences",
        "sub": key.shopper,
        "retailer": key.retailer_id,
        "exp": now_s + 60,
        **{name: value for name, value in changes.items() if name not in ("secret", "algorithm")},
    }
    claims = {name: value for name, value in claims.items() if value is not ...}
    secret = changes.get("secret", standing.keys.subscription)
    return jwt.encode(claims, secret, algorithm=changes.get("algorithm", "HS256"))


TOKENS: list[tuple[str, Any]] = [
    ("none", None),
    ("empty", ""),
    ("garbage", "garbage"),
    ("three parts of garbage", "a.b.c"),
    ("far too long", "a" * 10_000),
    ("another secret", {"secret": bytes(32)}),
    ("no signature", {"secret": "", "algorithm": "none"}),
    ("another algorithm", {"algorithm": "HS512"}),
    ("another audience", {"aud": "somebody"}),
    ("no audience", {"aud": ...}),
    ("no shopper", {"sub": ...}),
    ("no retailer", {"retailer": ...}),
    ("a retailer who is gone", {"retailer": "r-gone"}),
    ("expired", {"exp": 1}),
    ("no end", {"exp": ...}),
    ("an end that is no number", {"exp": "never"}),
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("name", "made"), TOKENS, ids=[name for name, _ in TOKENS])
async def test_a_bad_subscription_opens_no_stream_and_refuses_no_event(
    standing: Standing, name: str, made: Any
) -> None:
    """Forged, expired or foreign: 401 for a stream; with events it only leaves their experiences out."""
    token = forged(standing, **made) if isinstance(made, dict) else made
    query = {} if token is None else {"subscription": token}
    answer = await standing.http.get("/v1/experiences", params=query)
    assert (401, "unauthorized") == (answer.status_code, answer.json()["error"]), name
    assert "www-authenticate" in answer.headers
    headers = {"prefer": "wait=0", **standing.shop.write} | ({"x-hotbasket-subscription": token} if token else {})
    posted = await standing.post(added(), headers)
    assert (200, {"results"}) == (posted.status_code, set(posted.json()))


async def test_a_subscription_of_another_retailer_shows_nothing(standing: Standing) -> None:
    """One retailer's key with another's token: the events are stored, and no experience is in the answer."""
    token = await standing.subscription("c-1842", standing.other)
    headers = {"prefer": "wait=0", "x-hotbasket-subscription": token}
    answer = await standing.post(added(), headers | standing.shop.write)
    assert (200, {"results"}) == (answer.status_code, set(answer.json()))


async def test_a_stream_for_a_foreign_origin_is_refused(standing: Standing) -> None:
    """A good token on the page of another origin opens nothing."""
    token = await standing.subscription("c-1")
    for origin in (FOREIGN_ORIGIN, OTHER_ORIGIN):
        answer = await standing.http.get("/v1/experiences", params={"subscription": token}, headers={"origin": origin})
        assert (403, "origin_not_listed") == (answer.status_code, answer.json()["error"])
