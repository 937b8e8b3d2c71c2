"""What stands in the audit trail: how a shopper is named there, how an outcome is told, how people read it."""

from __future__ import annotations

import re
from typing import Any, Final

from domain.errors import HotbasketError, PortError
from domain.ports.audit_trail import AuditEntry, Outcome
from domain.timestamps import read_rfc3339, rfc3339, unix_ms

COMMAND_LINE: Final = "command line"
"""Who did it, where somebody sat at a terminal."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MIDNIGHT: Final = "T00:00:00Z"


def key_target(scope: str, name: str) -> str:
    """Gives how the trail names a key.

    Args:
        scope: of the key.
        name: the first digits of its digest, as `who` has them.
    """
    return f"{scope} key {name}"


def outcome_of(error: Exception | None) -> Outcome:
    """Gives the outcome of what ended with an error, or with none: a rule refused it, or it failed halfway."""
    if error is None:
        return "done"
    return "refused" if isinstance(error, HotbasketError) and not isinstance(error, PortError) else "failed"


def told(entry: AuditEntry) -> dict[str, Any]:
    """Gives an entry as the gateway and `hotbasket audit --json` tell it."""
    return {
        "at": rfc3339(entry.at_ms),
        "retailer_id": entry.retailer_id,
        "who": entry.who,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
    }


def read_since(text: str) -> int | None:
    """Reads the moment from which entries are wanted, in Unix milliseconds.

    Args:
        text: RFC 3339 with zone, or a date, which stands for its midnight in UTC.

    Returns:
        None if it is neither.
    """
    moment = read_rfc3339(text + _MIDNIGHT if _DATE.fullmatch(text) else text)
    return None if moment is None else unix_ms(moment)
