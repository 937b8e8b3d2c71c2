"""`hotbasket convert`: turns data of other shapes into events and catalogues; what it writes, `replay` can send."""

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import structlog
import typer

from deploy import complete_journey
from deploy.complete_journey import Sold
from deploy.options import Json, document, progress, tell
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem

log = structlog.get_logger()
commands = typer.Typer(help="Turn data of other shapes into events.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Turn data of other shapes into events."""


@commands.command("complete-journey")
def convert_complete_journey(
    baskets: Annotated[Path, typer.Option("--baskets", help="Parquet: household_id, basket_id, day, product_id.")],
    products: Annotated[
        Path, typer.Option("--products", help="Parquet: product_id, product_category, unit_price_paid_median, ...")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="JSONL file to write, gzipped if it ends in .gz; default stdout.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="CSV file to write, for `hotbasket catalogue import`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn Complete Journey baskets into the events of an online shop.

    Each basket becomes a session: product views, searches, adds, some removals and a paid order, in the order of
    time. Day 285 is 2017-01-01. What the data does not say (times within a day, searches, removals) is invented, the
    same way at every run, so the output is always the same. A product without a known price is added without one and
    stands in the order with price 0.

    Example: hotbasket convert complete-journey --baskets baskets_day1_79.parquet --products products.parquet
    --out events.jsonl.gz --catalogue catalogue.csv
    """
    if as_json and out is None:
        raise typer.BadParameter("--json needs --out: stdout can't carry the events and the result")
    known = {row["product_id"]: complete_journey.sold(row) for row in _rows(products, PRODUCT_COLUMNS)}
    rows = [
        (row["day"], row["household_id"], row["basket_id"], row["product_id"])
        for row in _rows(baskets, ("day", "household_id", "basket_id", "product_id"))
    ]
    all_baskets = complete_journey.baskets(rows)
    counts: Counter[str] = Counter()
    with _writer(out) as file:
        for line in _lines(all_baskets, known, counts):
            file.write(line)
    if catalogue is not None:
        write_catalogue(catalogue, complete_journey.catalogue(known))
    result = {"baskets": len(all_baskets), "events": sum(counts.values()), "by_type": dict(sorted(counts.items()))}
    log.info("converted", source="complete-journey", baskets=result["baskets"], events=result["events"])
    if as_json:
        document(result)
    else:
        tell(f"{result['baskets']} baskets became {result['events']} events" + (f" in {out}" if out else ""))


def write_catalogue(path: Path, items: Iterable[CatalogueItem]) -> None:
    """Writes a catalogue as the CSV that `hotbasket catalogue import` reads."""
    names = [field.name for field in msgspec.structs.fields(CatalogueItem)]
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(["" if (cell := getattr(item, n)) is None else cell for n in names] for item in items)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None


PRODUCT_COLUMNS = (
    "product_id",
    "product_category",
    "product_type",
    "department",
    "brand",
    "package_size",
    "unit_price_paid_median",
)


def _lines(
    all_baskets: list[complete_journey.Basket], known: Mapping[int, Sold], counts: Counter[str]
) -> Iterator[bytes]:
    """Each event as a line, with a progress bar by days."""
    encoder = msgspec.json.Encoder()
    days = sorted({basket.day for basket in all_baskets})
    with progress("days") as bar:
        task = bar.add_task("convert", total=len(days))
        done = 0
        for event in complete_journey.events(all_baskets, known):
            counts[type(event).__name__] += 1
            yield encoder.encode(event) + b"\n"
            day = (event.occurred_at - complete_journey.FIRST_DAY).days
            if day > days[done]:
                done = days.index(day)
                bar.update(task, completed=done)


@contextmanager
def _writer(out: Path | None) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The place where the events go; a gzip file carries no time, so that equal events make equal bytes."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with out.open("wb") as file:
            if out.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as zipped:
                    yield zipped
            else:
                yield file
    except OSError as error:
        raise Refused(f"{out}: {error.strerror}") from None


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:  # Any: a table has every type
    """The rows of a Parquet file, these columns only."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra; the other commands do without
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise Refused("reading Parquet needs pyarrow: pip install 'hotbasket[batch]'") from None
    if not path.is_file():
        raise Refused(f"{path} is no file")
    try:
        missing = [name for name in columns if name not in parquet.read_schema(path).names]
        if missing:
            raise Refused(f"{path} has no column {', '.join(missing)}")
        rows: list[dict[str, Any]] = parquet.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise Refused(f"{path}: {str(error).splitlines()[0]}") from None
    return rows
