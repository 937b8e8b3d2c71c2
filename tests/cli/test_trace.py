"""`hotbasket trace`: one event's story out of a running system, and what it leaves in the logs and the audit trail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.cli.test_commands import SAUCE
from tests.cli.test_privacy import wait_until_done
from tests.gateway.standing import added

WITHIN_S = 60
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SHOPPER, OTHER = "c-1842", "c-2001"


class Shop(NamedTuple):
    """A running system in which pasta brought the sauce.

    Attributes:
        pasta: the event; shown: the one that reported what it brought.
        experience: as it was answered.
    """

    data: Path
    running: Running
    secret: str
    pasta: dict[str, Any]
    shown: dict[str, Any]
    experience: dict[str, Any]


def reported(kind: str, experience_id: str) -> dict[str, Any]:
    """What became of an experience on the page."""
    event: dict[str, Any] = added(shopper_id=SHOPPER)
    del event["product"]
    return event | {"type": kind, "experience_id": experience_id}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The system, once a checkpoint has it all."""
    folder = tmp_path_factory.mktemp("trace")
    data = folder / "data"
    secret = hotbasket_json("retailer", "add", "shop", "--data", data)["secret_key"]
    tree = folder / "tree.json"
    tree.write_text(json.dumps(SAUCE), encoding="utf-8")
    hotbasket_json("tree", "push", tree, "--data", data)
    sent = {"prefer": "wait=2", "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
    with Running(data) as running:
        pasta = added("pasta", SHOPPER)
        _, answer = running.post("/v1/events", secret, pasta, **sent)
        (experience,) = answer["experiences"]
        shown = reported("ExperienceShown", experience["experience_id"])
        assert 200 == running.post("/v1/events", secret, shown)[0]
        yield Shop(data, running, secret, pasta, shown, experience)


def steps(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps of a story by name."""
    return {step["what"]: step for step in found["steps"]}


def until_saved(shop: Shop, event_id: str) -> Any:
    """The story, once a checkpoint has the event."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = hotbasket_json("trace", event_id, "--data", shop.data)
        if "saved" in steps(found):
            return found
        assert time.monotonic() < deadline, found


def test_the_story_of_an_event(shop: Shop) -> None:
    """From the client to the page, in milliseconds since the receipt; what nobody wrote down is not known."""
    found = until_saved(shop, shop.shown["event_id"])
    assert shop.experience["experience_id"] == found["experience_id"]
    found = until_saved(shop, shop.pasta["event_id"])
    assert (shop.pasta["event_id"], "AddedToBasket") == (found["event_id"], found["type"])
    assert (TRACE_ID, True) == (found["trace_id"], found["sampled"])
    told = steps(found)
    assert ["created", "received", "stored", "processed", "decided", "saved", "shown", "expires"] == list(told)
    assert {"created", "received", "processed", "decided", "shown", "expires"} == {
        name for name, step in told.items() if step["ms"] is not None
    }
    assert 0 == told["received"]["ms"] <= told["processed"]["ms"] <= told["shown"]["ms"] < told["expires"]["ms"]
    assert told["processed"]["ms"] == told["stored"]["ms_at_most"]
    assert (0, 1, 0) == tuple(told["stored"][name] for name in ("partition", "epoch", "offset"))
    assert shop.experience["experience_id"] == told["decided"]["experience_id"]
    assert [True] == [why["held"] for why in told["decided"]["why"]]
    assert shop.shown["event_id"] == told["shown"]["event_id"]


def test_the_story_in_words(shop: Shop) -> None:
    """A line a step, its milliseconds first; less is read for who names the shopper."""
    told = hotbasket("trace", shop.pasta["event_id"], "--shopper", SHOPPER, "--data", shop.data).stdout
    assert f"AddedToBasket {shop.pasta['event_id']} of shopper " in told
    assert f"Trace {TRACE_ID}, sampled\n" in told
    assert "       +0 ms  received at " in told
    assert " ms  stored in partition 0, epoch 1, offset 0; found in the event store\n" in told
    assert "   not known  saved: the shopper's snapshot reaches beyond it\n" in told
    assert "processed: from node 'start' to 'sauce' of generation 1\n" in told
    assert f"{shop.experience['experience_id']} was shown, event {shop.shown['event_id']}\n" in told
    assert SHOPPER not in told


def test_an_event_that_brought_nothing_says_why(shop: Shop) -> None:
    """While it is the shopper's last one: the edges that it tried in vain."""
    bread = added("bread", OTHER)
    assert 200 == shop.running.post("/v1/events", shop.secret, bread)[0]
    found = until_saved(shop, bread["event_id"])
    considered = steps(found)["considered"]
    assert ("start", [False]) == (considered["node_id"], [why["held"] for why in considered["why"]])
    assert (None, False) == (found["trace_id"], found["sampled"])
    told = hotbasket("trace", bread["event_id"], "--data", shop.data).stdout
    assert "an edge of node 'start' was not taken\n" in told


def test_the_logs_join_on_the_event(shop: Shop) -> None:
    """The running system's own lines, by event id and trace id: stored, decided, delivered; of nobody."""
    lines = [line for line in shop.running.lines() if line["event"] == "traced"]
    assert {"stored", "decided", "delivered"} == {line["what"] for line in lines}
    assert {(shop.pasta["event_id"], TRACE_ID)} == {(line["event_id"], line["trace_id"]) for line in lines}
    hashed = hotbasket_json("trace", shop.pasta["event_id"], "--data", shop.data)["shopper"]
    assert [False, False] == [name in repr(lines) for name in (SHOPPER, hashed)]


def test_an_unknown_event_is_refused_in_a_sentence(shop: Shop) -> None:
    """Whoever asks in vain has asked; who was found stands in the trail by a digest."""
    ran = hotbasket("trace", str(uuid4()), "--data", shop.data)
    assert (1, "") == (ran.returncode, ran.stdout)
    assert ran.stderr.startswith("shop has no event ")
    assert 1 == len(ran.stderr.splitlines())
    wrong = hotbasket("trace", "yesterday", "--data", shop.data)
    assert (2, True) == (wrong.returncode, "'yesterday' is no UUID" in wrong.stderr)
    found = hotbasket_json("trace", shop.pasta["event_id"], "--data", shop.data)
    trail = hotbasket_json("audit", "--retailer", "shop", "--data", shop.data)
    asked = [(one["outcome"], one["target"]) for one in trail if one["action"] == "trace"]
    assert ("refused", None) == asked[-2]
    assert ("done", True) == (asked[-1][0], bool(asked[-1][1]))
    assert asked[-1][1] != found["shopper"]


def test_an_erased_shoppers_events_have_no_story(shop: Shop) -> None:
    """Neither event, nor trace, in any file."""
    gone, trace_id = added("pasta", "c-gone"), "00112233445566778899aabbccddeeff"
    header = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-00", "prefer": "wait=2"}
    assert 1 == len(shop.running.post("/v1/events", shop.secret, gone, **header)[1]["experiences"])
    until_saved(shop, gone["event_id"])
    opened = hotbasket_json("privacy", "erase", "c-gone", "--data", shop.data)
    wait_until_done(shop.running, opened["request_id"])
    ran = hotbasket("trace", gone["event_id"], "--data", shop.data)
    assert (1, True) == (ran.returncode, "has no event" in ran.stderr)
    files = [path for path in shop.data.rglob("*") if path.is_file()]
    assert [] == [path.name for path in files if trace_id.encode() in path.read_bytes()]
