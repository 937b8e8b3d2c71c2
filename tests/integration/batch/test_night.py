"""The whole night, as operators run it: shoppers with hidden tastes shop for a month, and next day the page knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from batch.spark import CACHE
from deploy.demo.habits import taste_of
from deploy.demo.past import SHOPPERS
from tests.cli.running import CHECKOUT, Running, environment, hotbasket, hotbasket_json

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


def submitted(job: str, data: Path) -> dict[str, Any]:
    """Runs a job by spark-submit, as a scheduler does, and gives what it says it did."""
    scripts = Path(sys.executable).parent
    ran = subprocess.run(
        [CHECKOUT / "deploy" / "spark" / "submit.sh", job, "--data", data, "--json"],
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


def test_without_java_a_sentence_says_so(shop: Running) -> None:
    """Before anything starts: which Java is needed, and where to get it."""
    ran = hotbasket("batch", "nightly", "--data", shop.data, PATH="/nowhere", JAVA_HOME="")
    assert 1 == ran.returncode
    assert "needs Java 17 or 21" in ran.stderr
    assert "Traceback" not in ran.stderr
