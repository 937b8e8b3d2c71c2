"""The scripts that pages load, and health."""

from __future__ import annotations

import gzip

import httpx
import pytest

from gateway.scripts import FOLDER
from tests.gateway.standing import ORIGIN, Standing


async def test_the_tracker_is_served(standing: Standing) -> None:
    """The file as it is, with a type, a tag and a time to keep it."""
    answer = await standing.http.get("/tracker.js", headers={"accept-encoding": "identity"})
    assert (200, (FOLDER / "tracker.js").read_bytes()) == (answer.status_code, answer.content)
    assert "text/javascript; charset=utf-8" == answer.headers["content-type"]
    assert "public, max-age=300, stale-while-revalidate=86400" == answer.headers["cache-control"]
    assert "access-control-allow-origin" not in answer.headers


async def test_it_is_compressed_for_who_can_read_that(standing: Standing) -> None:
    """A browser gets the small form, which is the same file."""
    async with standing.http.stream("GET", "/tracker.js", headers={"accept-encoding": "gzip, br"}) as answer:
        assert "gzip" == answer.headers["content-encoding"]
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert (FOLDER / "tracker.js").read_bytes() == gzip.decompress(raw)
    assert len(raw) <= 8 * 1_024


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_browser_that_has_it_gets_nothing(standing: Standing, encoding: str) -> None:
    """With the tag of the form it has, 304 and no body."""
    headers = {"accept-encoding": encoding}
    tag = (await standing.http.get("/tracker.js", headers=headers)).headers["etag"]
    again = await standing.http.get("/tracker.js", headers=headers | {"if-none-match": f'"other", W/{tag}'})
    assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
    other = await standing.http.get("/tracker.js", headers=headers | {"if-none-match": '"other"'})
    assert 200 == other.status_code


async def test_a_cache_keeps_origins_apart(standing: Standing) -> None:
    """What depends on the origin says so, with or without one."""
    for headers in ({}, {"origin": ORIGIN}):
        answer = await standing.http.get("/tracker.js", headers=headers)
        assert ["Origin, Accept-Encoding"] == answer.headers.get_list("vary")


async def test_health_says_alive_and_ready(standing: Standing) -> None:
    """Both are 200 while all is well, and small answers are never compressed."""
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        answer = await standing.http.get(path, headers={"accept-encoding": "gzip"})
        assert (200, {"status": status}) == (answer.status_code, answer.json())
        assert "content-encoding" not in answer.headers


async def test_not_ready_before_the_recent_experiences_are_loaded(standing: Standing) -> None:
    """A gateway that has not begun to follow the experience log takes no traffic, and is alive."""
    fresh = standing.another()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fresh), base_url="http://fresh") as http:
        ready, live = await http.get("/health/ready"), await http.get("/health/live")
    assert (503, "not_ready", 200) == (ready.status_code, ready.json()["error"], live.status_code)
