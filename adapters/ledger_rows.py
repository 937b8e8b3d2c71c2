"""How the budget ledger lies in the tables of a control plane, the same in every technology.

Amounts are two columns each, minor units before promises: held (leases less returns of all partitions) in the table
`campaigns`; leased, returned, reserved and committed, in this order, in the table `leases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.campaigns import Budget
from domain.leasing import Account
from domain.ports.budget_ledger import Total
from domain.purse import Amounts, Balance

_Row = Sequence[Any]  # Any: a row has the types of its columns


def account_of(row: _Row) -> Account:
    """Reads whether a campaign is open, its budget in minor units and promises, what is held, and one part of it."""
    is_open, budget_minor, budget_count, *numbers = row
    held, *part = _amounts(numbers)
    return Account(bool(is_open), Budget(money_minor=budget_minor, count=budget_count), held, Balance(*part))


def part_numbers(part: Balance) -> tuple[int, ...]:
    """Gives the eight numbers of a partition's part."""
    return tuple(number for amounts in part for number in amounts)


def total_of(row: _Row) -> Total:
    """Reads a campaign's id, its budget in minor units and promises, what is held, reserved and committed."""
    campaign_id, budget_minor, budget_count, *numbers = row
    leased, reserved, committed = _amounts(numbers)
    return Total(
        campaign_id=campaign_id,
        budget_minor=budget_minor,
        budget_count=budget_count,
        leased=leased,
        reserved=reserved,
        committed=committed,
    )


def _amounts(numbers: Sequence[int]) -> list[Amounts]:
    return [Amounts(minor, count) for minor, count in zip(numbers[::2], numbers[1::2], strict=True)]
