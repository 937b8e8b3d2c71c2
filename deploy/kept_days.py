"""`--keep KIND=DAYS`: for how long a retailer keeps each kind of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from domain.ports.retailers import Kind
from domain.retention import DAYS_MAX, KINDS

Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep", help=f"KIND=DAYS for one kind of data, like history=730; repeat it. Kinds: {', '.join(KINDS)}."
    ),
]


def read_kept(texts: Sequence[str], faults: list[str]) -> Mapping[Kind, int]:
    """Reads options.

    Args:
        texts: `KIND=DAYS` each.
        faults: gets a sentence for each that is none.
    """
    kept: dict[Kind, int] = {}
    for text in texts:
        name, _, days = text.partition("=")
        kind = next((one for one in KINDS if one == name.strip()), None)
        if kind is None:
            faults.append(f"--keep {text!r}: there is no kind {name.strip()!r}; kinds are {', '.join(KINDS)}")
        elif kind in kept:
            faults.append(f"--keep {text!r}: {kind} is given twice")
        elif not (days.isascii() and days.isdigit() and 1 <= int(days) <= DAYS_MAX):
            faults.append(f"--keep {text!r}: give days from 1 to {DAYS_MAX}, like {kind}=365")
        else:
            kept[kind] = int(days)
    return kept
