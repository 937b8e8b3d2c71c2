"""A running gateway for the documents' examples: `hotbasket run` with one retailer and the tree of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.conformance.document import tree


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Where the examples go, and the keys they use."""

    url: str
    write_key: str
    secret_key: str


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The system in a process of its own.

    With CONFORMANCE_URL, CONFORMANCE_WRITE_KEY and CONFORMANCE_SECRET_KEY set, the gateway that they name: its retailer
    has the page's tree as its default one, and does not list https://elsewhere.example.
    """
    if url := os.environ.get("CONFORMANCE_URL"):
        keys = {name: os.environ[f"CONFORMANCE_{name.upper()}"] for name in ("write_key", "secret_key")}
        yield Gateway(url=url, **keys)
        return
    folder = tmp_path_factory.mktemp("conformance")
    data, file = folder / "data", folder / "tree.json"
    file.write_text(tree(), encoding="utf-8")
    with Running(data) as running:
        origin = "https://shop.example"
        keys = hotbasket_json("retailer", "add", "protocol", "--data", data, "--origin", origin)
        pushed = hotbasket("tree", "push", "--data", data, "--retailer", "protocol", file)
        assert 0 == pushed.returncode, pushed.stderr
        yield Gateway(url=running.url, write_key=keys["write_key"], secret_key=keys["secret_key"])
