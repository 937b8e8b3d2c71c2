"""From the sentences of a document that was refused to the one form of an error: the place apart from what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from domain.errors import Refused
from gateway.answers import Refusal

_PATH: Final = re.compile(r'(\$(?:\.[A-Za-z0-9_-]+|\[\d+\]|\["(?:[^"\\]|\\.)*"?…?\])*): (.+)', re.DOTALL)


def told(faults: Sequence[str]) -> list[dict[str, Any]]:
    """Gives each fault as `{"path"?, "detail"}`; one without a place is about the whole."""
    return [_taken_apart(fault) for fault in faults]


def refusal(error: str, refused: Refused) -> Refusal:
    """Gives the answer to a refused request: the first fault as its detail, and all of them beside.

    Args:
        error: a short stable name, a key of `gateway.answers.STATUS` or the reason of a 400.
        refused: by the domain or a port.
    """
    faults = told(refused.faults)
    first = faults[0]
    return Refusal(error, first["detail"], first.get("path"), faults=faults)


def _taken_apart(fault: str) -> dict[str, Any]:
    found = _PATH.fullmatch(fault)
    return {"detail": fault} if found is None else {"path": found[1], "detail": found[2]}
