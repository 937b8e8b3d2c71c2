"""Opens what a job of the cold half works on: stores for a moment, Spark and the warehouse for as long as it runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.settings import load_settings
from adapters.wiring import Ports, has_servers
from deploy.batch_progress import reporting
from deploy.options import DATA
from deploy.stores import chosen, in_stores
from deploy.warehouse_place import warehouse_root
from domain.campaigns import Campaign
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem, Retailer

if TYPE_CHECKING:
    from batch.jobs import Job
    from batch.runs import Runs

LIBRARIES = ("delta", "numpy", "pandas", "pyarrow", "pyspark", "scipy", "xgboost")
SHORT_RUNS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A night of minutes is too short for Java's second compiler to earn the third of all CPU time that it takes."""
INSTALL = "pip install 'hotbasket[batch]'"


class Wanted(NamedTuple):
    """What a command line asks for.

    Attributes:
        data: directory of the embedded system; None = the servers of the settings, else the usual directory.
        retailer: name or id; None = the only one.
        as_of: what happened up to the end of this UTC day is known.
        run_id: None = the run that `after` says.
        after: the step whose newest run is gone on with; None = the day's own run.
    """

    data: Path | None
    retailer: str | None
    as_of: date | None
    run_id: str | None
    after: str | None


@contextmanager
def opened(wanted: Wanted) -> Iterator[Job]:
    """Opens a job and closes it again; two at once on one warehouse are refused.

    Raises:
        Refused: a library, Java, the retailer, the warehouse or the run is not there, or somebody works on it.
    """
    require_libraries()
    settings = load_settings()
    data = wanted.data if wanted.data is not None or has_servers(settings) else DATA
    retailer, catalogue, campaigns = in_stores(wanted.data, lambda ports: _about(ports, wanted.retailer), role="batch")
    root = warehouse_root(data, settings)
    from batch.jobs import Job  # noqa: PLC0415 - after the libraries are known to be there
    from batch.runs import Runs  # noqa: PLC0415
    from batch.spark import session  # noqa: PLC0415
    from batch.warehouse import Warehouse  # noqa: PLC0415
    from monitoring.metrics import BatchMetrics  # noqa: PLC0415

    cache = Path(settings.spark_cache).expanduser()
    spark = session(master=settings.spark_master, memory=settings.spark_memory, java_options=SHORT_RUNS, cache=cache)
    with reporting() as report:
        warehouse = Warehouse(root, spark)
        with warehouse.lock():
            runs = Runs(warehouse, retailer.retailer_id)
            run_id, as_of = _run(runs, wanted)
            metrics = BatchMetrics()
            yield Job(spark, warehouse, retailer, catalogue, run_id, as_of, data, settings, report, metrics, campaigns)


def require_libraries() -> None:
    """Looks for the cold half's libraries without loading them.

    Raises:
        Refused: which are missing, and what to install.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise Refused(f"the cold half needs {', '.join(missing)}: {INSTALL}, and Java 17 or 21")


async def _about(ports: Ports, name: str | None) -> tuple[Retailer, Sequence[CatalogueItem], Sequence[Campaign]]:
    retailer = chosen(ports, name)
    retailer_id = retailer.retailer_id
    return retailer, await ports.retailers.catalogue(retailer_id), await ports.campaigns.listed(retailer_id)


def _run(runs: Runs, wanted: Wanted) -> tuple[str, date]:
    """The run to work on, and the day that it knows."""
    from batch.nightly import LAST  # noqa: PLC0415

    if wanted.after is None:
        as_of = wanted.as_of or datetime.now(UTC).date()
        return wanted.run_id or runs.for_day(as_of, LAST), as_of
    cure = f"no run of {wanted.after} is done: start with hotbasket batch {wanted.after}"
    run_id = wanted.run_id or runs.newest(wanted.after, cure)
    try:
        return run_id, date.fromisoformat(run_id.partition(".")[0])
    except ValueError:
        raise Refused(f"{run_id!r} names no run: runs are days, such as 2026-11-25 or 2026-11-25.2") from None
