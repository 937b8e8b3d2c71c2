"""`GET /openapi.json`: the HTTP interface for people and programs; events are described by the types that read them."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import msgspec

from domain.campaigns import Definition
from domain.events import OutsideEvent
from domain.experiences import Kind
from gateway.openapi_audit import audit_paths, audit_schemas
from gateway.openapi_campaigns import campaign_paths, campaign_schemas
from gateway.openapi_parts import REF, WITH_BODY, Json, body_of, header, keys_for, object_of, operation, query
from gateway.openapi_privacy import privacy_paths, privacy_schemas
from gateway.openapi_quotes import promise, quote_paths, quote_schemas
from gateway.scripts import scripts

_WRITE: Final[list[Json]] = [*keys_for("events"), {"writeKeyInQuery": []}]
_OPEN: Final[list[Json]] = [{}]
_SHARED: Final = {
    400: "The request's content is at fault; `path` says where.",
    401: "No key or subscription, or one that is not valid.",
    403: "The key may not do this, or the retailer does not list the origin.",
    404: "There is nothing here.",
    405: "This method does nothing here; `Allow` names those that do.",
    408: "The body came too slowly.",
    409: "Not as things stand: it was done before, or was changed meanwhile; `detail` says which.",
    410: "The right to it was withdrawn, or its time is over.",
    413: "The body is too large.",
    415: "The body is neither application/json nor text/plain in UTF-8, or compressed with something other than gzip.",
    429: "Too much from this key at once; send again after `Retry-After` seconds.",
    503: "Not now; send again after `Retry-After` seconds. Nothing was acknowledged.",
}


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
                **quote_paths(),
                "/v1/rewards/claims": {"post": _claim()},
                **campaign_paths(),
                **audit_paths(),
                **privacy_paths(),
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
            {"$ref": REF.format(name="Event")},
            {"$ref": REF.format(name="Batch")},
            {"description": "A Segment message or batch, or a GA4 payload.", "type": "object"},
        ]
    }
    return operation(
        "collectEvents",
        "Post one event or a batch",
        "`stored` is durable. What is unanswered or `retry` is sent again under the same `event_id`.",
        _WRITE,
        {200: ("What became of each sent event, in order.", "Results")},
        (*WITH_BODY, 429),
        parameters=[
            header("Prefer", "`wait=S`: answer when these events are processed, or after S seconds (at most 2)."),
            header("X-Hotbasket-Subscription", "With the write key: whose experiences may be in the answer."),
            header("traceparent", "W3C trace context of these events; what is malformed is passed over."),
            header("Content-Encoding", "`gzip` or none.", {"type": "string", "enum": ["gzip", "identity"]}),
        ],
        requestBody=body_of(body, "application/json", "text/plain"),
    )


def _deliver() -> Json:
    described = operation(
        "listen",
        "Listen to one shopper's experiences",
        "Server-sent events: `experience` (data: Experience), `withdrawn` (data: Withdrawal), `expired` when the "
        "subscription ends. Comments keep the connection alive.",
        _OPEN,
        {},
        (401, 403, 405, 429, 503),
        parameters=[
            query("subscription", "A token of `POST /v1/subscriptions`.", required=True),
            query("after", "The `id` of the last event that was received; `Last-Event-ID` is stronger."),
            header("Last-Event-ID", "As browsers send it when they connect again."),
        ],
    )
    stream = {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    described["responses"] = {"200": stream, **described["responses"]}
    return described


def _subscribe() -> Json:
    return operation(
        "subscribe",
        "Fetch a token for a shopper's page",
        "Called by the retailer's server; the token is reusable until it expires.",
        keys_for("subscribe"),
        {200: ("The token.", "Subscription")},
        WITH_BODY,
        requestBody=body_of({"$ref": REF.format(name="ShopperNamed")}, "application/json", "text/plain"),
    )


def _look_up() -> Json:
    return operation(
        "lookUp",
        "See what is known of a shopper, and why it was decided so",
        "At most one checkpoint old; `as_of` says when. Leaves an entry in the audit trail.",
        keys_for("lookup"),
        {200: ("State, position in the tree, reasons.", "Lookup")},
        (*WITH_BODY, 404),
        requestBody=body_of({"$ref": REF.format(name="ShopperNamed")}, "application/json", "text/plain"),
    )


def _claim() -> Json:
    return operation(
        "claimReward",
        "Leave an e-mail address for a reward that was won",
        "`claim` is the token that came with the experience; it counts once. The address goes to a vault apart and is "
        "never shown again. `404` where this installation has no vault.",
        _WRITE,
        {200: ("The address is kept.", "Claimed")},
        (*WITH_BODY, 404, 409, 410, 429),
        requestBody=body_of({"$ref": REF.format(name="Claim")}, "application/json", "text/plain"),
    )


def _health(summary: str, *statuses: int) -> Json:
    name = "live" if 503 not in statuses else "ready"
    errors = tuple(status for status in statuses if status != 200)
    return operation(name, summary, summary, _OPEN, {200: (summary, "Health")}, errors)


def _read(summary: str, content_type: str) -> Json:
    described = operation(summary.rpartition(" ")[2].strip("."), summary, summary, _OPEN, {}, (405,))
    schema = {"type": "object"} if content_type == "application/json" else {"type": "string"}
    found = {"description": summary, "content": {content_type: {"schema": schema}}}
    described["responses"] = {"200": found, **described["responses"]}
    if content_type != "application/json":
        described["responses"]["304"] = {"description": "The browser has it already."}
    return described


def _responses() -> Json:
    error = {"application/json": {"schema": {"$ref": REF.format(name="Error")}}}
    shared: Json = {str(status): {"description": what, "content": error} for status, what in _SHARED.items()}
    seconds = {"description": "Seconds to wait.", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}
    for status in ("429", "503"):
        shared[status]["headers"] = {"Retry-After": seconds}
    shared["401"]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    shared["405"]["headers"] = {"Allow": {"required": True, "schema": {"type": "string"}}}
    return shared


def _schemas() -> Json:
    (event, _, _), components = msgspec.json.schema_components([OutsideEvent, Kind, Definition], ref_template=REF)
    text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    shopper_id = {"type": "string", "minLength": 1, "maxLength": 128}
    batch = {"events": {"type": "array", "minItems": 1, "items": {"$ref": REF.format(name="Event")}}}
    status = {"type": "string", "enum": ["stored", "rejected", "dropped", "retry"]}
    event_id = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    result = {"event_id": event_id, "status": status, "reason": text, "path": text}
    results = {"type": "array", "minItems": 1, "items": {"$ref": REF.format(name="Result")}}
    experiences = {"type": "array", "items": {"$ref": REF.format(name="Experience")}}
    faults = {"type": "array", "items": {"$ref": REF.format(name="Fault")}}
    return {
        **components,
        "Event": event,
        "Batch": object_of(batch | {"sent_at": moment}, "events", closed=True),
        "Result": object_of(result, "event_id", "status", closed=True),
        "Results": object_of({"results": results, "experiences": experiences}, "results", closed=True),
        "Experience": _experience(),
        "Withdrawal": object_of({"experience_id": text, "slot": text}, "experience_id", "slot", closed=True),
        "ShopperNamed": object_of({"shopper_id": shopper_id}, "shopper_id", closed=True),
        "Subscription": object_of({"subscription": text, "expires_at": moment}, "subscription", "expires_at"),
        "Lookup": _lookup(),
        **quote_schemas(),
        "Claim": object_of(
            {"claim": text, "email": {"type": "string", "maxLength": 254}}, "claim", "email", closed=True
        ),
        "Claimed": object_of({"status": {"type": "string", "enum": ["stored"]}}, "status", closed=True),
        "Health": object_of({"status": text}, "status"),
        **campaign_schemas(components["Definition"]),
        **audit_schemas(),
        **privacy_schemas(),
        "Error": object_of(
            {"error": text, "detail": text, "path": text, "results": results, "faults": faults}, "error", "detail"
        ),
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
    trace = {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$"}
    return object_of({**fields, "campaign_id": text, "traceparent": trace}, *fields, closed=True)


def _lookup() -> Json:
    nested, listed = {"type": "object"}, {"type": "array", "items": {"type": "object"}}
    required: Json = {
        "shopper": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "as_of": {"type": ["string", "null"], "format": "date-time"},
        "basket": nested,
        "session": nested,
        "tree": nested,
        "promises": {"type": "array", "items": promise()},
        "decisions": listed,
        "considered": listed,
        "lost": listed,
    }
    return object_of(required, *required)


def _security() -> Json:
    said = {
        "writeKey": "Stands in pages; posts events alone.",
        "serverKey": "Of the retailer's servers: verified events, subscriptions, lookups and quotes.",
        "operatorKey": "Of whoever runs campaigns.",
        "privacyKey": "Of whoever answers for shoppers' data: reads the audit trail.",
        "secretKey": "Opens everything of its retailer.",
    }
    return {
        **{
            name: {"type": "http", "scheme": "basic", "description": f"The key as user, no password. {what}"}
            for name, what in said.items()
        },
        "writeKeyInQuery": {"type": "apiKey", "in": "query", "name": "write_key"},
    }


def _script_type(path: str) -> str:
    return "text/css" if path.endswith(".css") else "text/javascript"


def _version() -> str:
    try:
        return version("hotbasket")
    except PackageNotFoundError:
        return "0"
