"""Campaigns as people and programs see them: one form for the gateway's answers and for `hotbasket campaign --json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from msgspec import structs

from domain.campaign_openings import openings
from domain.campaign_rules import EARLIEST, LATEST
from domain.campaigns import Budget, Campaign, Change, Definition
from domain.campaigns_in_force import InForce
from domain.ports.budget_ledger import Total
from domain.purse import Amounts
from domain.timestamps import read_rfc3339, rfc3339, unix_ms

WEEK_MS = 7 * 86_400_000
SHOWN_MAX = 20
"""Campaigns of a week to come that are named."""
_NO_TOTAL = Total(
    campaign_id="", budget_minor=None, budget_count=None, leased=Amounts(), reserved=Amounts(), committed=Amounts()
)


def read_now(text: str) -> int | None:
    """Reads a moment at which campaigns are to be looked at, RFC 3339 with zone, in Unix milliseconds.

    Returns:
        None if it is none, or in a year in which no campaign can be.
    """
    moment = read_rfc3339(text)
    return None if moment is None or not EARLIEST <= moment < LATEST else unix_ms(moment)


def seen(campaign: Campaign, now_ms: int, total: Total | None) -> dict[str, Any]:
    """Gives a campaign: id, version and its fields as people write them, and under `status` what became of it.

    Args:
        campaign: any version.
        now_ms: at which its stage is told, Unix milliseconds.
        total: of its budget; None = the ledger has none yet.
    """
    status = {
        "state": campaign.state,
        "stage": campaign.stage(now_ms),
        "as_of": rfc3339(now_ms),
        "changed_at": rfc3339(campaign.changed_at_ms),
        **totals(campaign.definition, total),
    }
    return {
        "campaign_id": campaign.campaign_id,
        "version": campaign.version,
        **_fields(campaign.definition),
        "status": status,
    }


def in_list(campaign: Campaign, now_ms: int, total: Total | None) -> dict[str, Any]:
    """Gives a campaign in few words."""
    definition = campaign.definition
    return {
        "campaign_id": campaign.campaign_id,
        "name": definition.name,
        "kind": definition.kind,
        "stage": campaign.stage(now_ms),
        "version": campaign.version,
        "starts_at": rfc3339(definition.starts_at_ms),
        "ends_at": rfc3339(definition.ends_at_ms),
        **totals(definition, total),
    }


def totals(definition: Definition, total: Total | None) -> dict[str, Any]:
    """Gives a budget and what has become of it, in minor units and promises; a budget of null is not limited."""
    of = total or _NO_TOTAL
    budget = definition.budget or Budget()
    return {
        "budget_minor": budget.money_minor,
        "budget_count": budget.count,
        "leased_minor": of.leased.minor,
        "leased_count": of.leased.promises,
        "reserved_minor": of.reserved.minor,
        "reserved_count": of.reserved.promises,
        "committed_minor": of.committed.minor,
        "committed_count": of.committed.promises,
    }


def told(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Gives a history, oldest first; `changed` has the first version's fields, then those that changed.

    A field that was taken away is null.
    """
    lines: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for change in changes:
        fields = _fields(change.campaign.definition)
        names = [name for name in (*before, *fields) if before.get(name) != fields.get(name)]
        lines.append(
            {
                "version": change.campaign.version,
                "action": change.action,
                "by": change.by,
                "at": rfc3339(change.campaign.changed_at_ms),
                "state": change.campaign.state,
                "changed": {name: fields.get(name) for name in dict.fromkeys(names)},
            }
        )
        before = fields
    return lines


def week_of(
    campaign: Campaign, others: Sequence[Campaign], now_ms: int, zone_of: Callable[[str], tzinfo], zone: str
) -> list[dict[str, Any]]:
    """Gives who is open when in the seven days to come, were this campaign scheduled: those of its kind, first to win.

    Args:
        campaign: in whatever state.
        others: of the same retailer, that are in force; this one among them counts once.
        now_ms: from when on, Unix milliseconds.
        zone_of: gives a time zone by its IANA name.
        zone: the retailer's own.
    """
    same_kind = [
        other
        for other in others
        if other.campaign_id != campaign.campaign_id and other.definition.kind == campaign.definition.kind
    ]
    week = InForce([*same_kind, structs.replace(campaign, state="scheduled")], {}, zone_of, zone)
    told_of: list[dict[str, Any]] = []
    for offer, table in week.timetables:
        spans = openings(table, now_ms, now_ms + WEEK_MS)
        is_this = offer.key.campaign_id == campaign.campaign_id
        if is_this or (spans and len(told_of) < SHOWN_MAX):
            told_of.append(
                {
                    "campaign_id": offer.key.campaign_id,
                    "is_this": is_this,
                    "priority": offer.definition.priority,
                    "open": [{"from": rfc3339(span.from_ms), "until": rfc3339(span.until_ms)} for span in spans],
                }
            )
    return told_of


def _fields(definition: Definition) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(definition)
    return fields
