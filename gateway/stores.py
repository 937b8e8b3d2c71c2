"""What the gateway stands on: the ports it calls and the keys it is trusted with, handed down by an entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapters.vault_keys import ClaimKeys
from domain.ports.audit_trail import AuditTrail
from domain.ports.budget_ledger import BudgetLedger
from domain.ports.campaigns import Campaigns
from domain.ports.clock import Clock
from domain.ports.erasures import Erasures
from domain.ports.event_log import EventLog
from domain.ports.experience_log import ExperienceLog
from domain.ports.exports import Exports
from domain.ports.privacy_requests import GatewayWords, PrivacyRequests
from domain.ports.retailers import Retailers
from domain.ports.reward_vault import RewardVault
from domain.ports.snapshot_store import SnapshotStore
from domain.ports.tree_store import TreeStore
from monitoring.metrics import GatewayMetrics


class Keys(NamedTuple):
    """The secrets of this installation that a gateway needs.

    Attributes:
        subscription: signs subscription tokens, 32 bytes at least; shared by all gateways.
        shopper_key: gives the key under which a retailer's shopper ids are hashed, by retailer id.
        claims: sign claim tokens; None where there is no vault.
        privacy_key: gives the key under which the audit trail and privacy requests name a retailer's shoppers, by
            retailer id; None where there is neither.
    """

    subscription: bytes
    shopper_key: Callable[[str], bytes]
    claims: ClaimKeys | None = None
    privacy_key: Callable[[str], bytes] | None = None


class Stores(NamedTuple):
    """The ports of one gateway.

    Attributes:
        events: where accepted events go; only appended to here.
        experiences: what workers decided; only followed here.
        snapshots, trees: for resumes and lookups; a gateway works without them.
        retailers: who may do what.
        vault: where winners' e-mail addresses go; None = this installation pays no rewards.
        campaigns, ledger: what marketing people run, and what is left of its budgets; None = no route leads there.
        audit: keeps who looked at shoppers and changed campaigns; None = what would have to be kept there is refused.
        privacy, words, erasures, exports: requests about shoppers' data, what this gateway says of them, what stores
            said of erasures, and the documents that were made; None = no route leads there, and nobody is suppressed.
    """

    events: EventLog
    experiences: ExperienceLog
    snapshots: SnapshotStore
    trees: TreeStore
    retailers: Retailers
    clock: Clock
    metrics: GatewayMetrics
    vault: RewardVault | None = None
    campaigns: Campaigns | None = None
    ledger: BudgetLedger | None = None
    audit: AuditTrail | None = None
    privacy: PrivacyRequests | None = None
    words: GatewayWords | None = None
    erasures: Erasures | None = None
    exports: Exports | None = None
