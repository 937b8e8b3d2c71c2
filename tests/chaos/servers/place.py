"""Where the experiments happen: servers of their own behind proxies that misbehave on demand, a system on them."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.chaos.servers.logs import Logs
from tests.services.cassandra.node import Cassandra
from tests.services.given import Servers
from tests.services.kafka.broker import Kafka
from tests.services.postgres import Postgres
from tests.services.processes import free_port
from tests.services.proxy import Proxy
from tests.services.server import Server
from tests.services.system import System

SESSION_S = 3
"""Of workers: short, so that what a lost machine costs can be waited for."""
_DISK_BYTES = 384 * 1_024 * 1_024
"""Room for five runs of everything: an index that Kafka can't allot any more ends it for good."""
_CHUNK_BYTES = 64 * 1_024


class Disk:
    """Where Kafka keeps its topics, and what is done so that nothing more goes onto it.

    With the right to mount it is a small file system of its own, which is filled. Without, no file of the process may
    grow any more: the process meets the same refused writes.
    """

    def __init__(self, folder: Path, more_bytes: int) -> None:
        folder.mkdir()
        self.folder = folder
        self._filler = folder / "filler"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES + more_bytes}", "tmpfs", str(folder)]
        self._is_own = subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def fill(self, pid: int) -> None:
        """Takes all the space that is left for the process."""
        if not self._is_own:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
            return
        with self._filler.open("wb", buffering=0) as filler:
            size = _CHUNK_BYTES
            while size:
                try:
                    filler.write(b"\0" * size)
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Gives the space back; a limit ends with its process."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Takes it off, whoever still has a file open in it."""
        if self._is_own:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Place:
    """Three servers, a proxy before each, and a system whose processes know the proxies alone.

    Args:
        folder: of everything.
        more_bytes: of room under Kafka than short experiments need.

    Attributes:
        moved: called by a fault after which gateways have other addresses, as a load balancer would notice.
    """

    def __init__(self, folder: Path, more_bytes: int = 0) -> None:
        self.moved: Callable[[], None] = lambda: None
        self._stack = ExitStack()
        self.disk = Disk(folder / "disk", more_bytes)
        self._stack.callback(self.disk.close)
        kafka_port = free_port()
        self.kafka = Kafka(folder / "kafka", log_folder=self.disk.folder / "data", proxy_port=kafka_port)
        self.scylla = Cassandra(folder / "cassandra")
        self.postgres = Postgres(folder / "postgres")
        self.proxies = {
            "kafka": Proxy(self.kafka.behind_proxy, kafka_port),
            "scylla": Proxy(self.scylla.address),
            "postgres": Proxy(self.postgres.address),
        }
        database = self.postgres.url.rpartition("/")[2]
        self.direct = Servers(self.kafka.address, self.scylla.address, self.postgres.url)
        seen = Servers(
            self.proxies["kafka"].address,
            self.proxies["scylla"].address,
            f"postgresql://{self.proxies['postgres'].address}/{database}",
        )
        settings = {"KAFKA_SESSION_S": str(SESSION_S), "KAFKA_CHECKPOINT_S": "1"}
        (folder / "logs").mkdir()
        self.system = System(folder / "logs", self.direct, seen, settings=settings)
        self.logs = Logs(self.system.settings(), self.system.partitions)

    def __enter__(self) -> Self:
        """Starts everything."""
        try:
            servers: tuple[Server, ...] = (self.kafka, self.scylla, self.postgres)
            for server in servers:
                self._stack.callback(server.discard)
            with ThreadPoolExecutor(max_workers=len(servers)) as threads:
                list(threads.map(_start, servers))
            for proxy in self.proxies.values():
                self._stack.enter_context(proxy)
            self._stack.enter_context(self.system)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends everything."""
        self._stack.close()

    def mend(self) -> None:
        """Brings back whatever an experiment may have left broken."""
        self.disk.free()
        for proxy in self.proxies.values():
            proxy.forward()
        steps: list[Callable[[], None]] = [self.kafka.start, self.scylla.start, self.postgres.start]
        for step in (*steps, self.system.start):
            step()


def _start(server: Server) -> None:
    server.start()
