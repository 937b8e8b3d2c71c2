"""Grown trees: valid and small whatever the plans, and right for the shopper who walks through one."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.journeys.gardener import default_tree, grow
from batch.journeys.plan import Campaigns, Model, Ranked, ShopperPlan, ShopPlan, Tension
from domain.campaigns import ANY_CAMPAIGN, Range
from domain.contents import PersonalisedPromotion
from domain.experiences import Kind
from domain.tree import Tree, TreeJson, encode
from domain.tree_faults import read_tree
from tests.story import TreeStory
from tests.unit.batch.campaigns_to_propose import campaign
from tests.unit.campaign_documents import PROMOTION, TENSION

NODES_MAX, BYTES_MAX = 40, 8 * 1_024
BOUGHT = (
    ("spaghetti", "pasta", 0.6),
    ("green-tea", "tea", 0.5),
    ("penne", "pasta", 0.45),
    ("rye-bread", "bread", 0.4),
    ("oat-milk", "milk", 0.35),
    ("arrabbiata", "sauces", 0.3),
    ("gouda", "cheese", 0.25),
    ("rusk", "bread", 0.2),
    ("earl-grey", "tea", 0.18),
    ("brie", "cheese", 0.15),
    ("cocoa", "sweets", 0.12),
    ("plums", "fruit", 0.1),
    ("pears", "fruit", 0.09),
)
PLAN = ShopperPlan(
    shopper="0a" * 32,
    products=tuple(Ranked(*one) for one in BOUGHT),
    category_rates={"pasta": 0.7, "tea": 0.5, "bread": 0.4, "sauces": 0.3},
    lines=10.0,
)
SHOP = ShopPlan(
    currency="EUR",
    popular=(Ranked("water", "drinks", 0.5), Ranked("pesto", "sauces", 0.3)),
    goes_with={"pasta": {"arrabbiata": 6.0, "pesto": 8.0, "green-tea": 0.2}, "tea": {"cocoa": 5.0}},
    category_rates={"pasta": 0.2, "drinks": 0.5, "tea": 0.1},
)
CATEGORY_OF = {product: category for product, category, _ in BOUGHT}


def story_in(tree: TreeJson) -> TreeStory:
    """A shopper in a grown tree, which came through the door of the tree store."""
    document = msgspec.json.decode(msgspec.json.encode(tree))
    read_tree(document)
    story = TreeStory({"start": {}})
    story.tree = Tree(encode(tree), 1)
    return story


def add(story: TreeStory, product: str, price_minor: int = 0, at_s: float = 0) -> None:
    """Adds a product of the plan."""
    story.add(product, at_s, category_id=CATEGORY_OF[product], price_minor=price_minor, currency="EUR")


def shown(story: TreeStory, slot: str = "main") -> list[str]:
    """The products that the last event put into a slot."""
    experience = story.shown().get(slot)
    if experience is None:
        return []
    return [one if isinstance(one, str) else one["product_id"] for one in experience.content["products"]]


def test_a_visit_opens_with_what_the_shopper_buys_anyway() -> None:
    """The home page alone shows the shopper's best products."""
    story = story_in(grow(PLAN, SHOP))
    story.tell("PageViewed", page={"kind": "home"})
    assert ["spaghetti", "green-tea", "penne", "rye-bread", "oat-milk"] == shown(story)
    assert "you often buy this" == story.shown()["main"].content["products"][0]["reason"]


def test_pasta_in_the_basket_recommends_the_sauce_that_this_shopper_buys() -> None:
    """The shop's strongest companion of pasta is another sauce; this shopper's own stands first."""
    story = story_in(grow(PLAN, SHOP))
    add(story, "penne")
    first, *others = story.shown()["main"].content["products"]
    assert {"product_id": "arrabbiata", "reason": "goes with pasta"} == first
    assert not {"spaghetti", "penne"} & set(others)


def test_a_companion_in_the_basket_already_is_not_recommended() -> None:
    """The sauce came first, so pasta brings something else."""
    story = story_in(grow(PLAN, SHOP))
    add(story, "arrabbiata")
    add(story, "spaghetti")
    assert shown(story)
    assert not {"arrabbiata", "spaghetti"} & set(shown(story))


