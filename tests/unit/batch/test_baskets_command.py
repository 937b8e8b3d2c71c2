"""`hotbasket batch evaluate-baskets` on a small made-up split, and what bad files get."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batch.baskets.read_split import read_split
from domain.errors import Refused
from tests.cli.running import environment, hotbasket

ITEM_NUM = 40
Files = dict[str, Any]
MODELS = ["combined_top", "global_top", "personal_top", "predictor", "tifu_knn", "up_cf"]


def made_up(shoppers: int = 60) -> Files:
    """Shoppers of four tastes; what comes next is of the taste, and item 39 besides."""
    lots = np.random.default_rng(11)
    history, future = {}, {}
    for number in range(shoppers):
        taste = number % 4 * 9
        baskets = [(taste + lots.choice(9, size=3, replace=False)).tolist() for _ in range(4)]
        history[str(number)] = [[-1], *baskets, [-1]]
        future[str(number)] = [[-1], [taste, taste + 1, 39], [-1]]
    names = [str(number) for number in range(shoppers)]
    keyset = {"item_num": ITEM_NUM, "train": names[:36], "val": names[36:42], "test": names[42:]}
    return {"history": history, "future": future, "keyset": keyset}


def write(folder: Path, files: Files, *, zipped: bool = False) -> list[Path]:
    """Writes the three files; gives their paths."""
    paths = []
    for name, content in files.items():
        raw = json.dumps(content).encode()
        paths.append(folder / f"{name}.json")
        paths[-1].write_bytes(gzip.compress(raw) if zipped else raw)
    return paths


def run(paths: list[Path], *more: str) -> subprocess.CompletedProcess[str]:
    """Calls the command in a process of its own."""
    history, future, keyset = paths
    files = ("--history", history, "--future", future, "--keyset", keyset)
    return hotbasket("batch", "evaluate-baskets", *files, *more, OMP_NUM_THREADS="1")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any]]:
    """What two runs print and predict: of plain files, then of zipped ones."""
    found = []
    for zipped in (False, True):
        folder = tmp_path_factory.mktemp("split")
        out = folder / "predictions.json"
        result = run(write(folder, made_up(), zipped=zipped), "--k", "10,20", "--predictions", str(out), "--json")
        assert 0 == result.returncode, result.stderr
        found.append((json.loads(result.stdout), json.loads(out.read_text(encoding="utf-8"))))
    return found


def test_every_model_is_measured_at_every_depth(documents: list[tuple[Any, Any]]) -> None:
    """The document has each model with each measure, and each baseline with its paired interval."""
    document, _ = documents[0]
    assert MODELS == sorted(document["models"])
    for values in document["models"].values():
        assert {"recall@10", "ndcg@10", "phr@10", "recall@20", "ndcg@20", "phr@20"} <= set(values)
    assert sorted(set(MODELS) - {"predictor"}) == sorted(document["paired"])
    assert {"difference", "low", "high"} == set(document["paired"]["up_cf"]["recall@10"])


def test_predictions_name_every_test_shopper(documents: list[tuple[Any, Any]]) -> None:
    """The file has each test shopper with items, none twice, and what everybody buys now among the first."""
    _, predictions = documents[0]
    assert made_up()["keyset"]["test"] == list(predictions)
    for items in predictions.values():
        assert len(items) == len(set(items)) >= 10
        assert 39 in items[:10]


def test_plain_and_zipped_files_give_the_same(documents: list[tuple[Any, Any]]) -> None:
    """Two runs on the same content, packed differently, give equal documents and predictions."""
    assert documents[0] == documents[1]


def test_test_targets_change_no_prediction(tmp_path: Path, documents: list[tuple[Any, Any]]) -> None:
    """Other targets of the test shoppers, same predictions: they are read only to score."""
    files = made_up()
    for name in files["keyset"]["test"]:
        files["future"][name] = [[-1], [38], [-1]]
    out = tmp_path / "predictions.json"
    result = run(write(tmp_path, files), "--predictions", str(out), "--json")
    assert 0 == result.returncode
    assert documents[0][1] == json.loads(out.read_text(encoding="utf-8"))


def test_shoppers_with_an_empty_target_are_counted(tmp_path: Path) -> None:
    """An empty next basket leaves its shopper out, and the split says how many."""
    files = made_up()
    files["future"]["50"] = [[-1], [], [-1]]
    del files["future"]["51"]
    split = read_split(*write(tmp_path, files))
    assert (2, 16) == (split.empty, len(split.test))


def bad(files: Files, fault: str) -> None:
    """Puts a fault into the files."""
    match fault:
        case "stranger":
            files["keyset"]["test"].append("999")
        case "nobody":
            files["keyset"]["test"] = []
        case "no teachers":
            files["keyset"]["train"] = []
        case "beyond":
            files["history"]["3"][1][0] = ITEM_NUM
        case "negative":
            files["future"]["44"][1][0] = -5
        case "no number":
            files["keyset"]["item_num"] = "many"
        case "twice":
            files["keyset"]["val"].append("0")
        case "a list":
            files["history"] = []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("stranger", "shopper '999' of the keyset has no history"),
        ("nobody", "no test shoppers"),
        ("no teachers", "no train shoppers"),
        ("beyond", "shopper '3' has item 40, outside of 0..39"),
        ("negative", "shopper '44' has item -5, outside of 0..39"),
        ("no number", "item_num is 'many'"),
        ("twice", "shopper '0' stands there twice"),
        ("a list", "holds no JSON object"),
    ],
)
def test_bad_content_is_refused(tmp_path: Path, fault: str, said: str) -> None:
    """What contradicts the form is refused with one sentence that says what and where."""
    files = made_up()
    bad(files, fault)
    with pytest.raises(Refused) as refused:
        read_split(*write(tmp_path, files))
    assert said in str(refused.value)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    """A missing file, one that is no JSON and a damaged gzip are refused by name."""
    paths = write(tmp_path, made_up())
    with pytest.raises(Refused, match=r"nowhere\.json is no file"):
        read_split(tmp_path / "nowhere.json", *paths[1:])
    paths[1].write_text("{", encoding="utf-8")
    with pytest.raises(Refused, match=r"future\.json is not JSON"):
        read_split(*paths)
    paths[1].write_bytes(gzip.compress(b"{}")[:10])
    with pytest.raises(Refused, match="damaged gzip"):
        read_split(*paths)


@pytest.mark.parametrize("k", ["0", "10,-3", "ten", ""])
def test_depths_must_be_positive_numbers(tmp_path: Path, k: str) -> None:
    """A depth that isn't a whole number above 0 is refused before anything is read."""
    result = run([tmp_path / "a", tmp_path / "b", tmp_path / "c"], "--k", k)
    assert (1, "") == (result.returncode, result.stdout)
    assert result.stderr.startswith(f"--k {k!r}")


def test_without_the_batch_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """Where xgboost is missing the command refuses with the cure and no traceback."""
    arguments = ["hotbasket", "batch", "evaluate-baskets", "--history", "a", "--future", "b", "--keyset", "c"]
    code = f"import sys; sys.modules['xgboost'] = None; sys.argv = {arguments!r}; from deploy.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (1, "") == (ran.returncode, ran.stdout)
    assert "evaluating baskets needs xgboost: pip install 'hotbasket[batch]'\n" == ran.stderr
