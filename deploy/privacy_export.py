"""`hotbasket privacy export`: everything that is held about a shopper, printed; about thousands, a file each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.audited import audited, target_of
from deploy.options import RetailerName, Where, document, progress, say
from deploy.past import GATHERED_S, Past, PastReader
from deploy.shopper_export import Gathered, gather
from deploy.shopper_export import export as exported
from deploy.shopper_history import Report
from deploy.shoppers_named import File, read_ids
from deploy.stores import chosen, hash_of, in_stores, meant
from deploy.warehouse_place import warehouse_data
from domain.errors import Refused
from domain.ids import ShopperKey
from domain.ports.retailers import Retailer

_OWNERS: Final = 0o700
_READS: Final = 0o600

Out = Annotated[
    Path | None,
    typer.Option("--out", help="With --file: the directory that takes a file for each shopper.", file_okay=False),
]


def export(
    shopper: Annotated[str | None, typer.Argument(help="The retailer's shopper id.")] = None,
    file: File = None,
    out: Out = None,
    retailer: RetailerName = None,
    data: Where = None,
) -> None:
    """Print everything that is held about a shopper as one JSON document, and for how long each part is kept.

    With --file and --out: of up to 5,000 shoppers, each in a file named by the shopper's hash; a file that is there is
    not made again.

    Example: hotbasket privacy export c-1842 > c-1842.json
    """
    if (file is None) != (out is None):
        raise typer.BadParameter("--file and --out go together: one names the shoppers, the other takes their files")
    if out is not None:
        if shopper is not None:
            raise typer.BadParameter("name one shopper, or many with --file")
        _to_files(read_ids(None, file), out, retailer, data)
        return
    reader = _reader(data)
    (shopper_id,) = read_ids(None if shopper is None else [shopper], None)

    async def work(ports: Ports) -> dict[str, Any]:
        one = chosen(ports, retailer)
        key = ShopperKey(one.retailer_id, hash_of(ports, one, shopper_id))
        with _watched("days", None) as report:
            return await _made(ports, one, key, report, await reader.of(key))

    document(in_stores(data, work))


def _to_files(shopper_ids: list[str], out: Path, retailer: str | None, data: Path | None) -> None:
    _prepare(out)
    reader = _reader(data)

    async def work(ports: Ports) -> int:
        one = chosen(ports, retailer)
        keys = [ShopperKey(one.retailer_id, hash_of(ports, one, shopper_id)) for shopper_id in shopper_ids]
        missing = [key for key in keys if not _path(out, key).exists()]
        digests = [target_of(ports, key) for key in missing]
        clock, gathered_s, gathered = SystemClock(), 0.0, None
        with _watched("shoppers", len(missing)) as report:
            for number, key in enumerate(missing):
                if gathered is None or clock.monotonic_s() > gathered_s + GATHERED_S:
                    gathered_s = clock.monotonic_s()
                    gathered = await gather(ports, one.retailer_id, set(digests[number:]), clock.now_ms())
                past = await reader.of(key, missing[number + 1 :])
                _write(_path(out, key), await _made(ports, one, key, _silent, past, gathered))
                report(number + 1, len(missing))
        return len(missing)

    made = in_stores(data, work)
    say(f"{made} made, {len(shopper_ids) - made} were there: {out}")


async def _made(
    ports: Ports,
    retailer: Retailer,
    key: ShopperKey,
    report: Report,
    past: Past,
    gathered: Gathered | None = None,
) -> dict[str, Any]:
    """Gives a document, of which the audit trail knows."""
    now_ms = SystemClock().now_ms()
    async with audited(ports, retailer.retailer_id, "privacy.export", target_of(ports, key)):
        return await exported(ports, retailer, key, load_settings(), now_ms, report, past, gathered)


def _reader(data: Path | None) -> PastReader:
    settings = load_settings()
    return PastReader(warehouse_data(meant(data, settings), settings), SystemClock())


def _prepare(out: Path) -> None:
    try:
        out.mkdir(mode=_OWNERS, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"can't make the directory {out}: {error.strerror}; choose another --out") from None


def _path(out: Path, key: ShopperKey) -> Path:
    return out / f"{key.shopper}.json"


def _write(path: Path, made: dict[str, Any]) -> None:
    """Writes a file, readable by its owner alone, that is there whole or not at all."""
    half = path.with_suffix(".half")
    try:
        with open(half, "wb", opener=lambda name, flags: os.open(name, flags, _READS)) as sink:
            sink.write(msgspec.json.encode(made))
        half.replace(path)
    except OSError as error:
        raise Refused(f"can't write {path}: {error.strerror}; what is there stays, run it again") from None


@contextmanager
def _watched(unit: str, total: int | None) -> Iterator[Report]:
    with progress(unit) as bar:
        task = bar.add_task("export", total=total)

        def report(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield report


def _silent(_: int, __: int) -> None:
    """The days of one shopper among thousands are not shown."""
