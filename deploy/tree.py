"""`hotbasket tree`: pushes Shopping Experience Trees, shows what was pushed, and checks files without pushing them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from adapters.wiring import Ports
from deploy.audited import audited, target_of
from deploy.options import Json, RetailerName, Where, document, say, tell
from deploy.stores import chosen, hash_of, in_stores
from deploy.suppressed_shoppers import suppression
from domain.errors import Refused
from domain.ids import ShopperHash, ShopperKey
from domain.personal_data import contains_email
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.tree import to_json
from domain.tree_faults import read_trees

commands = typer.Typer(no_args_is_help=True)
TreeFile = Annotated[Path, typer.Argument(help="One tree as JSON, or JSONL with one tree a line.")]


@commands.callback()
def _group() -> None:
    """Push, show and check Shopping Experience Trees."""


@commands.command()
def push(file: TreeFile, data: Where = None, retailer: RetailerName = None, as_json: Json = False) -> None:
    """Push trees: all of them, or none if one has a fault; each fault is named with its path.

    They are in force for each shopper's next event. The tree of shopper "default" serves all who have none. Trees of
    suppressed shoppers are left out: nothing of them is taken, and one who is being erased must not come back.

    Example: hotbasket tree push --retailer "Fresh & Co" trees.jsonl
    """
    trees = _read(file)

    async def work(ports: Ports) -> tuple[int, int]:
        one = chosen(ports, retailer)
        async with audited(ports, one.retailer_id, "tree.push"):
            keyed = [(shopper if shopper == DEFAULT else hash_of(ports, one, shopper), blob) for shopper, blob in trees]
            taken = _of_the_others(ports, one, keyed)
            if not taken:
                raise Refused("every tree is of a suppressed shopper: there is nothing to push")
            return await ports.trees.push(one.retailer_id, taken), len(taken)

    generation, count = in_stores(data, work)
    left_out = len(trees) - count
    if left_out:
        tell(f"{left_out} {'shopper is' if left_out == 1 else 'shoppers are'} suppressed: left out")
    if as_json:
        document({"generation": generation, "trees": count, "suppressed": left_out})
    else:
        say(f"{count} {'tree' if count == 1 else 'trees'} in force as generation {generation}")


def _of_the_others(ports: Ports, one: Retailer, trees: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
    """The trees but those of shoppers of whom nothing is taken.

    Raises:
        PortError: the list can't be read now.
    """
    is_suppressed = suppression(ports, one.retailer_id)
    return [tree for tree in trees if tree[0] == DEFAULT or not is_suppressed(ShopperHash(tree[0]))]


@commands.command()
def show(
    shopper: Annotated[str, typer.Argument(help="The retailer's shopper id, or default.")] = DEFAULT,
    data: Where = None,
    retailer: RetailerName = None,
    as_json: Json = False,
) -> None:
    """Print the tree in force for a shopper, as it was pushed; without an own one that is the default tree.

    Example: hotbasket tree show c-1842 --retailer "Fresh & Co"
    """

    async def work(ports: Ports) -> dict[str, Any]:
        one = chosen(ports, retailer)
        if shopper == DEFAULT:
            return await _shown(ports, one, DEFAULT, shopper)
        key = ShopperKey(one.retailer_id, hash_of(ports, one, shopper))
        async with audited(ports, one.retailer_id, "tree.show", target_of(ports, key)):
            return await _shown(ports, one, key.shopper, shopper)

    found = in_stores(data, work)
    if as_json:
        document(found)
    else:
        say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


async def _shown(ports: Ports, one: Retailer, own: str, shopper: str) -> dict[str, Any]:
    keys = [ShopperKey(one.retailer_id, own), ShopperKey(one.retailer_id, DEFAULT)]
    found = await ports.trees.load(keys)
    tree = found.get(keys[0]) or found.get(keys[1])
    if tree is None:
        raise Refused(f"{one.name} has no tree for {shopper!r} and no default tree: push one with hotbasket tree push")
    default = found.get(keys[1])
    whose = DEFAULT if default is not None and default.blob == tree.blob else shopper
    return {"generation": tree.generation, **to_json(tree.blob, whose)}


@commands.command()
def validate(file: TreeFile, as_json: Json = False) -> None:
    """Check a file of trees as a push would, without pushing it; every fault is named with its path.

    Example: hotbasket tree validate trees.jsonl
    """
    trees = _read(file)
    if as_json:
        document({"trees": len(trees), "bytes": sum(len(blob) for _, blob in trees)})
    else:
        say(f"{len(trees)} {'tree is' if len(trees) == 1 else 'trees are'} good")


def _read(file: Path) -> list[tuple[str, bytes]]:
    """The trees of a file, each with its shopper.

    Raises:
        Refused: every fault of every tree.
    """
    try:
        trees = read_trees(file.read_bytes())
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    addressed = sum(contains_email(shopper) for shopper, _ in trees)
    if addressed:
        raise Refused(
            f"$.shopper: {addressed} of {len(trees)} contain an e-mail address: use the technical id or loyalty number"
        )
    return trees
