"""The W3C trace context: under which trace a request was sent, and how an experience takes that on to the page.

From the gateway, which reads it off a request, through the record and the experience to the stream and the log lines.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

NO_TRACE: Final = ""
"""Of a request without a trace context: nothing is stored of it."""
_SAMPLED: Final = 0x01
_SPAN_DIGITS: Final = 16
# `\Z`, since `$` would let a line feed pass behind it.
_TRACEPARENT: Final = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")


def read_traceparent(header: bytes) -> str:
    """Reads a `traceparent` of version 00, the only one there is; what is malformed counts as absent.

    Args:
        header: the header's bytes.

    Returns:
        The trace: its id, 32 hex digits, a hyphen, and `01` where its sender samples it, else `00`. `NO_TRACE` where
        the header does not keep the form, or an id is all zeros. Whose span it was is not kept.

    Source: W3C Trace Context, 3.2.
    """
    found = _TRACEPARENT.match(header)
    if found is None:
        return NO_TRACE
    trace_id, span_id, flags = found.groups()
    if not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return NO_TRACE
    return f"{trace_id.decode()}-{int(flags, 16) & _SAMPLED:02x}"


def is_sampled(trace: str) -> bool:
    """Tells whether the sender wants to be told of this trace."""
    return trace.endswith("-01")


def trace_id(trace: str) -> str:
    """Gives the 32 hex digits of a trace, none of `NO_TRACE`."""
    return trace.partition("-")[0]


def traceparent(trace: str, about: str) -> str:
    """Gives the header with which a page goes on with a trace.

    Args:
        trace: not `NO_TRACE`.
        about: what the new span is: the same text gives the same span, whoever asks and however often.
    """
    span_id = hashlib.sha256(about.encode()).hexdigest()[:_SPAN_DIGITS]
    found, _, flags = trace.partition("-")
    return f"00-{found}-{span_id}-{flags}"
