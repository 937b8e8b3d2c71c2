"""Words as the search condition compares them: what shoppers type and what trees ask for, case and accents folded."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import combining, normalize

_WORD = re.compile(r"[^\W_]+")
# Letters that no Unicode decomposition takes apart, though people type them both ways: œuf, oeuf.
_SPELT_OUT = str.maketrans(
    {"œ": "oe", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ħ": "h", "ı": "i", "ŧ": "t"}
)


def fold(text: str) -> str:
    """Gives the text without case and accents: `Crème BRÛLÉE` → `creme brulee`; folding twice changes nothing."""
    if text.isascii():
        return text.lower()
    decomposed = normalize("NFKD", normalize("NFKC", text).casefold())
    bare = "".join(letter for letter in decomposed if not combining(letter))
    # Taking a letter apart may lay bare another with case; both steps again reach the fixed point.
    return normalize("NFKD", bare.casefold().translate(_SPELT_OUT))


def words(text: str) -> frozenset[str]:
    """Gives the distinct folded words of a text: its runs of letters and digits, so `l'huile d'olive` has four."""
    return frozenset(_WORD.findall(fold(text)))


@lru_cache(maxsize=4_096)
def words_of_term(term: str) -> frozenset[str]:
    """Gives `words(term)`, remembered: terms come from trees and are few; what shoppers type is never kept."""
    return words(term)
