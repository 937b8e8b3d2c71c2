"""What a job leaves behind: a step that says no has succeeded, one that breaks has not."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from msgspec import Struct

from adapters.settings import Settings
from batch.jobs import Job, SaidNo, run
from domain.errors import PortError
from domain.ports.retailers import Retailer
from monitoring.metrics import BatchMetrics


class Said(Struct, frozen=True, kw_only=True):
    """What a step says."""

    promoted: bool


def job_of(folder: Path) -> Job:
    """A job that needs neither Spark nor a warehouse."""
    nothing = cast(Any, None)
    return Job(
        nothing,
        nothing,
        Retailer(retailer_id="r-1", name="Fresh & Co"),
        (),
        "2026-11-25",
        date(2026, 11, 25),
        None,
        Settings(batch_textfiles=str(folder)),
        lambda _step, _done, _of: None,
        BatchMetrics(),
    )


@pytest.mark.parametrize(
    ("error", "failed", "event", "level"),
    [
        (SaidNo("not promoted: too few baskets", Said(promoted=False)), 0, "step refused", "info"),
        (PortError("the disk is full", retriable=True), 1, "step failed", "error"),
    ],
    ids=["refused", "failed"],
)
def test_what_a_step_leaves_that_does_not_go_on(
    tmp_path: Path, error: Exception, failed: int, event: str, level: str
) -> None:
    """Both come out as they are and leave one line; only the one that broke is a failure that somebody hears of."""

    def work(_: Job) -> Said:
        raise error

    with structlog.testing.capture_logs() as lines, pytest.raises(type(error)):
        run("evaluate", job_of(tmp_path), work)
    assert [(event, level, str(error))] == [(one["event"], one["log_level"], one["detail"]) for one in lines]
    left = (tmp_path / "hotbasket_evaluate_r-1.prom").read_text()
    assert f'hotbasket_job_failed{{retailer="Fresh & Co",step="evaluate"}} {failed}.0' in left
    assert (not failed) == (
        'hotbasket_job_last_success_timestamp_seconds{retailer="Fresh & Co",step="evaluate"}' in left
    )
