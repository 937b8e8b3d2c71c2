"""What a campaign changed, on real Spark: whose orders count and when, what is found that is there, and what is not."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from adapters.settings import Settings
from batch.campaign_tables import campaign_exposures, campaign_settlements
from batch.dry_run_step import dry_run
from batch.jobs import Job
from batch.orders import orders, sold_products
from batch.uplift_shoppers import entered, measured, promoted, purchases
from batch.uplift_step import Asked, Measured, Told, uplift
from batch.warehouse import Warehouse
from domain.campaigns import Campaign
from domain.errors import Refused
from domain.holdout import is_held_out
from domain.ports.retailers import CatalogueItem, Retailer
from domain.records import Decided, Record
from domain.timestamps import from_unix_ms
from monitoring.metrics import BatchMetrics
from tests.integration.batch.campaign_shop import decided, decision, promised, settled
from tests.integration.batch.shop_events import DAY_S, became, decisions_of, events_of, paid, viewed
from tests.market import campaign
from tests.story import NOON_MS, RETAILER, SHOPPER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OTHER = "0b" * 32
PASTA = CatalogueItem(product_id="pasta", name="Pasta", category_id="dry")
RICE = CatalogueItem(product_id="rice", name="Rice", category_id="dry")
HOLDOUT_PPM = 400_000
SHOPPERS = 500
ADDED_MINOR = 900
"""What the planted campaign adds to a treated shopper's spend."""
ENTERED_S = 30 * DAY_S
AS_OF = date(1970, 1, 1) + timedelta(milliseconds=NOON_MS) + timedelta(days=60)


class Sums(NamedTuple):
    """What was found of one shopper and campaign."""

    held_out: bool
    spend_minor: int
    before_minor: int
    converted: bool


def sums(
    spark: SparkSession, records: list[Record], told: list[Decided], *campaigns: Campaign, window_days: int = 7
) -> dict[tuple[str, str], Sums]:
    """Spend and purchases of each campaign's shoppers."""
    events = events_of(spark, records)
    bought = purchases(orders(events), sold_products(events), events, "EUR")
    shoppers = entered(campaign_exposures(decisions_of(spark, told)))
    of = promoted(spark, campaigns, [PASTA, RICE])
    rows = measured(shoppers, bought, of, window_days).collect()
    return {
        (row["campaign_id"], row["shopper_id"]): Sums(
            row["held_out"], row["spend_minor"], row["spend_before_minor"], row["converted"]
        )
        for row in rows
    }


def bought(number: int, at_s: float, *lines: tuple[str, int, int], **fields: Any) -> Record:
    """An order that the retailer's server told."""
    return paid(number, at_s, f"o-{number}", lines, **{"verified": True, **fields})


def back(number: int, at_s: float, of: int, status: str, *lines: tuple[str, int], **fields: Any) -> Record:
    """What the retailer's server told of an order."""
    return became(number, at_s, f"o-{of}", status, *lines, **{"verified": True, **fields})


def test_orders_count_in_their_window(spark: SparkSession) -> None:
    """From entering to the window's end counts after, four weeks up to entering before, and nothing else does."""
    told = [decided(1, 0, decision(1, 0)), decided(2, DAY_S, decision(2, DAY_S)), decided(3, 0, shopper=OTHER)]
    records = [
        bought(10, -28 * DAY_S, ("rice", 1, 1)),
        bought(11, -28 * DAY_S + 1, ("rice", 1, 10)),
        # At the very moment of entering: it may be the order that led there.
        bought(12, 0, ("rice", 1, 100)),
        bought(13, 1, ("rice", 1, 1_000)),
        bought(14, 7 * DAY_S, ("rice", 1, 10_000)),
        bought(15, 7 * DAY_S + 1, ("pasta", 1, 100_000)),
        # Of others, in another currency, or told by a browser, which anybody can forge.
        bought(16, 5, ("pasta", 1, 7), shopper_id=OTHER),
        bought(17, 5, ("pasta", 1, 7), currency="USD"),
        bought(18, 5, ("pasta", 1, 7), verified=False),
    ]
    spring = campaign("spring", products=("pasta",))
    assert {("spring", SHOPPER): Sums(False, 11_000, 110, False)} == sums(spark, records, told, spring)
    longer = sums(spark, records, told, spring, window_days=8)
    assert Sums(False, 111_000, 110, True) == longer["spring", SHOPPER]


