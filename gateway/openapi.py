"""`GET /openapi.json`: the HTTP interface for people and programs; events are described by the types that read them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from domain.events import OutsideEvent
from domain.experiences import Kind
from gateway.scripts import scripts

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_WRITE: Final[list[Json]] = [{"secretKey": []}, {"writeKey": []}, {"writeKeyInQuery": []}]
_SECRET: Final[list[Json]] = [{"secretKey": []}]
_OPEN: Final[list[Json]] = [{}]
_SHARED: Final = {
    400: "The request's content is at fault; `path` says where.",
    401: "No key or subscription, or one that is not valid.",
    403: "The key may not do this, or the retailer does not list the origin.",
    404: "There is nothing here.",
    405: "This method does nothing here; `Allow` names those that do.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is neither application/json nor text/plain in UTF-8, or compressed with something other than gzip.",
    429: "Too much from this key at once; send again after `Retry-After` seconds.",
    503: "Not now; send again after `Retry-After` seconds. Nothing was acknowledged.",
}
_WITH_BODY: Final = (400, 401, 403, 405, 408, 413, 415, 503)


@cache
def document() -> bytes:
    """Gives the OpenAPI document."""
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "hotbasket",
                "version": _version(),
                "description": "Events of shoppers in, experiences for shoppers out.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": {
                "/v1/events": {"post": _collect()},
                "/v1/experiences": {"get": _deliver()},
                "/v1/subscriptions": {"post": _subscribe()},
                "/v1/shoppers/lookup": {"post": _look_up()},
                "/health/live": {"get": _health("The process answers.", 200, 405)},
                "/health/ready": {"get": _health("Events are taken and experiences delivered.", 200, 405, 503)},
                "/openapi.json": {"get": _read("This document.", "application/json")},
                **{path: {"get": _read(f"The script {path[1:]}.", _script_type(path))} for path in scripts()},
            },
            "components": {"schemas": _schemas(), "responses": _responses(), "securitySchemes": _security()},
        }
    )


def _collect() -> Json:
    body = {
        "anyOf": [
            {"$ref": _REF.format(name="Event")},
            {"$ref": _REF.format(name="Batch")},
            {"description": "A Segment message or batch, or a GA4 payload.", "type": "object"},
        ]
    }
    return _operation(
        "collectEvents",
        "Post one event or a batch",
        "`stored` is durable. What is unanswered or `retry` is sent again under the same `event_id`.",
        _WRITE,
        {200: ("What became of each sent event, in order.", "Results")},
        (*_WITH_BODY, 429),
        parameters=[
            _header("Prefer", "`wait=S`: answer when these events are processed, or after S seconds (at most 2)."),
            _header("X-Hotbasket-Subscription", "With the write key: whose experiences may be in the answer."),
            _header("Content-Encoding", "`gzip` or none.", {"type": "string", "enum": ["gzip", "identity"]}),
        ],
        requestBody=_body(body, "application/json", "text/plain"),
    )


def _deliver() -> Json:
    operation = _operation(
        "listen",
        "Listen to one shopper's experiences",
        "Server-sent events: `experience` (data: Experience), `withdrawn` (data: Withdrawal), `expired` when the "
        "subscription ends. Comments keep the connection alive.",
        _OPEN,
        {},
        (401, 403, 405, 429, 503),
        parameters=[
            _query("subscription", "A token of `POST /v1/subscriptions`.", required=True),
            _query("after", "The `id` of the last event that was received; `Last-Event-ID` is stronger."),
            _header("Last-Event-ID", "As browsers send it when they connect again."),
        ],
    )
    stream = {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    operation["responses"] = {"200": stream, **operation["responses"]}
    return operation


def _subscribe() -> Json:
    return _operation(
        "subscribe",
        "Fetch a token for a shopper's page",
        "Called by the retailer's server; the token is reusable until it expires.",
        _SECRET,
        {200: ("The token.", "Subscription")},
        _WITH_BODY,
        requestBody=_body({"$ref": _REF.format(name="ShopperNamed")}, "application/json", "text/plain"),
    )


def _look_up() -> Json:
    return _operation(
        "lookUp",
        "See what is known of a shopper, and why it was decided so",
        "At most one checkpoint old; `as_of` says when.",
        _SECRET,
        {200: ("State, position in the tree, reasons.", "Lookup")},
        (*_WITH_BODY, 404),
        requestBody=_body({"$ref": _REF.format(name="ShopperNamed")}, "application/json", "text/plain"),
    )


def _health(summary: str, *statuses: int) -> Json:
    name = "live" if 503 not in statuses else "ready"
    errors = tuple(status for status in statuses if status != 200)
    return _operation(name, summary, summary, _OPEN, {200: (summary, "Health")}, errors)


def _read(summary: str, content_type: str) -> Json:
    operation = _operation(summary.rpartition(" ")[2].strip("."), summary, summary, _OPEN, {}, (405,))
    schema = {"type": "object"} if content_type == "application/json" else {"type": "string"}
    found = {"description": summary, "content": {content_type: {"schema": schema}}}
    operation["responses"] = {"200": found, **operation["responses"]}
    if content_type != "application/json":
        operation["responses"]["304"] = {"description": "The browser has it already."}
    return operation


def _operation(
    name: str,
    summary: str,
    description: str,
    security: list[Json],
    answers: dict[int, tuple[str, str]],
    errors: tuple[int, ...],
    **more: Any,
) -> Json:
    responses: Json = {
        str(status): {
            "description": what,
            "content": {"application/json": {"schema": {"$ref": _REF.format(name=schema)}}},
        }
        for status, (what, schema) in answers.items()
    }
    responses |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in errors}
    return {
        "operationId": name,
        "summary": summary,
        "description": description,
        "security": security,
        "responses": responses,
        **more,
    }


def _responses() -> Json:
    error = {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}
    shared: Json = {str(status): {"description": what, "content": error} for status, what in _SHARED.items()}
    seconds = {"description": "Seconds to wait.", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
    for status in ("429", "503"):
        shared[status]["headers"] = {"Retry-After": seconds}
    shared["401"]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    shared["405"]["headers"] = {"Allow": {"required": True, "schema": {"type": "string"}}}
    return shared


def _schemas() -> Json:
    (event, _), components = msgspec.json.schema_components([OutsideEvent, Kind], ref_template=_REF)
    text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    shopper_id = {"type": "string", "minLength": 1, "maxLength": 128}
    batch = {"events": {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(name="Event")}}}
    status = {"type": "string", "enum": ["stored", "rejected", "dropped", "retry"]}
    event_id = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    result = {"event_id": event_id, "status": status, "reason": text, "path": text}
    results = {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(name="Result")}}
    experiences = {"type": "array", "items": {"$ref": _REF.format(name="Experience")}}
    return {
        **components,
        "Event": event,
        "Batch": _object(batch | {"sent_at": moment}, "events", closed=True),
        "Result": _object(result, "event_id", "status", closed=True),
        "Results": _object({"results": results, "experiences": experiences}, "results", closed=True),
        "Experience": _experience(),
        "Withdrawal": _object({"experience_id": text, "slot": text}, "experience_id", "slot", closed=True),
        "ShopperNamed": _object({"shopper_id": shopper_id}, "shopper_id", closed=True),
        "Subscription": _object({"subscription": text, "expires_at": moment}, "subscription", "expires_at"),
        "Lookup": _lookup(),
        "Health": _object({"status": text}, "status"),
        "Error": _object({"error": text, "detail": text, "path": text, "results": results}, "error", "detail"),
    }


def _experience() -> Json:
    text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    fields: Json = {
        "experience_id": text,
        "kind": {"type": "string", "enum": list(Kind.__args__)},  # type: ignore[attr-defined]  # a Literal's values
        "slot": text,
        "decided_at": moment,
        "expires_at": moment,
        "trigger_event_id": {"type": "string", "format": "uuid"},
        "tree_generation": {"type": "integer"},
        "node_id": text,
        "content": {"type": "object"},
    }
    return _object({**fields, "campaign_id": text}, *fields, closed=True)


def _lookup() -> Json:
    nested, listed = {"type": "object"}, {"type": "array", "items": {"type": "object"}}
    required: Json = {
        "shopper": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "as_of": {"type": ["string", "null"], "format": "date-time"},
        "basket": nested,
        "session": nested,
        "tree": nested,
        "decisions": listed,
        "considered": listed,
    }
    return _object(required, *required)


def _security() -> Json:
    basic = {"type": "http", "scheme": "basic"}
    return {
        "secretKey": {**basic, "description": "The secret key as user, no password; never from a page."},
        "writeKey": {**basic, "description": "The write key as user, no password; posts events alone."},
        "writeKeyInQuery": {"type": "apiKey", "in": "query", "name": "write_key"},
    }


def _object(properties: Json, *required: str, closed: bool = False) -> Json:
    schema: Json = {"type": "object", "properties": properties, "required": list(required)}
    return {**schema, "additionalProperties": False} if closed else schema


def _body(schema: Json, *content_types: str) -> Json:
    return {"required": True, "content": {name: {"schema": schema} for name in content_types}}


def _header(name: str, description: str, schema: Json | None = None) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema or {"type": "string"}}


def _query(name: str, description: str, *, required: bool = False) -> Json:
    schema = {"type": "string"}
    return {"name": name, "in": "query", "description": description, "required": required, "schema": schema}


def _script_type(path: str) -> str:
    return "text/css" if path.endswith(".css") else "text/javascript"


def _version() -> str:
    try:
        return version("hotbasket")
    except PackageNotFoundError:
        return "0"
