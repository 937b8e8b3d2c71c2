"""The audit trail: who did what with a retailer's shoppers, campaigns and keys, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

Outcome = Literal["done", "refused", "failed"]
"""Refused: a rule was in the way, and nothing was told or changed. Failed: what became of it is not known."""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One thing that somebody did, or tried to.

    Attributes:
        at_ms: when it ended, Unix milliseconds by the clock of whoever wrote it down.
        retailer_id: whose data it was about.
        who: `key` and the first digits of its digest, `command line`, or `withdrawal`: a consent that ended.
        action: a short stable name, like `lookup` or `campaigns.create`.
        target: of a campaign its id, of a shopper what `domain.ids.shopper_digest` gives, never the id or its hash;
            of a key its scope and name; None where the retailer is all that can be named.
        outcome: what came of it.
    """

    at_ms: int
    retailer_id: str
    who: str
    action: str
    target: str | None
    outcome: Outcome


class AuditTrail(Protocol):
    """Append-only: the stores themselves refuse to change or delete what was appended.

    Written by gateways and commands before they answer, never on the way of an event. Who repeats an append whose
    outcome it does not know may leave the entry twice.
    """

    async def append(self, entry: AuditEntry) -> None:
        """Makes an entry durable.

        Raises:
            PortError: it may be there or not.
        """
        ...

    async def read(self, retailer_id: str, since_ms: int, limit: int) -> Sequence[AuditEntry]:
        """Gives the entries of a retailer since a moment, that moment included, in the order of their times.

        Of one millisecond those appended first come first. What a slow clock dates back may appear before entries
        that were read already.

        Args:
            retailer_id: whose.
            since_ms: Unix milliseconds.
            limit: at most so many, the oldest.

        Raises:
            PortError: can't be read now.
        """
        ...
