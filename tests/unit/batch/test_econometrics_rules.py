"""Rules: from panel and catalogue to what trees use, by category, with every fall-back told."""

import msgspec
import pandas as pd
import pytest

from batch.econometrics.assumptions import Assumptions
from batch.econometrics.panel import empty_panel, panel_of
from batch.econometrics.rules import Rules, decode, encode, find, generosity_of, rules_of, table
from batch.econometrics.tension import spend_of_totals
from domain.ports.retailers import CatalogueItem
from tests.unit.batch.econometrics_shop import Truth, simulated


def item(product_id: str, category_id: str, price: int | None = 1_000, cost: int | None = None) -> CatalogueItem:
    """A product of the catalogue."""
    return CatalogueItem(
        product_id=product_id, name=product_id, category_id=category_id, price_minor=price, cost_minor=cost
    )


CATALOGUE = (
    item("p-1", "food/sauce", cost=400),
    item("p-2", "food/sauce", cost=300),
    item("p-3", "food/sauce"),
    item("p-4", "food/pasta"),
    item("p-5", "home/soap", price=None, cost=100),
)


@pytest.fixture(scope="module")
def rules() -> Rules:
    """Rules of a shop with two food categories whose demand is elastic, and soap that was never sold."""
    truths = [Truth(category="food/sauce", elasticity=-4.0), Truth(category="food/pasta", elasticity=-1.2)]
    sold = pd.concat([simulated(truth, seed) for seed, truth in enumerate(truths)])
    return rules_of(panel_of(sold), CATALOGUE, "EUR", spend=spend_of_totals([3_000, 4_000], None, 500, Assumptions()))


def test_each_category_has_its_rule(rules: Rules) -> None:
    """Elastic demand with a high known margin gets a discount, an assumed thin margin none, the unsold falls back."""
    seen = {one.name: (one.level, one.margin_source, one.generosity_percent) for one in rules.categories}
    expected = {
        "food/pasta": ("category", "assumed", 0),
        "food/sauce": ("category", "catalogue", 30),
        "home/soap": ("store", "assumed", 0),
    }
    assert expected == seen
    assert 0.65 == pytest.approx(find(rules, "food/sauce").margin_share)
    assert (500, "store") == (rules.step_minor, rules.spend.source)


def test_an_unknown_category_has_its_departments_rule_or_the_stores(rules: Rules) -> None:
    """The id's first part names a known department, else the store answers."""
    names = [find(rules, category).name for category in ("food/sauce", "food/vinegar", "toys/cars", "")]
    assert ["food/sauce", "food", "", ""] == names


def test_a_products_own_cost_decides(rules: Rules) -> None:
    """Two products of a category differ by their cost; without a price there is no promotion."""
    thin = generosity_of(rules, item("p-9", "food/sauce", cost=900))
    wide = generosity_of(rules, item("p-1", "food/sauce", cost=400))
    assert (0, 30) == (thin.percent, wide.percent)
    assert (0, "no price") == generosity_of(rules, CATALOGUE[4])[::4]


def test_rules_survive_their_json(rules: Rules) -> None:
    """What was encoded is decoded as it was; another schema version is refused with the cure."""
    assert rules == decode(encode(rules))
    other = msgspec.structs.replace(rules, schema_version=99)
    with pytest.raises(msgspec.ValidationError, match="make them again"):
        decode(encode(other))


def test_the_table_tells_what_fell_back(rules: Rules) -> None:
    """One row for the store, each department and each category, with level and reason."""
    rows = table(rules)
    assert ["store", "department", "department", "category", "category", "category"] == [row.kind for row in rows]
    soap = rows[-1]
    assert ("home/soap", "store", None) == (soap.name, soap.rests_on, soap.raw)
    assert "never sold at a price that can be read" == soap.why


def test_a_retailer_without_orders_has_usable_rules() -> None:
    """Everything is assumed and says so; the same catalogue still gets a rule for each category."""
    found = rules_of(empty_panel(), CATALOGUE, "JPY")
    assert {"assumed"} == {one.level for one in (found.store, *found.departments, *found.categories)}
    assert ("assumed", 500) == (found.spend.source, found.step_minor)
    assert 0 == generosity_of(found, CATALOGUE[3]).percent
    assert found == decode(encode(found))


def test_nothing_at_all_gives_the_stores_defaults() -> None:
    """No sales and no catalogue: one rule, the store's."""
    found = rules_of(empty_panel(), (), "EUR")
    assert ((), (), "assumed") == (found.categories, found.departments, found.store.margin_source)
    assert found.store == find(found, "anything")


def test_the_order_of_the_catalogue_does_not_matter() -> None:
    """The same products in another order give the same bytes."""
    panel = panel_of(simulated(Truth(category="food/sauce"), 1))
    one, other = (encode(rules_of(panel, catalogue, "EUR")) for catalogue in (CATALOGUE, CATALOGUE[::-1]))
    assert one == other