def test_the_page_is_another_one_as_the_basket_grows() -> None:
    """Each stage keeps the best products that are still missing and adds further ones."""
    story = story_in(grow(PLAN, SHOP))
    seen: set[str] = set()
    for number, product in enumerate(("gouda", "brie", "plums", "pears", "cocoa", "rusk", "earl-grey")):
        add(story, product, at_s=number)
        seen |= set(shown(story))
    assert {"spaghetti", "green-tea", "penne"} < seen
    assert len(seen) > 5


@pytest.mark.parametrize("asking", ["search", "category page", "product page"])
def test_who_asks_for_a_category_sees_their_usual_products_of_it(asking: str) -> None:
    """A search by the category's name and a look at it show what the shopper buys of it."""
    story = story_in(grow(PLAN, SHOP))
    match asking:
        case "search":
            story.tell("ProductsSearched", query="Fresh PASTA")
        case "category page":
            story.tell("PageViewed", page={"kind": "category", "category_id": "pasta"})
        case _:
            known = {"new-pasta": {"category_id": "pasta"}}
            story.tell("PageViewed", page={"kind": "product", "product_id": "new-pasta"}, known=known)
    assert ["spaghetti", "penne"] == shown(story)
    assert "your usual pasta" == story.shown()["main"].content["products"][0]["reason"]


def test_asking_works_after_the_visit_has_opened() -> None:
    """The opening page gives way to a search."""
    story = story_in(grow(PLAN, SHOP))
    story.tell("PageViewed", page={"kind": "home"})
    story.tell("ProductsSearched", query="pasta")
    assert ["spaghetti", "penne"] == shown(story)


def test_an_idle_shopper_sees_another_page() -> None:
    """The timer of a page leads to the next stage."""
    story = story_in(grow(PLAN, SHOP))
    story.tell("PageViewed", page={"kind": "home"})
    opening = shown(story)
    story.idle(at_s=90)
    assert shown(story)
    assert opening != shown(story)


def test_the_tension_comes_within_reach_and_says_what_is_missing() -> None:
    """From 60 % of the threshold on, the reward is shown with what is missing; the page changes with it."""
    plan = msgspec.structs.replace(PLAN, tension=Tension(threshold_minor=5_000, reward_minor=300))
    story = story_in(grow(plan, SHOP))
    add(story, "gouda", price_minor=2_900)
    assert "basket" not in story.shown()
    add(story, "brie", price_minor=300)
    tension = story.shown()["basket"].content
    assert (5_000, 1_800) == (tension["threshold_minor"], tension["missing_minor"])
    assert {"type": "amount", "value_minor": 300} == tension["reward"]
    assert shown(story)
    add(story, "plums", price_minor=700)
    assert 1_100 == story.shown()["basket"].content["missing_minor"]
    add(story, "pears", price_minor=1_200)
    assert story.decided is not None
    assert ["basket"] == [gone.slot for gone in story.decided.withdrawals]


def test_a_generosity_is_promised_on_what_the_shopper_asks_for() -> None:
    """A category whose promotion pays brings an offer on the shopper's own products; another brings none."""
    story = story_in(grow(msgspec.structs.replace(PLAN, generosities={"pasta": 12.0}), SHOP))
    story.tell("ProductsSearched", query="pasta")
    offer = story.shown()["offer"]
    assert ("personalised_promotion", None) == (offer.kind, offer.campaign_id)
    assert {"type": "percent", "value": 12.0} == offer.content["generosity"]
    assert ["spaghetti", "penne"] == shown(story, "offer")
    story.tell("ProductsSearched", query="tea")
    assert "offer" not in story.shown()


@pytest.mark.parametrize(("promotable", "offers"), [(None, True), (frozenset({"penne"}), True), (frozenset(), False)])
def test_what_cannot_bear_the_generosity_is_not_promoted(promotable: frozenset[str] | None, offers: bool) -> None:
    """Of a category that pays, only products whose own cost and price bear it are offered."""
    shop = msgspec.structs.replace(SHOP, promotable=promotable)
    tree = grow(msgspec.structs.replace(PLAN, generosities={"pasta": 12.0}), shop)
    offered = {
        str(product)
        for node in tree.nodes.values()
        for shown in node.experiences
        if isinstance(shown, PersonalisedPromotion)
        for product in shown.content.products
    }
    assert offers == bool(offered)
    assert promotable is None or offered <= promotable


