"""Production systems for the servers' sections: topics, keyspace and database of their own on servers that run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from psycopg import sql
from rich.console import Console

from adapters.scylla.connection import connect
from tests.bench.actors import forty_nodes_json
from tests.bench.measured import listening_pid
from tests.bench.servers import tension_json
from tests.services import state
from tests.services.given import Servers
from tests.services.server import ServerError
from tests.services.system import Process, System

_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? ([0-9.e+-]+)$", re.MULTILINE)


@contextlib.contextmanager
def servers(console: Console) -> Iterator[Servers | None]:
    """Gives servers that the environment names or that run, or starts them; None, with the reason, if it can't."""
    given = state.elsewhere(os.environ)
    wanted = tuple(name for name in state.NAMES if name not in given)
    try:
        started = state.start(wanted)
    except ServerError as error:
        console.print(f"[yellow]no servers, their sections are left out:[/yellow] {error}")
        yield None
        return
    try:
        addresses = {name: one.address for name, one in state.running().items()} | given
        yield Servers(*(addresses[name] for name in state.NAMES))
    finally:
        state.stop(tuple(started))


class Place:
    """Where the sections run: makes a production system for each number of partitions once, and removes them all."""

    def __init__(self, found: Servers, console: Console) -> None:
        self.servers = found
        self.console = console
        self._stack = contextlib.ExitStack()
        self._made: dict[int, Production] = {}
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    def __enter__(self) -> Place:  # noqa: PYI034 - it is never subclassed
        """Makes nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Removes everything."""
        self._stack.close()

    def production(self, partitions: int) -> Production:
        """Gives the system with so many partitions."""
        if partitions not in self._made:
            self.console.print(f"  preparing a system with {partitions} partitions")
            folder = self._folder / str(partitions)
            self._made[partitions] = self._stack.enter_context(Production(self.servers, partitions, folder))
        return self._made[partitions]

    @property
    def pids(self) -> dict[str, int]:
        """Of the servers, as far as they run on this machine."""
        ports = {name: int(re.findall(r":(\d+)", address)[0]) for name, address in self.servers._asdict().items()}
        found = {name: listening_pid(ports[name]) for name in ("kafka", "scylla")}
        return {name: pid for name, pid in found.items() if pid is not None}


class Production:
    """One system's stores and its two retailers; `running` starts processes on them.

    Attributes:
        partitions: of each topic.
        tension: keys of a retailer for whom every addition brings an experience; `trees`: of one with a tree of 40
            nodes.
    """

    def __init__(self, found: Servers, partitions: int, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._admin = found
        self._name = f"bench_{secrets.token_hex(4)}"
        url = f"{found.postgres.rpartition('/')[0]}/{self._name}"
        self._servers = found._replace(postgres=url)
        self._settings = {
            "KAFKA_TOPICS": self._name,
            "SCYLLA_KEYSPACE": self._name,
            "SUBSCRIPTION_SECRET": secrets.token_hex(32),
            "IDENTITY_SECRET": secrets.token_hex(32),
            "RATE_EVENTS_PER_S": "1000000",
        }
        self._topics: list[str] = []
        self.partitions = partitions
        self.tension: dict[str, str] = {}
        self.trees: dict[str, str] = {}

    def __enter__(self) -> Production:  # noqa: PYI034 - it is never subclassed
        """Makes topics, tables, database and retailers."""
        self._control("CREATE DATABASE {}")
        try:
            self._migrate(self._name, self.partitions)
            self.tension = self._retailer("tension", tension_json())
            self.trees = self._retailer("trees", forty_nodes_json())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Removes them; servers that are about to stop are no reason to fail."""
        asyncio.run(self._drop_topics())
        session = connect(self._system({}).settings())
        session.execute(f"DROP KEYSPACE IF EXISTS {self._name}", timeout=60)
        session.cluster.shutdown()
        self._control("DROP DATABASE {} WITH (FORCE)")

    def variables(self, topics: str | None = None) -> dict[str, str]:
        """Gives the environment of a process on these stores."""
        settings = self._settings | ({"KAFKA_TOPICS": topics} if topics else {})
        named = {name.upper(): value for name, value in self._servers._asdict().items()}
        return {f"HOTBASKET_{name}": value for name, value in (settings | named).items()}

    def more_topics(self, partitions: int) -> str:
        """Makes topics for a section that fills a log for itself, and gives their name for `running` and `variables`.

        Only for gateways and archivers: a worker's snapshots belong to one log.
        """
        name = f"{self._name}_{len(self._topics)}"
        self._migrate(name, partitions)
        return name

    def bare_topic(self, partitions: int) -> str:
        """Makes a topic that nothing of hotbasket reads, and gives its name."""
        name = f"{self._name}_{len(self._topics)}.bare"
        self._topics.append(name)

        async def make() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._servers.kafka)
            await admin.start()
            try:
                await admin.create_topics([NewTopic(name, partitions, 1)])
            finally:
                await admin.close()

        asyncio.run(make())
        return name

    @contextlib.contextmanager
    def running(
        self, *, gateways: int = 0, workers: int = 0, archivers: int = 0, topics: str | None = None, **settings: str
    ) -> Iterator[System]:
        """Runs processes until the block ends, then stops them as an operator would.

        Args:
            gateways, workers, archivers: how many of each.
            topics: other topics than the system's own.
            settings: of all of them, without the prefix HOTBASKET_.
        """
        system = self._system(settings | ({"KAFKA_TOPICS": topics} if topics else {}))
        for kind, count in (("gateway", gateways), ("worker", workers), ("archiver", archivers)):
            for number in range(count):
                system.add(kind, f"{kind}-{number}")
        try:
            system.start()
            yield system
        finally:
            system.stop()
            system.kill()

    def _system(self, settings: Mapping[str, str]) -> System:
        chosen = self._settings | dict(settings)
        system = System(self._folder, self._servers, partitions=self.partitions, gateways=0, workers=0, settings=chosen)
        system.processes.clear()
        return system

    def _migrate(self, topics: str, partitions: int) -> None:
        system = self._system({"KAFKA_TOPICS": topics})
        ran = system.command("migrate", "--partitions", str(partitions), "--replication", "1")
        assert ran.returncode == 0, ran.stderr
        self._topics += [f"{topics}.events", f"{topics}.experiences"]

    def _retailer(self, name: str, tree: dict[str, Any]) -> dict[str, str]:
        system = self._system({})
        added = system.command("retailer", "add", name, "--json")
        assert added.returncode == 0, added.stderr
        file = self._folder / f"{name}.json"
        file.write_text(json.dumps(tree))
        pushed = system.command("tree", "push", "--retailer", name, file)
        assert pushed.returncode == 0, pushed.stderr
        keys: dict[str, str] = json.loads(added.stdout)
        return keys

    async def _drop_topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers.kafka)
        await admin.start()
        try:
            await admin.delete_topics(self._topics)
        finally:
            await admin.close()

    def _control(self, statement: str) -> None:
        with psycopg.connect(self._admin.postgres, user="hotbasket", autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self._name)))


def metric(process: Process, name: str, labels: str = "") -> float:
    """Gives a metric of a running process: the sum over its labels that contain `labels`, 0 where there is none yet."""
    with urllib.request.urlopen(process.metrics_url, timeout=10) as answer:
        text = answer.read().decode()
    return sum(float(value) for found, some, value in _SAMPLE.findall(text) if found == name and labels in some)
