"""This process's membership of a consumer group: joining, what a rebalance does, being replaced, leaving.

Between the library's consumer and the event log. Static membership: who comes back under the same name within the
session gets its partitions back and nobody else notices; who leaves says so, and the others take over at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.client import ConnectionGroup
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Int16, Int32, Schema, String

from adapters.kafka.connection import REQUEST_MS, client_options
from adapters.kafka.dealing import Dealing
from adapters.settings import Settings
from domain.errors import PortError
from monitoring.metrics import KafkaMetrics

FETCH_WAIT_MS = 50
_FENCED_INSTANCE_ID = 82
_IDLE_MS = 24 * 3_600_000
"""A worker may wait for a store as long as it takes: only its heartbeat says that it lives."""
_LEAVE_S = 5.0
_log = logging.getLogger("hotbasket.log")


class _HeartbeatResponseV3(Response):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class _HeartbeatRequestV3(RequestStruct):  # type: ignore[misc]  # aiokafka is untyped
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponseV3
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class _NamedHeartbeat(Request[_HeartbeatRequestV3]):  # type: ignore[misc]  # aiokafka is untyped
    """A heartbeat that names the static member, which the library's own does not: the answer tells who replaced it."""

    API_KEY = 12

    def __init__(self, *fields: object) -> None:
        self._fields = fields

    def build(self, request_struct_class: Any) -> Any:  # Any: aiokafka is untyped
        return request_struct_class(*self._fields)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """One consumer in a group, under a name of its own.

    Attributes:
        consumer: of the library.
        is_replaced: another process joined under the same name; this one is out for good.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: KafkaMetrics,
        *,
        topic: str,
        group: str,
        member: str,
        dealing: Dealing,
        on_dealt: Callable[[frozenset[int], frozenset[int]], None],
    ) -> None:
        """Makes the consumer; `join` connects it.

        Args:
            on_dealt: called after each rebalance with the partitions owned, and with those of them that were held on.
        """
        session_ms = int(settings.kafka_session_s * 1_000)
        self._metrics = metrics
        self._topic = topic
        self._group = group
        self._member = member
        self._dealing = dealing
        self._on_dealt = on_dealt
        self._identity: tuple[int, str] | None = None
        self.is_replaced = False
        # A join is answered when every member has come: that may take a session, and is no reason to try again.
        self.consumer = AIOKafkaConsumer(
            group_id=group,
            group_instance_id=member,
            partition_assignment_strategy=(RangePartitionAssignor,),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_uncommitted",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=2 * settings.kafka_batch_bytes,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(100, session_ms // 10),
            max_poll_interval_ms=_IDLE_MS,
            **client_options(settings, request_ms=session_ms + REQUEST_MS),
        )

    async def join(self) -> None:
        """Connects and asks to become a member; partitions come later, by a rebalance.

        Raises:
            KafkaError: it can't now.
        """
        await self.consumer.start()
        # Only now, or `start` would wait for the first rebalance.
        self.consumer.subscribe([self._topic], listener=self)

    def topic_partition(self, partition: int) -> TopicPartition:
        """Gives the library's name of a partition."""
        return TopicPartition(self._topic, partition)

    def progress(self, partition: int) -> tuple[int | None, int]:
        """Gives where an owned partition ended when it was last asked for, and what is asked for next.

        The latter is ahead of what was delivered where retention has removed all that followed.
        """
        assignment = self.consumer._subscription.subscription.assignment
        state = assignment.state_value(self.topic_partition(partition)) if assignment is not None else None
        if state is None or not state.has_valid_position:
            return None, -1
        return state.highwater, state.position

    @property
    def is_dead(self) -> bool:
        """Whether the library's consumer has ended by itself and can only be replaced."""
        coordinator, fetcher = self.consumer._coordinator, self.consumer._fetcher
        return bool(coordinator._coordination_task.done() or fetcher.error_future.done())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """A rebalance begins, for whatever reason; called by the library."""
        coordinator = self.consumer._coordinator
        identity = self._identity
        if identity is None or coordinator.member_id == identity[1]:
            return
        self._dealing.put_out()
        if await self._was_replaced(*identity):
            self.is_replaced = True
            _log.error("replaced in the group", extra={"group": self._group, "member": self._member})
            # The library joins again when this returns, and would put the other one out in turn: it never does.
            await asyncio.Event().wait()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A rebalance has ended; called by the library."""
        coordinator = self.consumer._coordinator
        if self._identity is not None and self._identity[1] != coordinator.member_id:
            # Put out while the rebalance went on.
            self._dealing.put_out()
        self._identity = coordinator.generation, coordinator.member_id
        owned = frozenset(one.partition for one in assigned)
        held = self._dealing.deal(owned)
        self._metrics.rebalances.inc()
        self._on_dealt(owned, held)
        _log.info("partitions dealt", extra={"group": self._group, "partitions": len(owned), "held": len(held)})

    async def leave(self) -> None:
        """Leaves the group, so that the others take over at once, and ends the consumer."""
        coordinator = self.consumer._coordinator
        if self.is_replaced:
            coordinator._coordination_task.cancel()
            await asyncio.gather(coordinator._coordination_task, return_exceptions=True)
        elif coordinator is not None:
            # The library lets static members go without a word, for a restart's sake. It says goodbye for others only.
            coordinator._group_instance_id = None
        await stop(self.consumer)

    async def _was_replaced(self, generation: int, member_id: str) -> bool:
        """Asks why the group does not know this member any more: its session ran out, or its name was taken over."""
        consumer = self.consumer
        request = _NamedHeartbeat(self._group, generation, member_id, self._member)
        with contextlib.suppress(KafkaError):
            node = consumer._coordinator.coordinator_id
            if node is not None:
                answer = await consumer._client.send(node, request, group=ConnectionGroup.COORDINATION)
                return bool(answer.error_code == _FENCED_INSTANCE_ID)
        return False


def fault(error: Exception, settings: Settings, member: str) -> PortError:
    """Says what the group's refusal means."""
    said = str(error) or type(error).__name__
    if "FencedInstance" in said or "[Error 82]" in said:
        return replaced(member)
    if "InvalidSessionTimeout" in said:
        return PortError(
            f"the brokers allow no session of {settings.kafka_session_s:g} s: set HOTBASKET_KAFKA_SESSION_S between"
            " their group.min.session.timeout.ms and group.max.session.timeout.ms",
            retriable=False,
        )
    if "InconsistentGroupProtocol" in said:
        return PortError(
            f"group {settings.kafka_topics} has members that deal partitions in another way: stop them", retriable=False
        )
    if "Authorization" in said:
        return PortError(f"user {settings.kafka_user!r} may not read: {said}: grant it in Kafka", retriable=False)
    return PortError(f"Kafka can't be read now: {said}", retriable=True)


def replaced(member: str) -> PortError:
    """Says that another process took this member's name over."""
    return PortError(
        f"member {member!r} was taken over by another process of that name: give every process a name of its own, or"
        " stop the other one",
        retriable=False,
    )


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Ends a consumer of the library within a bounded time, whatever state it is in."""
    try:
        async with asyncio.timeout(_LEAVE_S):
            await consumer.stop()
    except (KafkaError, TimeoutError, asyncio.CancelledError) as error:
        consumer._closed = True
        if consumer._coordinator is not None:
            # `stop` did not come past the coordinator: the brokers don't answer.
            for task in _tasks(consumer._coordinator):
                task.cancel()
        if consumer._fetcher is not None:
            await asyncio.gather(consumer._fetcher.close(), return_exceptions=True)
        await asyncio.gather(consumer._client.close(), return_exceptions=True)
        caller = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and caller is not None and caller.cancelling():
            raise  # and not only one of the library's own tasks, whose end it passes on


def _tasks(coordinator: Any) -> list[asyncio.Task[None]]:  # Any: aiokafka is untyped
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    return [task for name in names if (task := getattr(coordinator, name, None)) is not None]
