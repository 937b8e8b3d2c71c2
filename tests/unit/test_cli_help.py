"""Every command teaches: what it does, an example, and what each option means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from deploy.cli import COMMANDS as WHERE
from deploy.cli import command_line

COMMANDS = {
    "run",
    "replay",
    "replay-shopper",
    "explain",
    "trace",
    "audit",
    "doctor",
    "gateway",
    "worker",
    "archiver",
    "migrate",
    "retailer add",
    "retailer list",
    "retailer set",
    "retailer keys",
    "retailer rotate-key",
    "retailer revoke-key",
    "retailer new-shopper-key",
    "retailer rewrap-keys",
    "catalogue import",
    "tree push",
    "tree show",
    "tree validate",
    *(f"campaign {verb}" for verb in ("create", "list", "show", "change", "history")),
    *(f"campaign {verb}" for verb in ("schedule", "pause", "resume", "end", "dry-run")),
    *(f"campaign {verb}" for verb in ("draw-record", "verify-draw")),
    "failed list",
    "failed replay",
    "privacy check",
    "privacy erase",
    "privacy export",
    "privacy status",
    "privacy suppress",
    "privacy unsuppress",
    "privacy worker",
    "rewards payouts",
    "rewards paid",
    "rewards withdraw",
    "convert complete-journey",
    "batch cool",
    "batch train",
    "batch evaluate",
    "batch grow",
    "batch push",
    "batch nightly",
    "batch uplift",
    "batch dry-run",
    "batch evaluate-baskets",
    "backup create",
    "backup list",
    "backup verify",
    "backup expire",
    "restore",
}
SENTENCE_ENDS = (".", "?")


def commands(names: Iterable[str] = WHERE) -> Iterator[tuple[str, TyperCommand]]:
    """Every command with its full name."""

    def below(group: TyperGroup, name: str) -> Iterator[tuple[str, TyperCommand]]:
        for part, command in group.commands.items():
            full = f"{name} {part}".strip()
            if isinstance(command, TyperGroup):
                assert command.help, full
                yield from below(command, full)
            else:
                assert isinstance(command, TyperCommand)
                yield full, command

    root = typer.main.get_command(command_line(names))
    assert isinstance(root, TyperGroup)
    return below(root, "")


def test_every_command_is_there() -> None:
    """The commands are those that the documents name."""
    assert COMMANDS == {name for name, _ in commands()}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_teaches(name: str) -> None:
    """Its help has a first sentence, an example that begins with its own name, and a word on every option."""
    command = dict(commands())[name]
    assert command.help is not None
    assert command.help.splitlines()[0].endswith(SENTENCE_ENDS)
    assert f"Example: hotbasket {name}" in command.help
    silent = [one.name for one in command.params if isinstance(one, TyperOption | TyperArgument) and not one.help]
    assert [] == silent


def test_a_command_alone_is_the_one_among_all() -> None:
    """Whether the others are there or not, a name leads to the same commands; and nobody waits for the others."""
    alone = {name for first in WHERE for name, _ in commands([first])}
    assert COMMANDS == alone
    loaded = "import sys; from deploy.cli import command_line; command_line(['catalogue']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert ["deploy.catalogue"] == [one for one in ("deploy.catalogue", "deploy.batch", "deploy.run") if one in modules]
