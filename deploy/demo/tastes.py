"""The demo shop's personas: technical shopper ids with a habit each, from which `trees.py` grows personal trees."""

from __future__ import annotations

from msgspec import Struct

from domain.ports.tree_store import DEFAULT


class Taste(Struct, frozen=True, kw_only=True):
    """What one shopper usually does, as the cold half would have learned it.

    Attributes:
        shopper: the raw shopper id, or `default`.
        title_fr, title_en: as the page lets the visitor choose; empty for the default.
        sauces: with pasta, the usual one first.
        pairing: with that sauce.
        cheeses: with wine.
        sweets: with coffee or tea.
        favourite: what a personal offer is about, and how many percent it takes off.
        forgotten: what is usually in the basket at the checkout.
        threshold_minor: of the basket tension and the game, a little above the usual basket.
        reward_minor: off the basket at the threshold.
        game: which one this shopper likes.
        reason: why a sauce is recommended.
    """

    shopper: str
    title_fr: str
    title_en: str
    sauces: tuple[str, str]
    pairing: tuple[str, str]
    cheeses: tuple[str, str]
    sweets: tuple[str, str]
    favourite: str
    percent: int
    forgotten: str
    threshold_minor: int
    reward_minor: int
    game: str
    reason: str = "your usual with pasta"


PERSONAS = (
    Taste(
        shopper="demo-1",
        title_fr="Client A – adepte du pesto",
        title_en="Shopper A – pesto lover",
        sauces=("pesto-basil", "tomato-basil-sauce"),
        pairing=("parmesan", "fresh-basil"),
        cheeses=("goat-cheese", "seeded-crackers"),
        sweets=("almond-biscotti", "dark-chocolate"),
        favourite="olive-oil",
        percent=15,
        forgotten="garlic",
        threshold_minor=3_500,
        reward_minor=300,
        game="scratch",
    ),
    Taste(
        shopper="demo-2",
        title_fr="Client B – toujours arrabbiata",
        title_en="Shopper B – always arrabbiata",
        sauces=("arrabbiata", "chopped-tomatoes"),
        pairing=("mozzarella", "oregano"),
        cheeses=("parmesan", "saucisson"),
        sweets=("chocolate-cookies", "hazelnut-chocolate"),
        favourite="chianti",
        percent=10,
        forgotten="sparkling-water",
        threshold_minor=4_000,
        reward_minor=400,
        game="wheel",
    ),
    Taste(
        shopper="demo-3",
        title_fr="Client C – cuisine végétale",
        title_en="Shopper C – plant-based cook",
        sauces=("lentil-bolognese", "tapenade"),
        pairing=("fresh-basil", "red-lentils"),
        cheeses=("almond-cheese", "grapes"),
        sweets=("oat-biscuits", "oat-drink"),
        favourite="veggie-burgers",
        percent=20,
        forgotten="oat-drink",
        threshold_minor=3_000,
        reward_minor=250,
        game="scratch",
    ),
    Taste(
        shopper="demo-4",
        title_fr="Client D – crème et cèpes",
        title_en="Shopper D – cream and porcini",
        sauces=("mushroom-cream", "mascarpone"),
        pairing=("mushrooms", "parmesan"),
        cheeses=("comte", "walnut-oil"),
        sweets=("butter-biscuits", "chocolate-truffles"),
        favourite="comte",
        percent=15,
        forgotten="butter",
        threshold_minor=4_500,
        reward_minor=500,
        game="wheel",
    ),
    Taste(
        shopper="demo-5",
        title_fr="Client E – saveurs de la mer",
        title_en="Shopper E – from the sea",
        sauces=("lemon-clam", "prawns"),
        pairing=("mussels", "lemons"),
        cheeses=("brie", "smoked-salmon"),
        sweets=("lemon-madeleines", "vanilla-ice-cream"),
        favourite="salmon",
        percent=12,
        forgotten="lemons",
        threshold_minor=5_000,
        reward_minor=500,
        game="scratch",
    ),
)

EVERYBODY = Taste(
    shopper=DEFAULT,
    title_fr="",
    title_en="",
    sauces=("tomato-basil-sauce", "arrabbiata"),
    pairing=("parmesan", "fresh-basil"),
    cheeses=("brie", "green-olives"),
    sweets=("butter-biscuits", "milk-chocolate"),
    favourite="croissants",
    percent=10,
    forgotten="milk",
    threshold_minor=4_000,
    reward_minor=300,
    game="wheel",
    reason="popular with pasta",
)
"""Whoever has no tree of their own: what most shoppers do."""
