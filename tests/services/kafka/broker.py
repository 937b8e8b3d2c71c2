"""One Kafka broker that is its own controller (KRaft), small enough for a test."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from tests.services.certificates import ServerCertificate
from tests.services.jars import jars, java
from tests.services.processes import free_port
from tests.services.server import HOST, Account, Credentials, Server, run_to_end

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_LOG4J = """\
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
"""


class Kafka(Server):
    """A broker; what clients of `address` need follows from what it was given.

    Args:
        folder: of its configuration, data and log.
        port: for clients.
        heap_mb: of the JVM.
        properties: of server.properties, over the defaults below.
        credentials: with them, clients of `address` log in by SCRAM-SHA-512.
        certificate: with it, clients of `address` speak TLS.
        log_folder: for the topics' data, if not in its folder.
        proxy_port: with it, a second listener at `behind_proxy` advertises this port as its own: whoever comes through
            a proxy there stays behind it.
    """

    name = "kafka"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        heap_mb: int = 256,
        properties: dict[str, str] | None = None,
        credentials: Credentials | None = None,
        certificate: ServerCertificate | None = None,
        log_folder: Path | None = None,
        proxy_port: int | None = None,
    ) -> None:
        super().__init__(folder, port)
        self._heap_mb = heap_mb
        self._properties = properties or {}
        self._credentials = credentials
        self._certificate = certificate
        self._log_folder = log_folder or self.folder / "data"
        self._proxy_port = proxy_port
        self._ports = {name: free_port() for name in ("INTERNAL", "CONTROLLER", "PROXIED")}

    @property
    def behind_proxy(self) -> str:
        """host:port that a proxy at `proxy_port` forwards to."""
        return f"{HOST}:{self._ports['PROXIED']}"

    def _prepare(self) -> tuple[list[str], Account | None]:
        configuration = self.folder / "server.properties"
        configuration.write_text("".join(f"{name}={value}\n" for name, value in self._configuration().items()))
        log4j = self.folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        run = [java(), f"-Djava.io.tmpdir={temporary}", f"-Dlog4j2.configurationFile=file:{log4j}"]
        run += ["-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-cp", f"{jars('kafka')}/*"]
        if not (self.folder / "metadata" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            scram: list[str] = []
            if self._credentials is not None:
                user, password = self._credentials
                scram = ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
            tool = "kafka.tools.StorageTool"
            # With "=", as an id may begin with a hyphen.
            run_to_end([*run, tool, "format", f"--cluster-id={cluster}", "--config", str(configuration), *scram])
        heap = f"{self._heap_mb}m"
        return [run[0], f"-Xms{heap}", f"-Xmx{heap}", *run[1:], "kafka.Kafka", str(configuration)], None

    def _ready_lines(self) -> tuple[bytes, ...]:
        return (b"Kafka Server started",)

    def _configuration(self) -> dict[str, str]:
        """Gives server.properties: small pools, quick sessions and one replica of everything."""
        ports = {"CLIENT": self.port, "INTERNAL": self._ports["INTERNAL"]}
        if self._proxy_port is not None:
            ports["PROXIED"] = self._ports["PROXIED"]
        advertised = ports | ({"PROXIED": self._proxy_port} if self._proxy_port is not None else {})
        listening = ports | {"CONTROLLER": self._ports["CONTROLLER"]}
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{listening['CONTROLLER']}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in listening.items()),
            "advertised.listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in advertised.items()),
            "log.dirs": str(self._log_folder),
            # Of its own: what a topic's full disk must not take with it.
            "metadata.log.dir": str(self.folder / "metadata"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            # After a crash its own registration must run out before it is let in again.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "log.index.size.max.bytes": "1048576",
            **self._security(),
            **self._properties,
        }

    def _security(self) -> dict[str, str]:
        """Gives how the listeners for clients are guarded; the others are for the broker itself."""
        protocol = {
            (False, False): "PLAINTEXT",
            (True, False): "SASL_PLAINTEXT",
            (False, True): "SSL",
            (True, True): "SASL_SSL",
        }[self._credentials is not None, self._certificate is not None]
        guarded = {
            "listener.security.protocol.map": (
                f"CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:{protocol},PROXIED:{protocol}"
            )
        }
        for name in ("client", "proxied"):
            if self._credentials is not None:
                guarded[f"listener.name.{name}.sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
                guarded[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = _SCRAM
            if self._certificate is not None:
                guarded[f"listener.name.{name}.ssl.keystore.type"] = "PEM"
                guarded[f"listener.name.{name}.ssl.keystore.location"] = str(self._certificate.key_and_chain)
        return guarded
