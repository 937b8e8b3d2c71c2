"""What went wrong between us and the server: here alone the driver's errors become the ports' errors.

At the time of connecting the driver gives no error code, only flags and a sentence, in English unless the server speaks
another language. The flags decide first, the sentence next; what neither tells is said in the server's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import psycopg
from psycopg import errors

from adapters.certificates import cure_of
from domain.errors import PortError, Refused

CONTROL_PLANE = "HOTBASKET_POSTGRES"
"""How the settings of the control plane's database begin; cures name what to correct."""

Stage = Literal["server", "tls", "password", "database"]
STAGES: tuple[Stage, ...] = ("server", "tls", "password", "database")
"""What has to go well to be connected, in order: a fault at one of them means that those before it were passed."""

_BUSY = ("too many", "remaining connection slots", "starting up", "shutting down", "not yet accepting", "in recovery")
_TLS = ("SSL", "certificate")
_PLAIN = "no encryption"
_PLAIN_CURE = "set {variable}_CA_FILE to connect with TLS, or let this machine in by the server's pg_hba.conf"
_PASSWORD = ("password authentication failed", "authentication failed", "no password supplied", "pg_hba.conf", "role ")
_DATABASE = ("does not exist", "permission denied for database", "not currently accepting connections")
_CURES: dict[Stage, str] = {
    "server": "start it, or correct {variable}; see whether a firewall lets this machine through",
    "tls": "{variable}_CA_FILE must name the PEM file that signs this server's certificate, made for this host"
    " name; it must be empty where the server speaks no TLS",
    "password": "correct {variable}_USER and {variable}_PASSWORD, or the server's pg_hba.conf",
    "database": "make it (createdb) and give this role the right to connect, or correct {variable}",
}


class Fault(NamedTuple):
    """Why there is no connection.

    Attributes:
        stage: at which of `STAGES` it stopped.
        detail: what was seen, without anything secret.
        cure: what to do.
        retriable: whether it may pass by itself.
    """

    stage: Stage
    detail: str
    cure: str
    retriable: bool


class CannotConnect(PortError):
    """There is no connection; `fault` says why."""

    def __init__(self, address: str, fault: Fault) -> None:
        super().__init__(f"Postgres at {address}: {fault.detail}; {fault.cure}", retriable=fault.retriable)
        self.fault = fault


class Taken(PortError):
    """Something that must be unique is there already; nothing was changed.

    Attributes:
        constraint: its name in the schema.
    """

    def __init__(self, address: str, constraint: str) -> None:
        super().__init__(f"Postgres at {address}: a value of {constraint} is taken", retriable=False)
        self.constraint = constraint


def connection_fault(error: psycopg.Error, secrets: Sequence[str], *, timeout_s: float, variable: str) -> Fault:
    """Tells what stood in the way of a connection.

    Args:
        error: the driver's.
        secrets: words that never appear in the answer.
        timeout_s: seconds that were waited.
        variable: how the settings of this database begin.
    """
    said = str(error).partition("\n")[0].removeprefix("connection failed: ")
    for secret in filter(None, secrets):
        said = said.replace(secret, "***")
    if isinstance(error, errors.ConnectionTimeout):
        return silent_fault(timeout_s, variable)
    if error.pgconn is not None and error.pgconn.needs_password:
        said = f"it asks for a password and {variable}_PASSWORD is empty ({said})"
        return Fault("password", said, _cure("password", variable), retriable=False)
    if _PLAIN in said:
        # The server says so of every plain connection that no line of its pg_hba.conf allows.
        return Fault("tls", said, _PLAIN_CURE.format(variable=variable), retriable=False)
    stage = _stage(said, used_password=error.pgconn is not None and error.pgconn.used_password)
    return Fault(stage, said, _cure(stage, variable), retriable=stage == "server")


def untrusted_fault(fault: Fault, why: str) -> Fault:
    """Gives a fault of TLS with what is wrong with the certificate, as far as that could be found out.

    Args:
        fault: the driver's.
        why: OpenSSL's words; empty = not found out.
    """
    return fault._replace(detail=f"{fault.detail}: {why}", cure=cure_of(why, fault.cure)) if why else fault


def silent_fault(timeout_s: float, variable: str) -> Fault:
    """Gives the fault of a server that does not answer at all."""
    cure = _cure("server", variable)
    return Fault("server", f"no answer to a connection in {timeout_s:g} s", cure, retriable=True)


def port_error(error: psycopg.Error, address: str, *, cut_after_s: float | None, variable: str) -> PortError | Refused:
    """Gives the port's error for a failed statement: what server or network caused is worth another try.

    Args:
        error: the driver's.
        address: of the server.
        cut_after_s: seconds after which we cut the connection ourselves, None where we did not.
        variable: how the settings of this database begin.
    """
    if cut_after_s is not None:
        return PortError(f"Postgres at {address} gave no answer in {cut_after_s:g} s; see its load", retriable=True)
    if isinstance(error, errors.UniqueViolation):
        return Taken(address, error.diag.constraint_name or "?")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | errors.ReadOnlySqlTransaction):
        return _passing(error, address, variable)
    return _lasting(error, address, variable)


def _passing(error: psycopg.Error, address: str, variable: str) -> PortError:
    said = _said(error)
    match error:
        case errors.QueryCanceled():
            what = f"{said}; see its load, or raise {variable}_TIMEOUT_S"
        case errors.ReadOnlySqlTransaction():
            what = f"it takes no changes now ({said}); name the primary in {variable}, not a standby"
        case _:
            what = f"it can't be used now ({said})"
    return PortError(f"Postgres at {address}: {what}", retriable=True)


def _lasting(error: psycopg.Error, address: str, variable: str) -> PortError | Refused:
    said = _said(error)
    match error:
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.InvalidSchemaName():
            return PortError(f"Postgres at {address}: {said}; run hotbasket migrate", retriable=False)
        case errors.InsufficientPrivilege():
            return PortError(f"Postgres at {address}: {said}; grant it to the role of {variable}_USER", retriable=False)
        case psycopg.DataError():
            return Refused(f"Postgres can't store this: {said}; remove control characters, keep numbers in range")
        case _:
            name = type(error).__name__
            return PortError(f"Postgres at {address} refused a statement ({name}: {said})", retriable=False)


def _cure(stage: Stage, variable: str) -> str:
    return _CURES[stage].format(variable=variable)


def _said(error: psycopg.Error) -> str:
    """Gives the first sentence only: what follows may quote the values of a row."""
    return error.diag.message_primary or str(error).partition("\n")[0]


def _stage(said: str, *, used_password: bool) -> Stage:
    if any(word in said for word in _BUSY):
        return "server"
    found: dict[Stage, Sequence[str]] = {"tls": _TLS, "password": _PASSWORD, "database": _DATABASE}
    for stage, words in found.items():
        if any(word in said for word in words):
            return stage
    # In another language: the server looked at a password, and then would not have us.
    return "password" if used_password else "server"
