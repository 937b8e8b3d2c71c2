"""The command line: every command of hotbasket hangs here; the entry point of all processes."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from deploy import batch, campaign, catalogue, convert, failed, privacy, retailer, rewards, tree
from deploy.audit import audit
from deploy.doctor import doctor
from deploy.explain import explain
from deploy.migrate import migrate
from deploy.options import tell
from deploy.replay import replay
from deploy.replay_shopper import replay_shopper
from deploy.run import run
from deploy.serve import archiver, gateway, worker
from domain.errors import HotbasketError, Refused
from monitoring import logs

app = typer.Typer(
    name="hotbasket",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Runs a command and ends the process: 0 done, 1 refused or failed, 2 wrong usage."""
    try:
        app()
    except Refused as refusal:
        for fault in refusal.faults:
            tell(fault)
        sys.exit(1)
    except HotbasketError as error:
        tell(str(error))
        sys.exit(1)
    except OSError as error:
        tell(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(metadata.version("hotbasket"))
        except metadata.PackageNotFoundError:
            typer.echo("not installed: a checkout")
        raise typer.Exit


@app.callback()
def hotbasket(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Personalise an online grocery trip while it happens.

    Start with: hotbasket run --demo
    """
    logs.configure("stderr")


for command in (run, gateway, worker, archiver, migrate, replay, replay_shopper, explain, audit, doctor):
    app.command()(command)
for name, group in (
    ("retailer", retailer.commands),
    ("catalogue", catalogue.commands),
    ("tree", tree.commands),
    ("campaign", campaign.commands),
    ("failed", failed.commands),
    ("rewards", rewards.commands),
    ("privacy", privacy.commands),
    ("batch", batch.commands),
    ("convert", convert.commands),
):
    app.add_typer(group, name=name)


if __name__ == "__main__":
    main()
