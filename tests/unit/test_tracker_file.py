"""The browser files as files: small enough for every page, and nothing in them that a strict CSP refuses."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from domain.money import DEFAULT_EXPONENT, EXPONENTS
from gateway.scripts import FILES, whole

STATIC = Path(__file__).resolve().parents[2] / "gateway" / "static"
GZIP_BYTES_MAX = {"tracker.js": 8 * 1024, "widgets.js": 13 * 1024, "widgets.css": 3 * 1024}
LINE_MAX = 120
LINES_MAX = 400
FILES_ALL = sorted(path.name for path in STATIC.iterdir())
SCRIPTS = [name for name in FILES_ALL if name.endswith(".js")]
WIDGETS = [name for name in FILES_ALL if name.startswith("widgets")]
# Code made from text, styles set in markup, markup made from text: each needs an exception in the policy.
REFUSED = (
    r"\beval\s*\(",
    r"\bnew Function\b",
    r"\bset(?:Timeout|Interval)\(\s*['\"`]",
    r"\binnerHTML\b",
    r"\bouterHTML\b",
    r"\binsertAdjacentHTML\b",
    r"\bdocument\.write\b",
    r"setAttribute\(\s*['\"](?:style|on\w+)",
    r"\.cssText\b",
    r"createElement\(\s*['\"](?:script|style)",
    r"javascript:",
)
API = ("init", "identify", "reset", "track", "consent", "on")


def source(name: str) -> str:
    """The text of a browser file."""
    return (STATIC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(GZIP_BYTES_MAX))
def test_what_pages_load_is_small(name: str) -> None:
    """With gzip the tracker is at most 8 KB, the widgets are at most 13, their looks 3."""
    assert len(gzip.compress(whole(name), 9)) <= GZIP_BYTES_MAX[name]


def test_every_file_is_served_once() -> None:
    """Each file of the folder is a part of one thing that pages load."""
    assert FILES_ALL == sorted(part for parts in FILES.values() for part in parts)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_part_of_the_widgets_is_short(name: str) -> None:
    """No part of the widgets is longer than 400 lines."""
    assert len(source(name).splitlines()) <= LINES_MAX


def test_widgets_know_minor_units() -> None:
    """The decimals that widgets.js knows are those of the domain: what `Intl` shows is not what a minor unit is."""
    (table,) = re.findall(r"const DECIMALS = \{(.*?)\};", source("widgets_say.js"), flags=re.DOTALL)
    known = {code: int(decimals) for code, decimals in re.findall(r"([A-Z]{3}): (\d)", table)}
    assert {code: exponent for code, exponent in EXPONENTS.items() if exponent != DEFAULT_EXPONENT} == known


def test_both_languages_say_everything() -> None:
    """English and French have the same words, with the same gaps in them."""
    said = re.findall(r"words\(\{(.*?)\n  \}, '(\w+)'\)", source("widgets_words.js"), flags=re.DOTALL)
    gaps = {
        language: {
            key: sorted(re.findall(r"\{\w+\}", text))
            for key, text in re.findall(r"^    (\w+): '(.*)',$", words, re.MULTILINE)
        }
        for words, language in said
    }
    assert {"en", "fr"} == set(gaps)
    assert gaps["en"] == gaps["fr"]
    used = {key for name in WIDGETS for key in re.findall(r"\b(?:text|say)\('(\w+)'", source(name))}
    assert len(used) > 20
    assert set() == used - set(gaps["en"])


def test_the_manual_names_what_may_be_changed() -> None:
    """Every custom property, every class that has looks, and every word stands in docs/widgets.md."""
    manual = set(re.findall(r"[\w-]+", (STATIC.parents[1] / "docs" / "widgets.md").read_text(encoding="utf-8")))
    looks = whole("widgets.css").decode()
    properties = set(re.findall(r"--hotbasket-[\w-]+", looks))
    classes = set(re.findall(r"\.hotbasket-([\w-]+)", looks))
    words = set(re.findall(r"^    (\w+): '", source("widgets_words.js"), re.MULTILINE))
    assert len(properties) > 10
    assert len(classes) > 30
    assert len(words) > 30
    assert set() == (properties | classes | words) - manual


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("pattern", REFUSED)
def test_nothing_needs_an_exception_from_a_strict_policy(name: str, pattern: str) -> None:
    """No script makes code from text, markup from text, or inline style."""
    assert [] == re.findall(pattern, source(name))


@pytest.mark.parametrize("name", FILES_ALL)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    """The files name no other address (a namespace is none) and import nothing."""
    text = source(name).replace("http://www.w3.org/2000/svg", "")
    assert [] == re.findall(r"https?://|@import|\bimport\b|\brequire\(", text)


@pytest.mark.parametrize("name", FILES_ALL)
def test_lines_fit(name: str) -> None:
    """Browser files keep the line length of the rest of the code."""
    assert [] == [line for line in source(name).splitlines() if len(line) > LINE_MAX or line != line.rstrip()]


def test_the_tracker_offers_its_api() -> None:
    """The page's object has the six calls of the protocol's last chapter, and no other."""
    (offered,) = re.findall(r"window\.hotbasket = \{(.*?)\};", source("tracker.js"))
    assert API == tuple(offered.split(", "))
