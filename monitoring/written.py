"""Files for programs that may read them at any time, and the ends of the commands that write them."""

from __future__ import annotations

import sys
from pathlib import Path

import typer


def write_whole(path: Path, text: str) -> None:
    """Puts a file in the place of the one that is there: whoever reads finds the old or the new, never half of one."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def run(app: typer.Typer) -> None:
    """Runs a command and ends the process: 0 written, 1 not, 2 wrong usage."""
    try:
        app()
    except OSError as error:
        typer.echo(f"{error.filename}: {error.strerror}", err=True)
        sys.exit(1)
