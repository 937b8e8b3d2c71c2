"""Whatever is written into a campaign's document: it is read, or refused with faults that name their place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.campaign_faults import read_definition
from domain.campaigns import Definition
from domain.errors import Refused
from domain.terms import cost_at_most
from tests.unit.campaign_documents import GAME, PROMOTION, TENSION, TIP, is_zone

GOOD = (PROMOTION, TENSION, GAME, TIP)
FIELDS = sorted({name for document in GOOD for name in document} | {"audience", "cap", "hours", "reward", "time_zone"})
LEAVES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-5, 10**17),
    some.floats(allow_nan=False),
    some.text(max_size=8),
    some.sampled_from(["09:00", "24:00", "monday", "2027-01-01T00:00:00Z", "UTC", "visits", "all", "percent"]),
)
NAMES = some.one_of(
    some.text(max_size=3),
    some.sampled_from(["kind", "of", "usual", "at_least", "at_most", "money_minor", "times", "days", "chance_ppm"]),
)
VALUES = some.recursive(
    LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(
    document=some.sampled_from(GOOD),
    changes=some.dictionaries(some.sampled_from(FIELDS), VALUES, max_size=3),
    gone=some.sets(some.sampled_from(FIELDS), max_size=2),
)
def test_a_document_is_read_or_refused(document: dict[str, Any], changes: dict[str, Any], gone: set[str]) -> None:
    """Nothing else is raised; what is read keeps its promises to the ledger, and reads the same again."""
    spoilt = {name: value for name, value in {**document, **changes}.items() if name not in gone}
    faults: tuple[str, ...] = ()
    definition: Definition | None = None
    try:
        definition = read_definition(spoilt, is_zone)
    except Refused as refused:
        faults = refused.faults
    if definition is None:
        assert faults
        assert not [fault for fault in faults if not fault.startswith("$") or ": " not in fault]
        assert len(set(faults)) == len(faults)
        return
    assert definition.starts_at_ms < definition.ends_at_ms
    cost = cost_at_most(definition)
    if cost:
        assert definition.budget is not None
        assert definition.budget.money_minor is not None
        assert definition.budget.money_minor >= cost
    assert definition == read_definition(msgspec.json.encode(definition), is_zone)


@given(content=some.binary(max_size=64))
def test_bytes_are_read_or_refused(content: bytes) -> None:
    """No bytes break the reader."""
    with pytest.raises(Refused):
        read_definition(content, is_zone)
