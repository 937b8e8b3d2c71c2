"""Grows a Shopping Experience Tree from plans; from predictions and rules, to the tree store.

A tree is a row of stages, as the basket grows, and leads only forward. Each stage has a hub, which shows nothing, and
a few pages behind it: what is usually bought of a category asked for, what goes with a category just added, a
promotion that is timely by its score, and what this shopper buys anyway. The first page with no product in the basket
is shown. It stays until the basket reaches the next stage, until the shopper asks for something, or until nothing
happens for a while; each leads to the next hub. Basket tensions stand across the stages: one where the threshold comes
within reach, one just below it.
"""

from __future__ import annotations

from collections.abc import Mapping

from batch.journeys.pages import Page, asking_for
from batch.journeys.plan import NO_CAMPAIGNS, Campaigns, ShopperPlan, ShopPlan, Tension
from batch.journeys.proposals import tensions
from batch.journeys.shelf import Shelf
from batch.journeys.stages import Stage, stages_of
from domain.conditions import AnyCondition, AnyOf
from domain.contents import BasketTension
from domain.event_conditions import EventIs
from domain.ports.tree_store import DEFAULT
from domain.state_conditions import BasketLines, BasketTotal
from domain.tree import AfterJson, EdgeJson, NodeJson, TreeJson

IDLE_S = 90
"""Without an event for so long, the page gives way to the next stage's."""
WITHIN_REACH, NEARLY_THERE = 0.6, 0.85
"""Shares of the threshold from which the basket tension is shown, and shown again where it was passed over."""

# A paid order returns the shopper to the root, where the next visit begins, not this one.
_VISIT = EventIs(types=("PageViewed", "LinkClicked", "ProductsSearched", "AddedToBasket", "RemovedFromBasket"))
_ROOT, _REACH, _NEARLY = "start", "within-reach", "nearly-there"
_ALWAYS = BasketLines(at_least=0)


def grow(plan: ShopperPlan, shop: ShopPlan) -> TreeJson:
    """Gives the tree of a shopper: at most 40 nodes, about 3 KB encoded; equal plans give equal trees.

    Returns:
        A tree that `domain.tree_faults.read_tree` accepts, named after the shopper's hash.
    """
    shelf = Shelf(plan, shop)
    stages = stages_of(shelf)
    tension = tensions(plan.tension, plan.total_median_minor, plan.campaigns)
    least_minor = tension[0].content.threshold_minor if tension else None
    turn = _turn(plan, shop, stages, least_minor)
    nodes = {_ROOT: NodeJson(edges=(EdgeJson(to=_hub(0), when=_VISIT),) if stages else ())}
    for number, stage in enumerate(stages):
        nodes[_hub(number)] = NodeJson(
            edges=tuple(EdgeJson(to=_place(number, page), when=page.when) for page in stage.pages)
        )
        onward = _onward(shelf, stages, number)
        within = _tension_edge(least_minor, number, turn, len(stages))
        edges = tuple(edge for edge in (within, onward) if edge is not None)
        after = None if onward is None else AfterJson(idle_s=IDLE_S, to=onward.to)
        for page in stage.pages:
            nodes[_place(number, page)] = NodeJson(experiences=page.shown, edges=edges, after=after)
    if tension and stages:
        nodes |= _tension_nodes(tension, turn, len(stages))
    return TreeJson(schema_version=1, shopper=plan.shopper, root=_ROOT, nodes=nodes)


def default_tree(
    shop: ShopPlan,
    tension: Tension | None = None,
    generosities: Mapping[str, float] | None = None,
    campaigns: Campaigns = NO_CAMPAIGNS,
) -> TreeJson:
    """Gives the tree of strangers: what is popular here, what goes with it, and the store's own threshold."""
    plan = ShopperPlan(shopper=DEFAULT, tension=tension, generosities=generosities or {}, campaigns=campaigns)
    return grow(plan, shop)


def _hub(number: int) -> str:
    return f"s{number}"


def _place(number: int, page: Page) -> str:
    return f"s{number}-{page.name}"


def _onward(shelf: Shelf, stages: list[Stage], number: int) -> EdgeJson | None:
    """Gives the edge from the pages of a stage to the next hub."""
    if number + 1 == len(stages):
        return None
    following = stages[number + 1]
    grown = BasketLines(at_least=following.lines)
    asked = [page.asked for page in following.pages if page.asked is not None]
    when: AnyCondition = AnyOf(of=(grown, asking_for(shelf, asked))) if asked else grown
    return EdgeJson(to=_hub(number + 1), when=when)


def _turn(plan: ShopperPlan, shop: ShopPlan, stages: list[Stage], threshold_minor: int | None) -> int:
    """Gives the last stage before the threshold is usually within reach; the tension leads to the one after it."""
    if threshold_minor is None or not plan.total_median_minor:
        return max(0, len(stages) // 2 - 1)
    share = WITHIN_REACH * threshold_minor / plan.total_median_minor
    lines = share * (plan.lines or shop.lines)
    return max(0, min(len(stages) - 2, sum(stage.lines <= lines for stage in stages) - 1))


def _tension_edge(threshold_minor: int | None, number: int, turn: int, stages: int) -> EdgeJson | None:
    """Gives the edge to the tension that a stage's pages may lead to; from the last stage none leads on."""
    if threshold_minor is None or (number > turn and number + 1 >= stages):
        return None
    share, to = (WITHIN_REACH, _REACH) if number <= turn else (NEARLY_THERE, _NEARLY)
    least = round(share * threshold_minor)
    within = BasketTotal(at_least_minor=least, at_most_minor=max(least, threshold_minor - 1))
    return EdgeJson(to=to, when=within)


def _tension_nodes(shown: tuple[BasketTension, ...], turn: int, stages: int) -> dict[str, NodeJson]:
    """Gives the nodes that open the tension; each leads on at once, so that the page changes with it."""
    nodes = {_REACH: NodeJson(experiences=shown, edges=_at_once(turn + 1, stages))}
    if turn + 2 < stages:
        nodes[_NEARLY] = NodeJson(experiences=shown, edges=_at_once(stages - 1, stages))
    return nodes


def _at_once(number: int, stages: int) -> tuple[EdgeJson, ...]:
    return (EdgeJson(to=_hub(number), when=_ALWAYS),) if number < stages else ()
