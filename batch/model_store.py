"""Trained artefacts and their cards, in the warehouse's `models` table: what holds the warehouse holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from msgspec import Struct
from pyspark.sql import functions as sf

from batch.jobs import Job
from domain.errors import Refused


class Card(Struct, frozen=True, kw_only=True):
    """What somebody who was not there needs to know of a model.

    Attributes:
        name: of the artefact.
        purpose: what it answers, in a sentence.
        first_day, last_day: of the data that it was made from, ISO; empty without any.
        shoppers: how many of them it learned from.
        inputs: names of its features.
        measures: what is known of its quality.
        seed: of everything drawn.
        code: version and digest of the code that made it.
    """

    name: str
    purpose: str
    first_day: str = ""
    last_day: str = ""
    shoppers: int = 0
    inputs: tuple[str, ...] = ()
    measures: dict[str, float] = {}
    seed: int = 0
    code: str = ""


class Artefact(Struct, frozen=True, kw_only=True):
    """A model as bytes, with its card."""

    card: Card
    blob: bytes


def save(job: Job, artefacts: Sequence[Artefact]) -> None:
    """Keeps the artefacts of a run in the place of those that it made before.

    Raises:
        PortError: nothing was written.
    """
    now, code = datetime.now(UTC), code_revision()
    rows: list[tuple[Any, ...]] = [
        (
            job.retailer_id,
            job.run_id,
            one.card.name,
            now,
            msgspec.json.encode(msgspec.structs.replace(one.card, code=code)).decode(),
            one.blob,
        )
        for one in artefacts
    ]
    frame = job.spark.createDataFrame(rows, job.warehouse.schema("models"))
    job.warehouse.replace_run("models", frame, job.retailer_id, job.run_id)


def load(job: Job) -> dict[str, Artefact]:
    """Gives the artefacts of the job's run by name.

    Raises:
        Refused: the run made none.
    """
    models = job.warehouse.table("models")
    rows = models.where((sf.col("retailer_id") == job.retailer_id) & (sf.col("run_id") == job.run_id)).collect()
    if not rows:
        raise Refused(f"run {job.run_id} has no models: hotbasket batch train makes them")
    return {
        row["name"]: Artefact(card=msgspec.json.decode(row["card"], type=Card), blob=bytes(row["blob"])) for row in rows
    }


@cache
def code_revision() -> str:
    """Gives the version of hotbasket and a digest of the code that trains, so that a card names exactly one."""
    digest = hashlib.sha256()
    # Not by path: spark-submit carries the code as an archive.
    for source in (*_sources(resources.files("batch")), resources.files("domain") / "features.py"):
        digest.update(source.read_bytes())
    try:
        version = metadata.version("hotbasket")
    except metadata.PackageNotFoundError:
        version = "checkout"
    return f"{version}+{digest.hexdigest()[:12]}"


def _sources(folder: Traversable) -> Iterator[Traversable]:
    for found in sorted(folder.iterdir(), key=lambda one: one.name):
        if found.is_dir():
            yield from _sources(found)
        elif found.name.endswith(".py"):
            yield found