@pytest.mark.extended
def test_what_comes_back_in_time_is_taken_off(spark: SparkSession) -> None:
    """Returns count up to the window's end, with their share of what was paid; a forged return counts nothing."""
    told = [decided(1, 0, held_out=(decision(1, 0),))]
    records = [
        # 1,000 for lines of 900 and 300: each pasta came to 250 of the 1,000.
        bought(10, 10, ("pasta", 3, 300), ("rice", 1, 300), total_minor=1_000),
        back(20, DAY_S, 10, "partially_returned", ("pasta", 1)),
        back(21, 2 * DAY_S, 10, "partially_returned", ("pasta", 5), ("salt", 1)),
        back(22, 8 * DAY_S, 10, "returned"),
        back(23, DAY_S, 10, "cancelled", verified=False),
        # Delivery goes with the whole order alone.
        bought(11, 11, ("rice", 1, 200), total_minor=290),
        back(24, DAY_S, 11, "partially_returned", ("rice", 1)),
        bought(12, 12, ("pasta", 1, 200), total_minor=290),
        back(25, DAY_S, 12, "cancelled"),
        back(26, DAY_S + 1, 12, "returned"),
        # Before entering, what had come back by then.
        bought(13, -DAY_S, ("rice", 2, 50)),
        back(27, -10, 13, "partially_returned", ("rice", 1)),
        back(28, 10, 13, "partially_returned", ("rice", 1)),
    ]
    spring = campaign("spring", products=("pasta",))
    assert {("spring", SHOPPER): Sums(True, 250 + 90, 50, False)} == sums(spark, records, told, spring)
    early = sums(spark, records[:2], told, spring)
    assert Sums(True, 750, 0, True) == early["spring", SHOPPER]


def test_what_is_promoted_is_the_campaigns(spark: SparkSession) -> None:
    """Products, categories of the catalogue or of the order itself; where none is named, what was first shown."""
    names = ("by-product", "by-category", "by-order", "by-nothing", "open", "open-else", "tension")
    told = [
        decided(
            number, 0, decision(number, 0, campaign_id=name, products=("salt",) if name == "open-else" else ("rice",))
        )
        for number, name in enumerate(names[:-1])
    ]
    told.append(decided(9, 0, decision(9, 0, campaign_id="tension", products=())))
    campaigns = (
        campaign("by-product", products=("rice", "salt")),
        campaign("by-category", category_ids=("dry",)),
        campaign("by-order", category_ids=("drinks",)),
        campaign("by-nothing", category_ids=("sweet",)),
        campaign("open"),
        campaign("open-else"),
        campaign("tension", kind="basket_tension"),
        campaign("nobody"),
    )
    # The order itself says that tea is a drink.
    found = sums(spark, [bought(10, 5, ("rice", 1, 10), ("tea", 1, 10))], told, *campaigns)
    assert dict(zip(names, (True, True, True, False, True, False, True), strict=True)) == {
        name: one.converted for (name, _), one in found.items()
    }


