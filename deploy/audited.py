"""Takes down in the audit trail what a command did, before it tells its result."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.clock import SystemClock
from adapters.wiring import Ports
from domain.audit import COMMAND_LINE, outcome_of
from domain.ids import ShopperKey, shopper_digest
from domain.ports.audit_trail import AuditEntry, Outcome


def target_of(ports: Ports, key: ShopperKey) -> str:
    """Gives how the trail names a shopper.

    Raises:
        Refused, PortError: this process can't open the retailer's privacy key.
    """
    return shopper_digest(ports.identity.privacy_key(key.retailer_id), key.shopper)


@asynccontextmanager
async def audited(ports: Ports, retailer_id: str, action: str, target: str | None = None) -> AsyncIterator[None]:
    """Does work, and leaves an entry of what came of it.

    Args:
        ports: the trail.
        retailer_id: whose data the work is about.
        action: short and stable, like `tree.push`.
        target: as `domain.ports.audit_trail` says.

    Raises:
        PortError: the entry can't be written, whatever came of the work. Otherwise what the work raises.
    """
    try:
        yield
    except Exception as error:
        await note(ports, retailer_id, action, target, outcome_of(error))
        raise
    await note(ports, retailer_id, action, target, "done")


async def note(ports: Ports, retailer_id: str, action: str, target: str | None, outcome: Outcome) -> None:
    """Leaves an entry of what somebody at the command line did just now.

    Raises:
        PortError: it may be there or not.
    """
    entry = AuditEntry(
        at_ms=SystemClock().now_ms(),
        retailer_id=retailer_id,
        who=COMMAND_LINE,
        action=action,
        target=target,
        outcome=outcome,
    )
    await ports.audit.append(entry)
