"""Who may work on a warehouse: one job at a time. A folder has a lock of the system, an object store a lease.

The system lets go of its lock however a process ends. A lease runs out `LEASE_S` after its holder's last sign of life.
Visits of the privacy worker take the same lock and the same lease, without Spark; a job waits for them.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from batch.folder_lock import BUSY, VISIT, VISIT_S, folder_lock, folder_of
from domain.errors import Refused

LEASE_S: Final = 600
_log = logging.getLogger("hotbasket.batch")
_SCHEMA = "name string, holder string, until timestamp"
_LOOK_S = 1.0


class _Other(NamedTuple):
    """Who has a lease, and until when, in words."""

    holder: str
    until: str


class WarehouseLock:
    """The lock of one warehouse in one process; the thread that holds it may take it again."""

    def __init__(self, root: str, spark: SparkSession) -> None:
        """Takes the warehouse's root and the session."""
        self._root = root
        self._spark = spark
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds it.

        Raises:
            Refused: another process does.
        """
        if self._depth:
            yield
            return
        folder = folder_of(self._root)
        with folder_lock(folder) if folder is not None else lease(self._root, self._spark):
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1


@contextmanager
def lease(root: str, spark: SparkSession, lease_s: float = LEASE_S) -> Iterator[None]:
    """Holds a warehouse by a row of a Delta table: of two commits that take it, Delta refuses the later.

    The store must give Delta's commits mutual exclusion, as HDFS, Azure and Google do, and S3 with a LogStore for it.

    Raises:
        Refused: somebody else's lease has not run out.
    """
    path, holder = f"{root}/lock_table", uuid.uuid4().hex
    DeltaTable.createIfNotExists(spark).location(path).addColumns(spark.createDataFrame([], _SCHEMA).schema).property(
        "delta.enableDeletionVectors", "false"
    ).execute()
    until_s = time.monotonic() + VISIT_S
    while (other := _take(path, holder, spark, lease_s)) is not None:
        if time.monotonic() >= until_s or not other.holder.startswith(VISIT):
            raise Refused(f"the warehouse {root} {BUSY}{other.until}")
        time.sleep(_LOOK_S)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(path, holder, spark, lease_s, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        DeltaTable.forPath(spark, path).delete(f"holder = '{holder}'")


def _take(path: str, holder: str, spark: SparkSession, lease_s: float) -> _Other | None:
    """Takes a lease that is free or has run out; gives who has it otherwise."""
    fresh = spark.sql(_fresh(holder, lease_s))
    taken = DeltaTable.forPath(spark, path).alias("kept").merge(fresh.alias("fresh"), "kept.name = fresh.name")
    taken = taken.whenMatchedUpdateAll("kept.until < current_timestamp()").whenNotMatchedInsertAll()
    try:
        taken.execute()
    except Exception as error:
        if "Concurrent" not in type(error).__name__ and "DELTA_CONCURRENT" not in str(error):
            raise
    row = spark.read.format("delta").load(path).head()
    if row is None:
        return _Other("", "")
    if row["holder"] == holder:
        return None
    return _Other(row["holder"], f" (its lease runs out at {row['until']:%H:%M:%S} UTC)")


def _renew(path: str, holder: str, spark: SparkSession, lease_s: float, over: threading.Event) -> None:
    while not over.wait(lease_s / 3):
        try:
            DeltaTable.forPath(spark, path).update(
                f"holder = '{holder}'", {"until": f"current_timestamp() + make_interval(0, 0, 0, 0, 0, 0, {lease_s})"}
            )
        except Exception:  # noqa: BLE001 - the next round tries again, long before the lease runs out
            _log.warning("the warehouse's lease was not renewed", exc_info=True)


def _fresh(holder: str, lease_s: float) -> str:
    until = f"current_timestamp() + make_interval(0, 0, 0, 0, 0, 0, {lease_s})"
    return f"SELECT 'warehouse' AS name, '{holder}' AS holder, {until} AS until"
