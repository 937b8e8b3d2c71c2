"""The whole night, as operators run it: shoppers with hidden tastes shop for a month, and next day the page knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from batch.spark import CACHE
from deploy.demo.habits import taste_of
from deploy.demo.past import SHOPPERS
from tests.cli.running import CHECKOUT, Running, environment, hotbasket, hotbasket_json
from tests.cli.test_privacy import wait_until_done
from tests.unit.batch.warehouse_files import places_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOLD_WITHIN_S = 240
JOB_WITHIN_S = 800
ASKED = SHOPPERS[-40:]
"""Simulated shoppers without a tree of their own until the night; it is long before they come to the demo's shop."""
SPARK = (
    "--driver-memory 2g",
    f"--conf spark.jars.ivy={CACHE / 'ivy'}",
    "--conf spark.ui.enabled=false",
    "--conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1",
    "--conf spark.sql.shuffle.partitions=2",
    "--conf spark.databricks.delta.snapshotPartitions=2",
)
STEPS = ("cool", "train", "evaluate", "grow", "push")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo shop, its month told."""
    with Running(tmp_path_factory.mktemp("night") / "data", "--demo") as running:
        deadline_s = time.monotonic() + TOLD_WITHIN_S
        while not any(line["event"] == "past told" for line in running.lines()):
            assert time.monotonic() < deadline_s, running.output.read_text()
            time.sleep(0.5)
        yield running


def submitted(job: str, data: Path, *more: str) -> dict[str, Any]:
    """Runs a job by spark-submit, as a scheduler does, and gives what it says it did."""
    scripts = Path(sys.executable).parent
    ran = subprocess.run(
        [CHECKOUT / "deploy" / "spark" / "submit.sh", job, "--data", data, "--json", *more],
        env=environment(
            PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}",
            PYSPARK_PYTHON=sys.executable,
            MASTER="local[2]",
            SUBMIT_OPTIONS=" ".join(SPARK),
        ),
        capture_output=True,
        text=True,
        check=False,
        timeout=JOB_WITHIN_S,
    )
    assert 0 == ran.returncode, f"{job}: {ran.stdout[-4_000:]}"
    # spark-submit puts both streams of the program on its own stdout; the document is the last line.
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def event(shopper: str, kind: str, **fields: Any) -> dict[str, Any]:
    """An event of the shop's own server, now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"event_id": str(uuid4()), "type": kind, "occurred_at": now, "shopper_id": shopper, **fields}


def sauces_right(shop: Running, key: str) -> int:
    """Puts pasta in the basket of each asked shopper, and counts those who are shown the sauce that they want."""
    right = 0
    for shopper in ASKED:
        pasta = {"product_id": "spaghetti", "category_id": "pasta", "price_minor": 150, "currency": "EUR"}
        added = event(shopper, "AddedToBasket", product=pasta, quantity=1)
        status, answer = shop.post("/v1/events", key, added, prefer="wait=2")
        assert 200 == status, answer
        shown = {
            product if isinstance(product, str) else product["product_id"]
            for experience in answer["experiences"]
            if experience["kind"] == "recommendation"
            for product in experience["content"]["products"]
        }
        right += taste_of(shopper).sauce in shown
        order = {"order_id": f"o-{uuid4().hex[:12]}", "total_minor": 150, "currency": "EUR"}
        line = {"product_id": "spaghetti", "category_id": "pasta", "quantity": 1, "price_minor": 150}
        status, answer = shop.post("/v1/events", key, event(shopper, "OrderPaid", lines=[line], **order))
        assert 200 == status, answer
    return right


