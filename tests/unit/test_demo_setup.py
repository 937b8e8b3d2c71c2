"""How the demo makes its retailer in the embedded stores, and what its own server answers."""

from __future__ import annotations

import hashlib
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import structs
from starlette.routing import Router

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from deploy.demo.keys import KEYS_FILE
from deploy.demo.night import Night
from deploy.demo.night_needs import Need
from deploy.demo.setup import NAME, Demo, setup
from deploy.demo.tastes import EVERYBODY, PERSONAS
from deploy.demo.trees import grow
from domain.ids import ShopperKey, shopper_hash
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.tree import encode
from domain.tree_faults import read_tree
from monitoring.metrics import Metrics

URL = "http://127.0.0.1:8080"


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """Embedded stores that hold nothing yet."""
    opened = embedded(tmp_path, load_settings(), Metrics(), SystemClock())
    yield opened
    await opened.close()


async def set_up(ports: Ports, data: Path, url: str = URL) -> dict[str, str]:
    """Sets the demo up, ends it, and gives the keys that it left."""
    demo = await setup(ports, data, url)
    await demo.counter.close()
    return msgspec.json.decode((data / KEYS_FILE).read_bytes(), type=dict[str, str])


def retailer(ports: Ports) -> Retailer:
    """The demo's retailer, the only one of its name."""
    (found,) = [one for one in ports.retailers.current().retailers.values() if one.name == NAME]
    return found


def opens(ports: Ports, key: str) -> str | None:
    """What a key opens for good, if anything."""
    grant = ports.retailers.current().grants.get(hashlib.sha256(key.encode()).hexdigest())
    return grant.scope if grant is not None and grant.until_ms is None else None


async def test_the_first_start_makes_everything(ports: Ports, tmp_path: Path) -> None:
    """Retailer, keys, origins, catalogue and trees are there, and only the owner can read the keys."""
    keys = await set_up(ports, tmp_path)
    assert {URL, "http://localhost:8080"} == set(retailer(ports).origins)
    assert ("write", "secret") == (opens(ports, keys["write_key"]), opens(ports, keys["secret_key"]))
    assert len(await ports.retailers.catalogue(keys["retailer_id"])) >= 120
    assert 0 == stat.S_IMODE((tmp_path / KEYS_FILE).stat().st_mode) & 0o077
    hashed = shopper_hash(ports.identity.shopper_key(keys["retailer_id"]), "demo-1")
    everybody, persona = (ShopperKey(keys["retailer_id"], shopper) for shopper in (DEFAULT, hashed))
    trees = await ports.trees.load([everybody, persona])
    assert trees[everybody].blob != trees[persona].blob


async def test_another_start_changes_nothing(ports: Ports, tmp_path: Path) -> None:
    """The same stores and the same address: the same keys, nothing written again."""
    keys = await set_up(ports, tmp_path)
    before = (ports.retailers.current().version, ports.trees.version())
    assert keys == await set_up(ports, tmp_path)
    assert before == (ports.retailers.current().version, ports.trees.version())


async def test_another_port_is_another_origin(ports: Ports, tmp_path: Path) -> None:
    """After a move to another port the pages of that port may post, those of the old one no more."""
    keys = await set_up(ports, tmp_path)
    assert keys == await set_up(ports, tmp_path, "http://127.0.0.1:9090")
    assert {"http://127.0.0.1:9090", "http://localhost:9090"} == set(retailer(ports).origins)


async def test_lost_keys_are_replaced(ports: Ports, tmp_path: Path) -> None:
    """Without its key file the demo gets new keys for the same retailer, and the old ones open nothing."""
    old = await set_up(ports, tmp_path)
    (tmp_path / KEYS_FILE).unlink()
    new = await set_up(ports, tmp_path)
    assert old["retailer_id"] == new["retailer_id"]
    assert ("write", "secret") == (opens(ports, new["write_key"]), opens(ports, new["secret_key"]))
    assert (None, None) == (opens(ports, old["write_key"]), opens(ports, old["secret_key"]))


