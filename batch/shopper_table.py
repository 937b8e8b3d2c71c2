"""One table of the warehouse as delta-rs opens it: whose rows it holds, without them, and without their files.

It needs no Java, so whoever runs all the time can do it. Spark and delta-rs read what the other wrote: the tables are
of Delta's oldest protocol, and have no deletion vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batch.old_runs import Ended
from batch.table_forms import FORMS, SHOPPER
from domain.errors import PortError

if TYPE_CHECKING:
    from deltalake import DeltaTable, PostCommitHookProperties

INSTALL: Final = "pip install 'hotbasket[warehouse]'"
BYTES_AT_ONCE: Final = 16 << 20
"""Of a table's files in one rewriting, or one day's or run's if that is more: delta-rs holds some times as much."""
_HASH = re.compile(r"[0-9a-f]{64}")
_SAID_MAX = 300


class LibraryMissing(PortError):
    """Delta-rs is not installed."""

    def __init__(self, root: str) -> None:
        super().__init__(f"the warehouse {root} can't be opened: {INSTALL}", retriable=False)


class Part(NamedTuple):
    """Rows of one retailer that lie together: of a day or of a run, None where a row says of none."""

    retailer_id: str | None
    value: str | None


class ShopperTable:
    """A table as of the moment it was opened, and of what was done with it since.

    Attributes:
        name: as in `batch.table_forms.FORMS`.
    """

    def __init__(self, name: str, table: DeltaTable, root: str) -> None:
        """Takes it; `opened` gives one."""
        self.name = name
        self._table = table
        self._what = f"the warehouse {root}, table {name}"
        self._by = FORMS[name].partitioned_by[-1]

    @property
    def version(self) -> int:
        """The number of the commit that it shows."""
        return int(self._table.version())

    def count(self, retailer_id: str, shoppers: Sequence[str]) -> Mapping[Part, int]:
        """Gives how many rows of these shoppers each part holds, where there are any.

        Raises:
            PortError: it can't be read now.
        """
        # One literal for all of them: thousands take the planner a second in which no other thread runs.
        gone = f"(SELECT unnest(string_to_array({_quoted(','.join(shoppers))}, ',')) AS shopper)"
        counted: dict[Part, int] = {}
        for some in self._batches([part for part in self._sizes if part.retailer_id == retailer_id]):
            rows = self._select(
                f"SELECT kept.{self._by} AS part, count(*) AS n FROM kept LEFT SEMI JOIN {gone} gone"  # noqa: S608 - quoted
                f" ON kept.{SHOPPER} = gone.shopper WHERE {self._in(some)} GROUP BY kept.{self._by}"
            )
            counted |= {Part(retailer_id, _text(row["part"])): row["n"] for row in rows}
        return counted

    def remove(self, shoppers: Sequence[str], parts: Sequence[Part]) -> int:
        """Removes their rows from parts of one retailer, a few parts in a commit; gives how many rows.

        The commit names nobody: rows are found by joining. A condition would stand in the table's log.

        Raises:
            PortError: some are removed; the call may be repeated.
        """
        from arro3.core import Array, DataType, Table  # noqa: PLC0415 - comes with delta-rs

        gone = Table.from_pydict({SHOPPER: Array(list(shoppers), type=DataType.string())})
        removed = 0
        for some in self._batches(parts):
            with faults(self._what):
                merging = self._table.merge(
                    gone,
                    f"{self._in(some)} AND kept.{SHOPPER} = gone.{SHOPPER}",
                    source_alias="gone",
                    target_alias="kept",
                    post_commithook_properties=_hooks(),
                )
                removed += int(merging.when_matched_delete().execute()["num_target_rows_deleted"])
        return removed

    def remove_all_of(self, retailer_id: str) -> None:
        """Removes whatever the retailer has in it.

        Raises:
            PortError: nothing is removed.
        """
        if any(part.retailer_id == retailer_id for part in self._sizes):
            with faults(self._what):
                self._table.delete(f"retailer_id = {_quoted(retailer_id)}", post_commithook_properties=_hooks())

    def remove_days(self, retailer_id: str, before: date) -> int:
        """Removes a retailer's days before one, as whole files; gives how many days.

        Raises:
            PortError: nothing is removed.
        """
        days = [day for day in self.days(retailer_id) if day < before]
        if days:
            where = f"retailer_id = {_quoted(retailer_id)} AND day < DATE {_quoted(before.isoformat())}"
            with faults(self._what):
                self._table.delete(where, post_commithook_properties=_hooks())
        return len(days)

    def remove_runs(self, retailer_id: str, run_ids: AbstractSet[str]) -> int:
        """Removes what some runs of a retailer have left, as whole files; gives of how many there was something.

        Raises:
            PortError: nothing is removed.
        """
        gone = [part for part in self._sizes if part.retailer_id == retailer_id and part.value in run_ids]
        if gone:
            runs = ", ".join(_quoted(part.value or "") for part in gone)
            where = f"retailer_id = {_quoted(retailer_id)} AND run_id IN ({runs})"
            with faults(self._what):
                self._table.delete(where, post_commithook_properties=_hooks())
        return len(gone)

    def ended(self, retailer_id: str) -> list[Ended]:
        """Gives the steps of a retailer's runs, where this is their book.

        Raises:
            PortError: it can't be read now.
        """
        where = f"WHERE retailer_id = {_quoted(retailer_id)}"
        rows = self._select(f"SELECT run_id, step, state, ended_at FROM kept {where}")  # noqa: S608 - quoted
        return [Ended(**row) for row in rows]

    def drop_old_files(self, dropped: AbstractSet[str]) -> AbstractSet[str]:
        """Removes the files that it does not show: of older versions, and of jobs that were killed.

        Args:
            dropped: what an earlier call gave. Files that are gone stay in the table's log for a week, and no name
                comes twice: where there are no others nothing is done, since each vacuum is two commits.

        Raises:
            PortError: some may be left; the call may be repeated.
        """
        with faults(self._what):
            listed = self._table.vacuum(retention_hours=0, enforce_retention_duration=False, full=True)
            # What only checks other files is no reason for a vacuum, and goes with the next.
            old = {path for path in listed if not path.endswith(".crc")}
            if old - dropped:
                self._table.vacuum(
                    retention_hours=0,
                    enforce_retention_duration=False,
                    full=True,
                    dry_run=False,
                    post_commithook_properties=_hooks(),
                )
        return old

    def count_each(self, retailer_id: str, shoppers: Sequence[str]) -> Mapping[str, int]:
        """Gives how many rows each of some hundred shoppers of a retailer has, where there are any.

        Raises:
            PortError: it can't be read now.
        """
        rows = self._select(
            f"SELECT kept.{SHOPPER} AS shopper, count(*) AS n {_named(retailer_id, shoppers)} GROUP BY kept.{SHOPPER}"
        )
        return {row["shopper"]: row["n"] for row in rows}

    def rows(self, retailer_id: str, shoppers: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Gives the rows of some hundred shoppers of a retailer, oldest part first.

        Raises:
            PortError: it can't be read now.
        """
        return self._select(f"SELECT kept.* {_named(retailer_id, shoppers)} ORDER BY kept.{self._by}")

    def shoppers(self) -> Iterator[tuple[str, str]]:
        """Gives retailer and hash of everybody it has rows of.

        Raises:
            PortError: it can't be read now.
        """
        query = f"SELECT DISTINCT retailer_id, {SHOPPER} AS shopper FROM kept WHERE {SHOPPER} IS NOT NULL"  # noqa: S608
        return ((row["retailer_id"], row["shopper"]) for row in self._select(query))

    def days(self, retailer_id: str) -> list[date]:
        """Gives the days of which it has rows of a retailer, from the log alone.

        Raises:
            PortError: it can't be read now.
        """
        if self._by != "day":
            return []
        return [date.fromisoformat(value) for id_, value in self._sizes if id_ == retailer_id and value is not None]

    def runs(self, retailer_id: str) -> set[str]:
        """Gives the runs of which it has rows of a retailer, from the log alone.

        Raises:
            PortError: it can't be read now.
        """
        if self._by != "run_id":
            return set()
        return {value for id_, value in self._sizes if id_ == retailer_id and value is not None}

    @cached_property
    def _sizes(self) -> Mapping[Part, int]:
        """Bytes by part, as of when it was opened."""
        sizes: dict[Part, int] = {}
        with faults(self._what):
            files = self._table.get_add_actions(flatten=True)
            names = ("partition.retailer_id", f"partition.{self._by}", "size_bytes", "num_records")
            for retailer_id, value, size, rows in zip(*(files.column(name) for name in names), strict=True):
                if rows.as_py() != 0:
                    part = Part(retailer_id.as_py(), _text(value.as_py()))
                    sizes[part] = sizes.get(part, 0) + size.as_py()
        return sizes

    def _batches(self, parts: Sequence[Part]) -> Iterator[list[Part]]:
        batch: list[Part] = []
        size = 0
        for part in parts:
            here = self._sizes.get(part, 0)
            if batch and (size + here > BYTES_AT_ONCE or part.value is None or batch[0].value is None):
                yield batch
                batch, size = [], 0
            batch.append(part)
            size += here
        if batch:
            yield batch

    def _in(self, parts: Sequence[Part]) -> str:
        """Gives the condition that a row is of these parts of one retailer."""
        where = f"kept.retailer_id = {_quoted(parts[0].retailer_id or '')}"
        values = [part.value for part in parts if part.value is not None]
        if not values:
            return f"{where} AND kept.{self._by} IS NULL"
        kind = "DATE " if self._by == "day" else ""
        return f"{where} AND kept.{self._by} IN ({', '.join(kind + _quoted(value) for value in values)})"

    def _select(self, query: str) -> Iterator[dict[str, Any]]:
        from deltalake import QueryBuilder  # noqa: PLC0415 - where it is missing, `opened` says so

        with faults(self._what):
            for batch in QueryBuilder().register("kept", self._table).execute(query):
                columns = [batch.column(name) for name in batch.schema.names]
                for cells in zip(*columns, strict=True):
                    yield {name: cell.as_py() for name, cell in zip(batch.schema.names, cells, strict=True)}


def opened(root: str, name: str) -> ShopperTable | None:
    """Opens a table, None where it was never written.

    Raises:
        PortError: it can't be opened now, or delta-rs is not installed.
    """
    try:
        from deltalake import DeltaTable  # noqa: PLC0415 - on demand: most systems run without it
        from deltalake.exceptions import TableNotFoundError  # noqa: PLC0415
    except ImportError:
        raise LibraryMissing(root) from None
    with faults(f"the warehouse {root}, table {name}"):
        try:
            return ShopperTable(name, DeltaTable(f"{root}/{name}"), root)
        except TableNotFoundError:
            return None


def _hooks() -> PostCommitHookProperties:
    """Keeps delta-rs from making checkpoints: Spark guards its own by a checksum, which would not be renewed."""
    from deltalake import PostCommitHookProperties  # noqa: PLC0415

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Turns what delta-rs says of its stores into one sentence, which names no shopper.

    Raises:
        PortError: in the place of what delta-rs raised.
    """
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        yield
    except Exception as error:
        # What its query engine meets comes as a bare Exception; a fault of ours never does.
        if type(error) is not Exception and not isinstance(error, DeltaError | OSError):
            raise
        said = _HASH.sub("…", " ".join(str(error).split()))[:_SAID_MAX]
        raise PortError(f"{what}: {said}", retriable=True) from None


def _named(retailer_id: str, shoppers: Sequence[str]) -> str:
    """Gives what selects shoppers' rows while it reads: a join would first hold all rows of the retailer in memory."""
    named = ", ".join(map(_quoted, shoppers))
    return f"FROM kept WHERE kept.retailer_id = {_quoted(retailer_id)} AND kept.{SHOPPER} IN ({named})"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
