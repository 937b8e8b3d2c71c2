"""The only place where the driver's errors become the ports' errors, and where a refused connection is explained."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import NamedTuple

from cassandra import (
    AlreadyExists,
    AuthenticationFailed,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    Unauthorized,
)
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import ErrorMessage

from adapters.certificates import cure_of
from adapters.settings import Settings
from domain.errors import PortError

DRIVER_ERRORS = (DriverException, ErrorMessage, NoHostAvailable, OSError)
"""What a statement may raise; anything else is a bug of ours."""
_NEEDS_A_PERSON = (AlreadyExists, AuthenticationFailed, InvalidRequest, Unauthorized)
_TEXT_MAX = 300


class Refusal(NamedTuple):
    """Why no connection came about.

    Attributes:
        check: `reachable`, `tls` or `password`.
        detail: one sentence without secrets.
        cure: what to do.
    """

    check: str
    detail: str
    cure: str


def port_error(error: BaseException, statement: str) -> PortError:
    """Gives the port's error for the driver's: whatever a server or the network caused is worth another try.

    Args:
        statement: the statement's short name.
    """
    if isinstance(error, _NEEDS_A_PERSON):
        return PortError(
            f"the hot store refuses {statement} ({_text(error)}); `hotbasket doctor` compares schema and rights",
            retriable=False,
        )
    if isinstance(error, OperationTimedOut):
        return PortError(f"the hot store did not answer {statement} in time; it is tried again", retriable=True)
    return PortError(f"the hot store can't do {statement} now ({_text(error)}); it is tried again", retriable=True)


def refusal(error: BaseException, settings: Settings) -> Refusal:
    """Tells a wrong password and a failed TLS handshake apart from servers that are not there."""
    causes = list(_causes(error))
    password = _first(causes, AuthenticationFailed)
    if password is not None:
        user = f'user "{settings.scylla_user}"' if settings.scylla_user else "a connection without a user"
        return Refusal(
            "password",
            f"{settings.scylla} refuses {user}",
            "set HOTBASKET_SCYLLA_USER and HOTBASKET_SCYLLA_PASSWORD to a role that may log in",
        )
    # The driver puts the handshake's error into the text of one of its own.
    handshake = _first(causes, ssl.SSLError) or next((cause for cause in causes[1:] if "[SSL" in str(cause)), None)
    if handshake is not None:
        cure = (
            "set HOTBASKET_SCYLLA_CA_FILE to the PEM file that signs the nodes' certificates, which must name their IP"
            " addresses; leave it empty where the nodes speak without TLS"
        )
        said = _text(handshake)
        return Refusal("tls", f"no TLS with {settings.scylla} ({said})", cure_of(said, cure))
    closed = "" if settings.scylla_ca_file else "; if the nodes ask for TLS, set HOTBASKET_SCYLLA_CA_FILE"
    return Refusal(
        "reachable",
        f"nobody answers at {settings.scylla} ({_text(causes[-1])})",
        f"start ScyllaDB there or correct HOTBASKET_SCYLLA{closed}",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, NoHostAvailable) and isinstance(error.errors, dict):
        for one in error.errors.values():
            if isinstance(one, BaseException):
                yield from _causes(one)
    if error.__cause__ is not None:
        yield from _causes(error.__cause__)


def _first(errors: list[BaseException], kind: type[BaseException]) -> BaseException | None:
    return next((error for error in errors if isinstance(error, kind)), None)


def _text(error: BaseException) -> str:
    text = " ".join(str(error).split())[:_TEXT_MAX]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
