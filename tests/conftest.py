"""Where every test starts: the real data's place, Chromium's place, and what a missing tool means.

On a developer's machine a test that lacks a tool skips and says how to get it. With `CI` set the same skip is a
failure: there, only tests that need the real data may skip, and only where that data is absent.
"""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from tests.services.given import VARIABLES, Servers, given

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("HOTBASKET_SHARED", CHECKOUT.parent / "shared"))
REAL_DATA = SHARED / "data" / "complete_journey"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What this process was told about the tests themselves; every other HOTBASKET_ variable would change what is tested.
OWN_VARIABLES = frozenset({"HOTBASKET_SHARED", "HOTBASKET_CHROMIUM", *VARIABLES})
SERVERS = given(os.environ)
SLOW_S = 60
"""A guess at what a test marked `slow` may take that has no time-out of its own."""

# A deadline in milliseconds says more about the machine than about the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


def find_chromium() -> str | None:
    """The Chromium to drive: `HOTBASKET_CHROMIUM`, else the first known name on the path, else None."""
    named = os.environ.get("HOTBASKET_CHROMIUM")
    return named or next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds setup.cfg."""
    return CHECKOUT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real baskets; a test that asks for it carries the marker `needs_real_data`."""
    return REAL_DATA


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the Chromium to drive; a test that asks for it carries the marker `browser`."""
    found = find_chromium()
    assert found is not None, "a test that drives Chromium carries the marker `browser`"
    return found


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The servers that this run was given; empty addresses where there are none."""
    return SERVERS


@pytest.fixture(autouse=True)
def hermetic_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell reaches the system under test."""
    for name in tuple(os.environ):
        if name.startswith("HOTBASKET_") and name not in OWN_VARIABLES:
            monkeypatch.delenv(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what can't run here, saying what it needs and how to get it."""
    no_data = pytest.mark.skip(
        reason=f"needs the real baskets in {REAL_DATA}: put them there or set HOTBASKET_SHARED to the folder above data"
    )
    no_chromium = pytest.mark.skip(
        reason="needs Chromium: apt-get install chromium, or set HOTBASKET_CHROMIUM to its executable"
    )
    for item in items:
        if item.get_closest_marker("needs_real_data") and not REAL_DATA.is_dir():
            item.add_marker(no_data)
        if item.get_closest_marker("browser") and find_chromium() is None:
            item.add_marker(no_chromium)
    patience_s: dict[Path, float] = {}
    for item in items:
        patience_s[item.path] = max(patience_s.get(item.path, 0), _patience_s(item))
    items.sort(key=lambda item: -patience_s[item.path])


def _patience_s(item: pytest.Item) -> float:
    """How long a test may take; files that may take longest begin first, or one process would end alone with them."""
    own = item.get_closest_marker("timeout")
    if own is not None:
        return float(own.args[0])
    return SLOW_S if item.get_closest_marker("slow") else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, turn a skip into a failure, unless the test needs real data that is not here."""
    report = yield
    excused = item.get_closest_marker("needs_real_data") is not None and not REAL_DATA.is_dir()
    if "CI" in os.environ and report.skipped and not hasattr(report, "wasxfail") and not excused:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI, turn the skip of a whole file into a failure: it hides tests from the rule above."""
    report = yield
    if "CI" in os.environ and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"whole file skipped, which CI does not allow: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> str:
    match longrepr:
        case (_, _, str(reason)):
            return reason
        case _:
            return str(longrepr)
