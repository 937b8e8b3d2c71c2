"""The real sample: prices work as prices do, dealt-out prices don't, and the report can be written."""

import re
from pathlib import Path

import pytest

from tests.evaluation.elasticities import section

pytestmark = [pytest.mark.needs_real_data, pytest.mark.slow]


def test_the_report_says_what_was_estimated_and_what_fell_back(real_data: Path) -> None:
    """Own-price elasticity is far below 0, after shrinkage everywhere; placebos find nothing; no number is missing."""
    text = section(real_data)
    facts = (
        "289 of 289 categories after it",
        "fell back to their department",
        "**Split halves.**",
        "What a 5.1 % sample can't say.",
    )
    assert [] == [fact for fact in facts if fact not in text]
    used = re.search(r"\(used\) \| ([-+.\d]+) ± ([.\d]+) \| ([-+.\d]+) ", text)
    assert used is not None
    elasticity, error, placebo = map(float, used.groups())
    assert -3 < elasticity < -1 < -5 * error
    assert abs(placebo) < 2 * error
    assert re.search(r"\bnan\b", text) is None
