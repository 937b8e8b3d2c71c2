"""The browser files as files: small enough for every page, and nothing in them that a strict CSP refuses."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "gateway" / "static"
TRACKER_GZIP_BYTES_MAX = 8 * 1024
LINE_MAX = 120
SCRIPTS = ("tracker.js", "widgets.js")
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


def test_the_tracker_is_small() -> None:
    """With gzip the tracker is at most 8 KB."""
    assert len(gzip.compress(source("tracker.js").encode(), 9)) <= TRACKER_GZIP_BYTES_MAX


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("pattern", REFUSED)
def test_nothing_needs_an_exception_from_a_strict_policy(name: str, pattern: str) -> None:
    """No script makes code from text, markup from text, or inline style."""
    assert [] == re.findall(pattern, source(name))


@pytest.mark.parametrize("name", [*SCRIPTS, "widgets.css"])
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    """The files name no other address and import nothing."""
    assert [] == re.findall(r"https?://|@import|\bimport\b|\brequire\(", source(name))


@pytest.mark.parametrize("name", [*SCRIPTS, "widgets.css"])
def test_lines_fit(name: str) -> None:
    """Browser files keep the line length of the rest of the code."""
    assert [] == [line for line in source(name).splitlines() if len(line) > LINE_MAX or line != line.rstrip()]


def test_the_tracker_offers_its_api() -> None:
    """The page's object has the six calls of the protocol's last chapter, and no other."""
    (offered,) = re.findall(r"window\.hotbasket = \{(.*?)\};", source("tracker.js"))
    assert API == tuple(offered.split(", "))
