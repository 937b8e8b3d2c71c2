"""`python -m monitoring.alerts DIR`: writes the rule file for Prometheus."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from monitoring.alerts.build import FILE, build
from monitoring.alerts.rules import Options
from monitoring.written import run, write_whole

_MATCHERS = re.compile(r'(\w+(=|!=|=~|!~)"[^"\\\n]*"(, *(?!$)|$))*')
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
_USUAL = Options()


def _matchers(given: str) -> str:
    if not _MATCHERS.fullmatch(given):
        raise typer.BadParameter(f'{given} is no list of matchers, such as \'cluster="eu", job!="demo"\'')
    return given


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
    only: Annotated[
        str,
        typer.Option(
            metavar="MATCHERS",
            callback=_matchers,
            help="Labels that tell this installation from others in the same Prometheus, such as 'job!=\"demo\"'.",
        ),
    ] = _USUAL.only,
    archiver: Annotated[bool, typer.Option(help="Whether there is an archiver; the embedded system has none.")] = True,
    night: Annotated[bool, typer.Option(help="Whether a night brings new trees.")] = True,
) -> None:
    """Write hotbasket's alerts and recording rules as hotbasket.yml for Prometheus, and its path on stdout."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / FILE
    write_whole(path, build(Options(partitions, log_days, due_days, runbook, only, archiver, night)))
    typer.echo(path)


if __name__ == "__main__":
    run(app)