def test_next_day_the_right_sauce_is_shown(shop: Running) -> None:
    """All jobs by a real spark-submit; then the real gateway and actors show more shoppers the sauce they want."""
    key = json.loads((shop.data / "demo.json").read_text())["secret_key"]
    before = sauces_right(shop, key)
    night = submitted("nightly", shop.data)
    done = night["steps"]
    assert STEPS == tuple(done)
    assert 0 == len(night["resumed"])
    assert done["cool"]["rows_in"] == done["cool"]["rows_out"] + done["cool"]["rows_repeated"]
    assert 0 == done["cool"]["rows_failed"]
    assert done["evaluate"]["promoted"]
    assert done["grow"]["trees"] == done["push"]["trees"] > len(SHOPPERS)
    assert done["grow"]["bytes_mean"] <= 3 * 1_024
    assert done["grow"]["bytes_max"] <= 8 * 1_024
    after = sauces_right(shop, key)
    assert after > before + len(ASKED) // 4, f"{before} before, {after} after, of {len(ASKED)}"

    tree = hotbasket_json("tree", "show", ASKED[0], "--data", shop.data)
    shown = [experience for node in tree["nodes"].values() for experience in node.get("experiences", ())]
    assert {"10-on-sauces", "5-from-40", "*"} <= {experience.get("campaign_id") for experience in shown}
    assert {"recommendation", "gamified_promotion", "personalised_promotion"} <= {
        experience["kind"] for experience in shown if experience.get("campaign_id") == "*"
    }
    generation = tree["generation"]
    assert done["push"]["generation"] == generation
    rolled = hotbasket_json("batch", "push", "--rollback", "--data", shop.data, PATH="/nowhere")
    assert generation > rolled["generation"]
    assert rolled["generation"] == hotbasket_json("tree", "show", ASKED[0], "--data", shop.data)["generation"]
    again = hotbasket("batch", "push", "--rollback", "--data", shop.data)
    assert 1 == again.returncode, again.stdout


@pytest.mark.extended
def test_who_is_erased_beside_a_night_stays_gone(shop: Running) -> None:
    """Asked for while the night trains, of one whom it has read already: no table, file or tree has them after."""
    key = json.loads((shop.data / "demo.json").read_text())["secret_key"]
    gone, stays = SHOPPERS[0], SHOPPERS[1]
    hashes = {one: shop.post("/v1/shoppers/lookup", key, {"shopper_id": one})[1]["shopper"] for one in (gone, stays)}
    warehouse = shop.data / "warehouse"
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with ThreadPoolExecutor(1) as beside:
        night = beside.submit(submitted, "nightly", shop.data, "--day", yesterday.isoformat())
        deadline_s = time.monotonic() + JOB_WITHIN_S
        while yesterday.isoformat() not in runs(warehouse):
            assert not night.done(), night.result()
            assert time.monotonic() < deadline_s
            time.sleep(0.2)
        request = hotbasket_json("privacy", "erase", gone, "--data", shop.data)
        done = night.result()
    assert ("partial", "stores") == tuple(
        hotbasket_json("privacy", "status", request["request_id"], "--data", shop.data)[name]
        for name in ("state", "waits_for")
    ), "the night was over before the erasure came to it"
    told = wait_until_done(shop, request["request_id"], JOB_WITHIN_S)
    removed = {one["store"]: one["removed"] for one in told["receipts"]}
    assert removed["warehouse"] > 0, removed
    assert (set(), True) == (places_of(warehouse, hashes[gone]), bool(places_of(warehouse, hashes[stays])))
    assert done["steps"]["grow"]["trees"] >= done["steps"]["push"]["trees"]
    nodes = {
        one: hotbasket_json("tree", "show", one, "--retailer", "demo", "--data", shop.data)["nodes"]
        for one in (gone, stays, "default")
    }
    assert nodes["default"] == nodes[gone] != nodes[stays]


def runs(warehouse: Path) -> set[str]:
    """The runs of which a step has ended: the first cools."""
    try:
        return set(DeltaTable(warehouse / "runs").to_pyarrow_table()["run_id"].to_pylist())
    except TableNotFoundError:
        return set()


def test_without_java_a_sentence_says_so(shop: Running) -> None:
    """Before anything starts: which Java is needed, and where to get it."""
    ran = hotbasket("batch", "nightly", "--data", shop.data, PATH="/nowhere", JAVA_HOME="")
    assert 1 == ran.returncode
    assert "needs Java 17 or 21" in ran.stderr
    assert "Traceback" not in ran.stderr
