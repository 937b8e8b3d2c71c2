"""Why a server's certificate is not trusted: of that the driver says no more than that it is not."""

from __future__ import annotations

import asyncio
import ssl
import struct
from typing import Final

_ASK_FOR_TLS: Final = struct.pack("!II", 8, 80_877_103)
"""SSLRequest; the server says S, and then speaks TLS.

Source: PostgreSQL, "Message Formats".
"""


async def why_untrusted(host: str, port: int, ca_file: str, timeout_s: float) -> str:
    """Gives OpenSSL's words on a server's certificate, empty where it finds nothing or can't look.

    Args:
        host: whom the certificate has to name.
        port: of the server.
        ca_file: PEM file that has to sign the certificate.
        timeout_s: for the whole of it.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_ASK_FOR_TLS)
                if await reader.readexactly(1) == b"S":
                    await writer.start_tls(context, server_hostname=host)
            finally:
                writer.close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, EOFError):
        return ""
    return ""
