"""Looks at the control plane's database without changing it: for `hotbasket doctor`."""

from __future__ import annotations

from typing import assert_never

from adapters.finding import Finding
from adapters.postgres.database import Database, Session
from adapters.postgres.faults import STAGES, CannotConnect, Stage
from adapters.postgres.migrations import schema_fault, schema_version
from adapters.settings import Settings
from domain.errors import PortError, Refused
from domain.ports.clock import Clock

SKEW_MS_MAX = 2_000
"""Difference between the server's clock and ours, beyond which the times of the one mislead readers of the other."""


async def inspect(settings: Settings, clock: Clock) -> list[Finding]:
    """Checks in order whether the server answers, TLS, password, database, schema and clock; stops at what fails."""
    try:
        database = Database(settings)
    except Refused as refusal:
        return [Finding(_check("server"), False, *_split(refusal))]
    try:
        session = await database.open()
    except CannotConnect as error:
        fault = error.fault
        passed = [_passed(stage, database, settings) for stage in STAGES[: STAGES.index(fault.stage)]]
        return [*passed, Finding(_check(fault.stage), False, fault.detail, fault.cure)]
    findings = [_passed(stage, database, settings) for stage in STAGES]
    what = "schema"
    try:
        findings.append(await _schema(session, database))
        what = "clock"
        findings.append(await _clock(session, clock))
    except PortError as error:
        findings.append(Finding(_check(what), False, str(error), "see the server's log"))
    finally:
        await session.close()
    return findings


def _check(what: str) -> str:
    return f"postgres {what}"


def _split(fault: Exception) -> tuple[str, str]:
    """Gives what a message says before its last colon, and the cure behind it."""
    detail, _, cure = str(fault).rpartition(": ")
    return detail, cure


def _passed(stage: Stage, database: Database, settings: Settings) -> Finding:
    match stage:
        case "server":
            return Finding(_check(stage), True, f"{database.server} answers")
        case "tls":
            signer = settings.postgres_ca_file
            detail = f"the certificate is signed by {signer}" if signer else "none: HOTBASKET_POSTGRES_CA_FILE is empty"
            return Finding(_check(stage), True, detail)
        case "password":
            return Finding(_check(stage), True, f"{settings.postgres_user} may log in")
        case "database":
            return Finding(_check(stage), True, f"{database.database} is there")
        case _:
            assert_never(stage)


async def _schema(session: Session, database: Database) -> Finding:
    version = await schema_version(session)
    fault = schema_fault(version, database.address)
    if fault is None:
        return Finding(_check("schema"), True, f"version {version}")
    return Finding(_check("schema"), False, *_split(fault))


async def _clock(session: Session, clock: Clock) -> Finding:
    before_ms = clock.now_ms()
    ((server_ms,),) = await session.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    skew_ms = int(server_ms) - (before_ms + clock.now_ms()) // 2
    good = abs(skew_ms) <= SKEW_MS_MAX
    detail = f"the server's clock is {abs(skew_ms) / 1_000:.3f} s {'ahead' if skew_ms >= 0 else 'behind'}"
    return Finding(_check("clock"), good, detail, "" if good else "run a time service (chrony, NTP) on both machines")
