"""Web origins as people write them, turned into what browsers send; from `hotbasket retailer` to the gateway."""

from __future__ import annotations

from urllib.parse import urlsplit

from domain.errors import Refused

_PORTS = {"http": 80, "https": 443}


def origin(text: str) -> str:
    """Gives the `Origin` header that a browser sends from pages of this address.

    Args:
        text: scheme, host and perhaps a port, like `https://shop.example`.

    Raises:
        Refused: it is something else, like the address of a page.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        name = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    except ValueError:
        raise Refused(_fault(text)) from None
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc or "*" in host)
    if parts.scheme not in _PORTS or not name or not bare or any(part.isspace() for part in host):
        raise Refused(_fault(text))
    shown = "" if port is None or port == _PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{name}{shown}"


def _fault(text: str) -> str:
    return f"{text!r} is no web origin: give scheme, host and perhaps a port, without a path, like https://shop.example"
