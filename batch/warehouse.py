"""The warehouse: Delta tables under one root, a folder or an object store; every job reads and writes it through here.

Each write is one commit: a job killed anywhere leaves every table as it was before the write or as it is after it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from typing import Any, Final

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from batch.table_forms import FORMS, Form
from batch.warehouse_lock import WarehouseLock
from domain.errors import HotbasketError, PortError, Refused

VERSION_PROPERTY: Final = "hotbasket.schema_version"
Days = Mapping[str, Collection[date]]
"""Days by retailer id."""

_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_NO_ACCESS = re.compile(r"Permission denied|AccessDenied|AccessControlException|Read-only file system")
_CONFLICT = re.compile(r"Concurrent\w*Exception|DELTA_CONCURRENT")
_OURS = re.compile(r"domain\.errors\.(?P<name>\w+): (?P<said>[^\n]+)")
_NAMED = re.compile(r"[\w.:-]{1,128}")


class Warehouse:
    """Tables by name.

    Attributes:
        root: a folder, or an address that Spark can write, like `s3a://bucket/warehouse`.
        spark: the session.
    """

    def __init__(self, root: str, spark: SparkSession, forms: Mapping[str, Form] = FORMS) -> None:
        """Opens it; what is absent is made by the first write.

        Args:
            root: see above.
            spark: see above.
            forms: what the tables look like.
        """
        self.root = root.rstrip("/")
        self.spark = spark
        self._forms = forms
        self._ready: set[str] = set()
        self._lock = WarehouseLock(self.root, spark)

    def lock(self) -> AbstractContextManager[None]:
        """Holds the warehouse against every other process; the holder may take it again inside.

        Raises:
            Refused: another job works on it.
        """
        return self._lock.held()

    def path(self, name: str) -> str:
        """Gives where a table is."""
        return f"{self.root}/{name}"

    def schema(self, name: str) -> StructType:
        """Gives a table's columns."""
        schema = StructType.fromDDL(self._forms[name].columns)
        assert isinstance(schema, StructType), name
        return schema

    def exists(self, name: str) -> bool:
        """Tells whether a table was ever written."""
        return name in self._ready or bool(DeltaTable.isDeltaTable(self.spark, self.path(name)))

    def table(self, name: str) -> DataFrame:
        """Gives a table as it is now; one that was never written has its columns and no rows.

        Raises:
            Refused: it is of another version, which can't be brought to this one.
        """
        if not self.exists(name):
            columns = [sf.lit(None).cast(field.dataType).alias(field.name) for field in self.schema(name)]
            return self.spark.range(0).where("false").select(*columns)
        self._prepare(name)
        return self.spark.read.format("delta").load(self.path(name)).select(*self.schema(name).names)

    def rows(self, name: str, rows: Sequence[tuple[Any, ...]]) -> DataFrame:
        """Gives tuples with a table's columns in order as a DataFrame."""
        return self.spark.createDataFrame(list(rows), self.schema(name))

    def append(self, name: str, rows: DataFrame | Sequence[tuple[Any, ...]]) -> None:
        """Adds rows; a list of tuples has the table's columns in order.

        Raises:
            PortError: nothing was written: the disk is full, say.
        """
        with self._writing(name):
            self._shaped(name, rows).write.format("delta").mode("append").save(self.path(name))

    def add_missing(self, name: str, rows: DataFrame, keys: Sequence[str], days: Days | None = None) -> int:
        """Adds the rows whose key no row of the table has, and gives their number; keys are unique within `rows`.

        Args:
            name: of the table.
            rows: with the table's columns.
            keys: columns.
            days: the days of `rows`, so that no other day of the table is read; None = it is read whole.

        Raises:
            PortError: nothing was written.
        """
        matches = " AND ".join(f"kept.{key} <=> fresh.{key}" for key in keys)
        if days is not None:
            matches = f"({in_days(days, 'kept.')}) AND {matches}"
        with self._writing(name):
            table = DeltaTable.forPath(self.spark, self.path(name))
            done = (
                table.alias("kept")
                .merge(self._shaped(name, rows).alias("fresh"), matches)
                .whenNotMatchedInsertAll()
                .execute()
            )
            return int(done.collect()[0]["num_inserted_rows"])

    def replace(self, name: str, rows: DataFrame, where: str) -> None:
        """Puts rows in the place of those for which a condition holds, in one commit; it holds for each of `rows`.

        Args:
            name: of the table.
            rows: with the table's columns; may be none.
            where: SQL on partition columns.

        Raises:
            PortError: nothing was written.
        """
        with self._writing(name) as is_new:
            writer = self._shaped(name, rows).write.format("delta")
            # There is nothing to replace in a new table, and not looking for it halves the work.
            writer = writer.mode("append") if is_new else writer.mode("overwrite").option("replaceWhere", where)
            writer.save(self.path(name))

    def replace_days(self, name: str, rows: DataFrame, days: Days) -> None:
        """Puts rows in the place of some days of some retailers, in one commit.

        Raises:
            PortError: nothing was written.
        """
        if any(days.values()):
            self.replace(name, rows, in_days(days))

    def replace_run(self, name: str, rows: DataFrame, retailer_id: str, run_id: str) -> None:
        """Puts rows in the place of what a run left, in one commit.

        Raises:
            PortError: nothing was written.
        """
        self.replace(name, rows, f"retailer_id = '{named(retailer_id)}' AND run_id = '{named(run_id)}'")

    def overwrite(self, name: str, rows: DataFrame) -> None:
        """Puts rows in the place of all, in one commit.

        Raises:
            PortError: nothing was written.
        """
        with self._writing(name):
            self._shaped(name, rows).write.format("delta").mode("overwrite").save(self.path(name))

    def remove_folder(self, path: str) -> None:
        """Removes a folder that is no table, wherever the warehouse is; one that is absent is fine.

        Raises:
            PortError: it can't be removed.
        """
        with expected_errors(f"the warehouse {self.root}"):
            jvm = self.spark._jvm  # the only way to the file systems that Spark writes
            assert jvm is not None, "a session of this process has one"
            folder = jvm.org.apache.hadoop.fs.Path(path)
            folder.getFileSystem(self.spark._jsparkSession.sessionState().newHadoopConf()).delete(folder, True)

    def delete(self, name: str, where: str) -> None:
        """Removes rows. The condition stands in the transaction log, so it names no shopper.

        Raises:
            PortError: nothing was removed.
        """
        if self.exists(name):
            with self._writing(name):
                DeltaTable.forPath(self.spark, self.path(name)).delete(where)

    @contextmanager
    def _writing(self, name: str) -> Iterator[bool]:
        """Makes the table ready and tells whether it was made for this."""
        with expected_errors(f"the warehouse {self.root}, table {name}"):
            yield self._prepare(name)

    def _shaped(self, name: str, rows: DataFrame | Sequence[tuple[Any, ...]]) -> DataFrame:
        """Gives the rows with exactly the table's columns."""
        schema = self.schema(name)
        if not isinstance(rows, DataFrame):
            return self.rows(name, rows)
        found = {field.name: field.dataType.simpleString() for field in rows.schema}
        wanted = {field.name: field.dataType.simpleString() for field in schema}
        assert wanted == found, f"{name}: {set(wanted.items()) ^ set(found.items())}"
        return rows.select(*schema.names)

    def _prepare(self, name: str) -> bool:
        """Makes a table that is absent, and brings an older one to its form; tells whether it made it."""
        if name in self._ready:
            return False
        form = self._forms[name]
        is_new = not self.exists(name)
        if not is_new:
            self._bring_to_form(name, form)
        else:
            made = DeltaTable.createIfNotExists(self.spark).location(self.path(name)).addColumns(self.schema(name))
            for property_name, value in _properties(form).items():
                made = made.property(property_name, value)
            if form.partitioned_by:
                made = made.partitionedBy(*form.partitioned_by)
            made.execute()
        self._ready.add(name)
        return is_new

    def _bring_to_form(self, name: str, form: Form) -> None:
        detail = DeltaTable.forPath(self.spark, self.path(name)).detail().collect()[0]
        found = int(detail["properties"].get(VERSION_PROPERTY, 0))
        if found == form.version:
            return
        if found > form.version:
            raise Refused(
                f"{self.path(name)} has schema version {found}, newer than {form.version}: run the newer hotbasket"
            )
        kept = {
            field.name: field.dataType.simpleString() for field in self.spark.read.load(self.path(name), "delta").schema
        }
        wanted = {field.name: field.dataType.simpleString() for field in self.schema(name)}
        changed = [column for column, kind in wanted.items() if kept.get(column, kind) != kind]
        if changed or tuple(detail["partitionColumns"]) != form.partitioned_by:
            what = f"column {changed[0]} is {kept[changed[0]]}" if changed else "it is partitioned otherwise"
            raise Refused(
                f"{self.path(name)} has schema version {found} and can't become {form.version} ({what}): move it away;"
                " hotbasket batch cool --rebuild makes it again, unless it is one of events and decisions"
            )
        address = f"delta.`{self.path(name)}`"
        missing = ", ".join(f"`{column}` {kind}" for column, kind in wanted.items() if column not in kept)
        if missing:
            self.spark.sql(f"ALTER TABLE {address} ADD COLUMNS ({missing})")
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in _properties(form).items())
        self.spark.sql(f"ALTER TABLE {address} SET TBLPROPERTIES ({properties})")


