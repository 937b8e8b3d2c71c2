"""The audit trail's route in the OpenAPI document."""

from __future__ import annotations

from typing import get_args

from domain.ports.audit_trail import Outcome
from gateway.audit import ENTRIES_MAX, PATH
from gateway.openapi_parts import REF, Json, keys_for, object_of, operation, query


def audit_paths() -> Json:
    """Gives the path `/v1/audit`."""
    limit = {"type": "integer", "minimum": 1, "maximum": ENTRIES_MAX}
    described = operation(
        "readAuditTrail",
        "Read who did what with shoppers, campaigns and keys",
        "The oldest entries since a moment. Where there are `more`, ask again since the `at` of the last one, and pass "
        "over what you have. A shopper is named by a keyed digest, never by an id. Events, quotes and subscriptions "
        "leave no entry.",
        keys_for("audit"),
        {200: ("The entries, oldest first.", "AuditTrail")},
        (400, 401, 403, 405, 503),
        parameters=[
            query("since", "A date, which is its midnight in UTC, or RFC 3339 with zone.", required=True),
            {**query("limit", f"At most so many entries; {ENTRIES_MAX} where nothing is said."), "schema": limit},
        ],
    )
    return {PATH: {"get": described}}


def audit_schemas() -> Json:
    """Gives the schemas of what this route answers."""
    text = {"type": "string"}
    entry = {
        "at": {"type": "string", "format": "date-time"},
        "retailer_id": text,
        "who": text,
        "action": text,
        "target": {"type": ["string", "null"]},
        "outcome": {"type": "string", "enum": list(get_args(Outcome))},
    }
    entries = {"type": "array", "maxItems": ENTRIES_MAX, "items": {"$ref": REF.format(name="AuditEntry")}}
    return {
        "AuditEntry": object_of(entry, *entry, closed=True),
        "AuditTrail": object_of({"entries": entries, "more": {"type": "boolean"}}, "entries", "more", closed=True),
    }
