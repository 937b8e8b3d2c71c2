"""A shopper objects at a production system: two gateways, and a privacy worker that dies."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import SAUCE, written
from tests.gateway.standing import added
from tests.services.given import Servers
from tests.services.system import Process, System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITHIN_S = 30.0
_LOOK_S = 0.05
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def system(tmp_path: Path, servers: Servers) -> Iterator[System]:
    """Two gateways, a worker, an archiver, on empty stores."""
    with System(tmp_path, servers, name=f"privacy_{time.time_ns():x}", partitions=4, workers=1) as system:
        yield system


class Shop:
    """A retailer of the system, with a tree; the servers know those of other tests too."""

    def __init__(self, system: System, folder: Path, name: str = "shop") -> None:
        self.system = system
        self._name = name
        made = system.command("retailer", "add", name, "--json")
        assert 0 == made.returncode, made.stderr
        self._key: str = json.loads(made.stdout)["secret_key"]
        self.push(written(folder / "tree.json", SAUCE))

    def push(self, trees: Path) -> None:
        """Pushes trees."""
        pushed = self.system.command("tree", "push", trees, "--retailer", self._name)
        assert 0 == pushed.returncode, pushed.stderr

    def ask(self, gateway: int, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Sends a request to one of the gateways."""
        sent = {"authorization": f"Basic {b64encode(f'{self._key}:'.encode()).decode()}", **headers}
        content = None
        if body is not None:
            content, sent["content-type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.system.urls[gateway] + path, content, sent)
        try:
            with _OPENER.open(request, timeout=WITHIN_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    def shown(self, gateway: int, shopper_id: str) -> tuple[str, int]:
        """Puts pasta into a basket: what became of it, and how many experiences it brought."""
        status, answer = self.ask(gateway, "/v1/events", added("pasta", shopper_id), prefer="wait=2")
        if status != 200:
            return answer["error"], 0
        return answer["results"][0]["status"], len(answer["experiences"])

    def state(self, gateway: int, request_id: str) -> tuple[str, str | None]:
        """Gives how far a request is, as one of the gateways says."""
        told = self.request(request_id, gateway)
        return told["state"], told["waits_for"]

    def request(self, request_id: str, gateway: int = 0) -> Any:
        """Gives a request as one of the gateways tells it."""
        status, told = self.ask(gateway, f"/v1/privacy/requests/{request_id}")
        assert 200 == status, told
        return told

    def asked(self, kind: str, *shopper_ids: str) -> str:
        """Makes a request at the first gateway, and gives its id."""
        status, told = self.ask(0, "/v1/privacy/requests", {"kind": kind, "shopper_ids": shopper_ids})
        assert 202 == status, told
        request_id: str = told["request_id"]
        return request_id


def until(is_true: Callable[[], bool], what: str, within_s: float = WITHIN_S, look_s: float = _LOOK_S) -> float:
    """Waits until something is true, and gives after how many seconds."""
    began_s = time.monotonic()
    while not is_true():
        assert time.monotonic() - began_s < within_s, what
        time.sleep(look_s)
    return time.monotonic() - began_s


def started(privacy: Process) -> None:
    """Starts the privacy worker, and waits until it works."""
    before = len(privacy.readiness())
    privacy.start()
    privacy.wait_ready(before + 1)


def test_a_shopper_objects_at_every_gateway(system: System, tmp_path: Path) -> None:
    """Dropped everywhere at once, done when a worker comes, and taken again after it was killed and came back."""
    shop = Shop(system, tmp_path)
    until(lambda: all(shop.shown(gateway, f"c-{gateway}") == ("stored", 1) for gateway in (0, 1)), "both gateways know")
    assert ("stored", 1) == shop.shown(1, "c-objects")

    request_id = shop.asked("suppress", "c-objects", "c-never-seen")
    took_s = until(lambda: ("dropped", 0) == shop.shown(1, "c-objects"), "the other gateway drops")
    print(f"the other gateway dropped after {took_s:.2f} s")
    assert ("dropped", 0) == shop.shown(0, "c-objects")
    assert ("open", "log") == shop.state(1, request_id)

    privacy = system.add("privacy", "privacy-0")
    started(privacy)
    until(lambda: ("done", None) == shop.state(1, request_id), "the request is done")
    assert ("stored", 1) == shop.shown(1, "c-2"), "nobody else is touched"
    privacy.kill()

    back = shop.asked("unsuppress", "c-objects")
    assert ("open", "log") == shop.state(0, back)
    started(privacy)
    until(lambda: ("done", None) == shop.state(0, back), "the opposite request is done")
    until(lambda: ("stored", 1) == shop.shown(1, "c-objects"), "events count again")

    codes = system.stop()
    assert {0} == set(codes.values()), codes
    said = "".join(one.log.read_text(encoding="utf-8") for one in system.processes.values())
    assert [] == [word for word in ("c-objects", "c-never-seen", "Traceback") if word in said]
