"""Grows the demo shop's Shopping Experience Trees from tastes; they pass the same door as any pushed tree.

Every tree has the same course: an opening, a first idea for dinner, what goes with it, a second idea, rewards, and a
last reminder. It only ever leads forward; a paid order returns the shopper to the start.

Where a campaign may pay, the node proposes it, one by its id, others as `*`; behind them, last of its slot, stands what
the shop shows without any.
"""

from __future__ import annotations

from typing import Any

from deploy.demo.campaigns import SAUCES
from deploy.demo.tastes import Taste
from domain.campaigns import ANY_CAMPAIGN

Json = dict[str, Any]

PASTA = {
    "kind": "any",
    "of": [
        {"kind": "product", "action": "added", "category_ids": ["pasta"]},
        {"kind": "search", "terms": ["spaghetti sauce", "sauce pates"]},
    ],
}
WINE = {
    "kind": "any",
    "of": [
        {"kind": "product", "action": "added", "category_ids": ["wine"]},
        {"kind": "search", "terms": ["apero", "aperitif"]},
    ],
}
HOT_DRINK = {"kind": "product", "action": "added", "category_ids": ["coffee", "tea"]}
WINE_OR_HOT_DRINK = {"kind": "any", "of": [WINE, HOT_DRINK]}
SAUCE_IN_BASKET = {"kind": "in_basket", "category_ids": ["sauces"], "at_least": 1}
HESITATES = {
    "kind": "all",
    "of": [
        {"kind": "basket_lines", "at_least": 3},
        {
            "kind": "score",
            "bias": -2.0,
            "weights": {"basket_lines": 0.35, "session_page_views": 0.12, "session_removed": 0.6},
            "at_least": 0.5,
        },
    ],
}


def grow(taste: Taste) -> Json:
    """Gives the tree of a taste, as it would be pushed."""
    return {
        "schema_version": 1,
        "shopper": taste.shopper,
        "root": "start",
        "nodes": {**_opening(taste), **_first_idea(taste), **_goes_with_it(taste), **_later(taste)},
    }


def _opening(taste: Taste) -> Json:
    ideas = [
        _edge("sauce", PASTA),
        _edge("cheese", WINE),
        _edge("sweet", HOT_DRINK),
        _edge("filling", {"kind": "basket_total", "at_least_minor": 1_200}),
    ]
    thanks = _edge("thanks", {"kind": "event", "types": ["OrderPaid"]})
    welcome = _edge("welcome", {"kind": "visits", "at_least": 2})
    prize = {"type": "percent", "value": taste.percent}
    return {
        "start": {"edges": [thanks, welcome, *ideas], "after": {"idle_s": 40, "to": "nudge"}},
        "thanks": {
            "experiences": [
                _paid_by(ANY_CAMPAIGN, _game("scratch", taste.favourite, prize, ttl_s=3_600)),
                _game("wheel", taste.favourite, prize),
                _recommend("for your next basket", taste.forgotten),
            ],
            "edges": ideas,
        },
        "welcome": {"experiences": _offers(taste), "edges": ideas},
        "nudge": {
            "experiences": [_recommend("a favourite of yours" if taste.title_en else "a favourite", taste.favourite)],
            "edges": ideas,
        },
    }


def _first_idea(taste: Taste) -> Json:
    tension = {
        "slot": "basket",
        "kind": "basket_tension",
        "ttl_s": 1_800,
        "content": {
            "threshold_minor": taste.threshold_minor,
            "reward": {"type": "amount", "value_minor": taste.reward_minor},
        },
    }
    tensions = [_paid_by(ANY_CAMPAIGN, tension), tension]
    hesitates = _edge("offer", HESITATES)
    pairing = _edge("pairing", SAUCE_IN_BASKET)
    again = [_edge("sauce-2", PASTA), _edge("cheese-2", WINE), _edge("sweet-2", HOT_DRINK)]
    idle = {"idle_s": 45, "to": "offer"}
    last = _last(taste)

    def idea(experiences: list[Json], *edges: Json) -> Json:
        return {"experiences": [*experiences, *tensions], "edges": [*edges, hesitates, *last], "after": idle}

    sauce, cheese, sweet = _ideas(taste)
    return {
        "sauce": idea([*_sauce_offers(taste), sauce], pairing, again[1], again[2]),
        "cheese": idea([_paid_by(ANY_CAMPAIGN, cheese), cheese], again[0], again[2]),
        "sweet": idea([sweet], again[0], again[1]),
        "filling": idea(_sauce_offers(taste), *again),
    }


