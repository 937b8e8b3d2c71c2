"""Which servers the tests were given: `make integration` and `make chaos` say it in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VARIABLES = ("HOTBASKET_TEST_KAFKA", "HOTBASKET_TEST_SCYLLA", "HOTBASKET_TEST_POSTGRES")
"""Of the tests alone: what a shell has set for the product never makes tests write to those servers."""


class Servers(NamedTuple):
    """Servers that tests may fill and break as they like.

    Attributes:
        kafka, scylla: host:port; empty = none.
        postgres: postgresql://host:port/database, where `hotbasket` may make databases; empty = none.
    """

    kafka: str
    scylla: str
    postgres: str

    @property
    def are_complete(self) -> bool:
        """Whether the whole system can be put on them."""
        return all(self)


def given(environment: Mapping[str, str]) -> Servers:
    """Reads the servers' addresses."""
    return Servers(*(environment.get(name, "") for name in VARIABLES))
