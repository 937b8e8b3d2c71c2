"""A disk that is full under the log of `hotbasket run`, and has space again: a limit on the process's file sizes."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from domain.events import IdleElapsed
from tests.chaos.stored import read_logs, read_snapshots
from tests.cli.running import Running, hotbasket_json

WITHIN_S = 20


class Client:
    """Adds one product at a time for one shopper, and remembers what was acknowledged."""

    def __init__(self, url: str, secret_key: str) -> None:
        self.http = httpx.Client(base_url=url, auth=(secret_key, ""), timeout=30, trust_env=False)
        self.acknowledged: list[str] = []

    def add(self, event_id: str | None = None, **headers: str) -> httpx.Response:
        """Posts one addition."""
        event_id = event_id or str(uuid4())
        event = {
            "event_id": event_id,
            "type": "AddedToBasket",
            "occurred_at": datetime.now(UTC).isoformat(),
            "shopper_id": "c-1",
            "product": {"product_id": "p-1", "price_minor": 100},
        }
        answer = self.http.post("/v1/events", json=event, headers=headers)
        if answer.status_code == 200:
            self.acknowledged.append(str(event["event_id"]))
        return answer

    def wait_for_status(self, path: str, status: int) -> None:
        """Waits until a GET gives this status."""
        deadline_s = time.monotonic() + WITHIN_S
        while (found := self.http.get(path).status_code) != status:
            assert time.monotonic() < deadline_s, f"{path} is {found}"
            time.sleep(0.02)


@pytest.mark.slow
def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    """Without space every event is refused with 503 and Retry-After; with space again the same process goes on."""
    data = tmp_path / "data"
    key = hotbasket_json("retailer", "add", "shop", "--data", data)["secret_key"]
    with Running(data) as running:
        client = Client(running.url, key)
        with client.http:
            # The log's file is then the largest, so that the limit meets it alone.
            while (data / "log.db-wal").stat().st_size < 400_000:
                assert client.add().status_code == 200
            before = len(client.acknowledged)
            pid = running.process.pid
            unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, ((data / "log.db-wal").stat().st_size, unlimited[1]))
            refused = [str(uuid4()) for _ in range(20)]
            answers = [client.add(event_id) for event_id in refused]
            assert [(503, "log_unavailable", "1")] * 20 == [
                (answer.status_code, answer.json()["error"], answer.headers.get("retry-after")) for answer in answers
            ]
            client.wait_for_status("/health/ready", 503)
            assert 200 == client.http.get("/health/live").status_code
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
            client.wait_for_status("/health/ready", 200)
            again = [client.add(event_id, prefer="wait=2") for event_id in refused]
            assert [200] * 20 == [answer.status_code for answer in again]
            assert before + 20 == len(client.acknowledged)
        assert 0 == running.stop(), running.output.read_text()

    stored = read_logs(data)
    logged = [str(one.event.event_id) for one in stored.records.values() if not isinstance(one.event, IdleElapsed)]
    assert client.acknowledged == list(dict.fromkeys(logged))
    assert [] == stored.heard.faults
    (state,) = read_snapshots(data).values()
    (line,) = state.basket.lines
    assert (before + 20, 100 * (before + 20)) == (line.quantity, state.basket.total_minor)
    print(f"\n{before} events acknowledged, 20 refused while the disk was full, 20 acknowledged afterwards")
