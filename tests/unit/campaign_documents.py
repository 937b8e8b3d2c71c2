"""Campaigns as people write them: a good one of each kind, for tests to spoil."""

from __future__ import annotations

from typing import Any

import pytest

from domain.campaign_faults import read_definition
from domain.errors import Refused

Json = dict[str, Any]
STARTS, ENDS = "2026-11-27T08:00:00+01:00", "2026-12-01T00:00:00Z"
DATES: Json = {"name": "Spring", "starts_at": STARTS, "ends_at": ENDS}
BUDGET: Json = {"money_minor": 100_000}
PROMOTION: Json = {
    **DATES,
    "kind": "personalised_promotion",
    "products": ["p-1", "p-2"],
    "percent": {"usual": 10, "at_least": 5, "at_most": 20},
    "max_discount_minor": 500,
    "budget": BUDGET,
}
TENSION: Json = {
    **DATES,
    "kind": "basket_tension",
    "threshold_minor": {"usual": 5_000},
    "amount_minor": {"usual": 500, "at_most": 800},
    "budget": BUDGET,
}
COFFEE: Json = {"prize_id": "coffee", "reward": {"type": "product", "product_id": "p-3"}, "chance_ppm": 20_000}
VOUCHER: Json = {
    "prize_id": "voucher",
    "reward": {"type": "amount", "value_minor": 500},
    "chance_ppm": 50_000,
    "stock": 10,
    "cost_minor": 500,
}
GAME: Json = {**DATES, "kind": "gamified_promotion", "game": "wheel", "prizes": [COFFEE, VOUCHER], "budget": BUDGET}
TIP: Json = {**DATES, "kind": "recommendation"}
VISITS: Json = {"kind": "visits", "at_least": 1}


def is_zone(name: str) -> bool:
    """Whether this is one of two zones."""
    return name in {"Europe/Paris", "UTC"}


def faults_of(document: Json | bytes) -> list[str]:
    """Why a document is refused."""
    with pytest.raises(Refused) as caught:
        read_definition(document, is_zone)
    return list(caught.value.faults)


def without(document: Json, *names: str) -> Json:
    """The document without some of its fields."""
    return {name: value for name, value in document.items() if name not in names}
