"""How this process reaches Kafka: addresses, TLS, password; and what it means when Kafka refuses."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Literal, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from adapters.certificates import cure_of
from adapters.settings import Settings
from domain.errors import PortError

REQUEST_MS = 5_000
"""How long one request may take; what waits longer is tried again on a fresh connection."""
_KNOCK_S = 3.0
_RETRY_MS = 100
_PASSWORD_ERRORS = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


class Refusal(NamedTuple):
    """Why no broker lets this process in.

    Attributes:
        step: what failed: finding a broker, encryption, or who we are.
        detail: what happened, and where.
        cure: what to do.
    """

    step: Literal["address", "tls", "password"]
    detail: str
    cure: str


def client_options(settings: Settings, *, request_ms: int = REQUEST_MS) -> dict[str, Any]:  # Any: the library's own
    """Gives what every client of the library is made with.

    Raises:
        PortError: not retriable: the file of the certificate authority can't be used.
    """
    return {
        "bootstrap_servers": settings.kafka.split(","),
        "client_id": "hotbasket",
        "request_timeout_ms": request_ms,
        "retry_backoff_ms": _RETRY_MS,
        **_security(settings),
    }


def _security(settings: Settings) -> dict[str, Any]:
    protocol = "SSL" if settings.kafka_ca_file else "PLAINTEXT"
    options: dict[str, Any] = {}
    if settings.kafka_ca_file:
        try:
            options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
        except OSError as error:
            raise PortError(
                f"HOTBASKET_KAFKA_CA_FILE {settings.kafka_ca_file} can't be used: {error}: name a PEM file with the"
                " certificate of whoever signed the brokers'",
                retriable=False,
            ) from error
    if settings.kafka_user:
        protocol = f"SASL_{protocol}" if protocol == "SSL" else "SASL_PLAINTEXT"
        options |= {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return {"security_protocol": protocol, **options}


async def knock(settings: Settings) -> Refusal | None:
    """Tries the brokers until one lets this process in; None = one does.

    Raises:
        PortError: not retriable: no broker is named, or the file of the certificate authority can't be used.
    """
    if not settings.kafka:
        raise PortError("no Kafka broker is named: set HOTBASKET_KAFKA to host:port,host:port", retriable=False)
    security = _security(settings)
    refusals: list[Refusal] = []
    for address in settings.kafka.split(","):
        refusal = await _knock_at(address, security, settings)
        if refusal is None:
            return None
        refusals.append(refusal)
    # Who answers and refuses says more than who is not there.
    return next((refusal for refusal in refusals if refusal.step != "address"), refusals[0])


async def _knock_at(address: str, security: dict[str, Any], settings: Settings) -> Refusal | None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        said = str(error) or "no answer"
        return Refusal("address", f"no Kafka broker answers at {address}: {said}", "start it, or set HOTBASKET_KAFKA")
    connection: AIOKafkaConnection | None = None
    try:
        async with asyncio.timeout(_KNOCK_S):
            connection = await create_conn(host, int(port), request_timeout_ms=REQUEST_MS, **security)
            # A listener that wants a password speaks of versions with anybody, and of nothing else.
            await connection.send(MetadataRequest([]))
    except _PASSWORD_ERRORS as error:
        return Refusal(
            "password",
            f"{address} refuses user {settings.kafka_user!r}: {type(error).__name__}",
            "set HOTBASKET_KAFKA_USER and HOTBASKET_KAFKA_PASSWORD to a SCRAM-SHA-512 user of this listener",
        )
    except ssl.SSLError as error:
        said = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason or str(error)
        cure = "set HOTBASKET_KAFKA_CA_FILE to their signer's certificate, and name brokers as their certificates do"
        return Refusal("tls", f"{address} can't be trusted: {said}", cure_of(said, cure))
    except (OSError, TimeoutError, KafkaError, ValueError) as error:
        return _closed(address, error, connection is not None, settings)
    finally:
        if connection is not None:
            connection.close()
    return None


def _closed(address: str, error: Exception, spoke: bool, settings: Settings) -> Refusal:
    if isinstance(error, TimeoutError) and not spoke:
        cure = "see whether the broker hangs, and what HOTBASKET_KAFKA and HOTBASKET_KAFKA_CA_FILE say of its listener"
        return Refusal("address", f"{address} takes connections and says nothing in {_KNOCK_S:g} s", cure)
    said = f"{address} takes connections and ends the conversation: {str(error) or type(error).__name__}"
    if spoke and not settings.kafka_user:
        return Refusal("password", said, "it wants a user: set HOTBASKET_KAFKA_USER and HOTBASKET_KAFKA_PASSWORD")
    if settings.kafka_ca_file:
        return Refusal("tls", said, "this listener may speak no TLS: unset HOTBASKET_KAFKA_CA_FILE or change the port")
    return Refusal("tls", said, "this listener may speak TLS only: set HOTBASKET_KAFKA_CA_FILE or change the port")


async def connect(settings: Settings) -> AIOKafkaClient:
    """Gives a connected client of the library, to be closed by the caller.

    Raises:
        PortError: not retriable: nobody lets this process in, and why.
    """
    refusal = await knock(settings)
    if refusal is not None:
        raise PortError(f"{refusal.detail}: {refusal.cure}", retriable=False)
    client = AIOKafkaClient(**client_options(settings))
    try:
        await client.bootstrap()
    except KafkaError as error:
        await client.close()
        raise PortError(f"Kafka at {settings.kafka} can't be used now: {error}", retriable=False) from error
    return client
