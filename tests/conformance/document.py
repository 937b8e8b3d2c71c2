"""What docs/tracker-protocol.md promises: its shell examples, each with the answer that the line after it states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "tracker-protocol.md"
_EXAMPLE = re.compile(r"^```sh\n(?P<script>.*?)^```\n\n(?P<stated>→ .*?)\n\n", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"(?P<no>no )?`(?P<quoted>[^`]+)`")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One shell block.

    Attributes:
        name: the heading it stands under and its number on the page.
        script: what the shell runs.
        status: the HTTP status of its last request.
        holds: what the output contains, white space apart.
        lacks: what it does not contain.
    """

    name: str
    script: str
    status: int
    holds: tuple[str, ...]
    lacks: tuple[str, ...]


def examples() -> list[Example]:
    """The shell examples of the page, in order."""
    text = PROTOCOL.read_text(encoding="utf-8")
    found = []
    for number, match in enumerate(_EXAMPLE.finditer(text), start=1):
        status, *stated = _QUOTED.finditer(match["stated"])
        heading = _HEADING.findall(text, 0, match.start())[-1]
        found.append(
            Example(
                name=f"{number} {heading}",
                script=match["script"],
                status=int(status["quoted"]),
                holds=tuple(quote["quoted"] for quote in stated if not quote["no"]),
                lacks=tuple(quote["quoted"] for quote in stated if quote["no"]),
            )
        )
    return found


def blocks() -> int:
    """How many shell blocks the page has, with or without a stated answer."""
    return PROTOCOL.read_text(encoding="utf-8").count("\n```sh\n")


def tree() -> str:
    """The JSON of the tree that the examples rely on."""
    found = re.search(r"^```json\n(.*?)^```$", PROTOCOL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, "the page shows its tree in the first json block"
    return found[1]
