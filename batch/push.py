"""Pushes grown trees in bulk: under one generation, from as many processes as there are, shown by one row at the end.

Behind growing, before the tree store. The driver begins a generation on the port, each task calls `put_trees`, and the
driver calls `finish` with the sum of what they gave. A task that runs twice, or a job that dies, leaves nothing
visible.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.clock import SystemClock
from adapters.retry import until_done
from adapters.settings import Settings
from adapters.wiring import open_releases
from domain.errors import HotbasketError, PortError, Refused
from domain.ports.tree_releases import TreeReleases
from domain.ports.tree_store import DEFAULT
from domain.releases import refuse_bad
from domain.tree import to_json
from domain.tree_faults import read_tree
from monitoring.metrics import Metrics

Chunk = Sequence[tuple[str, bytes]]
"""Some hundred (shopper hash or `DEFAULT`, encoded tree): what is in memory and in one transaction at once."""

_DRAWN_DIGITS = 8
"""Of the hash's end: its beginning says in which partition a shopper is, and a canary must be a part of each."""
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_SHARE = re.compile(r"\s*(\d*\.\d+)\s*")
_FAULTS_SHOWN_MAX = 20
_TRIES_MAX = 10
"""Of one chunk while the store is busy or away: a minute or so."""
_log = logging.getLogger("hotbasket.batch")


class Put(NamedTuple):
    """What was put: trees, their encoded bytes, and how many trees the canary left out. Sums of it add up.

    Trees are counted as they come: a shopper who comes twice counts twice.
    """

    trees: int = 0
    bytes: int = 0
    skipped: int = 0


class Pushed(NamedTuple):
    """A generation that was shown, and what is in it, as in `Put`."""

    generation: int
    trees: int
    bytes: int
    skipped: int


async def fill(
    releases: TreeReleases,
    retailer_id: str,
    generation: int,
    chunks: Iterable[Chunk] | AsyncIterable[Chunk],
    *,
    canary: float | None = None,
    check: bool = True,
) -> Put:
    """Puts trees into a generation that was begun, waiting for a store that is busy; may be repeated.

    Raises:
        Refused, Overtaken, PortError: see `push`; some trees may be stored, invisible.
    """
    trees = size_bytes = skipped = 0
    async for chunk in _one_by_one(chunks):
        chosen = chunk if canary is None else [one for one in chunk if in_canary(one[0], canary)]
        if check:
            refuse_faulty(chosen)
        await _put(releases, retailer_id, generation, chosen)
        trees += len(chosen)
        size_bytes += sum(len(blob) for _, blob in chosen)
        skipped += len(chunk) - len(chosen)
    return Put(trees, size_bytes, skipped)


async def finish(releases: TreeReleases, retailer_id: str, generation: int, put: Put) -> Pushed:
    """Shows a generation of which everything is put, then forgets what is left over.

    Args:
        releases: the tree store's write side.
        retailer_id: whose generation it is.
        generation: from `begin`.
        put: the sum of what every `fill` gave, each part once.

    Raises:
        Refused: there is no tree in it, or it can't be shown.
        Overtaken: a newer generation was shown before it.
        PortError: it may be visible or not; the call may be repeated.
    """
    if not put.trees:
        left_out = f", {put.skipped} were left out by the canary" if put.skipped else ""
        raise Refused(f"there was no tree to push{left_out}: the trees in force stay")
    await releases.show(retailer_id, generation, trees=put.trees)
    await _forget(releases, retailer_id)
    return Pushed(generation, *put)


async def rollback(releases: TreeReleases, retailer_id: str) -> int:
    """Hides the newest generation, forgets its trees, and gives the generation that is the newest now.

    Raises:
        Refused: there is nothing to go back to.
        PortError: it may be hidden or not.
    """
    generation = await releases.rollback(retailer_id)
    await _forget(releases, retailer_id)
    return generation


