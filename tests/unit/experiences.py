"""Experiences for tests that only move them about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.experiences import Experience

FAR_MS = 4_000_000_000_000


def shown(slot: str, **changes: Any) -> Experience:
    """Gives a recommendation in a slot that does not expire soon."""
    fields: dict[str, Any] = {
        "experience_id": f"x-{slot}",
        "kind": "recommendation",
        "slot": slot,
        "decided_at_ms": 1_790_000_000_000,
        "expires_at_ms": FAR_MS,
        "trigger_event_id": UUID(int=7),
        "tree_generation": 1,
        "node_id": "n",
        "content": {"products": [{"product_id": "p-1"}]},
    }
    return Experience(**(fields | changes))
