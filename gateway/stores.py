"""What the gateway stands on: the ports it calls and the keys it is trusted with, handed down by an entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from domain.ports.clock import Clock
from domain.ports.event_log import EventLog
from domain.ports.experience_log import ExperienceLog
from domain.ports.retailers import Retailers
from domain.ports.snapshot_store import SnapshotStore
from domain.ports.tree_store import TreeStore
from monitoring.metrics import GatewayMetrics


class Keys(NamedTuple):
    """The secrets of this installation that a gateway needs.

    Attributes:
        subscription: signs subscription tokens, 32 bytes at least; shared by all gateways.
        shopper_key: gives the key under which a retailer's shopper ids are hashed, by retailer id.
    """

    subscription: bytes
    shopper_key: Callable[[str], bytes]


class Stores(NamedTuple):
    """The ports of one gateway.

    Attributes:
        events: where accepted events go; only appended to here.
        experiences: what workers decided; only followed here.
        snapshots, trees: for resumes and lookups; a gateway works without them.
        retailers: who may do what.
    """

    events: EventLog
    experiences: ExperienceLog
    snapshots: SnapshotStore
    trees: TreeStore
    retailers: Retailers
    clock: Clock
    metrics: GatewayMetrics
