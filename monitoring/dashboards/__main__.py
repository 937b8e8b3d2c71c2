"""`python -m monitoring.dashboards DIR`: writes the dashboards' JSON, for Grafana's provisioning or its import page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitoring.written import run, write_whole

_NEEDED = "grafana_foundation_sdk"
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command()
def dashboards(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the files go; made if it is missing.", file_okay=False)
    ],
    partitions: Annotated[
        int, typer.Option(min=1, help="Partitions of the event log: 1 embedded, 64 on Kafka unless created otherwise.")
    ] = 64,
    scrape_s: Annotated[
        int, typer.Option(min=1, help="Seconds between two scrapes of Prometheus; no panel takes smaller steps.")
    ] = 15,
) -> None:
    """Write hotbasket's dashboards as JSON files for Grafana, one a line on stdout.

    Files of the same name are replaced, others are left alone.
    """
    try:
        # Here, so that --help works without Grafana's library.
        from monitoring.dashboards.build import Options, build  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(_NEEDED):
            raise
        typer.echo(
            "building dashboards needs grafana-foundation-sdk==0.0.21: pip install it beside hotbasket", err=True
        )
        raise typer.Exit(1) from None
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in build(Options(partitions, scrape_s)).items():
        write_whole(directory / name, text)
        typer.echo(directory / name)


if __name__ == "__main__":
    run(app)