@cache
def shopping() -> tuple[list[Record], list[Decided]]:
    """A month before, the day on which everybody enters two campaigns, and the week after; one of them adds spend."""
    draw = np.random.default_rng(2_026)
    records: list[Record] = []
    told: list[Decided] = []
    for number in range(SHOPPERS):
        shopper = f"{number:064x}"
        usual = float(draw.lognormal(8, 0.6))
        treated = {name: not is_held_out(name, shopper, HOLDOUT_PPM) for name in ("spring", "aa")}
        for visit, at_s in enumerate((ENTERED_S - 20 * DAY_S, ENTERED_S - 10 * DAY_S, ENTERED_S + 2 * DAY_S)):
            spend = usual * float(draw.lognormal(0, 0.3))
            is_after = at_s > ENTERED_S
            product = "pasta" if is_after and draw.random() < (0.6 if treated["spring"] else 0.3) else "rice"
            spend += ADDED_MINOR if is_after and treated["spring"] else 0
            records.append(bought(10_000 * visit + number, at_s, (product, 1, round(spend)), shopper_id=shopper))
        for offset, name in enumerate(treated, start=1):
            event = number * 10 + offset
            shown = decision(event, ENTERED_S, campaign_id=name, slot=name)
            arm = {} if treated[name] else {"held_out": (shown,)}
            told.append(decided(event, ENTERED_S, *(() if arm else (shown,)), shopper=shopper, **arm))
    # One who entered so late that the week is not over, and one who left nothing but a promise.
    told.append(decided(900_001, 58 * DAY_S, decision(900_001, 58 * DAY_S), shopper=OTHER))
    told.append(promised(900_002, ENTERED_S, 500))
    told.append(settled(900_003, ENTERED_S + 60, 900_002, cause="expired", reserved_minor=-500, reserved_count=-1))
    return records, told


SPRING = campaign("spring", products=("pasta",), holdout_ppm=HOLDOUT_PPM)
PLACEBO = campaign("aa", products=("pasta",), holdout_ppm=HOLDOUT_PPM)


class Shop(NamedTuple):
    """A warehouse with a shop's months in it, and the job of a day."""

    job: Job
    csv: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Shop:
    """The shop, cooled."""
    folder = tmp_path_factory.mktemp("uplift")
    warehouse = Warehouse(str(folder / "warehouse"), spark)
    records, told = shopping()
    events, decisions = events_of(spark, records), decisions_of(spark, told)
    tables: dict[str, DataFrame] = {
        "events": events,
        "orders": orders(events),
        "sold_products": sold_products(events),
        "campaign_exposures": campaign_exposures(decisions),
        "campaign_settlements": campaign_settlements(decisions),
    }
    for name, rows in tables.items():
        warehouse.append(name, rows)
    job = Job(
        spark=spark,
        warehouse=warehouse,
        retailer=Retailer(retailer_id=RETAILER, name="Fresh & Co"),
        catalogue=(PASTA, RICE),
        run_id=AS_OF.isoformat(),
        as_of=AS_OF,
        data=None,
        settings=Settings(),
        report=lambda _step, _done, _of: None,
        metrics=BatchMetrics(),
    )
    return Shop(job, folder / "csv")


@pytest.fixture(scope="module")
def first(shop: Shop) -> tuple[Measured, list[Told]]:
    """Both campaigns, measured, with files."""
    told: list[Told] = []
    done = uplift(shop.job, Asked([PLACEBO, SPRING], csv=shop.csv), told.append)
    return done, told


def kept(shop: Shop) -> list[str]:
    """The rows of the table `uplift`."""
    return sorted(str(row.asDict()) for row in shop.job.warehouse.table("uplift").collect())


def test_an_effect_that_is_there_is_found(first: tuple[Measured, list[Told]]) -> None:
    """The interval of the campaign that adds spend holds what it adds and not 0; conversion follows."""
    _, (_, spring) = first
    effect = spring.uplift.spend_adjusted
    assert effect.low is not None
    assert effect.high is not None
    assert 0 < effect.low < ADDED_MINOR < effect.high
    assert "regression-adjusted" == effect.method
    assert spring.uplift.spend_adjusted.variance_reduction > 0.3
    conversion = spring.uplift.conversion
    assert conversion.effect is not None
    assert conversion.excludes_zero
    assert 0.15 < conversion.effect < 0.45
    assert spring.uplift.ratio.holds


