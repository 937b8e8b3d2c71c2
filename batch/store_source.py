"""The event store as a Spark data source: it is read in parallel by retailer, day and log partition.

Between the EventStore port and `cool`. Adapters are opened where the rows are read, never earlier: everything else is
pickled and sent to other machines. An embedded store may be read while a system runs on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
from msgspec import Struct
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from adapters.clock import SystemClock
from adapters.settings import data_files, load_settings
from adapters.wiring import Ports, embedded, production
from batch.arrow_rows import batches
from batch.flat import COLUMNS, FIRST, PLACE, Unusable, flat
from batch.flat_decisions import flat_decisions
from batch.table_forms import DECISIONS, EVENTS
from domain.errors import Refused
from domain.ports.event_store import EventStore, FoundEvent
from domain.records import Decided
from monitoring.metrics import Metrics

NAME: Final = "hotbasket_store"
BOOKS: Final = ", received_day date, failed string"
"""What a row carries beyond the table's columns: on which day its event was received, and why it is no row."""
_EPOCH: Final = date(1970, 1, 1)
_TASKS_A_CORE: Final = 4
Result = TypeVar("Result")
Rows = Sequence[tuple[Any, ...]]


class Slice(Struct, frozen=True):
    """What is read at once: the smallest part of a store that can be asked for."""

    retailer_id: str
    day: date
    partition: int


class StoreOptions(Struct, frozen=True, kw_only=True):
    """Where the event store is.

    Attributes:
        data: the embedded system's directory; None = the servers that the environment names, where rows are read too.
    """

    data: Path | None = None


def read_store(spark: SparkSession, store: StoreOptions, what: str, slices: Sequence[Slice]) -> DataFrame:
    """Gives what the store holds: `events` or `decisions`, with `received_day` and `failed` beside their columns.

    Args:
        spark: the session.
        store: where it is.
        what: see above.
        slices: what to read.
    """
    spark.dataSource.register(EventStoreSource)
    encoded = msgspec.json.encode(_tasks(slices, spark.sparkContext.defaultParallelism)).decode()
    reader = spark.read.format(NAME).option("what", what).option("tasks", encoded)
    if store.data is not None:
        reader = reader.option("data", str(store.data.absolute()))
    return reader.load()


def in_store(store: StoreOptions, work: Callable[[EventStore], Awaitable[Result]]) -> Result:
    """Opens the store here, does the work and closes it.

    Raises:
        Refused: there is none, or a setting is missing.
        PortError: it can't be opened or read.
    """
    with _opened(store) as (archive, loop):
        return loop.run_until_complete(_awaited(work(archive)))


def _tasks(slices: Sequence[Slice], parallelism: int) -> list[list[Slice]]:
    """Deals slices to tasks: one each where there are few, else so many that every core has some to choose from.

    Opening a store costs as much as reading a small day.
    """
    number = max(1, min(len(slices), parallelism * _TASKS_A_CORE))
    return [dealt for first in range(number) if (dealt := list(slices[first::number]))]


class EventStoreSource(DataSource):
    """Reads the store that its options name: `data`, `what`, `tasks`."""

    @classmethod
    def name(cls) -> str:
        """The name by which Spark knows it."""
        return NAME

    def schema(self) -> str:
        """The columns of what is asked for."""
        return (EVENTS if self.options["what"] == "events" else DECISIONS) + BOOKS

    def reader(self, schema: StructType) -> DataSourceReader:
        """The reader, which is sent to where it reads."""
        return _Reader(dict(self.options), schema)


class _Task(InputPartition):
    """Slices on their way to the machine that reads them."""

    def __init__(self, slices: list[Slice]) -> None:
        super().__init__(msgspec.json.encode(slices))


class _Reader(DataSourceReader):
    """Reads slices, each in pages, so that memory holds one batch, whatever the day."""

    def __init__(self, options: dict[str, Any], schema: StructType) -> None:
        self._store = StoreOptions(data=Path(options["data"]) if "data" in options else None)
        self._what = options["what"]
        self._tasks = msgspec.json.decode(options["tasks"], type=list[list[Slice]])
        self._schema = schema

    def partitions(self) -> Sequence[InputPartition]:
        return [_Task(slices) for slices in self._tasks]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        slices = msgspec.json.decode(partition.value, type=list[Slice])
        schema = to_arrow_schema(self._schema, timezone="UTC")
        pages = _events if self._what == "events" else _decisions
        with _opened(self._store) as (archive, loop):
            yield from batches(chain.from_iterable(_blocking(pages(archive, one), loop) for one in slices), schema)


async def _events(archive: EventStore, one: Slice) -> AsyncIterator[Rows]:
    received_day = (one.day - _EPOCH).days
    async for page in archive.events(one.retailer_id, one.day, one.partition):
        yield [_event_row(stored, one, received_day) for stored in page]


def _event_row(stored: FoundEvent, one: Slice, received_day: int) -> tuple[Any, ...]:
    row = flat(stored.record, one.partition, stored.position)
    if not isinstance(row, Unusable):
        return (*row, received_day, None)
    place = (stored.position.epoch, one.partition, stored.position.offset)
    nothing = (None,) * (len(COLUMNS) - len(FIRST) - len(PLACE))
    first = (one.retailer_id, received_day, row.event_id, *(None,) * (len(FIRST) - 3))
    return (*first, *nothing, *place, received_day, row.reason)


async def _decisions(archive: EventStore, one: Slice) -> AsyncIterator[Rows]:
    received_day = (one.day - _EPOCH).days
    async for page in archive.decided(one.retailer_id, one.day, one.partition):
        yield [row for decided in page for row in _decision_rows(decided, one, received_day)]


def _decision_rows(decided: Decided, one: Slice, received_day: int) -> Iterator[tuple[Any, ...]]:
    for row in flat_decisions(decided, one.partition):
        yield (*row, received_day, None)


class _Opened(NamedTuple):
    """A store and the loop on which it works."""

    archive: EventStore
    loop: asyncio.AbstractEventLoop


@contextmanager
def _opened(store: StoreOptions) -> Iterator[_Opened]:
    loop = asyncio.new_event_loop()
    try:
        ports = loop.run_until_complete(_ports(store))
        try:
            yield _Opened(ports.archive, loop)
        finally:
            loop.run_until_complete(ports.close())
    finally:
        loop.close()


async def _ports(store: StoreOptions) -> Ports:
    settings = load_settings()
    if store.data is None:
        return await production(settings, Metrics(), SystemClock(), role="batch")
    if not data_files(store.data)["log"].is_file():
        raise Refused(f"{store.data} holds no hotbasket data: name the directory that hotbasket run --data was given")
    return embedded(store.data, settings, Metrics(), SystemClock())


def _blocking(pages: AsyncIterator[Rows], loop: asyncio.AbstractEventLoop) -> Iterator[Rows]:
    """Gives the pages one by one to code that can't await."""
    while True:
        try:
            yield loop.run_until_complete(_awaited(pages.__anext__()))
        except StopAsyncIteration:
            return


async def _awaited(one: Awaitable[Result]) -> Result:
    return await one
