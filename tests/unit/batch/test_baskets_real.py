"""The predictor beside its baselines on the real split."""

from pathlib import Path

import pytest

from batch.baskets.evaluate import PREDICTOR, evaluate
from batch.baskets.predictor import Settings
from batch.baskets.read_split import read_split

pytestmark = [pytest.mark.extended, pytest.mark.needs_real_data, pytest.mark.slow, pytest.mark.timeout(900)]


def test_the_predictor_is_above_every_baseline(real_data: Path) -> None:
    """On the test shoppers of the real split, recall@10 and NDCG@10 are above those of every baseline."""
    split = read_split(*(real_data / f"nbr_split_{part}.json.gz" for part in ("history", "future", "keyset")))
    models = dict(evaluate(split, [10], Settings()).models)
    ours = models.pop(PREDICTOR)
    for measure in ("recall@10", "ndcg@10"):
        above = {name: values[measure] for name, values in models.items() if values[measure] >= ours[measure]}
        assert {} == above
