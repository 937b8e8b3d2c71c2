"""What a worker tells in the log of sampled events, and how much it tells at most."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from actors.messages import Item
from actors.shopper import failed
from actors.traced import tell
from domain.ids import Position
from domain.records import Record
from monitoring.trace_lines import TraceLines
from tests.story import NOON_MS, TreeStory, record
from tests.unit.test_decide import PASTA, add, edge, recommendation

SAMPLED, UNSAMPLED = f"{'4b' * 16}-01", f"{'4b' * 16}-00"


class Watch:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        """Gives them."""
        return self.now_s


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, from INFO on."""
    caplog.set_level(logging.INFO, logger="hotbasket.trace")
    return caplog


def said(log: pytest.LogCaptureFixture, *names: str) -> list[tuple[Any, ...]]:
    """These fields of each line."""
    return [tuple(getattr(line, name, None) for name in names) for line in log.records]


def viewed(number: int, trace: str) -> Record:
    """A page view under a trace."""
    return replace(record("PageViewed", 1, number, page={"kind": "home"}), trace=trace)


def items(*records: Record) -> list[Item]:
    """One batch."""
    return [Item(one, Position(1, offset)) for offset, one in enumerate(records)]


def test_each_sampled_event_of_a_batch_has_its_line(log: pytest.LogCaptureFixture) -> None:
    """What was decided, that nothing was, or why it failed; of the others nothing."""
    story = TreeStory(
        {"start": {"edges": [edge("sauce", PASTA)]}, "sauce": {"experiences": [recommendation("main", "p-77")]}}
    )
    add(story, "pasta", at_s=1)
    assert story.state.last is not None
    assert story.decided is not None
    batch = items(
        replace(story.state.last, trace=SAMPLED),
        viewed(1, SAMPLED),
        viewed(2, UNSAMPLED),
        viewed(3, ""),
        viewed(4, SAMPLED),
    )
    broken = failed(batch[4], 0, "tree_unreadable", "tree version 9 is not 1", "$.tree")
    tell(TraceLines(50, Watch().monotonic_s), batch, [story.decided, broken], NOON_MS + 1_250)
    assert [
        (str(UUID(int=1)), "decided", 250, 1, "sauce", None),
        (str(UUID(int=2)), "decided", 250, 0, "", None),
        (str(UUID(int=5)), "failed", 250, None, None, "tree_unreadable"),
    ] == said(log, "event_id", "what", "ms", "experiences", "node_id", "reason")
    assert {("4b" * 16,)} == set(said(log, "trace_id"))


def test_a_second_has_room_for_so_many_lines(log: pytest.LogCaptureFixture) -> None:
    """Each second anew; the first line after others were left out says how many."""
    watch = Watch()
    lines = TraceLines(2, watch.monotonic_s)
    for _ in range(5):
        lines.write(SAMPLED, UUID(int=1), "stored", 1)
    watch.now_s += 0.99
    lines.write(SAMPLED, UUID(int=1), "stored", 1)
    watch.now_s += 0.01
    lines.write(SAMPLED, UUID(int=2), "stored", None)
    lines.write(SAMPLED, UUID(int=3), "stored", 1)
    assert [(1, None), (1, None), (None, 4), (1, None)] == said(log, "ms", "suppressed")


def test_no_line_at_all_may_be_wanted(log: pytest.LogCaptureFixture) -> None:
    """0 a second is none."""
    TraceLines(0, Watch().monotonic_s).write(SAMPLED, UUID(int=1), "stored", 1)
    assert [] == log.records
