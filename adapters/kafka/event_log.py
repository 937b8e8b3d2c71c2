"""The event log on Kafka (`domain.ports.event_log`): the topic NAME.events.

Gateways append through lanes, one a partition; workers (group NAME.hot) and archivers (NAME.cold) poll. The commit of
a group is Kafka's own, with the owner's token in its metadata.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from typing import Any

from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError

from adapters.kafka.commits import Commits, metadata_of
from adapters.kafka.dealing import Dealing
from adapters.kafka.lanes import Lanes, Scattered
from adapters.kafka.membership import Membership, fault, replaced
from adapters.kafka.producer import Producer
from adapters.settings import Settings
from domain.errors import Fenced, Full, PortError
from domain.ids import Position, bucket
from domain.ports.event_log import Batch, Committed, Place, Poll
from domain.records import Record, decode_record, encode
from monitoring.metrics import Metrics

EPOCH = 1
_COMMIT_S, _SEEK_S, _SLACK_S = 5.0, 5.0, 0.05
_log = logging.getLogger("hotbasket.log")


class KafkaEventLog:
    """One process's end of the event log."""

    def __init__(
        self,
        producer: Producer,
        commits: Commits,
        settings: Settings,
        metrics: Metrics,
        *,
        topic: str,
        partitions: int,
        group: str,
        member: str | None,
    ) -> None:
        """Takes the started producer; the group is joined by the first poll."""
        self._producer = producer
        self._commits = commits
        self._settings = settings
        self._metrics = metrics
        self._metrics.log_queue_max.set(settings.log_queue_events_max)
        self._topic = topic
        self._partitions = partitions
        self._group = group
        self._member = member
        self._lanes = Lanes(
            producer, topic, partitions, epoch=EPOCH, batch_bytes=settings.kafka_batch_bytes, metrics=metrics
        )
        self._payload_bytes_max = 2 * settings.kafka_batch_bytes - 1_024
        self._dealing = Dealing()
        self._membership: Membership | None = None
        self._next: dict[int, int] = {}
        self._from_beginning: set[int] = set()
        self._ends: dict[int, int] = {}
        self._tokens: dict[int, int] = {}
        self._is_closed = False

    @property
    def partitions(self) -> int:
        """Number of the topic's partitions."""
        return self._partitions

    def append(self, records: Sequence[Record]) -> Awaitable[Sequence[Place]]:
        """Makes records durable with what else waits for their partitions, one flush a partition."""
        if not records:
            return _none()
        if self._is_closed:
            raise PortError("the log is closed: this process is stopping", retriable=True)
        waiting = self._lanes.events
        if waiting and waiting + len(records) > self._settings.log_queue_events_max:
            self._metrics.log_refused.inc(len(records))
            raise Full(
                f"{waiting} events wait for the log, of {self._settings.log_queue_events_max} that may: try again in a"
                " second"
            )
        if len(records) == 1:
            # Most requests carry one event.
            return self._lanes.append(self._partition(records[0]), [self._payload(records[0])])
        payloads: dict[int, list[bytes]] = {}
        indexes: dict[int, list[int]] = {}
        for index, record in enumerate(records):
            partition = self._partition(record)
            payloads.setdefault(partition, []).append(self._payload(record))
            indexes.setdefault(partition, []).append(index)
        if len(payloads) == 1:
            ((partition, some),) = payloads.items()
            return self._lanes.append(partition, some)
        return Scattered(payloads, indexes, self._lanes.append).future

    async def accepts(self) -> bool:
        """Tells whether an append now would probably succeed."""
        if self._is_closed or self._lanes.events >= self._settings.log_queue_events_max:
            return False
        if self._lanes.oldest_s() > self._settings.append_timeout_s:
            return False
        return await self._producer.answers()

    async def poll(self, *, records_max: int, wait_s: float) -> Poll:
        """Gives the next records, or what a rebalance changed; the first poll joins the group."""
        news = self._told()
        if news is not None:
            return news
        membership = await self._joined()
        got: dict[Any, list[Any]] = {}  # Any: aiokafka is untyped
        try:
            # The library waits for a rebalance's end as long as it takes. Nothing suspends between taking records and
            # returning them, so that a time-out here loses none.
            async with asyncio.timeout(wait_s + _SLACK_S):
                got = await membership.consumer.getmany(timeout_ms=int(wait_s * 1_000), max_records=records_max)
        except TimeoutError:
            pass
        except (KafkaError, ConsumerStoppedError) as error:
            if not membership.is_replaced:
                await self._mend(membership)
                raise fault(error, self._settings, self._member or "") from error
        batches: list[Batch] = []
        for one, records in got.items():
            if one.partition in self._next:
                batches += self._split(one.partition, records)
        news = self._told()
        told = news if news is not None else Poll()
        return told._replace(batches=tuple(batches), at_end=self._at_end(membership))

    async def seek(self, partition: int, after: Position) -> None:
        """Starts the next poll of a partition behind a position; refuses one that this log does not reach."""
        membership = self._membership
        if membership is None:
            raise PortError("the group was not joined yet: poll before seek", retriable=False)
        start = 0 if after.epoch < EPOCH else after.offset + 1
        if after.epoch > EPOCH or self._ends.get(partition, 0) < start:
            await self._look_at_ends(membership)
            end = self._ends.get(partition, 0)
            if after.epoch > EPOCH or end < start:
                raise PortError(
                    f"{self._topic}[{partition}] ends at {EPOCH}-{end - 1}, before {after.epoch}-{after.offset}, where"
                    " the snapshots stand: it is not their log; set HOTBASKET_KAFKA and HOTBASKET_KAFKA_TOPICS to the"
                    " right one, or empty the snapshots to start from what this log holds",
                    retriable=False,
                )
        if partition not in self._dealing.owned:
            return  # a rebalance came in between; the next poll tells
        self._next[partition] = start
        if start:
            self._from_beginning.discard(partition)
        else:
            self._from_beginning.add(partition)
        self._resume(membership, partition)

    async def commit(self, partition: int, committed: Committed) -> None:
        """Saves how far the group is, in Kafka; refuses an owner that this process knows to be older."""
        membership = self._membership
        if membership is None or partition not in self._dealing.held:
            raise Fenced(f"{self._topic}[{partition}] is not this member's any more: take it again")
        if committed.token < self._tokens.get(partition, committed.token):
            raise Fenced(f"{self._topic}[{partition}] was committed by an owner newer than {committed.token}")
        offset = committed.through.offset + 1
        try:
            async with asyncio.timeout(_COMMIT_S):
                await membership.consumer.commit(
                    {membership.topic_partition(partition): (offset, metadata_of(committed))}
                )
        except IllegalStateError as error:
            raise Fenced(f"{self._topic}[{partition}] is not this member's any more: take it again") from error
        except CommitFailedError as error:
            raise PortError(f"{self._topic}[{partition}] is being dealt anew: not committed", retriable=True) from error
        except (KafkaError, TimeoutError, ConsumerStoppedError) as error:
            raise PortError(f"{self._topic}[{partition}] was not committed: {error!r}", retriable=True) from error
        self._tokens[partition] = committed.token

    async def committed(self, partition: int) -> Committed | None:
        """Gives the group's last commit, whoever made it."""
        return await self._commits.read(partition)

    async def close(self, within_s: float) -> None:
        """Flushes what was accepted and leaves the group; may be repeated."""
        self._is_closed = True
        await self._lanes.flush(within_s)
        membership, self._membership = self._membership, None
        if membership is not None:
            await membership.leave()

    def _partition(self, record: Record) -> int:
        return bucket(record.event.shopper_id) % self._partitions

    def _payload(self, record: Record) -> bytes:
        payload = encode(record)
        if len(payload) > self._payload_bytes_max:
            raise PortError(
                f"a record of {len(payload)} bytes is larger than {self._payload_bytes_max}, which the topic takes:"
                " raise HOTBASKET_KAFKA_BATCH_BYTES and the topic's max.message.bytes",
                retriable=False,
            )
        return payload

    async def _joined(self) -> Membership:
        if self._member is None:
            raise PortError(
                "this process has no name in the group: open the log with a member to poll", retriable=False
            )
        if self._is_closed:
            raise PortError("the log is closed: this process is stopping", retriable=True)
        if self._membership is not None:
            if self._membership.is_replaced:
                raise replaced(self._member)
            return self._membership
        membership = Membership(
            self._settings,
            self._metrics,
            topic=self._topic,
            group=self._group,
            member=self._member,
            dealing=self._dealing,
            on_dealt=self._dealt,
        )
        try:
            await membership.join()
        except BaseException as error:
            await membership.leave()
            if isinstance(error, KafkaError):
                raise fault(error, self._settings, self._member) from error
            raise
        self._membership = membership
        return membership

    async def _mend(self, membership: Membership) -> None:
        """Gives up a consumer that has ended by itself; the next poll makes another."""
        if membership.is_dead:
            _log.error("consumer given up", extra={"group": self._group})
            self._membership = None
            self._dealing.put_out()
            await membership.leave()

    def _dealt(self, owned: frozenset[int], held: frozenset[int]) -> None:
        """Sets where each partition of a new assignment goes on: the library has forgotten it."""
        membership = self._membership
        for partition in [known for known in self._next if known not in held]:
            del self._next[partition]
        if membership is None:
            return
        for partition in owned:
            if partition in self._next:
                self._resume(membership, partition)
            else:
                membership.consumer.pause(membership.topic_partition(partition))

    def _resume(self, membership: Membership, partition: int) -> None:
        one = membership.topic_partition(partition)
        membership.consumer.seek(one, self._next[partition])
        membership.consumer.resume(one)

    def _told(self) -> Poll | None:
        news = self._dealing.news()
        if news is None:
            return None
        return Poll(lost=news.lost, taken=news.taken, kept=news.kept)

    def _split(self, partition: int, records: list[Any]) -> list[Batch]:
        """Gives consecutive runs of what came, and notes what is missing before them."""
        expected = self._next[partition]
        batches: list[Batch] = []
        start = 0
        for index, record in enumerate(records):
            if record.offset != expected:
                if index > start:
                    batches.append(_batch(partition, records[start:index]))
                self._missing(partition, expected, record.offset)
                start = index
            expected = record.offset + 1
        batches.append(_batch(partition, records[start:]))
        self._next[partition] = expected
        self._from_beginning.discard(partition)
        return batches

    def _missing(self, partition: int, expected: int, found: int) -> None:
        if partition in self._from_beginning:
            return  # where the log begins, nothing is missing
        self._metrics.log_gap_records.inc(found - expected)
        _log.error(
            "records are gone before they were read: retention is too short",
            extra={"topic": self._topic, "partition": partition, "offset": expected, "records": found - expected},
        )

    def _at_end(self, membership: Membership) -> frozenset[int]:
        ended = set()
        for partition, offset in self._next.items():
            if partition in self._dealing.held:
                end, position = membership.progress(partition)
                if end is not None and max(offset, position) >= end:
                    ended.add(partition)
        return frozenset(ended)

    async def _look_at_ends(self, membership: Membership) -> None:
        """Asks where every partition ends, in one request a broker; an end only grows."""
        asked = [membership.topic_partition(partition) for partition in range(self._partitions)]
        try:
            async with asyncio.timeout(_SEEK_S):
                ends = await membership.consumer.end_offsets(asked)
        except (KafkaError, TimeoutError) as error:
            raise PortError(f"{self._topic} does not say where it ends: {error!r}", retriable=True) from error
        self._ends.update({one.partition: end for one, end in ends.items()})


async def _none() -> Sequence[Place]:
    return ()


def _batch(partition: int, records: list[Any]) -> Batch:
    decoded = [decode_record(record.value or b"") for record in records]
    return Batch(partition, Position(EPOCH, records[0].offset), decoded)
