"""What campaigns leave in the warehouse: exposures, settlements, and one fate for each experience."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
from pyspark.sql import SparkSession

from batch.campaign_tables import campaign_exposures, campaign_settlements
from batch.experiences import experiences
from batch.orders import orders
from batch.sessions import sessions
from batch.table_forms import FORMS
from batch.warehouse import Warehouse
from tests.integration.batch.campaign_shop import CAMPAIGN, decided, decision, promised, settled, withdrawn
from tests.integration.batch.shop_events import DAY_S, decisions_of, events_of, paid, viewed
from tests.integration.batch.test_business_tables import at, found
from tests.story import SHOPPER, record

OTHER = "0b" * 32


def test_every_decision_has_one_fate(spark: SparkSession) -> None:
    """Decided = held out + shown + withdrawn + replaced unseen + unseen: nothing twice, nothing missing."""
    told = [
        decided(1, 0, decision(1, 0)),
        decided(2, 10, held_out=(decision(2, 10),)),
        decided(3, 20, decision(3, 20), decision(4, 20, slot="banner")),
        withdrawn(5, 30, of=4, slot="banner"),
        decided(6, 40, decision(6, 40, slot="side"), shopper=OTHER),
        # The one before in this slot is over by then.
        decided(7, 700, decision(7, 700)),
        # A tension told again while another campaign is held out of its slot: two rows under one id.
        decided(8, 800, decision(8, 800, slot="low", again=True), held_out=(decision(8, 800, slot="low"),)),
        decided(9, 810, decision(9, 810, slot="low", again=True)),
    ]
    events = events_of(
        spark,
        [
            record("ExperienceClicked", 50, 10, experience_id="e-6", shopper_id=OTHER),
            record("ExperienceShown", 705, 11, experience_id="e-7"),
            record("ExperienceShown", 801, 12, experience_id="e-8"),
        ],
    )
    made = experiences(decisions_of(spark, told), events)
    fates = found(made, "experience_id", "held_out", "fate", "replaced_at", by="experience_id")
    assert [
        ("e-1", False, "replaced", at(20)),
        ("e-2", True, "held_out", None),
        ("e-3", False, "unseen", None),
        ("e-4", False, "withdrawn", None),
        ("e-6", False, "shown", None),
        ("e-7", False, "shown", None),
        ("e-8", False, "shown", at(810)),
        ("e-8", True, "held_out", None),
        ("e-9", False, "unseen", None),
    ] == sorted(fates)
    decided_in_all = sum(len(one.decisions) + len(one.held_out) for one in told)
    assert decided_in_all == sum(Counter(fate for _, _, fate, _ in fates).values())
    seen = {row["held_out"]: row["shown_at"] for row in made.where("experience_id = 'e-8'").collect()}
    assert {False: at(801), True: None} == seen


def test_exposures_and_settlements_add_up_to_what_is_reserved(spark: SparkSession) -> None:
    """Each slot that a campaign won is a row, shown or held out; each promise's end is one, with its order."""
    told = [
        promised(1, 0, 500),
        decided(2, 5, held_out=(decision(2, 5),), shopper=OTHER),
        decided(3, 6, decision(3, 6, campaign_id=None)),
        decided(4, 7, decision(4, 7, slot="banner", again=True)),
        settled(
            5, DAY_S, 1, cause="order", order_id="o-1", reserved_minor=-500, reserved_count=-1,
            committed_minor=300, committed_count=1,
        ),
        settled(6, 2 * DAY_S, 1, cause="returned", order_id="o-1", committed_minor=-100),
        settled(7, 3 * DAY_S, 1, cause="returned", order_id="o-1", committed_minor=-200, committed_count=-1),
    ]  # fmt: skip
    decisions = decisions_of(spark, told)
    exposures, settlements = campaign_exposures(decisions), campaign_settlements(decisions)
    assert [
        (CAMPAIGN, "e-1", SHOPPER, ["pasta"], at(0), False, 500, 1),
        (CAMPAIGN, "e-2", OTHER, ["pasta"], at(5), True, None, None),
    ] == found(
        exposures,
        "campaign_id",
        "experience_id",
        "shopper_id",
        "products",
        "decided_at",
        "held_out",
        "reserved_minor",
        "reserved_count",
        by="decided_at",
    )
    assert [
        ("e-1", "order", "o-1", at(DAY_S), -500, -1, 300, 1),
        ("e-1", "returned", "o-1", at(2 * DAY_S), 0, 0, -100, 0),
        ("e-1", "returned", "o-1", at(3 * DAY_S), 0, 0, -200, -1),
    ] == found(
        settlements,
        "experience_id",
        "cause",
        "order_id",
        "settled_at",
        "reserved_minor",
        "reserved_count",
        "committed_minor",
        "committed_count",
        by="settled_at",
    )


def test_the_retailers_word_on_an_order_goes_before_anybodys(spark: SparkSession) -> None:
    """An order that a browser told first counts as the retailer's server told it, whoever forged what."""
    told = [
        paid(1, 0, "o-1", [("tea", 9, 300)], shopper_id=OTHER),
        paid(2, DAY_S, "o-1", [("tea", 1, 300)], verified=True),
        paid(3, 2 * DAY_S, "o-1", [("tea", 2, 300)], verified=True),
    ]
    assert [(SHOPPER, 300, True, at(DAY_S))] == found(
        orders(events_of(spark, told)), "shopper_id", "total_minor", "verified", "paid_at", by="order_id"
    )


def test_the_end_of_a_promise_is_no_visit(spark: SparkSession) -> None:
    """A worker's timer is a row of events and no activity of the shopper's."""
    told = [viewed(1, 0), record("ReservationExpired", 3_600, 2, experience_id="e-1")]
    events = events_of(spark, told)
    assert [("PageViewed", None), ("ReservationExpired", "e-1")] == found(events, "type", "experience_id", by="type")
    assert [(1, at(0))] == found(sessions(events), "events", "ended_at", by="started_at")


def test_a_warehouse_without_campaigns_gets_their_columns(tmp_path: Path, spark: SparkSession) -> None:
    """Decisions that an older version kept stay as they are, promise nothing, and stand beside new ones."""
    form = FORMS["decisions"]
    columns = re.sub(r"again boolean.*order_id string,\s*", "", form.columns, flags=re.DOTALL)
    older = {**FORMS, "decisions": msgspec.structs.replace(form, columns=columns, version=1)}
    root = str(tmp_path / "warehouse")
    before = Warehouse(root, spark, older)
    first = decisions_of(spark, [decided(1, 0, decision(1, 0, campaign_id=None))])
    before.append("decisions", first.select(*before.schema("decisions").names))
    warehouse = Warehouse(root, spark)
    warehouse.append("decisions", decisions_of(spark, [promised(2, 5, 500)]))
    kept = warehouse.table("decisions")
    assert [("e-1", None, None), ("e-2", False, 500)] == found(
        kept, "experience_id", "again", "reserved_minor", by="experience_id"
    )
    assert [("e-2",)] == found(campaign_exposures(kept), "experience_id", by="experience_id")
