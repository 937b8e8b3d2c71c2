"""A campaign's id: what people choose, or what is made from its name."""

from __future__ import annotations

from domain.campaigns import ANY_CAMPAIGN
from domain.every_fault import read, shown
from domain.ids import Identifier
from domain.text import fold

_PATH = "$.campaign_id"
_FROM_NAME_MAX = 40
_STEPS = (".", "..")
"""What browsers and programs take out of an address, however it is written."""


def made_id(name: str, suffix: str) -> str:
    """Gives an id that people recognise: `Crème brûlée!` and `3f2a` make `creme-brulee-3f2a`.

    Args:
        name: of the campaign.
        suffix: letters and digits that no other campaign of the retailer has; drawn by the caller.
    """
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in fold(name))
    return "-".join(["-".join(letters.split())[:_FROM_NAME_MAX].strip("-") or "campaign", suffix])


def read_id(value: object, faults: list[str]) -> str | None:
    """Gives the id that somebody chose, None with a fault where it can't be one."""
    campaign_id: str | None = read(value, Identifier, _PATH, {}, faults)
    if campaign_id is None:
        return None
    if campaign_id == ANY_CAMPAIGN:
        faults.append(f'{_PATH}: "{ANY_CAMPAIGN}" stands for any campaign, choose another id')
    elif campaign_id in _STEPS:
        faults.append(f"{_PATH}: {shown(campaign_id)} is a step in an address, choose another id")
    elif not campaign_id.isprintable():
        faults.append(f"{_PATH}: an identifier has printable characters alone, found {shown(campaign_id)}")
    else:
        return campaign_id
    return None
