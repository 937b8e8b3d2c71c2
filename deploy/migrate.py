"""`hotbasket migrate`: makes the topics and tables of a production system, or brings them to this version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, NamedTuple

import typer

from adapters.settings import Settings, load_settings
from adapters.upkeep import migrate_servers
from adapters.vault_wiring import has_vault, migrate_vault
from deploy.options import Json, document, say

_DAY_MS = 86_400_000


class Sizes(NamedTuple):
    """What can be chosen once: a log's partitions are fixed for its epoch.

    Attributes:
        partitions: of each topic.
        replication: copies of everything, in Kafka and in ScyllaDB.
        retention_days: of the topics.
    """

    partitions: int
    replication: int
    retention_days: int


def migrate(
    partitions: Annotated[
        int, typer.Option("--partitions", min=1, max=4_096, help="Of each topic; fixed from then on. 128 at full size.")
    ] = 64,
    replication: Annotated[
        int, typer.Option("--replication", min=1, max=9, help="Copies of each record and row; 1 is for trying out.")
    ] = 3,
    retention_days: Annotated[
        int,
        typer.Option(
            "--retention-days",
            min=1,
            max=30,
            help="Days that Kafka keeps records: longer than any outage of the archiver, shorter than the time within"
            " which a shopper must be erased.",
        ),
    ] = 7,
    as_json: Json = False,
) -> None:
    """Make what the servers need: Kafka topics, ScyllaDB tables, Postgres tables. It may be run again at any time.

    It goes forward only, and what is there already stays as it is. Run it once before the first start, and before the
    processes of each new version. Where HOTBASKET_VAULT names the reward vault's database, its tables are made too.

    Example: hotbasket migrate --partitions 64 --replication 3
    """
    made = asyncio.run(_migrate(load_settings(), Sizes(partitions, replication, retention_days)))
    if as_json:
        document({"made": made})
    else:
        for one in made:
            say(f"made {one}")
        if not made:
            say("nothing to do: everything is there")


async def _migrate(settings: Settings, sizes: Sizes) -> Sequence[str]:
    made = await migrate_servers(
        settings,
        partitions=sizes.partitions,
        replication=sizes.replication,
        retention_ms=sizes.retention_days * _DAY_MS,
        cql=files("deploy").joinpath("scylla", "schema.cql").read_text(encoding="utf-8"),
        sql=_migrations("postgres"),
    )
    return [*made, *(await migrate_vault(settings, _migrations("postgres_vault")) if has_vault(settings) else ())]


def _migrations(folder: str) -> Sequence[tuple[str, str]]:
    """Gives name and text of a schema's numbered files."""
    return sorted(
        (one.name, one.read_text(encoding="utf-8"))
        for one in files("deploy").joinpath(folder).iterdir()
        if one.name.endswith(".sql")
    )
