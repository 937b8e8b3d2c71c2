"""What the warehouse holds of shoppers (`domain.ports.shopper_data`): every row of theirs, in every table and file."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from batch.folder_lock import folder_of
from batch.old_runs import BY_RUN, old_runs
from batch.shopper_table import Part, ShopperTable, faults, opened
from batch.table_forms import BY_DAY, BY_SHOPPER, MODELS, RESTORING, RUNS, SHOPPER, STAGING
from batch.visiting import visiting
from domain.errors import PortError
from domain.ports.shopper_data import Erased, Visit

T = TypeVar("T")

_SEARCHED_MAX = 4_096
_WAITS_FOR = "rows that were written meanwhile"


class _Held(NamedTuple):
    """What a table holds of a retailer's shoppers."""

    table: ShopperTable
    retailer_id: str
    shoppers: Sequence[str]
    parts: Mapping[Part, int]


class WarehouseData:
    """The warehouse's part in erasures, and in what is told to a shopper.

    Every row of an erased shopper goes, whenever it happened: nothing of them is taken until their request is done, and
    what the night brings meanwhile is of before. Shoppers who come back come behind it.

    A visit holds the warehouse's lock, so no night works beside it: a night would go on with what it has read before.
    While a night holds the lock the visit fails, the round is not clean, and the next one looks at the trees again.
    """

    name: Final = "warehouse"

    def __init__(self, root: str, *, expected: bool) -> None:
        """Takes where it is.

        Args:
            root: a folder, or an address like `s3a://bucket/warehouse`, as Spark takes it.
            expected: whether a folder that is absent is a fault, such as a disk that is not mounted; else it is a
                warehouse to which no night has come yet.
        """
        self._root = root.rstrip("/")
        self._expected = expected
        self._searched: dict[tuple[str, bytes], int] = {}
        self._dropped: dict[str, AbstractSet[str]] = {}
        self._reading: asyncio.Future[Any] | None = None  # Any: of whatever is read

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes their rows, the retailer's models where there were any, and the files behind them.

        The transaction log stays as it is: it names no shopper (`batch.table_forms`), and Spark keeps it short.

        Raises:
            PortError: a job works on the warehouse, it can't be used now, or its library is not installed.
        """
        return await asyncio.to_thread(self._erase, shoppers)

    def is_filled(self) -> bool:
        """Tells whether a night has come to it.

        Raises:
            PortError: it is not there, or can't be opened.
        """
        return self._is_there() and any(opened(self._root, name) is not None for name in BY_SHOPPER)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives the start of the retailer's oldest day that lies wholly before a moment, from the tables' logs alone.

        Raises:
            PortError: the warehouse can't be read now.
        """
        return await asyncio.to_thread(self._oldest_ms, retailer_id, before_ms)

    async def oldest_run_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest run of which `expire_runs` would remove something ended; None where there is none.

        Raises:
            PortError: the warehouse can't be read now.
        """
        return await asyncio.to_thread(self._oldest_run_ms, retailer_id, before_ms)

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """Removes the retailer's days that lie wholly before a moment, and their files; gives how many days of tables.

        Raises:
            PortError: a job works on the warehouse, or it can't be used now; the call may be repeated.
        """
        return await asyncio.to_thread(self._expire, retailer_id, before_ms)

    async def expire_runs(self, retailer_id: str, before_ms: int) -> int:
        """Removes models, rules, predictions and trees of runs that are over (`batch.old_runs`); gives how many runs.

        Raises:
            PortError: a job works on the warehouse, or it can't be used now; the call may be repeated.
        """
        return await asyncio.to_thread(self._expire_runs, retailer_id, before_ms)

    async def count(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, int]:
        """Gives how many rows each of a retailer's shoppers has, where there are any.

        Raises:
            PortError: as of `rows`.
        """
        return await self._read(partial(self._count, retailer_id, shoppers))

    async def rows(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Gives the rows of a retailer's shoppers by shopper and table, oldest part first, where there are any.

        Raises:
            PortError: the warehouse can't be read now: a night changes it meanwhile, or another reading goes on.
        """
        return await self._read(partial(self._rows, retailer_id, shoppers))

    async def _read(self, reading: Callable[[], T]) -> T:
        if self._reading is not None and not self._reading.done():
            raise PortError("the warehouse is still being read for somebody who gave up", retriable=True)
        future = asyncio.ensure_future(asyncio.to_thread(reading))
        self._reading = future
        # Whoever gives up leaves the thread behind, which can't be stopped: one is enough.
        return await asyncio.shield(future)

    def _erase(self, shoppers: Sequence[Erased]) -> Visit:
        if not self._is_there():
            return Visit(0, 0, 0)
        by_retailer: dict[str, list[str]] = defaultdict(list)
        for one in shoppers:
            by_retailer[one.key.retailer_id].append(one.key.shopper)
        with visiting(self._root):
            tables, models = self._tables(BY_SHOPPER), self._tables([MODELS])
            held = self._search(tables, by_retailer)
            # First of all: a visit that dies behind it finds the rows again, and with them the models.
            for retailer_id in {one.retailer_id for one in held}:
                for table in models:
                    table.remove_all_of(retailer_id)
            removed = sum(one.table.remove(one.shoppers, list(one.parts)) for one in held)
            self._drop_staging()
            self._drop_files([*tables, *models])
            left = _rows_in(self._search(tables, by_retailer)) if held else 0
        return Visit(_rows_in(held), removed, left, _WAITS_FOR if left else "")

    def _search(self, tables: Sequence[ShopperTable], by_retailer: Mapping[str, Sequence[str]]) -> list[_Held]:
        """Looks into the tables that have changed since the same shoppers were not in them."""
        held: list[_Held] = []
        for retailer_id, shoppers in by_retailer.items():
            digest = hashlib.sha256("\n".join((retailer_id, *sorted(shoppers))).encode()).digest()
            for table in tables:
                version = table.version
                if self._searched.get((table.name, digest)) == version:
                    continue
                parts = table.count(retailer_id, shoppers)
                if parts:
                    held.append(_Held(table, retailer_id, shoppers, parts))
                else:
                    self._searched[table.name, digest] = version
        while len(self._searched) > _SEARCHED_MAX:
            del self._searched[next(iter(self._searched))]
        return held

    def _expire(self, retailer_id: str, before_ms: int) -> int:
        if not self._is_there():
            return 0
        first_kept = datetime.fromtimestamp(before_ms / 1_000, UTC).date()
        with visiting(self._root):
            tables = self._tables(BY_DAY)
            removed = sum(table.remove_days(retailer_id, first_kept) for table in tables)
            self._drop_staging()
            self._drop_files(tables)
        return removed

    def _expire_runs(self, retailer_id: str, before_ms: int) -> int:
        if not self._is_there():
            return 0
        with visiting(self._root):
            over, tables = set(self._over(retailer_id, before_ms)), self._tables(BY_RUN)
            removed = max((table.remove_runs(retailer_id, over) for table in tables), default=0)
            self._drop_files(tables)
        return removed

    def _over(self, retailer_id: str, before_ms: int) -> dict[str, datetime]:
        """Gives the runs that are over, and when each ended."""
        ended = [one for book in self._tables([RUNS]) for one in book.ended(retailer_id)]
        over = old_runs(ended, datetime.fromtimestamp(before_ms / 1_000, UTC))
        return {one.run_id: one.ended_at for one in sorted(ended, key=lambda one: one.ended_at) if one.run_id in over}

    def _oldest_run_ms(self, retailer_id: str, before_ms: int) -> int | None:
        if not self._is_there():
            return None
        over = self._over(retailer_id, before_ms)
        left = {run_id for table in self._tables(BY_RUN) for run_id in table.runs(retailer_id)}
        oldest = min((ended_at for run_id, ended_at in over.items() if run_id in left), default=None)
        return None if oldest is None else int(oldest.timestamp() * 1_000)

    def _drop_files(self, tables: Sequence[ShopperTable]) -> None:
        """Also where nothing was removed: who was killed behind a removal has left the files."""
        for table in tables:
            self._dropped[table.name] = table.drop_old_files(self._dropped.get(table.name, frozenset()))

    def _oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        if not self._is_there():
            return None
        last = datetime.fromtimestamp(before_ms / 1_000, UTC).date() - timedelta(days=1)
        days = [day for table in self._tables(BY_DAY) for day in table.days(retailer_id) if day <= last]
        return int(datetime.combine(min(days), time(), UTC).timestamp() * 1_000) if days else None

    def _count(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for table in self._tables(BY_SHOPPER) if self._is_there() else ():
            counts.update(table.count_each(retailer_id, shoppers))
        return dict(counts)

    def _rows(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for table in self._tables(BY_SHOPPER) if self._is_there() else ():
            for row in table.rows(retailer_id, shoppers):
                found.setdefault(row[SHOPPER], {}).setdefault(table.name, []).append(row)
        return found

    def _tables(self, names: Sequence[str]) -> list[ShopperTable]:
        return [table for name in names if (table := opened(self._root, name)) is not None]

    def _is_there(self) -> bool:
        folder = folder_of(self._root)
        if folder is None or folder.is_dir():
            return True
        if self._expected:
            raise PortError(
                f"the warehouse {folder} is not there: mount it; if it is new, make the folder", retriable=True
            )
        return False

    def _drop_staging(self) -> None:
        """Removes what a cooling or a restore that was killed has left: one that works would hold the lock."""
        folder = folder_of(self._root)
        if folder is None:
            from deltalake._internal import DeltaFileSystemHandler  # noqa: PLC0415 - the part that needs no pyarrow

            with faults(f"the warehouse {self._root}"):
                DeltaFileSystemHandler(self._root).delete_dir(STAGING)
            return
        for left in (STAGING, RESTORING):
            try:
                shutil.rmtree(Path(folder) / left)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise PortError(f"{error.filename} can't be removed: {error.strerror}", retriable=True) from None


def _rows_in(held: Sequence[_Held]) -> int:
    return sum(sum(one.parts.values()) for one in held)