def sauce_lovers(ports: Ports, keys: dict[str, str]) -> list[tuple[str, bytes]]:
    """Trees that somebody pushes: every persona, and who has none, gets the tree of the last persona."""
    _, tree = read_tree(grow(PERSONAS[-1]))
    hashed = [shopper_hash(ports.identity.shopper_key(keys["retailer_id"]), taste.shopper) for taste in PERSONAS]
    return [(shopper, encode(tree)) for shopper in (DEFAULT, *hashed)]


async def generation_of(ports: Ports, keys: dict[str, str]) -> int:
    """The generation of the tree of who has none of their own."""
    everybody = ShopperKey(keys["retailer_id"], DEFAULT)
    return (await ports.trees.load([everybody]))[everybody].generation


async def test_grown_trees_survive_a_restart(ports: Ports, tmp_path: Path) -> None:
    """What a night pushed is still in force after the next start, and the one after that."""
    keys = await set_up(ports, tmp_path)
    grown = await ports.trees.push(keys["retailer_id"], sauce_lovers(ports, keys))
    for _ in range(2):
        await set_up(ports, tmp_path)
        assert grown == await generation_of(ports, keys)


async def test_changed_own_trees_replace_the_demos_own(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version of the demo with other trees of its own puts them in force where its old ones were, once."""
    keys = await set_up(ports, tmp_path)
    before = await generation_of(ports, keys)
    with monkeypatch.context() as newer:
        newer.setattr("deploy.demo.setup.EVERYBODY", structs.replace(EVERYBODY, forgotten="butter"))
        await set_up(ports, tmp_path)
        await set_up(ports, tmp_path)
        assert before + 1 == await generation_of(ports, keys)


async def test_changed_own_trees_leave_grown_ones_alone(
    ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version of the demo does not undo what a night pushed."""
    keys = await set_up(ports, tmp_path)
    grown = await ports.trees.push(keys["retailer_id"], sauce_lovers(ports, keys))
    monkeypatch.setattr("deploy.demo.setup.EVERYBODY", structs.replace(EVERYBODY, forgotten="butter"))
    await set_up(ports, tmp_path)
    assert grown == await generation_of(ports, keys)


async def test_a_demo_of_before_remembers_its_trees(ports: Ports, tmp_path: Path) -> None:
    """Keys written before the digest was kept: trees that are the demo's own are known as such from then on."""
    keys = await set_up(ports, tmp_path)
    old = {name: keys[name] for name in ("retailer_id", "write_key", "secret_key")}
    (tmp_path / KEYS_FILE).write_bytes(msgspec.json.encode(old))
    assert keys == await set_up(ports, tmp_path)


async def nothing_missing() -> Need | None:
    """A machine that has everything."""
    return None


@pytest.fixture
async def demo(ports: Ports, tmp_path: Path) -> AsyncIterator[Demo]:
    """The demo, beside no gateway."""
    night = Night((sys.executable, "-c", "import time; time.sleep(600)"), nothing_missing)
    made = await setup(ports, tmp_path, "http://127.0.0.1:9", night)
    yield made
    await made.counter.close()


@pytest.fixture
async def browser(demo: Demo) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the demo's routes without a network."""
    transport = httpx.ASGITransport(app=Router(routes=list(demo.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/c/pasta", "/p/penne", "/search", "/checkout", "/thanks/demo-1"])
async def test_every_page_is_the_document_under_a_strict_policy(browser: httpx.AsyncClient, path: str) -> None:
    """Each page answers with the same document, its policy, and 304 to who has it."""
    first = await browser.get(path)
    assert (200, "text/html; charset=utf-8") == (first.status_code, first.headers["content-type"])
    assert "default-src 'self'" in first.headers["content-security-policy"]
    assert "unsafe" not in first.headers["content-security-policy"]
    again = await browser.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)


async def test_pictures_and_files_that_are_not_there_are_not_found(browser: httpx.AsyncClient) -> None:
    """A picture of a product is SVG; anything else is 404, a way out of the folder included."""
    assert "image/svg+xml" == (await browser.get("/demo/pictures/penne.svg")).headers["content-type"]
    for path in ("/demo/pictures/nothing.svg", "/demo/static/nothing.js", "/demo/static/..%2Fsetup.py"):
        assert 404 == (await browser.get(path)).status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"shopper_id": "c-1842"}', 403),
        (b'{"shopper_id": "demo-1 "}', 403),
        (b'{"shopper_id": 1}', 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b" " * 2_000, 413),
        (b'{"shopper_id": "demo-1"}', 503),
    ],
)
async def test_tokens_are_for_the_demos_shoppers(browser: httpx.AsyncClient, body: bytes, status: int) -> None:
    """Nobody else's token can be had here, and hotbasket being away is said as such."""
    assert status == (await browser.post("/demo/subscription", content=body)).status_code


