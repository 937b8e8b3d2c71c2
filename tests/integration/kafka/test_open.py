"""What opening and looking say where something is missing."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from adapters.kafka.inspection import inspect
from adapters.kafka.quiet import Seldom
from adapters.kafka.topics import create_topics, topics_of
from adapters.settings import Settings, load_settings
from domain.errors import PortError, Refused
from tests.integration.kafka.conftest import DAY_MS, PARTITIONS, Open, fresh_topics
from tests.integration.kafka.polling import Turns
from tests.services.kafka.broker import Kafka
from tests.services.processes import free_port
from tests.services.server import Credentials


async def refusal(settings: Settings, opened: Open) -> str:
    """Gives why the logs can't be opened."""
    with pytest.raises(PortError) as refused:
        await opened(settings)
    assert not refused.value.retriable
    return str(refused.value)


async def test_missing_topics_are_named_with_the_command_that_makes_them(kafka_address: str, opened: Open) -> None:
    """Opening makes no topic, and says who does."""
    settings = load_settings(kafka=kafka_address, kafka_topics="never-made")
    said = await refusal(settings, opened)
    assert "no topic never-made.events and no topic never-made.experiences: `hotbasket migrate` creates it" in said
    assert not [name for name in await _topics(kafka_address) if name.startswith("never-made")]


async def test_topics_with_unlike_partitions_are_refused(settings: Settings, opened: Open) -> None:
    """One partition of the event log is answered in the experience log's partition of the same number."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([topics_of(settings).experiences])
    await admin.close()
    async with asyncio.timeout(30):
        while topics_of(settings).experiences in await _topics(settings.kafka):
            await asyncio.sleep(0.05)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topics_of(settings).experiences, PARTITIONS + 1, 1)])
    await admin.close()
    async with asyncio.timeout(30):
        while topics_of(settings).experiences not in await _topics(settings.kafka):
            await asyncio.sleep(0.05)
    said = await refusal(settings, opened)
    assert f"has {PARTITIONS} partitions and {topics_of(settings).experiences} {PARTITIONS + 1}" in said
    assert ["kafka topics"] == [one.check for one in await inspect(settings) if not one.good][:1]


async def test_nobody_at_the_address_is_told_apart(opened: Open) -> None:
    """A port where nobody listens is an address to correct, and not a password."""
    settings = load_settings(kafka=f"127.0.0.1:{free_port()}")
    assert f"no Kafka broker answers at {settings.kafka}" in await refusal(settings, opened)
    assert ["kafka reachable"] == [one.check for one in await inspect(settings)]


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_address")
async def test_passwords_are_told_apart(tmp_path_factory: pytest.TempPathFactory, opened: Open) -> None:
    """A wrong password, a missing one and a right one each say what they are; none is shown."""
    right = Credentials("shop", "right-password")
    with Kafka(tmp_path_factory.mktemp("guarded"), credentials=right) as broker:
        settings = load_settings(kafka=broker.address, kafka_user=right.user, kafka_password=right.password)
        await create_topics(settings, partitions=1, replication=1, retention_ms=DAY_MS)
        process = await opened(settings, "worker-1")
        assert await process.logs.events.accepts()
        assert [] == [one for one in await inspect(settings) if not one.good]
        wrong = load_settings(kafka=broker.address, kafka_user=right.user, kafka_password="wrong-password")
        said = await refusal(wrong, opened)
        assert "refuses user 'shop'" in said
        assert "wrong-password" not in said
        assert "it wants a user" in await refusal(load_settings(kafka=broker.address), opened)
        assert ["kafka password"] == [one.check for one in await inspect(wrong)]
        await process.logs.close()


async def test_topics_are_made_once_and_never_changed(kafka_address: str) -> None:
    """Making them again does nothing; asking for another number of partitions is refused."""
    async with fresh_topics(kafka_address) as settings:
        again = await create_topics(settings, partitions=PARTITIONS, replication=1, retention_ms=DAY_MS)
        assert [] == list(again)
        with pytest.raises(Refused, match=f"has {PARTITIONS} partitions and not {PARTITIONS + 1}") as refused:
            await create_topics(settings, partitions=PARTITIONS + 1, replication=1, retention_ms=DAY_MS)
        assert 2 == len(refused.value.faults)
        assert [] == [one for one in await inspect(settings) if not one.good]


async def test_who_has_no_name_can_not_poll(settings: Settings, opened: Open) -> None:
    """A gateway never joins the group by mistake."""
    process = await opened(settings)
    with pytest.raises(PortError, match="no name in the group"):
        await process.logs.events.poll(records_max=1, wait_s=0)


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_address")
async def test_a_session_that_the_brokers_forbid_is_named(
    tmp_path_factory: pytest.TempPathFactory, opened: Open
) -> None:
    """The brokers bound the session; the message names our setting and theirs."""
    shortest = {"group.min.session.timeout.ms": "5000"}
    with Kafka(tmp_path_factory.mktemp("bounded"), properties=shortest) as broker:
        async with fresh_topics(broker.address, kafka_session_s=2.0) as settings:
            process = await opened(settings, "worker-1")
            turns = Turns(process.logs.events)
            with pytest.raises(PortError, match=r"HOTBASKET_KAFKA_SESSION_S.*group.min.session.timeout.ms") as refused:
                await turns.until(lambda: False)
            assert not refused.value.retriable
            await process.logs.close()


def test_a_line_comes_once_with_what_was_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many lines of one kind one is written in ten seconds; the next says how many were not."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    seldom = Seldom()
    lines = [logging.makeLogRecord({"name": "aiokafka", "msg": "no node %s", "args": (n,)}) for n in range(5)]
    assert [True, False, False] == [bool(seldom.filter(line)) for line in lines[:3]]
    assert seldom.filter(logging.makeLogRecord({"name": "aiokafka.conn", "msg": "no node %s", "args": (1,)}))
    now_s += 10
    assert seldom.filter(lines[3])
    assert "no node 3 (2 more like this were held back)" == lines[3].getMessage()


async def _topics(address: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        names: list[str] = await admin.list_topics()
        return names
    finally:
        await admin.close()
