"""The routes of privacy requests in the OpenAPI document."""

from __future__ import annotations

from typing import get_args

from domain.ports.privacy_requests import Stage
from domain.privacy import KINDS
from domain.repeated_requests import SUBJECTS_MAX
from gateway.openapi_parts import WITH_BODY, Json, body_of, keys_for, object_of, operation
from gateway.privacy import PATH

_ID: Json = {"type": "string", "format": "uuid"}
_WHICH: Json = {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}
_COUNT: Json = {"type": "integer", "minimum": 0}


def privacy_paths() -> Json:
    """Gives `/v1/privacy/requests` and what is below."""
    asked = object_of(
        {
            "kind": {"type": "string", "enum": list(KINDS)},
            "shopper_ids": {
                "type": "array",
                "minItems": 1,
                "maxItems": SUBJECTS_MAX,
                "items": {"type": "string", "minLength": 1, "maxLength": 128},
            },
            "request_id": {**_ID, "description": "Of your making: the same request sent again changes nothing."},
        },
        "kind",
        "shopper_ids",
        closed=True,
    )
    post = operation(
        "openPrivacyRequest",
        "Ask that shoppers are erased, or told what is held, or that nothing is taken of them, or that it is again",
        "Durable when it is answered, in force at every gateway within 2 seconds, and then done: ask for it. Without "
        "a `request_id`, the same question about the same shoppers is answered with the request that is open.",
        keys_for("privacy"),
        {202: ("The request as it stands.", "PrivacyRequest")},
        (*WITH_BODY, 409),
        requestBody=body_of(asked, "application/json"),
    )
    get = operation(
        "readPrivacyRequest",
        "See how far a request is",
        "Shoppers are not named. An erasure has the receipts of the stores that were visited, an export says how many "
        "documents can be fetched, and when the first of them expires.",
        keys_for("privacy"),
        {200: ("The request as it stands.", "PrivacyRequest")},
        (401, 403, 404, 405, 503),
        parameters=[_WHICH],
    )
    return {
        PATH: {"post": post},
        f"{PATH}/{{request_id}}": {"get": get},
        f"{PATH}/{{request_id}}/export": {"post": _fetch()},
    }


def _fetch() -> Json:
    """Gives the operation that hands out one document of an export."""
    shopper_id = {"type": "string", "minLength": 1, "maxLength": 128}
    return operation(
        "fetchExport",
        "Get everything that is held about one shopper of an export",
        "`409` while it is not made yet, `410` when its time is over. Up to four are on their way at once. It may be "
        "many megabytes: the answer comes in pieces.",
        keys_for("privacy"),
        {200: ("The shopper's document.", "ShopperExport")},
        (*WITH_BODY, 404, 409, 410, 429),
        parameters=[_WHICH],
        requestBody=body_of(object_of({"shopper_id": shopper_id}, "shopper_id", closed=True), "application/json"),
    )


def privacy_schemas() -> Json:
    """Gives the schema of a request."""
    moment = {"type": "string", "format": "date-time"}
    waits = [stage for stage in get_args(Stage) if stage != "done"]
    request = {
        "request_id": _ID,
        "kind": {"type": "string", "enum": list(KINDS)},
        "state": {"type": "string", "enum": ["open", "partial", "done"]},
        "waits_for": {"enum": [*waits, None]},
        "shoppers": {"type": "integer", "minimum": 1, "maximum": SUBJECTS_MAX},
        "opened_at": moment,
        "due_at": moment,
        "done_at": {**moment, "type": ["string", "null"]},
    }
    receipt = {
        "store": {"type": "string"},
        "searched_at": moment,
        "visits": _COUNT,
        "found": _COUNT,
        "removed": _COUNT,
        "left": _COUNT,
        "waits_for": {"type": ["string", "null"]},
    }
    receipts = {
        "type": "array",
        "items": object_of(receipt, *receipt, closed=True),
        "description": "Of an erasure alone: what each store said; `partial` until none of them finds anything.",
    }
    export = {
        "documents_ready": {**_COUNT, "description": "Of an export alone: how many can be fetched."},
        "expires_at": {
            **moment,
            "type": ["string", "null"],
            "description": "Of an export alone: its first one.",
        },
    }
    return {
        "PrivacyRequest": object_of({**request, "receipts": receipts, **export}, *request, closed=True),
        "ShopperExport": _export_schema(),
    }


def _export_schema() -> Json:
    part = {**object_of({"kept": {"type": "string"}, "held": {}}, "kept", "held", closed=True)}
    parts = ("state", "tree", "events", "decisions", "failed_events", "suppressed", "requests", "looked_at")
    fields = {
        "shopper": {"type": "string", "description": "The hash under which the shopper is known."},
        "retailer": {"type": "string"},
        "made_at": {"type": "string", "format": "date-time"},
        **dict.fromkeys(parts, part),
        "not_in_here": {"type": "array", "items": {"type": "string"}},
    }
    return object_of(fields, *fields)