def test_a_promotion_waits_until_the_model_expects_its_category() -> None:
    """The score decides when the category whose promotion pays is promoted, while none of it is in the basket."""
    likely = Model(bias=-3.0, weights={"session_added": 1.6}, personal=1.0, base=0.1)
    plan = msgspec.structs.replace(PLAN, category_rates={"tea": 0.1, "pasta": 0.05}, generosities={"tea": 10.0})
    shop = msgspec.structs.replace(SHOP, models={"tea": likely})
    story = story_in(grow(plan, shop))
    add(story, "gouda")
    assert "offer" not in story.shown()
    add(story, "brie")
    assert ["green-tea", "earl-grey"] == shown(story)[:2] == shown(story, "offer")
    assert "tea today?" == story.shown()["main"].content["products"][0]["reason"]
    story = story_in(grow(plan, shop))
    add(story, "earl-grey")
    add(story, "brie")
    assert "offer" not in story.shown()


def test_a_paid_order_shows_nothing_new() -> None:
    """Who has paid is done; the next visit begins at the root."""
    story = story_in(grow(PLAN, SHOP))
    add(story, "penne")
    story.pay()
    assert {} == story.shown()
    assert "start" == story.state.node_id
    story.tell("PageViewed", at_s=7_200, page={"kind": "home"})
    assert shown(story)


def test_strangers_see_what_is_popular() -> None:
    """The default tree is grown from the shop alone."""
    tree = default_tree(SHOP)
    story = story_in(tree)
    story.tell("PageViewed", page={"kind": "home"})
    assert "default" == tree.shopper
    assert ["water", "pesto"] == shown(story)


def test_a_shop_without_anything_has_an_empty_tree() -> None:
    """No product at all still makes a valid tree: a root that shows nothing."""
    story = story_in(default_tree(ShopPlan(currency="EUR")))
    story.tell("PageViewed", page={"kind": "home"})
    assert {} == story.shown()


moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(sorted(CATEGORY_OF))),
        st.tuples(st.just("remove"), st.sampled_from(sorted(CATEGORY_OF))),
        st.tuples(st.just("search"), st.sampled_from(["pasta", "tea", "bread", "socks"])),
        st.tuples(st.just("view"), st.sampled_from(["pasta", "tea", "drinks"])),
        st.tuples(st.just("idle"), st.just("")),
    ),
    max_size=25,
)


@given(moves)
def test_nothing_that_is_shown_is_in_the_basket(done: list[tuple[str, str]]) -> None:
    """Whatever the shopper does, a page never shows what the basket holds at that moment."""
    plan = msgspec.structs.replace(
        PLAN,
        tension=Tension(threshold_minor=5_000, reward_minor=300),
        generosities={"pasta": 10.0},
        campaigns=Campaigns(promotions=(campaign(PROMOTION, {"plums", "brie"}),)),
    )
    story = story_in(grow(plan, SHOP))
    for at_s, (act, what) in enumerate(done):
        match act:
            case "add":
                add(story, what, price_minor=400, at_s=at_s)
            case "remove":
                story.remove(what, at_s=at_s)
            case "search":
                story.tell("ProductsSearched", at_s, query=what)
            case "view":
                story.tell("PageViewed", at_s, page={"kind": "category", "category_id": what})
            case _:
                if story.state.timer is None:
                    continue
                story.idle(at_s)
        basket = {line.product_id for line in story.state.basket.lines}
        assert set() == basket & set(shown(story) + shown(story, "offer"))


ids = st.one_of(
    st.sampled_from([f"p-{number}" for number in range(40)]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=128).filter(str.isprintable),
    st.text(st.sampled_from("ж漢e"), min_size=100, max_size=128),
)
shares = st.floats(0, 1)
products = st.lists(
    st.builds(Ranked, ids, ids, st.floats(0, 1e6)), max_size=120, unique_by=lambda product: product.product_id
).map(tuple)
finite = st.floats(-50, 50)
models = st.builds(
    Model,
    bias=finite,
    weights=st.dictionaries(st.sampled_from(["basket_lines", "visits", "session_minutes"]), finite, max_size=3),
    personal=finite,
    base=shares,
)