def put_trees(
    data: Path | None,
    settings: Settings,
    retailer_id: str,
    generation: int,
    chunks: Iterable[Chunk],
    *,
    canary: float | None = None,
    check: bool = True,
) -> Put:
    """Does `fill` in a process of its own, such as a Spark task's: opens the tree store alone, and closes it.

    Args:
        data: the embedded system's directory; None = the servers that the settings name.
        settings: can be sent to another process; they hold passwords.
        retailer_id: whose shoppers they are.
        generation: from `begin`.
        chunks: read one after the other. On servers a chunk whose shoppers share `bucket mod 256` is written in a few
            batches, any other in many.
        canary: see `push`.
        check: see `push`.

    Raises:
        Refused, Overtaken, PortError: see `push`; or the store can't be opened.
    """

    async def work() -> Put:
        opened = await open_releases(data, settings, Metrics(), SystemClock())
        try:
            return await fill(opened.releases, retailer_id, generation, chunks, canary=canary, check=check)
        finally:
            await opened.close()

    return asyncio.run(work())


def canary_share(given: str | float) -> float:
    """Gives the share of shoppers, above 0 and up to 1.

    Args:
        given: `5%` or `0.05`; a whole number without a percent sign could mean either and is refused.

    Raises:
        Refused: it is neither, or not above 0 % and up to 100 %.
    """
    if isinstance(given, str):
        percent, share = _PERCENT.fullmatch(given), _SHARE.fullmatch(given)
        if percent is None and share is None:
            raise Refused(f'"{given}" is no share of shoppers: write it like 5% or 0.05')
        value = float(percent[1]) / 100 if percent is not None else float(share[1] if share is not None else 0)
    else:
        value = float(given)
    if not 0 < value <= 1:
        raise Refused(f"a canary of {value:.6g} of the shoppers is impossible: choose above 0% and up to 100%")
    return value


def in_canary(shopper: str, share: float) -> bool:
    """Tells whether a shopper belongs to a share of all: the same ones every time, and to every larger share too.

    The default tree belongs to none: it would change for every stranger at once.

    Args:
        shopper: hash, or `DEFAULT`.
        share: 0..1.
    """
    return shopper != DEFAULT and int(shopper[-_DRAWN_DIGITS:], 16) < share * 16**_DRAWN_DIGITS


def refuse_faulty(trees: Chunk) -> None:
    """Reads every tree as `hotbasket tree push` does.

    Raises:
        Refused: with the first faults, each with the beginning of the shopper's hash.
    """
    refuse_bad(trees)
    faults: list[str] = []
    for shopper, blob in trees:
        try:
            read_tree(to_json(blob, DEFAULT))
        except HotbasketError as error:
            found = error.faults if isinstance(error, Refused) else (str(error),)
            faults += [f"tree of {shopper[:12]}: {fault}" for fault in found]
        if len(faults) >= _FAULTS_SHOWN_MAX:
            break
    if faults:
        raise Refused(*faults[:_FAULTS_SHOWN_MAX])


async def _put(releases: TreeReleases, retailer_id: str, generation: int, chunk: Chunk) -> None:
    if chunk:
        await until_done(lambda: releases.put(retailer_id, generation, chunk), _gives_up_after(_TRIES_MAX))


def _gives_up_after(tries: int) -> Callable[[PortError], None]:
    failures = 0

    def failed(error: PortError) -> None:
        nonlocal failures
        failures += 1
        if failures >= tries:
            raise error

    return failed


async def _forget(releases: TreeReleases, retailer_id: str) -> None:
    try:
        await releases.forget(retailer_id)
    except PortError as error:
        # What was asked for is in force; the next release forgets what this one could not.
        _log.warning("left-over trees were not forgotten", extra={"retailer_id": retailer_id, "detail": str(error)})


async def _one_by_one(chunks: Iterable[Chunk] | AsyncIterable[Chunk]) -> AsyncIterator[Chunk]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
