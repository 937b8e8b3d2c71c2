"""`hotbasket batch`: the cold half's jobs, on a laptop or by spark-submit; the live path needs none of this."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from adapters.wiring import Ports
from batch.push import rollback
from deploy.batch_job import Wanted, opened
from deploy.dry_run import dry_run
from deploy.evaluate_baskets import evaluate_baskets
from deploy.options import Json, RetailerName, Where, document, say
from deploy.stores import chosen, in_stores
from deploy.uplift import uplift

commands = typer.Typer(no_args_is_help=True)
Day = Annotated[
    datetime | None,
    typer.Option(
        "--day", formats=["%Y-%m-%d"], help="What happened up to the end of this UTC day is known; default today."
    ),
]
Run = Annotated[str | None, typer.Option("--run", help="Run to go on with; default the newest that is ready for it.")]
Canary = Annotated[
    str | None, typer.Option("--canary", help="Push to this stable share of the shoppers only, such as 5%.")
]


@commands.callback()
def _group() -> None:
    """Cool events into the warehouse, learn from them, grow a tree for every shopper, push it.

    Needs Java 17 or 21 and pip install 'hotbasket[batch]'. Start with: hotbasket batch nightly
    """


@commands.command()
def nightly(
    data: Where = None, retailer: RetailerName = None, day: Day = None, canary: Canary = None, as_json: Json = False
) -> None:
    """Do the whole night: cool, train, evaluate, grow, push; one that was stopped goes on where it was.

    A model that is no better than the best baseline is not promoted: the night ends there, well, and the trees in force
    stay. Two nights at once on one warehouse are refused.

    Example: hotbasket batch nightly --data ./data
    """
    with opened(_wanted(data, retailer, day=day)) as job:
        from batch.nightly import nightly as whole_night  # noqa: PLC0415 - after the libraries are known to be there

        night = whole_night(job, {"push": {"canary": canary}})
    _tell(msgspec.to_builtins(night), as_json)


@commands.command()
def cool(
    data: Where = None,
    retailer: RetailerName = None,
    day: Day = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make every business table again from the warehouse's events too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy events into the warehouse, and make the business tables of the days concerned again.

    Closed days are read once, the open day each time; repeated and late events merge by their id. Running it twice
    changes nothing.

    Example: hotbasket batch cool --data ./data
    """
    _do("cool", _wanted(data, retailer, day=day), as_json, rebuild=rebuild)


@commands.command()
def train(data: Where = None, retailer: RetailerName = None, day: Day = None, as_json: Json = False) -> None:
    """Learn the models, and estimate the econometric rules, from the warehouse.

    Example: hotbasket batch train --data ./data
    """
    _do("train", _wanted(data, retailer, day=day), as_json)


@commands.command()
def evaluate(data: Where = None, retailer: RetailerName = None, run: Run = None, as_json: Json = False) -> None:
    """Hold the newest model against the baselines, on baskets that it has not seen; exits with 1 if it is no better.

    Example: hotbasket batch evaluate --data ./data
    """
    _do("evaluate", _wanted(data, retailer, run=run, after="train"), as_json)


@commands.command()
def grow(data: Where = None, retailer: RetailerName = None, run: Run = None, as_json: Json = False) -> None:
    """Grow a tree for every active shopper from the newest model that was promoted.

    Example: hotbasket batch grow --data ./data
    """
    _do("grow", _wanted(data, retailer, run=run, after="evaluate"), as_json)


@commands.command()
def push(
    data: Where = None,
    retailer: RetailerName = None,
    run: Run = None,
    canary: Canary = None,
    back: Annotated[
        bool, typer.Option("--rollback", help="Push nothing: go back to the generation before the newest.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the grown trees in force, all at once, or go back to those before.

    A push that dies half-way leaves nothing visible. Who is shopping gets the new tree with the next event.

    Example: hotbasket batch push --canary 5%

    Example: hotbasket batch push --rollback
    """
    if back and (canary or run):
        raise typer.BadParameter("--rollback goes with neither --canary nor --run")
    if back:
        _roll_back(data, retailer, as_json)
    else:
        _do("push", _wanted(data, retailer, run=run, after="grow"), as_json, canary=canary)


commands.command("uplift")(uplift)
commands.command("dry-run")(dry_run)
commands.command("evaluate-baskets")(evaluate_baskets)


def _wanted(
    data: Where, retailer: RetailerName, *, day: Day = None, run: Run = None, after: str | None = None
) -> Wanted:
    return Wanted(data, retailer, None if day is None else day.date(), run, after)


def _do(step: str, wanted: Wanted, as_json: bool, **options: Any) -> None:
    with opened(wanted) as job:
        from batch.nightly import STEPS, do  # noqa: PLC0415 - after the libraries are known to be there

        done = do(step, job, partial(STEPS[step], **options))
    _tell({"run_id": job.run_id, **msgspec.to_builtins(done)}, as_json)


def _roll_back(data: Where, retailer: RetailerName, as_json: bool) -> None:
    """Needs neither Spark nor Java: at three in the morning it must just work."""

    async def work(ports: Ports) -> int:
        return await rollback(ports.releases, chosen(ports, retailer).retailer_id)

    generation = in_stores(data, work, role="batch")
    if as_json:
        document({"generation": generation})
    else:
        say(f"generation {generation} is in force again")


def _tell(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        document(done)
        return
    table = Table(show_header=False, box=None)
    for name, value in _flat(done):
        table.add_row(name, value)
    Console().print(table)


def _flat(done: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in done.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            rows.append((f"{prefix}{name}".replace("_", " "), text))
    return rows
