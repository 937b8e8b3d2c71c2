"""How the demo shop's own server answers: files and JSON, each under the same strict policy."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
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


async def read_body(request: Request, bytes_max: int) -> bytes | None:
    """Gives a request's body; None where it is longer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)


class OwnPages:
    """Tells the shop's own pages from everybody else's.

    Args:
        origins: under which a browser may know the shop.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def refuse_others(self, request: Request) -> Response | None:
        """Gives the refusal of what changes something and comes from elsewhere; None for the shop's own pages.

        A form of another site sends neither this content type nor this origin.
        """
        if request.headers.get("origin") not in self._origins:
            return answer_json({"error": "foreign_origin"}, HTTPStatus.FORBIDDEN)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return answer_json({"error": "unsupported_media_type"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return None


def answer_headers(caching: str) -> dict[str, str]:
    """Gives the headers of every answer."""
    return {
        "cache-control": caching,
        "content-security-policy": POLICY,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
