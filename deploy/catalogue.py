"""`hotbasket catalogue`: reads a retailer's products, which the gateway adds to events that lack what it knows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from adapters.wiring import Ports
from deploy.audited import audited
from deploy.options import Json, RetailerName, Where, document, progress, say
from deploy.stores import chosen, in_stores
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem

commands = typer.Typer(no_args_is_help=True)
MONEY_MAX = 10**12
TEXT_MAX = 128
NAME_MAX = 500
FAULTS_MAX = 200
_FIELDS = tuple(field.name for field in msgspec.structs.fields(CatalogueItem))
_REQUIRED = tuple(field.name for field in msgspec.structs.fields(CatalogueItem) if field.required)
_MONEY = ("price_minor", "cost_minor")


@commands.callback()
def _group() -> None:
    """Give a retailer's products to hotbasket."""


@commands.command("import")
def import_catalogue(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with a header, or JSONL: product_id, name, category_id, brand?, price_minor?, cost_minor?"
        ),
    ],
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Replace a retailer's whole catalogue by the products of a file: all of them, or none if one is wrong.

    Prices are integers in minor units of the retailer's currency: 249 is 2.49 EUR.

    Example: hotbasket catalogue import --retailer "Fresh & Co" products.csv
    """
    items = read_catalogue(file)

    async def work(ports: Ports) -> str:
        one = chosen(ports, retailer)
        async with audited(ports, one.retailer_id, "catalogue.import"):
            await ports.retailers.import_catalogue(one.retailer_id, items)
        return one.name

    name = in_stores(data, work)
    if as_json:
        document({"imported": len(items)})
    else:
        say(f"{len(items)} products are now the catalogue of {name}")


def read_catalogue(path: Path) -> list[CatalogueItem]:
    """Gives the products of a CSV or JSONL file.

    Raises:
        Refused: every fault of every line, with the line's number; at most FAULTS_MAX of them are named.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8") from None
    rows = _json_rows(text) if text.lstrip()[:1] == "{" else _csv_rows(text)
    items: dict[str, CatalogueItem] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    with progress("lines") as bar:
        for number, row in bar.track(rows, total=text.count("\n"), description="catalogue"):
            found = row if isinstance(row, str) else _product(row)
            if isinstance(found, CatalogueItem) and found.product_id in items:
                found = f"product_id {found.product_id!r} stands in line {lines[found.product_id]} already"
            if isinstance(found, CatalogueItem):
                items[found.product_id] = found
                lines[found.product_id] = number
            else:
                faults.append(f"{path} line {number}: {found}")
    if faults:
        more = [f"and {len(faults) - FAULTS_MAX} more"] if len(faults) > FAULTS_MAX else []
        raise Refused(*faults[:FAULTS_MAX], *more, f"nothing was imported from {path}")
    if not items:
        raise Refused(f"{path} holds no product")
    return list(items.values())


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line with its number: its object, or what is wrong with it."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = msgspec.json.decode(line)
            except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
                yield number, str(error)
            else:
                yield number, row if isinstance(row, dict) else "not a JSON object"


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each row with the number of its last line: its cells by column, or what is wrong with it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _REQUIRED if name not in header]
        if missing:
            yield 1, f"the header lacks {', '.join(missing)}"
            return
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield reader.line_num, f"{len(cells)} cells under {len(header)} columns"
                continue
            yield reader.line_num, {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True) if cell}
    except csv.Error as error:
        yield reader.line_num, str(error)


def _cell(name: str, cell: str) -> str | int:
    """The cell's value: money as a number where it is one."""
    return int(cell) if name in _MONEY and len(cell) <= 20 and cell.isascii() and cell.isdigit() else cell


def _product(row: Mapping[str, Any]) -> CatalogueItem | str:
    """The product of a row, or what is wrong with it."""
    for name in _REQUIRED:
        if row.get(name) in (None, ""):
            return f"{name} is missing"
    for name in row:
        if name not in _FIELDS:
            return f"{name!r} is no field of a product: there are {', '.join(_FIELDS)}"
    for name in _MONEY:
        price = row.get(name)
        if price is not None and not (type(price) is int and 0 <= price <= MONEY_MAX):
            return f"{name} {price!r} is no integer from 0 to {MONEY_MAX}: 2.49 is 249"
    for name, longest in (("product_id", TEXT_MAX), ("category_id", TEXT_MAX), ("brand", TEXT_MAX), ("name", NAME_MAX)):
        text = row.get(name)
        if text is not None and not (isinstance(text, str) and 1 <= len(text) <= longest and text.isprintable()):
            return f"{name} {text!r} is no text of 1 to {longest} printable characters"
    return msgspec.convert(dict(row), CatalogueItem)