def _goes_with_it(taste: Taste) -> Json:
    again = [_edge("cheese-2", WINE), _edge("sweet-2", HOT_DRINK)]
    pairing = _recommend("goes with your sauce", *taste.pairing)
    return {
        "pairing": {
            "experiences": [_paid_by(ANY_CAMPAIGN, pairing), pairing],
            "edges": [*again, *_last(taste)],
        },
        "offer": {
            "experiences": _offers(taste),
            "edges": [_edge("sauce-2", PASTA), *again, *_last(taste)],
        },
    }


def _later(taste: Taste) -> Json:
    sauce, cheese, sweet = _ideas(taste)
    encore, treat = _edge("encore", PASTA), _edge("treat", WINE_OR_HOT_DRINK)
    last = _last(taste)
    prize = {"type": "amount", "value_minor": taste.reward_minor}
    treats = _recommend("a treat to share", taste.cheeses[0], taste.sweets[0])
    return {
        "sauce-2": {"experiences": [*_sauce_offers(taste), sauce], "edges": [treat, *last]},
        "cheese-2": {"experiences": [cheese], "edges": [encore, *last]},
        "sweet-2": {"experiences": [sweet], "edges": [encore, *last]},
        "game": {"experiences": [_game(taste.game, taste.favourite, prize)], "edges": [encore, treat, last[1]]},
        "forgotten": {"experiences": [_recommend("did you forget it?", taste.forgotten)], "edges": [encore, treat]},
        "encore": {"experiences": [sauce]},
        "treat": {"experiences": [treats]},
    }


def _ideas(taste: Taste) -> tuple[Json, Json, Json]:
    """What is recommended with pasta, with wine, with coffee or tea."""
    usual, other = taste.sauces
    sauce = _recommend(taste.reason, usual)
    sauce["content"]["products"].append({"product_id": other, "reason": "also good with pasta"})
    return (
        sauce,
        _recommend("good with wine", *taste.cheeses),
        _recommend("good with a hot drink", *taste.sweets),
    )


def _last(taste: Taste) -> list[Json]:
    """The edges to the game and to the reminder."""
    at_checkout = {
        "kind": "all",
        "of": [
            {"kind": "page", "page_kinds": ["checkout"]},
            {"kind": "none", "of": [{"kind": "in_basket", "product_ids": [taste.forgotten]}]},
        ],
    }
    reached = {"kind": "basket_total", "at_least_minor": taste.threshold_minor}
    return [_edge("game", reached), _edge("forgotten", at_checkout)]


def _edge(to: str, when: Json) -> Json:
    return {"to": to, "when": when}


def _recommend(reason: str, *product_ids: str) -> Json:
    products = [{"product_id": product_id, "reason": reason} for product_id in product_ids]
    return {"slot": "main", "kind": "recommendation", "ttl_s": 1_800, "content": {"products": products}}


def _sauce_offers(taste: Taste) -> list[Json]:
    return [
        _paid_by(SAUCES, _promote("chosen for you", 10, *taste.sauces)),
        _paid_by(ANY_CAMPAIGN, _promote("chosen for you", taste.percent, *taste.sauces)),
    ]


def _offers(taste: Taste) -> list[Json]:
    offer = _promote("chosen for you", taste.percent, taste.favourite)
    return [_paid_by(ANY_CAMPAIGN, offer), offer]


def _promote(reason: str, percent: int, *product_ids: str) -> Json:
    return {
        "slot": "offer",
        "kind": "personalised_promotion",
        "ttl_s": 900,
        "content": {
            "products": [{"product_id": product_id, "reason": reason} for product_id in product_ids],
            "generosity": {"type": "percent", "value": percent},
        },
    }


def _paid_by(campaign_id: str, experience: Json) -> Json:
    return {**experience, "campaign_id": campaign_id}


def _game(game: str, product_id: str, prize: Json, ttl_s: int = 900) -> Json:
    return {
        "slot": "game",
        "kind": "gamified_promotion",
        "ttl_s": ttl_s,
        "content": {"game": game, "products": [{"product_id": product_id}], "prize": prize},
    }