def in_days(days: Days, prefix: str = "") -> str:
    """Gives the SQL condition that a row is of these days; false for none."""
    parts = [
        f"({prefix}retailer_id = '{named(retailer_id)}' AND {prefix}day IN "
        f"({', '.join(f'DATE{one.isoformat()!r}' for one in sorted(dates))}))"
        for retailer_id, dates in sorted(days.items())
        if dates
    ]
    return " OR ".join(parts) or "false"


def named(identifier: str) -> str:
    """Gives a retailer's or run's id if it may stand in a statement.

    Raises:
        Refused: it may not.
    """
    if not _NAMED.fullmatch(identifier):
        raise Refused(f"{identifier!r} is no id of a retailer or run: letters, digits, '.', ':', '_' and '-' only")
    return identifier


@contextmanager
def expected_errors(what: str) -> Iterator[None]:
    """Turns what Spark says of a full disk, a conflict or an unreadable store into one sentence.

    Raises:
        PortError: in the place of what Spark raised; what is no expected failure comes through as it is.
    """
    try:
        yield
    except HotbasketError:
        raise
    except Exception as error:  # pyspark's and py4j's errors share no root
        found = _expected(error, what)
        if found is None:
            raise
        raise found from error


def _expected(error: Exception, what: str) -> PortError | None:
    # The reason stands at the end of Java's chain of causes, which is printed in the stack trace alone.
    text = "\n".join(str(part) for part in (error, getattr(error, "_stackTrace", ""), getattr(error, "_cause", "")))
    if _NO_SPACE.search(text):
        return PortError(
            f"{what}: the disk is full; nothing was written and every table is as it was: free space and run it again",
            retriable=True,
        )
    ours = _OURS.search(text)
    if ours:
        return PortError(f"{what}: {ours['said']}", retriable=ours["name"] != "Refused")
    if _CONFLICT.search(text):
        return PortError(f"{what}: another job changed it at the same time: run it again", retriable=True)
    if _NO_ACCESS.search(text):
        return PortError(f"{what}: access is denied: check its permissions and credentials", retriable=False)
    return None


def _properties(form: Form) -> dict[str, str]:
    statistics = (
        {"delta.dataSkippingStatsColumns": ",".join(form.counted)}
        if form.counted
        else {"delta.dataSkippingNumIndexedCols": "0"}
    )
    # An erased row must be gone from the files, not marked as gone.
    return {"delta.enableDeletionVectors": "false", **statistics, VERSION_PROPERTY: str(form.version)}
