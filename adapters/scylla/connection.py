"""Opens the driver's connections with the bounds of `Settings`; everything here blocks and belongs into a thread."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cassandra import ConsistencyLevel, ProtocolVersion
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, TokenAwarePolicy
from cassandra.query import tuple_factory

from adapters.scylla.faults import DRIVER_ERRORS, refusal
from adapters.scylla.quiet import quiet
from adapters.settings import Settings
from domain.errors import PortError

PAGE_ROWS = 1_000
_CONNECT_S = 5.0
_RECONNECT_FIRST_S = 0.1
_RECONNECT_MAX_S = 1.0
"""The driver's own bound is ten minutes."""
_HEARTBEAT_S = 5.0


def connect(settings: Settings) -> Any:  # Any: the driver has no types
    """Gives a session whose rows are tuples; `session.cluster.shutdown()` closes it. Never share it across a fork.

    Raises:
        DRIVER_ERRORS: see `faults.refusal`; nothing stays open.
    """
    tls = _tls(settings.scylla_ca_file)
    nodes = [address.rpartition(":") for address in settings.scylla.split(",")]
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
        consistency_level=getattr(ConsistencyLevel, settings.scylla_consistency),
        request_timeout=settings.scylla_timeout_s,
        row_factory=tuple_factory,
    )
    with quiet():
        cluster = Cluster(
            contact_points=[(host, int(port)) for host, _, port in nodes],
            port=int(nodes[0][2]),
            # What ScyllaDB speaks; without it the driver tries newer ones first and logs each refusal.
            protocol_version=ProtocolVersion.V4,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            auth_provider=PlainTextAuthProvider(settings.scylla_user, settings.scylla_password.get_secret_value())
            if settings.scylla_user
            else None,
            ssl_context=tls,
            reconnection_policy=ExponentialReconnectionPolicy(_RECONNECT_FIRST_S, _RECONNECT_MAX_S),
            connect_timeout=max(_CONNECT_S, settings.scylla_timeout_s),
            control_connection_timeout=max(_CONNECT_S, settings.scylla_timeout_s),
            idle_heartbeat_interval=_HEARTBEAT_S,
            idle_heartbeat_timeout=_HEARTBEAT_S,
        )
        try:
            session = cluster.connect()
        except BaseException:
            cluster.shutdown()
            raise
    session.default_fetch_size = PAGE_ROWS
    return session


@contextmanager
def refusals(settings: Settings) -> Iterator[None]:
    """Turns a refused connection into the error of an entry point that can't start.

    Raises:
        PortError: not retriable, with the cure.
    """
    if not settings.scylla:
        raise PortError("no ScyllaDB is named: set HOTBASKET_SCYLLA to its nodes, host:port,host:port", retriable=False)
    try:
        yield
    except DRIVER_ERRORS as error:
        found = refusal(error, settings)
        raise PortError(f"{found.detail}; {found.cure}", retriable=False) from error


def _tls(ca_file: str) -> ssl.SSLContext | None:
    """Gives the context that trusts one authority and asks every node for a certificate of its own address."""
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        # The library's own messages do not say which file.
        raise ssl.SSLError(f"{ca_file}: {error.strerror or error}") from error