async def test_the_secret_key_never_leaves(browser: httpx.AsyncClient, tmp_path: Path) -> None:
    """No answer to a page holds the secret key; the session holds the write key."""
    keys: dict[str, Any] = msgspec.json.decode((tmp_path / KEYS_FILE).read_bytes())
    answers = [await browser.get(path) for path in ("/", "/demo/session", "/demo/goods", "/demo/glass?shopper=demo-1")]
    assert [] == [answer.url for answer in answers if keys["secret_key"] in answer.text]
    assert keys["write_key"] == answers[1].json()["write_key"]


OWN = {"origin": "http://127.0.0.1:9", "content-type": "application/json"}


async def test_a_night_starts_from_the_shops_own_page_once(browser: httpx.AsyncClient) -> None:
    """The page's own request starts it, a second one is told that it runs, and whoever looks sees it."""
    assert not (await browser.get("/demo/night")).json()["running"]
    started = await browser.post("/demo/night", headers=OWN, content=b"{}")
    assert (202, True) == (started.status_code, started.json()["running"])
    assert 409 == (await browser.post("/demo/night", headers=OWN, content=b"{}")).status_code
    seen = (await browser.get("/demo/night")).json()
    assert (True, True, None) == (seen["available"], seen["running"], seen["error"])
    assert ["cool", "train", "evaluate", "grow", "push"] == [step["name"] for step in seen["steps"]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 403),
        ({"origin": "https://elsewhere.example", "content-type": "application/json"}, 403),
        ({"origin": "null", "content-type": "application/json"}, 403),
        ({"origin": "http://127.0.0.1:9", "content-type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "http://127.0.0.1:9", "content-type": "text/plain"}, 415),
        ({"origin": "http://127.0.0.1:9"}, 415),
    ],
)
async def test_another_site_cannot_start_a_night(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """A form or a script of another origin, and what is no JSON, is refused, and no night runs."""
    assert status == (await browser.post("/demo/night", headers=headers, content=b"{}")).status_code
    assert not (await browser.get("/demo/night")).json()["running"]


async def test_where_something_is_missing_the_night_says_what_to_install(ports: Ports, tmp_path: Path) -> None:
    """Without the libraries the button's answer is 503 with the cure, and the page is told the same."""

    async def java_is_missing() -> Need | None:
        return Need("java", "Install a JDK.")

    night = Night((sys.executable, "-c", ""), java_is_missing)
    made = await setup(ports, tmp_path, "http://127.0.0.1:9", night)
    transport = httpx.ASGITransport(app=Router(routes=list(made.routes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        refused = await client.post("/demo/night", headers=OWN, content=b"{}")
        assert (503, "Install a JDK.") == (refused.status_code, refused.json()["detail"])
        seen = (await client.get("/demo/night")).json()
        assert (False, "java", "Install a JDK.") == (seen["available"], seen["needs"], seen["why_not"])
    await made.counter.close()
