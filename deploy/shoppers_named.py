"""Shoppers as a command line names them: by their ids at the retailer, as arguments or in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from domain.personal_data import contains_email
from domain.repeated_requests import SUBJECTS_MAX

_ID_MAX = 128

Shoppers = Annotated[
    list[str] | None,
    typer.Argument(
        help="Technical ids of shoppers, as the shop has them. They stay in your shell's"
        " history: --file takes them from elsewhere."
    ),
]
File = Annotated[
    typer.FileText | None,
    typer.Option("--file", help="Take the ids from this file, one a line; - is standard input.", encoding="utf-8"),
]


def read_ids(shoppers: list[str] | None, file: typer.FileText | None) -> list[str]:
    """Gives the ids that were named, each once.

    Raises:
        BadParameter: none, too many, or one that can't be an id; which is said by its place, never by itself.
    """
    lines = [] if file is None else [line.strip() for line in file]
    shopper_ids = list(dict.fromkeys([*(shoppers or ()), *(line for line in lines if line)]))
    if not 1 <= len(shopper_ids) <= SUBJECTS_MAX:
        named = len(shopper_ids)
        raise typer.BadParameter(f"name 1 to {SUBJECTS_MAX} shoppers, here or with --file; these are {named}")
    for number, shopper_id in enumerate(shopper_ids, start=1):
        if len(shopper_id) > _ID_MAX or not shopper_id.isprintable():
            raise typer.BadParameter(f"number {number} is no id: an id is 1-{_ID_MAX} printable characters")
        if contains_email(shopper_id):
            raise typer.BadParameter(f"number {number} holds an e-mail address: a shopper id is technical")
    return shopper_ids