@st.composite
def plans(draw: st.DrawFn) -> tuple[ShopperPlan, ShopPlan]:
    """A shopper and a shop, from nothing known to too much."""
    known, popular = draw(products), draw(products)
    categories = sorted({product.category_id for product in (*known, *popular)}) or ["none"]
    some: st.SearchStrategy[str] = st.sampled_from(categories)
    amounts = st.integers(0, 10**12)
    mine = st.frozensets(st.sampled_from([product.product_id for product in known] or ["none"]), max_size=5)
    bounds = st.builds(Range, usual=st.integers(0, 100))
    promoting: st.SearchStrategy[Any] = st.builds(
        lambda named, of, percent: campaign({**PROMOTION, "percent": percent}, of, named), ids, mine, st.none() | bounds
    )
    rewarding: st.SearchStrategy[Any] = st.builds(
        lambda named, least, worth: campaign({**TENSION, "threshold_minor": least, "amount_minor": worth}, None, named),
        ids,
        st.none() | bounds,
        st.none() | bounds,
    )
    kinds: st.SearchStrategy[Kind] = st.sampled_from(get_args(Kind))
    plan = ShopperPlan(
        shopper=draw(st.sampled_from(["0a" * 32, "ff" * 32])),
        products=known,
        category_rates=draw(st.dictionaries(some, shares, max_size=8)),
        lines=draw(st.floats(0, 500)),
        total_median_minor=draw(st.none() | amounts),
        tension=draw(st.none() | st.builds(Tension, threshold_minor=amounts, reward_minor=amounts)),
        generosities=draw(st.dictionaries(some, st.floats(0, 100), max_size=5)),
        campaigns=draw(
            st.builds(
                Campaigns,
                promotions=st.lists(promoting, max_size=3).map(tuple),
                tensions=st.lists(rewarding, max_size=2).map(tuple),
                kinds=st.frozensets(kinds),
            )
        ),
    )
    lifts = st.dictionaries(st.sampled_from([product.product_id for product in known] or ["none"]), st.floats(0, 1e4))
    shop = ShopPlan(
        currency="EUR",
        popular=popular,
        goes_with=draw(st.dictionaries(some, lifts, max_size=4)),
        category_rates=draw(st.dictionaries(some, shares, max_size=8)),
        models=draw(st.dictionaries(some, models, max_size=4)),
        category_names=draw(st.dictionaries(some, st.text(st.characters(codec="utf-8"), max_size=300), max_size=4)),
        lines=draw(st.floats(0.1, 500)),
    )
    return plan, shop


@given(plans())
def test_every_plan_makes_a_valid_small_tree(given_plans: tuple[ShopperPlan, ShopPlan]) -> None:
    """The door of the tree store takes it, it keeps the bounds, and the same plans give the same bytes."""
    plan, shop = given_plans
    tree = grow(plan, shop)
    read_tree(msgspec.json.decode(msgspec.json.encode(tree)))
    blob = encode(tree)
    assert len(tree.nodes) <= NODES_MAX
    assert len(blob) <= BYTES_MAX
    assert blob == encode(grow(plan, shop))
    for node in tree.nodes.values():
        for one in node.experiences:
            # A plan that is made up may have one campaign twice.
            named = [
                mine.product_ids or () for mine in plan.campaigns.promotions if mine.campaign_id == one.campaign_id
            ]
            if isinstance(one, PersonalisedPromotion) and one.campaign_id not in (None, ANY_CAMPAIGN):
                assert set(one.content.products) <= frozenset().union(*named)


def test_equal_plans_in_another_order_make_the_same_tree() -> None:
    """Neither the order of products of one score nor that of categories tells trees apart."""
    equal = tuple(Ranked(f"p-{number}", f"c-{number % 3}", 0.5) for number in range(20))
    rates = {"c-0": 0.5, "c-1": 0.5, "c-2": 0.5}
    one = msgspec.structs.replace(PLAN, products=equal, category_rates=rates)
    other = msgspec.structs.replace(
        PLAN, products=tuple(reversed(equal)), category_rates=dict(reversed(list(rates.items())))
    )
    assert encode(grow(one, SHOP)) == encode(grow(other, SHOP))
