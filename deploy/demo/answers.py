"""How the demo shop's own server answers: files and JSON, each under the same strict policy."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'"
)


def answer_file(request: Request, body: bytes, media_type: str, *, fresh_s: int = 0) -> Response:
    """Answers with a file, or that the browser has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = answer_headers(f"max-age={fresh_s}" if fresh_s else "no-cache") | {"etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def answer_json(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answers with JSON that nobody keeps."""
    return Response(msgspec.json.encode(body), status, answer_headers("no-store"), "application/json")


def answer_headers(caching: str) -> dict[str, str]:
    """Gives the headers of every answer."""
    return {
        "cache-control": caching,
        "content-security-policy": POLICY,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
