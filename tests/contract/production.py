"""The production adapters under contract: topics and a database for each test, and one keyspace that is emptied."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from cassandra import InvalidRequest
from psycopg import sql

from adapters.kafka.topics import create_topics, topics_of
from adapters.scylla.connection import connect
from adapters.scylla.schema import TABLES
from adapters.settings import Settings, load_settings
from adapters.upkeep import migrate_servers
from tests.services.given import Servers

PARTITIONS = 4
DAY_MS = 86_400_000
SCHEMAS = Path(__file__).resolve().parents[2] / "deploy"
_USER = "hotbasket"


class Stores:
    """What a test process makes on the servers, once, and removes at its end.

    Making the tables of a keyspace takes seconds, emptying one of them a tenth of a second: so the keyspace is kept and
    what a test has written to is emptied after it. A database is copied from one that has the schema in less time than
    its tables could be emptied. Topics are new for each test.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._name = f"contract_{secrets.token_hex(4)}"
        self._tests = 0
        self._cql: Any = None  # Any: the driver has no types
        self._written: dict[str, int] = {}
        self._secret = secrets.token_hex(32)

    @asynccontextmanager
    async def fresh(self, **more: Any) -> AsyncIterator[Settings]:  # Any: settings validates each
        """Gives settings of empty stores for one test."""
        if self._cql is None:
            await self._prepare()
        self._tests += 1
        database = f"{self._name}_{self._tests}"
        settings = self._settings(f"{self._name}-{self._tests}", database, **more)
        await asyncio.to_thread(self._control, "CREATE DATABASE {} TEMPLATE {}", database, self._name)
        await create_topics(settings, partitions=PARTITIONS, replication=1, retention_ms=DAY_MS)
        try:
            yield settings
        finally:
            await _delete_topics(settings)
            await asyncio.to_thread(self._control, "DROP DATABASE {} WITH (FORCE)", database)
            await asyncio.to_thread(self._empty_tables)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Gives the address of an empty database, removed in the end."""
        name = f"{self._name}_{secrets.token_hex(4)}"
        await asyncio.to_thread(self._control, "CREATE DATABASE {}", name)
        try:
            yield _other_database(self._servers.postgres, name)
        finally:
            await asyncio.to_thread(self._control, "DROP DATABASE {} WITH (FORCE)", name)

    def close(self) -> None:
        """Removes what every test shared."""
        if self._cql is not None:
            self._cql.execute(f"DROP KEYSPACE {self._name}", timeout=60)
            self._cql.cluster.shutdown()
            self._control("DROP DATABASE {} WITH (FORCE)", self._name)

    async def _prepare(self) -> None:
        settings = self._settings(self._name, self._name)
        await asyncio.to_thread(self._control, "CREATE DATABASE {}", self._name)
        try:
            # The topics that it makes as well stay empty.
            await migrate_servers(
                settings,
                partitions=PARTITIONS,
                replication=1,
                retention_ms=DAY_MS,
                cql=(SCHEMAS / "scylla" / "schema.cql").read_text(encoding="utf-8"),
                sql=[(file.name, file.read_text(encoding="utf-8")) for file in SCHEMAS.glob("postgres/*.sql")],
            )
            await _delete_topics(settings)
            self._cql = await asyncio.to_thread(connect, settings)
        except BaseException:
            # The next test tries again.
            await asyncio.to_thread(self._control, "DROP DATABASE {} WITH (FORCE)", self._name)
            raise
        self._written = await asyncio.to_thread(self._writes)

    def _settings(self, topics: str, database: str, **more: Any) -> Settings:
        return load_settings(
            kafka=self._servers.kafka,
            kafka_topics=topics,
            scylla=self._servers.scylla,
            scylla_keyspace=self._name,
            postgres=_other_database(self._servers.postgres, database),
            subscription_secret=self._secret,
            identity_secret=self._secret,
            **more,
        )

    def _control(self, statement: str, *names: str) -> None:
        """Runs a statement about databases."""
        parts = urlsplit(self._servers.postgres)
        with psycopg.connect(
            host=parts.hostname, port=parts.port, dbname=parts.path[1:], user=_USER, autocommit=True
        ) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _empty_tables(self) -> None:
        """Truncates the tables that were written to since the last time: deletions count, so it is not what is left."""
        now = self._writes()
        waiting = [
            self._cql.execute_async(f"TRUNCATE {self._name}.{table}", timeout=60)
            for table, writes in now.items()
            if writes != self._written.get(table)
        ]
        for answer in waiting:
            answer.result()
        self._written = now

    def _writes(self) -> dict[str, int]:
        """Gives how often each table was written to; a server that does not tell says something new every time."""
        try:
            rows = self._cql.execute("SELECT keyspace_name, table_name, count FROM system_views.local_write_latency")
        except InvalidRequest:
            return {table: secrets.randbits(62) for table in TABLES if table != "schema_version"}
        return {table: int(count) for keyspace, table, count in rows if keyspace == self._name}


async def _delete_topics(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_topics(list(topics_of(settings)))
    finally:
        await admin.close()


def _other_database(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
