"""The parts of which the OpenAPI document is put together, for each of the files that describe routes."""

from __future__ import annotations

from typing import Any, Final

from domain.permissions import Action, scopes_for

Json = dict[str, Any]

REF: Final = "#/components/schemas/{name}"
WITH_BODY: Final = (400, 401, 403, 405, 408, 413, 415, 503)
"""Statuses of whatever reads a body."""


def keys_for(action: Action) -> list[Json]:
    """Gives the security of an operation: any key whose scope may do this."""
    return [{f"{scope}Key": []} for scope in scopes_for(action)]


def operation(
    name: str,
    summary: str,
    description: str,
    security: list[Json],
    answers: dict[int, tuple[str, str]],
    errors: tuple[int, ...],
    **more: Any,
) -> Json:
    """Gives one operation; `answers` names the schema of each good status, `errors` are the shared ones."""
    responses: Json = {
        str(status): {
            "description": what,
            "content": {"application/json": {"schema": {"$ref": REF.format(name=schema)}}},
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


def object_of(properties: Json, *required: str, closed: bool = False) -> Json:
    """Gives the schema of an object; a closed one has no other fields."""
    schema: Json = {"type": "object", "properties": properties, "required": list(required)}
    return {**schema, "additionalProperties": False} if closed else schema


def body_of(schema: Json, *content_types: str) -> Json:
    """Gives a request body that is needed."""
    return {"required": True, "content": {name: {"schema": schema} for name in content_types}}


def header(name: str, description: str, schema: Json | None = None) -> Json:
    """Gives a header parameter."""
    return {"name": name, "in": "header", "description": description, "schema": schema or {"type": "string"}}


def query(name: str, description: str, *, required: bool = False) -> Json:
    """Gives a query parameter."""
    schema = {"type": "string"}
    return {"name": name, "in": "query", "description": description, "required": required, "schema": schema}
