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
FILES: Final = {
    "tracker.js": ("tracker.js",),
    "widgets.js": (
        "widgets_say.js",
        "widgets_parts.js",
        "widgets_mount.js",
        "widgets_words.js",
        "widgets_offers.js",
        "widgets_wheel.js",
        "widgets_scratch.js",
        "widgets_games.js",
        "widgets_claim.js",
    ),
    "widgets.css": ("widgets.css", "widgets_games.css"),
}
"""What is served, and the files of `FOLDER` that it is made of, in their order.

One answer rather than one for each file: a page never has parts of two versions, and needs no `import`.
"""
_FRESH: Final = (b"cache-control", b"public, max-age=300, stale-while-revalidate=86400")
# What is cached may have been asked for by a page of another origin, or by a browser that can't inflate.
_VARY: Final = (b"vary", b"Origin, Accept-Encoding")


class Script:
    """One script or style sheet, as it is and compressed, read once.

    Args:
        name: a key of `FILES`.
    """

    def __init__(self, name: str) -> None:
        plain = whole(name)
        tag = hashlib.sha256(plain).hexdigest()[:16]
        content_type = (b"content-type", _TYPES[Path(name).suffix])
        nosniff = (b"x-content-type-options", b"nosniff")
        self._tags = {b'"%b"' % tag.encode(), b'"%b-gz"' % tag.encode()}
        self._plain = self._form(plain, b'"%b"' % tag.encode(), (content_type, nosniff))
        compressed = gzip.compress(plain, 9, mtime=0)
        encoding = (b"content-encoding", b"gzip")
        self._gzipped = self._form(compressed, b'"%b-gz"' % tag.encode(), (content_type, nosniff, encoding))

    async def get(self, _: Scope, __: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """Answers with the script, or that the browser has it already."""
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
    return {f"/{name}": Script(name) for name in FILES}


def whole(name: str) -> bytes:
    """Gives what is served under a name, which is a key of `FILES`."""
    return b"\n".join((FOLDER / part).read_bytes() for part in FILES[name])
