"""Time zones by their IANA names, for campaigns and retailers: the system's, else those of the package tzdata."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from domain.errors import PortError, Refused

_OF_ONE_MACHINE: Final = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory")
"""What some systems keep beside the zones, and what means something else on the next machine."""
_UNKNOWN: Final = (KeyError, ValueError, OSError)


def zone_of(name: str) -> tzinfo:
    """Gives a time zone; the same name gives the same object as long as it is in use.

    Raises:
        Refused: there is none of this name.
        PortError: not retriable: this machine has no time zones at all.
    """
    zone = _found(name)
    if zone is not None:
        return zone
    if _found("UTC") is None:
        raise PortError("there are no time zones on this machine: install the Python package tzdata", retriable=False)
    raise Refused(f"{name!r} is no IANA time zone: give a name like Europe/Paris")


def is_zone(name: str) -> bool:
    """Tells whether there is a time zone of this name.

    Raises:
        PortError: not retriable: this machine has no time zones at all.
    """
    try:
        zone_of(name)
    except Refused:
        return False
    return True


def _found(name: str) -> ZoneInfo | None:
    if _OF_ONE_MACHINE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except _UNKNOWN:
        return None
