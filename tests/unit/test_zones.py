"""Time zones: which names are zones, and what a machine without any says."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.zones import is_zone, zone_of
from domain.errors import PortError, Refused


@pytest.fixture
def systems_zones_are_missing() -> Iterator[None]:
    """A machine as small container images are: without a zone of its own."""
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


def test_a_zone_knows_summer() -> None:
    """Paris is two hours ahead of UTC in July."""
    assert timedelta(hours=2) == datetime(2026, 7, 1, tzinfo=UTC).astimezone(zone_of("Europe/Paris")).utcoffset()


NO_NAMES = [
    "",
    "Mars/Base",
    "Europe",
    "europe/paris/",
    "../../etc/passwd",
    "/etc/localtime",
    "a\0b",
    "x" * 2_000,
    "\ud800",
]
OF_ONE_MACHINE = ["right/Europe/Paris", "posix/UTC", "localtime", "posixrules", "Factory"]


@pytest.mark.parametrize("name", [*NO_NAMES, *OF_ONE_MACHINE])
def test_what_is_no_zone(name: str) -> None:
    """Whatever is no name, leads out of the folder, or means something else elsewhere is refused in one way."""
    assert not is_zone(name)
    with pytest.raises(Refused, match="is no IANA time zone: give a name like Europe/Paris"):
        zone_of(name)


@pytest.mark.usefixtures("systems_zones_are_missing")
def test_the_package_stands_in_for_the_system() -> None:
    """A machine without zones of its own takes those that are installed with hotbasket."""
    assert is_zone("Europe/Paris")
    assert not is_zone("Mars/Base")


@pytest.mark.usefixtures("systems_zones_are_missing")
def test_a_machine_without_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package too, it is not the name that is blamed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    with pytest.raises(PortError, match="install the Python package tzdata") as caught:
        is_zone("Europe/Paris")
    assert not caught.value.retriable