def test_an_effect_that_is_not_there_is_not_found(first: tuple[Measured, list[Told]]) -> None:
    """A campaign that changes nothing, met by the same shoppers in other groups, has 0 in both intervals."""
    _, (placebo, _) = first
    assert SHOPPERS == placebo.entered
    assert not placebo.uplift.spend_adjusted.excludes_zero
    assert not placebo.uplift.conversion.excludes_zero


def test_who_has_not_had_the_whole_window_is_left_out(first: tuple[Measured, list[Told]]) -> None:
    """They are counted and told, and stand in neither group."""
    done, (_, spring) = first
    assert (SHOPPERS + 2, 1) == (spring.entered, spring.waiting)
    assert SHOPPERS + 1 == spring.uplift.ratio.treated + spring.uplift.ratio.held_out
    assert (2, 2 * SHOPPERS + 2, 1) == (done.campaigns, done.entered, done.waiting)
    assert any("1 of them are left out, because their 7 days are not over yet" in one for one in spring.sentences())


@pytest.mark.extended
def test_doing_it_again_changes_nothing(shop: Shop, first: tuple[Measured, list[Told]]) -> None:
    """The rows of the day are replaced by the same; one campaign measured alone leaves the other's row."""
    before = kept(shop)
    again: list[Told] = []
    uplift(shop.job, Asked([PLACEBO, SPRING]), again.append)
    assert (before, [one.as_row() for one in first[1]]) == (kept(shop), [one.as_row() for one in again])
    uplift(shop.job, Asked([SPRING], window_days=3), lambda _: None)
    rows = {row["campaign_id"]: row["window_days"] for row in shop.job.warehouse.table("uplift").collect()}
    assert {"aa": 7, "spring": 3} == rows


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_hold_the_tables_and_no_shopper(shop: Shop, first: tuple[Measured, list[Told]]) -> None:
    """Each table is a file with the same columns whenever it is written; hashes are in it only when asked for."""
    done, told = first
    assert {"campaigns": 2, "exposures": 2 * SHOPPERS + 2, "settlements": 1, "uplift": 2} == done.files
    assert ["campaigns.csv", "exposures.csv", "settlements.csv", "uplift.csv"] == sorted(
        path.name for path in shop.csv.iterdir()
    )
    spring = {row["campaign_id"]: row for row in read(shop.csv / "campaigns.csv")}["spring"]
    assert ("0.4", "0", "0") == tuple(spring[name] for name in ("holdout_share", "reserved_minor", "reserved_count"))
    assert SHOPPERS + 2 == int(spring["shoppers"]) + int(spring["shoppers_held_out"])
    uplift_rows = {row["campaign_id"]: row for row in read(shop.csv / "uplift.csv")}
    assert uplift_rows["spring"]["spend_effect_minor"] == str(told[1].uplift.spend_adjusted.effect)
    exposure = read(shop.csv / "exposures.csv")[0]
    assert from_unix_ms(NOON_MS) + timedelta(days=30) == datetime.fromisoformat(exposure["decided_at"])
    assert (["aa", "false"], False) == ([exposure["campaign_id"], exposure["held_out"]], "shopper_id" in exposure)
    text = "".join((shop.csv / f"{name}.csv").read_text() for name in ("exposures", "settlements"))
    assert [] == [name for name in (OTHER, SHOPPER, f"{1:064x}") if name in text]


def test_files_name_shoppers_when_asked_to(shop: Shop, tmp_path: Path) -> None:
    """Hashes, and the orders' ids, stand in last columns."""
    uplift(shop.job, Asked([SPRING], csv=tmp_path, with_shoppers=True), lambda _: None)
    exposures = read(tmp_path / "exposures.csv")
    assert ["shopper_id"] == list(exposures[0])[-1:]
    assert OTHER in {row["shopper_id"] for row in exposures}
    (settlement,) = read(tmp_path / "settlements.csv")
    assert [("order_id", ""), ("shopper_id", SHOPPER)] == list(settlement.items())[-2:]


