"""`python -m monitoring.alerts DIR`: writes the rule file for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitoring.alerts.build import FILE, build
from monitoring.alerts.rules import Options

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
_USUAL = Options()


@app.command()
def alerts(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the file goes; made if it is missing.", file_okay=False)
    ],
    partitions: Annotated[
        int, typer.Option(min=1, help="Partitions of the event log: 1 embedded, 64 on Kafka unless created otherwise.")
    ] = _USUAL.partitions,
    log_days: Annotated[
        int, typer.Option(min=1, help="Days that Kafka keeps records: migrate --retention-days.")
    ] = _USUAL.log_days,
    due_days: Annotated[
        int, typer.Option(min=1, help="Days that a privacy request may take: HOTBASKET_PRIVACY_DUE_DAYS.")
    ] = _USUAL.due_days,
    runbook: Annotated[
        str, typer.Option(help="Where docs/operations.md can be read; each alert adds its section.")
    ] = _USUAL.runbook,
) -> None:
    """Write hotbasket's alerts and recording rules as hotbasket.yml for Prometheus, and its path on stdout."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    # Prometheus may read at any time: it finds the old file or the new one, never half of one.
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(build(Options(partitions, log_days, due_days, runbook)), encoding="utf-8")
    unfinished.replace(path)
    typer.echo(path)


def main() -> None:
    """Runs the command and ends the process: 0 written, 1 not, 2 wrong usage."""
    try:
        app()
    except OSError as error:
        typer.echo(f"{error.filename}: {error.strerror}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
