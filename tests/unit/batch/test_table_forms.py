"""The warehouse's forms agree with what fills them, and keep what must be erasable out of the statistics."""

from __future__ import annotations

import re

import pytest

from batch import flat, flat_decisions
from batch.table_forms import DECISIONS, EVENTS, FORMS, Form
from batch.uplift.report import Shoppers, measure
from batch.uplift_step import Told
from tests.market import campaign

TELLING = (
    "shopper_id",
    "event_id",
    "trigger_event_id",
    "after_event_id",
    "query",
    "path",
    "label",
    "target",
    "content",
)
"""Columns that name a shopper or an event, or hold what somebody typed."""


def columns(ddl: str) -> list[str]:
    """The names of the columns of a DDL text, in order."""
    flat_ddl = re.sub(r"array<(?:[^<>]|<[^<>]*>)*>", "array", ddl)
    return [column.split()[0] for column in flat_ddl.split(",")]


def test_rows_have_the_columns_of_their_tables() -> None:
    """What makes the rows and what keeps them name the same columns in the same order."""
    assert columns(EVENTS) == list(flat.COLUMNS)
    assert columns(DECISIONS) == list(flat_decisions.COLUMNS)


def test_the_uplift_of_a_campaign_has_the_columns_of_its_table() -> None:
    """A row for machines has the same columns, in the same order, in the table and in the file."""
    measured = measure("c", Shoppers([], [], [], []), holdout_share=0.1, currency="EUR")
    row = Told(campaign("c"), known_until_ms=0, entered=0, waiting=0, sample_share=1.0, uplift=measured).as_row()
    assert ["retailer_id", "run_id", *row] == columns(FORMS["uplift"].columns)


@pytest.mark.parametrize("name", FORMS)
def test_no_statistics_of_what_must_be_erasable(name: str) -> None:
    """The transaction log counts only columns of the table that tell nothing of a person."""
    form: Form = FORMS[name]
    there = columns(form.columns)
    assert set() == set(form.counted) & set(TELLING)
    assert set() == set(form.counted) - set(there)
    assert set() == set(form.partitioned_by) - set(there)