@pytest.mark.extended
def test_of_a_large_campaign_a_sample_is_measured(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the driver gets a share of both groups alike, the same shoppers every time, and says so."""
    monkeypatch.setattr("batch.uplift_step.SHOPPERS_MAX", SHOPPERS // 2)
    told: list[Told] = []
    for _ in range(2):
        uplift(shop.job, Asked([PLACEBO]), told.append)
    first, again = told
    assert (SHOPPERS, 0.5, 0) == (first.entered, first.sample_share, first.waiting)
    ratio = first.uplift.ratio
    assert SHOPPERS * 0.4 < ratio.treated + ratio.held_out < SHOPPERS * 0.6
    assert ratio.holds
    assert "A sample of 50.0 % of the others was measured." in first.sentences()
    assert first.as_row() == again.as_row()


@pytest.mark.extended
def test_what_is_known_ends_where_cooling_did(shop: Shop, spark: SparkSession, tmp_path: Path) -> None:
    """A warehouse that was last cooled before a window's end does not know what happened in it."""
    warehouse = Warehouse(str(tmp_path / "warehouse"), spark)
    at = from_unix_ms(NOON_MS).astimezone(UTC) + timedelta(days=6)
    warehouse.append("cooled_days", [(RETAILER, at.date(), False, 1, 1, 0, 0, "run", at)])
    warehouse.append("campaign_exposures", campaign_exposures(decisions_of(spark, [decided(1, 0, decision(1, 0))])))
    told: list[Told] = []
    uplift(shop.job._replace(warehouse=warehouse), Asked([campaign("spring"), campaign("empty")]), told.append)
    assert [("spring", 1, 1), ("empty", 0, 0)] == [(one.campaign.campaign_id, one.entered, one.waiting) for one in told]
    uplift(shop.job._replace(warehouse=warehouse), Asked([campaign("spring")], window_days=6), told.append)
    assert (1, 0) == (told[-1].entered, told[-1].waiting)


def test_a_campaign_is_tried_where_the_events_are(shop: Shop) -> None:
    """Every shopper of the past week gets it at their visit, by the live fold, wherever the rows are."""
    now_ms = NOON_MS + 36 * 86_400_000
    of = campaign(
        "next",
        starts_at=from_unix_ms(NOON_MS) + timedelta(weeks=52),
        ends_at=from_unix_ms(NOON_MS) + timedelta(weeks=53),
        holdout_ppm=HOLDOUT_PPM,
    )
    found = dry_run(shop.job, of, 28, now_ms)
    held_out = sum(is_held_out("next", f"{number:064x}", HOLDOUT_PPM) for number in range(SHOPPERS))
    assert (SHOPPERS, SHOPPERS - held_out, held_out) == (found.active, found.shoppers, found.held_out_shoppers)
    assert (SHOPPERS - held_out, 100 * (SHOPPERS - held_out)) == (found.promises, found.cost_minor)
    assert (7, 7) == (found.days, found.campaign_days)
    with pytest.raises(Refused, match=r"no events of Fresh & Co from .* start with hotbasket batch cool"):
        dry_run(shop.job, of, 28, NOON_MS - 500 * 86_400_000)


def test_a_visit_alone_is_enough(spark: SparkSession, shop: Shop, tmp_path: Path) -> None:
    """A page view, its fields as the warehouse has them, meets the campaign as a worker would let it."""
    warehouse = Warehouse(str(tmp_path / "warehouse"), spark)
    warehouse.append("events", events_of(spark, [viewed(1, 0), viewed(2, 3_600), viewed(3, 5, shopper_id=OTHER)]))
    found = dry_run(shop.job._replace(warehouse=warehouse), campaign("spring"), 7, NOON_MS + 6 * 86_400_000)
    assert (2, 2, 3) == (found.active, found.shoppers, found.decisions)
