"""Runs of the night: which steps of which run are done, kept in the warehouse, so that a killed run resumes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from batch.warehouse import Warehouse
from domain.errors import Refused

State = Literal["done", "refused"]
"""`refused`: the step ended as it should and said no, as the evaluation's gate does; its run goes no further."""


class Step(Struct, frozen=True, kw_only=True):
    """One step of one run that ended.

    Attributes:
        run_id: the day that the run knows up to its end, and a running number from its second run on: `2026-11-25`,
            `2026-11-25.2`.
        step: the job.
        state: how it ended.
        said: what it did, JSON.
    """

    run_id: str
    step: str
    state: State
    said: str


class Runs:
    """The runs of one retailer; one process writes them at a time, under the warehouse's lock."""

    def __init__(self, warehouse: Warehouse, retailer_id: str) -> None:
        """Takes the warehouse."""
        self._warehouse = warehouse
        self._retailer_id = retailer_id

    def steps(self) -> list[Step]:
        """Gives every step that ended, oldest first."""
        found = self._warehouse.table("runs")
        rows = found.where(found.retailer_id == self._retailer_id).orderBy("ended_at").collect()
        return [Step(run_id=row.run_id, step=row.step, state=row.state, said=row.said) for row in rows]

    def for_day(self, as_of: date, last_step: str) -> str:
        """Gives the run to go on with: the day's newest unless it ended, else a new one."""
        of_day = [step for step in self.steps() if step.run_id.partition(".")[0] == as_of.isoformat()]
        if not of_day:
            return as_of.isoformat()
        newest = max((step.run_id for step in of_day), key=_number)
        ended = any(step.state == "refused" or step.step == last_step for step in of_day if step.run_id == newest)
        return f"{as_of.isoformat()}.{_number(newest) + 1}" if ended else newest

    def newest(self, step: str, cure: str) -> str:
        """Gives the newest run that did a step.

        Raises:
            Refused: there is none, with the cure.
        """
        done = [one.run_id for one in self.steps() if one.step == step and one.state == "done"]
        if not done:
            raise Refused(cure)
        return done[-1]

    def done(self, run_id: str) -> dict[str, Step]:
        """Gives the steps that a run did, by name."""
        return {step.step: step for step in self.steps() if step.run_id == run_id and step.state == "done"}

    def record(self, run_id: str, step: str, state: State, said: Struct) -> None:
        """Keeps that a step ended."""
        row = (self._retailer_id, run_id, step, state, datetime.now(UTC), msgspec.json.encode(said).decode())
        self._warehouse.append("runs", [row])


def _number(run_id: str) -> int:
    return int(run_id.partition(".")[2] or 1)
