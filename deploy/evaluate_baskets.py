"""`hotbasket batch evaluate-baskets`: the next-basket predictor beside its baselines, on a split of the public form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import structlog
import typer

from deploy.options import Json, document, progress, say, tell
from domain.errors import Refused

if TYPE_CHECKING:
    from batch.baskets.evaluate import Evaluation

log = structlog.get_logger()
COLUMNS = ("recall", "ndcg", "phr")


def evaluate_baskets(
    history: Annotated[
        Path, typer.Option("--history", help="JSON, gzipped or plain: shopper → [[-1], basket, ..., [-1]].")
    ],
    future: Annotated[Path, typer.Option("--future", help="The same form: the basket that followed.")],
    keyset: Annotated[Path, typer.Option("--keyset", help="JSON: item_num, and the lists train, val and test.")],
    k: Annotated[str, typer.Option("--k", help="Depths to measure at, separated by commas.")] = "10,20",
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="JSON file to write: shopper → items, best first.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the next-basket predictor beside every baseline.

    Train and validation shoppers' next baskets teach and tune; those of the test shoppers are read only to score.
    Intervals are of the difference predictor minus baseline, by paired bootstrap over the test shoppers. Shoppers
    whose next basket is empty are left out and counted.

    Example: hotbasket batch evaluate-baskets --history history.json.gz --future future.json.gz
    --keyset keyset.json.gz --json
    """
    depths = _depths(k)
    try:
        from batch.baskets.evaluate import PREDICTOR, evaluate  # noqa: PLC0415 - an extra; the other commands do without
        from batch.baskets.predictor import Settings  # noqa: PLC0415
        from batch.baskets.read_split import read_split  # noqa: PLC0415
    except ImportError as error:
        raise Refused(f"evaluating baskets needs {error.name}: pip install 'hotbasket[batch]'") from None
    split = read_split(history, future, keyset)
    with progress("steps") as bar:
        task = bar.add_task("evaluate", total=None)

        def steps(total: int) -> Callable[[], None]:
            bar.update(task, total=total)
            return lambda: bar.advance(task)

        found = evaluate(split, depths, Settings(), steps)
    if predictions is not None:
        names = [split.shoppers[row] for row in split.test]
        _write(predictions, names, found.items[PREDICTOR].tolist())
    counts = {"train": len(split.train), "val": len(split.val), "test": len(split.test), "empty": split.empty}
    log.info("baskets evaluated", items=split.histories.item_num, **counts)
    if as_json:
        document({"models": found.models, "paired": found.paired, "tuned": found.tuned, "shoppers": counts})
    else:
        _table(found, depths)


def _depths(text: str) -> list[int]:
    """The depths, ascending, each once."""
    try:
        depths = sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise Refused(f"--k {text!r} is no list of whole numbers like 10,20") from None
    if depths[0] < 1:
        raise Refused(f"--k {text!r} has {depths[0]}: every depth must be above 0")
    return depths


def _write(path: Path, shoppers: list[str], items: list[list[int]]) -> None:
    """Writes the predictions; what was not said (-1) is left out."""
    content = {name: [item for item in row if item >= 0] for name, row in zip(shoppers, items, strict=True)}
    try:
        path.write_bytes(msgspec.json.encode(content))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None


def _table(found: Evaluation, depths: list[int]) -> None:
    """A line a model, best recall last, and what of the differences is noise."""
    heads = [f"{name}@{depth}" for depth in depths for name in COLUMNS]
    say("".join(f"{head:>12}" for head in ["model", *heads]))
    for name, values in sorted(found.models.items(), key=lambda item: item[1][heads[0]]):
        say(f"{name:>12}" + "".join(f"{values[head]:>12.4f}" for head in heads))
    for name, differences in found.paired.items():
        for measure, interval in differences.items():
            tell(
                f"predictor - {name} {measure}: {interval['difference']:+.4f}"
                f" (95 %: {interval['low']:+.4f} to {interval['high']:+.4f})"
            )
