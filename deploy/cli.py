"""The command line: every command of hotbasket hangs here; the entry point of all processes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module, metadata
from typing import Annotated, Final

import typer

from deploy.options import tell
from domain.errors import HotbasketError, Refused
from monitoring import logs

COMMANDS: Final = {
    "run": "deploy.run:run",
    "gateway": "deploy.serve:gateway",
    "worker": "deploy.serve:worker",
    "archiver": "deploy.serve:archiver",
    "migrate": "deploy.migrate:migrate",
    "replay": "deploy.replay:replay",
    "replay-shopper": "deploy.replay_shopper:replay_shopper",
    "explain": "deploy.explain:explain",
    "trace": "deploy.trace:trace",
    "audit": "deploy.audit:audit",
    "doctor": "deploy.doctor:doctor",
    "retailer": "deploy.retailer:commands",
    "catalogue": "deploy.catalogue:commands",
    "tree": "deploy.tree:commands",
    "campaign": "deploy.campaign:commands",
    "failed": "deploy.failed:commands",
    "rewards": "deploy.rewards:commands",
    "privacy": "deploy.privacy:commands",
    "batch": "deploy.batch:commands",
    "backup": "deploy.backup:commands",
    "restore": "deploy.restore:restore",
    "convert": "deploy.convert:commands",
}
"""Where each command is. Only the one that is asked for is imported: the rest takes longer than most commands do."""


def main() -> None:
    """Runs a command and ends the process: 0 done, 1 refused or failed, 2 wrong usage."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        command_line([first] if first in COMMANDS else COMMANDS)()
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


def command_line(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Gives the command line with these commands on it."""
    app = typer.Typer(
        name="hotbasket",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(hotbasket)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(metadata.version("hotbasket"))
        except metadata.PackageNotFoundError:
            typer.echo("not installed: a checkout")
        raise typer.Exit


def hotbasket(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Personalise an online grocery trip while it happens.

    Start with: hotbasket run --demo
    """
    logs.configure("stderr")


if __name__ == "__main__":
    main()
