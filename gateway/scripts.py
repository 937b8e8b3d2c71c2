"""The scripts that a shop's pages load: the tracker, and the widgets that show experiences."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.answers import Headers, answer
from gateway.body import RequestHeaders

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8"}
_NAMES: Final = ("tracker.js", "widgets.js", "widgets.css")
_FRESH: Final = (b"cache-control", b"public, max-age=300, stale-while-revalidate=86400")
# What is cached may have been asked for by a page of another origin, or by a browser that can't inflate.
_VARY: Final = (b"vary", b"Origin, Accept-Encoding")


class Script:
    """One file, as it is and compressed, read once.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        plain = path.read_bytes()
        tag = hashlib.sha256(plain).hexdigest()[:16]
        content_type = (b"content-type", _TYPES[path.suffix])
        nosniff = (b"x-content-type-options", b"nosniff")
        self._tags = {b'"%b"' % tag.encode(), b'"%b-gz"' % tag.encode()}
        self._plain = self._form(plain, b'"%b"' % tag.encode(), (content_type, nosniff))
        compressed = gzip.compress(plain, 9, mtime=0)
        encoding = (b"content-encoding", b"gzip")
        self._gzipped = self._form(compressed, b'"%b-gz"' % tag.encode(), (content_type, nosniff, encoding))

    async def get(self, _: Scope, __: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """Answers with the file, or that the browser has it already."""
        form, body = self._gzipped if b"gzip" in headers.get(b"accept-encoding", b"") else self._plain
        # Vary is said once, for both reasons.
        form = (*form, *(header for header in cors if header[0] != b"vary"))
        known = {tag.strip().removeprefix(b"W/") for tag in headers.get(b"if-none-match", b"").split(b",")}
        if known & self._tags:
            unchanged = tuple(header for header in form if header[0] not in (b"content-length", b"content-encoding"))
            await answer(send, 304, unchanged)
        else:
            await answer(send, 200, form, body)

    @staticmethod
    def _form(body: bytes, tag: bytes, headers: Headers) -> tuple[Headers, bytes]:
        return (*headers, (b"etag", tag), (b"content-length", b"%d" % len(body)), _FRESH, _VARY), body


def scripts() -> dict[str, Script]:
    """Gives the scripts by the path under which they are served."""
    return {f"/{name}": Script(FOLDER / name) for name in _NAMES if (FOLDER / name).is_file()}
