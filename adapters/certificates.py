"""What every server's adapter says of a certificate that has expired: no setting of ours mends it."""

from __future__ import annotations

from typing import Final

_EXPIRED: Final = "certificate has expired"
_RENEW: Final = "have the server's certificate renewed; if it is not over yet, this machine's clock is wrong: mend NTP"


def cure_of(said: str, otherwise: str) -> str:
    """Gives what to do about a handshake that failed.

    Args:
        said: OpenSSL's words.
        otherwise: the cure of any other fault than an expired certificate.
    """
    return _RENEW if _EXPIRED in said else otherwise
