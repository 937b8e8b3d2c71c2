"""The warehouse's lock as the privacy worker takes it: of a folder the same lock as a job's, elsewhere the same lease.

Neither needs Spark. See `batch.warehouse_lock` for the jobs' side.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from batch.folder_lock import BUSY, VISIT, folder_lock, folder_of
from batch.shopper_table import LibraryMissing, faults
from domain.errors import PortError, Refused

if TYPE_CHECKING:
    from deltalake import DeltaTable

LEASE_S: Final = 600.0
_COLUMNS = (("name", "string"), ("holder", "string"), ("until", "timestamp"))
_log = logging.getLogger("hotbasket.batch")


@contextmanager
def visiting(root: str) -> Iterator[None]:
    """Holds a warehouse for a visit.

    Raises:
        PortError: a job works on it, or it can't be locked.
    """
    folder = folder_of(root)
    with ExitStack() as held:
        try:
            held.enter_context(folder_lock(folder, VISIT) if folder is not None else visit_lease(root))
        except Refused as refusal:
            raise PortError(f"a job works on the warehouse: {refusal}", retriable=True) from None
        yield


@contextmanager
def visit_lease(root: str, lease_s: float = LEASE_S) -> Iterator[None]:
    """Holds a warehouse by a row of the table that jobs take it by: of two commits that take it one is refused.

    That protects where the store gives commits mutual exclusion to Spark and to delta-rs alike: Azure and Google do; on
    S3 both lock by one DynamoDB table (Spark's `S3DynamoDBLogStore`, here `AWS_S3_LOCKING_PROVIDER=dynamodb`).

    Raises:
        Refused: somebody else's lease has not run out.
        PortError: the store can't be used now.
    """
    try:
        from deltalake.exceptions import CommitFailedError  # noqa: PLC0415 - on demand: most systems run without it
    except ImportError:
        raise LibraryMissing(root) from None
    holder = f"{VISIT}-{uuid.uuid4().hex}"
    with faults(f"the warehouse {root}, its lease"):
        try:
            table = _table(root)
            _take(table, holder, lease_s)
        except CommitFailedError:
            raise Refused(f"the warehouse {root} {BUSY}") from None
        if _holders(table) != [holder]:
            table.delete(f"holder = '{holder}'")
            raise Refused(f"the warehouse {root} {BUSY}")
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(root, holder, lease_s, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with faults(f"the warehouse {root}, its lease"):
            _table(root).delete(f"holder = '{holder}'")


def _table(root: str) -> DeltaTable:
    """Gives the leases' table, made where no job has come yet."""
    from deltalake import DeltaTable, Field, Schema  # noqa: PLC0415
    from deltalake.schema import PrimitiveType  # noqa: PLC0415

    columns = [Field(name, PrimitiveType(kind)) for name, kind in _COLUMNS]
    return DeltaTable.create(
        f"{root}/lock_table",
        Schema(columns),
        mode="ignore",
        configuration={"delta.enableDeletionVectors": "false"},
    )


def _take(table: DeltaTable, holder: str, lease_s: float) -> None:
    from arro3.core import Array, DataType, Table  # noqa: PLC0415

    now = datetime.now(UTC)
    text = DataType.string()
    fresh = Table.from_pydict({"name": Array(["warehouse"], type=text), "holder": Array([holder], type=text)})
    until = {"holder": "fresh.holder", "until": _literal(now + timedelta(seconds=lease_s))}
    merging = table.merge(fresh, "kept.name = fresh.name", source_alias="fresh", target_alias="kept")
    taken = merging.when_matched_update(until, predicate=f"kept.until < {_literal(now)}")
    taken.when_not_matched_insert({"name": "fresh.name", **until}).execute()


def _renew(root: str, holder: str, lease_s: float, over: threading.Event) -> None:
    while not over.wait(lease_s / 3):
        try:
            with faults("the lease"):
                until = datetime.now(UTC) + timedelta(seconds=lease_s)
                _table(root).update(updates={"until": _literal(until)}, predicate=f"holder = '{holder}'")
        except PortError:
            # The next round tries again, long before the lease runs out.
            _log.warning("the warehouse's lease was not renewed", exc_info=True)


def _holders(table: DeltaTable) -> list[str]:
    from deltalake import QueryBuilder  # noqa: PLC0415

    batches = QueryBuilder().register("kept", table).execute("SELECT holder FROM kept")
    found: list[str] = []
    for batch in batches:
        column = batch.column("holder")
        found += [column[row].as_py() for row in range(len(column))]
    return found


def _literal(at: datetime) -> str:
    return f"TIMESTAMP '{at:%Y-%m-%dT%H:%M:%S.%f}Z'"
