"""Options that several commands share, said once, and how every command speaks: results, refusals, progress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Data = Annotated[
    Path,
    typer.Option("--data", help="Directory that holds everything the embedded system keeps.", file_okay=False),
]
DATA = Path("data")
Where = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Directory of the embedded system; without it the servers named by HOTBASKET_POSTGRES and the others, or"
        " else ./data.",
        file_okay=False,
    ),
]
RetailerName = Annotated[
    str | None,
    typer.Option("--retailer", help="Name or id of the retailer; not needed while there is only one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document on stdout.")]


def say(text: str) -> None:
    """Prints a result for a person on stdout."""
    typer.echo(text)


def tell(text: str) -> None:
    """Prints a remark or a fault on stderr."""
    typer.echo(text, err=True)


def document(value: Any) -> None:  # Any: whatever msgspec can write
    """Prints the one JSON document of a command on stdout."""
    typer.echo(msgspec.json.encode(value).decode())


def progress(unit: str) -> Progress:
    """Gives a progress bar on stderr, which stays silent off a terminal; `unit` says what is counted."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
