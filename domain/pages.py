"""What kind of page it is, guessed from what other vocabularies say: a name, a category, a path."""

from __future__ import annotations

from typing import Final, get_args

from domain.events import PageKind
from domain.foreign import normalised

_OWN: Final[dict[str, PageKind]] = {kind: kind for kind in get_args(PageKind)}
_SPELLINGS: Final[dict[PageKind, str]] = {
    "home": "homepage, home page, index, index.html, landing, accueil",
    "category": "categories, product list, product listing, products, listing, plp, collection, department, rayon",
    "product": "product detail, product details, product page, item, pdp, produit",
    "search": "search results, search result, searchresults, recherche",
    "basket": "cart, shopping cart, bag, shopping bag, trolley, panier",
    "checkout": "payment, shipping, delivery, paiement, livraison",
    "confirmation": "order confirmation, order complete, order completed, thank you, purchase, merci",
}
_KINDS: Final[dict[str, PageKind]] = {
    **_OWN,
    **{spelling: kind for kind, spellings in _SPELLINGS.items() for spelling in spellings.split(", ")},
}


def page_kind(path: str | None, *hints: str) -> PageKind | None:
    """Guesses what a page is from its name or category, else from the steps of its path; None if nothing tells.

    Args:
        path: without host, or None.
        hints: words as `Fields.word` gives them, the best first.
    """
    for hint in hints:
        if hint in _KINDS:
            return _KINDS[hint]
    if path is None:
        return None
    steps = [normalised(part) for part in path.partition("?")[0].partition("#")[0].split("/") if part]
    if not steps:
        return "home"
    # The last step may be any spelling; before it only our own words are sure enough: /products/x is no list.
    return _KINDS.get(steps[-1]) or next((_OWN[part] for part in steps if part in _OWN), None)


def path_of_url(url: str) -> str:
    """Gives the path of a URL, with what follows it: `https://shop.example/a?b` → `/a?b`."""
    _, scheme, rest = url.partition("://")
    if not scheme:
        return url
    start = next((index for index, character in enumerate(rest) if character in "/?#"), len(rest))
    return rest[start:] if rest[start : start + 1] == "/" else "/" + rest[start:]
