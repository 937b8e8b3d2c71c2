"""One Cassandra node, small enough for a test. It speaks the protocol of ScyllaDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.services.certificates import ServerCertificate
from tests.services.jars import jars, java
from tests.services.processes import free_port
from tests.services.server import HOST, Account, Credentials, Server, run_to_end

SUPERUSER = Credentials("cassandra", "cassandra")
"""The role that a node with passwords makes for itself."""

# What Cassandra's own start script opens to it; without these a JDK of today keeps it out.
_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.management/com.sun.jmx.remote.security",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
_LOGBACK = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date{ISO8601} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""


class Cassandra(Server):
    """A node that is a cluster.

    Args:
        folder: of its configuration, data and log.
        port: for clients.
        heap_mb: of the JVM.
        configuration: of cassandra.yaml, over the defaults below.
        is_guarded: clients log in with a password, at first as `SUPERUSER`.
        certificate: with it, clients speak TLS.
    """

    name = "cassandra"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        heap_mb: int = 512,
        configuration: dict[str, Any] | None = None,  # Any: whatever cassandra.yaml may hold
        is_guarded: bool = False,
        certificate: ServerCertificate | None = None,
    ) -> None:
        super().__init__(folder, port)
        self._heap_mb = heap_mb
        self._extra = configuration or {}
        self._is_guarded = is_guarded
        self._certificate = certificate
        self._storage_port = free_port()
        self._tool_port = free_port()

    def tool(self, *arguments: str) -> None:
        """Runs nodetool on it, as an operator would: `flush KEYSPACE`, `compact KEYSPACE`.

        Raises:
            ServerError: it failed; with what it said.
        """
        # Its history goes where the node's files are, not into anybody's home.
        home = f"-Duser.home={self.folder}"
        run = [java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", home, *_opened()]
        tool = ["-cp", f"{jars('cassandra')}/*", "org.apache.cassandra.tools.NodeTool"]
        run_to_end([*run, *tool, "--port", str(self._tool_port), *arguments])

    def _prepare(self) -> tuple[list[str], Account | None]:
        configuration = self.folder / "cassandra.yaml"
        # JSON is YAML.
        configuration.write_text(json.dumps(self._configuration(), indent=1))
        logback = self.folder / "logback.xml"
        logback.write_text(_LOGBACK)
        for folder in ("triggers", "tmp"):
            (self.folder / folder).mkdir(exist_ok=True)
        lib = jars("cassandra")
        heap = f"{self._heap_mb}m"
        command = [java(), f"-Xms{heap}", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
        command += ["-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={self.folder / 'tmp'}"]
        command += ["-cp", f"{lib}/*", f"-javaagent:{next(lib.glob('jamm-*.jar'))}"]
        command += ["-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true"]
        command += _opened()
        settings = {
            "cassandra-foreground": "yes",
            "cassandra.config": f"file:{configuration}",
            "cassandra.storagedir": str(self.folder),
            "cassandra.triggers_dir": str(self.folder / "triggers"),
            "logback.configurationFile": f"file:{logback}",
            # Alone, it has nobody to wait for.
            "cassandra.skip_wait_for_gossip_to_settle": "0",
            "cassandra.ring_delay_ms": "100",
            "cassandra.superuser_setup_delay_ms": "0",
            # Of nodetool, for this machine alone.
            "cassandra.jmx.local.port": str(self._tool_port),
        }
        command += [f"-D{name}={value}" for name, value in settings.items()]
        return [*command, "org.apache.cassandra.service.CassandraDaemon"], None

    def _ready_lines(self) -> tuple[bytes, ...]:
        ready = b"Starting listening for CQL clients"
        is_new = self._is_guarded and b"Created default superuser role" not in self.log.read_bytes()
        return (ready, b"Created default superuser role") if is_new else (ready,)

    def _configuration(self) -> dict[str, Any]:
        folder = self.folder
        security: dict[str, Any] = {}
        if self._is_guarded:
            security |= {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer"}
        if self._certificate is not None:
            security["client_encryption_options"] = {
                "enabled": True,
                "optional": False,
                "keystore": str(self._certificate.store),
                "keystore_password": self._certificate.store_password,
                "store_type": "PKCS12",
            }
        return {
            "cluster_name": "tests",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": [
                {
                    "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                    "parameters": [{"seeds": f"{HOST}:{self._storage_port}"}],
                }
            ],
            "listen_address": HOST,
            "rpc_address": HOST,
            "storage_port": self._storage_port,
            "native_transport_port": self.port,
            "start_native_transport": True,
            "data_file_directories": [str(folder / "data")],
            "commitlog_directory": str(folder / "commitlog"),
            "saved_caches_directory": str(folder / "saved_caches"),
            "hints_directory": str(folder / "hints"),
            # Acknowledges after the disk's sync: what tests count must survive a kill.
            "commitlog_sync": "group",
            "commitlog_sync_group_window": "5ms",
            "commitlog_total_space": "256MiB",
            "auto_snapshot": False,
            "cdc_enabled": False,
            "concurrent_writes": 64,
            "concurrent_reads": 16,
            "native_transport_max_threads": 64,
            **security,
            **self._extra,
        }


def _opened() -> list[str]:
    """Gives the options that open the JDK to Cassandra and its tools."""
    exports = [f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS]
    return exports + [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS]
