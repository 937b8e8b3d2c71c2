"""Which baskets that were won are owed no more, or less: their orders were cancelled or came back, wholly or in part.

The decisions in the event store tell; they are kept for HOTBASKET_HOT_DAYS, so whoever pays looks at least as often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.archived import DAY_MS, decisions


class Returned(NamedTuple):
    """What came back.

    Attributes:
        gone: experiences that had won, of whose reward nothing is owed any more.
        less_minor: by experience, how much less is owed, in minor units.
    """

    gone: Sequence[str]
    less_minor: Mapping[str, int]


async def returned_rewards(ports: Ports, retailer_id: str) -> Returned:
    """Gives what came back of a retailer's rewards, as far as decisions are kept.

    Raises:
        PortError: the stores can't be read now.
    """
    listed = await ports.campaigns.listed(retailer_id)
    paying = {one.campaign_id for one in listed if one.definition.reward is not None}
    gone: dict[str, None] = {}
    less: dict[str, int] = {}
    if not paying:
        return Returned((), {})
    now_ms = SystemClock().now_ms()
    async for decided in decisions(ports, retailer_id, now_ms - load_settings().hot_days * DAY_MS, now_ms):
        for end in decided.settlements:
            if end.campaign_id not in paying or end.cause not in ("cancelled", "returned"):
                continue
            if end.committed_count < 0:
                gone[end.experience_id] = None
            else:
                less[end.experience_id] = less.get(end.experience_id, 0) - end.committed_minor
    return Returned(tuple(gone), less)
