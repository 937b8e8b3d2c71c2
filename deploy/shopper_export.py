"""Everything that the stores hold about one shopper, as one JSON document; each part says how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from batch.shopper_table import LibraryMissing
from deploy.explain import known_of
from deploy.shopper_history import History, Report, read_history
from domain.errors import Refused
from domain.ids import ShopperKey, shopper_digest
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.timestamps import rfc3339
from domain.tree import to_json

Json = dict[str, Any]
ELSEWHERE: Final = ("an e-mail address left for a reward, in the vault: nothing leads from a shopper to it",)
"""What no store of the system can tell."""
_PAST: Final = "the history that the night learns from, in the warehouse: events, orders and what follows, by this hash"
KEPT_DAYS: Final = 1_095
"""Of a snapshot, wherever it is: no retailer may keep one for longer."""
_FAILED_MAX = 10_000
_AUDIT_PAGE = 5_000


async def export(
    ports: Ports,
    retailer: Retailer,
    key: ShopperKey,
    settings: Settings,
    now_ms: int,
    report: Report,
    warehouse: WarehouseData | None,
) -> Json:
    """Reads every store.

    Args:
        ports: opened for a command.
        retailer: whose shopper.
        key: who.
        settings: for how long things are kept.
        now_ms: Unix milliseconds.
        report: told of progress.
        warehouse: None = nothing says where it is, which the export says.

    Raises:
        PortError: a store can't be read now; there is no part of an export.
    """
    state = (await ports.snapshots.load([key])).get(key)
    tree = await _tree(ports, key)
    history = await _history(ports, key, now_ms, settings.hot_days, report)
    failed = await ports.failed.list(retailer.retailer_id, events_max=_FAILED_MAX)
    digest = shopper_digest(ports.identity.privacy_key(key.retailer_id), key.shopper)
    elsewhere, past = await _past(warehouse, retailer, key)
    hot_days, failed_days = f"{settings.hot_days} days", f"{settings.failed_days} days"
    return {
        "shopper": key.shopper,
        "retailer": retailer.name,
        "made_at": rfc3339(now_ms),
        "state": _part(
            f"{KEPT_DAYS:,} days after the last event at most",
            None if state is None else await known_of(ports, key, state),
        ),
        "tree": _part("until two newer ones are released", tree),
        "events": _part(hot_days, [] if history is None else msgspec.to_builtins(history.records)),
        "decisions": _part(hot_days, [] if history is None else _decisions(history)),
        "failed_events": _part(failed_days, [msgspec.to_builtins(one) for one in failed if one.shopper == key.shopper]),
        **past,
        "suppressed": _part("until it is taken back", digest in _listed(ports, key)),
        "looked_at": _part("for good", await _audited(ports, key.retailer_id, digest)),
        "not_in_here": [*elsewhere, *ELSEWHERE],
    }


def _part(kept: str, held: object) -> Json:
    return {"kept": kept, "held": held}


async def _past(
    warehouse: WarehouseData | None, retailer: Retailer, key: ShopperKey
) -> tuple[Sequence[str], Mapping[str, Json]]:
    """Gives what the warehouse holds, or the sentence that says why it is not in the export."""
    if warehouse is None:
        return [f"{_PAST}: HOTBASKET_WAREHOUSE does not say where it is"], {}
    try:
        tables = await warehouse.rows(key)
    except LibraryMissing as error:
        return [f"{_PAST}: {error}"], {}
    for row in tables.get("grown_trees", ()):
        row["tree"] = to_json(row["tree"], key.shopper)
    return [], {"history": _part(f"{retailer.retention_days:,} days", msgspec.to_builtins(tables))}


async def _tree(ports: Ports, key: ShopperKey) -> Json | None:
    """Gives the shopper's own tree; the retailer's default is nobody's."""
    default = ShopperKey(key.retailer_id, DEFAULT)
    found = await ports.trees.load([key, default])
    own = found.get(key)
    if own is None or (default in found and found[default].blob == own.blob):
        return None
    return {"generation": own.generation, **to_json(own.blob, key.shopper)}


async def _history(ports: Ports, key: ShopperKey, now_ms: int, days: int, report: Report) -> History | None:
    try:
        return await read_history(ports.archive, key, now_ms, days, report)
    except Refused:
        return None  # nothing was archived yet, of anybody


def _decisions(history: History) -> list[Json]:
    """Gives what was decided, and why, in the order of the events."""
    told = [history.decided[one.event.event_id] for one in history.records if one.event.event_id in history.decided]
    return [msgspec.to_builtins(one) for one in told]


def _listed(ports: Ports, key: ShopperKey) -> frozenset[str]:
    return ports.privacy.suppressed().digests.get(key.retailer_id, frozenset())


async def _audited(ports: Ports, retailer_id: str, digest: str) -> list[Json]:
    """Gives who looked at the shopper, and when."""
    found: list[Json] = []
    since_ms, seen = 0, 0
    while True:
        entries = await ports.audit.read(retailer_id, since_ms, _AUDIT_PAGE)
        fresh = entries[seen:]
        found += [
            {"at": rfc3339(one.at_ms), "who": one.who, "action": one.action, "outcome": one.outcome}
            for one in fresh
            if one.target == digest
        ]
        if len(entries) < _AUDIT_PAGE or not fresh:
            return found
        since_ms = entries[-1].at_ms
        # The next page begins with those of the last millisecond once more.
        seen = sum(one.at_ms == since_ms for one in entries)
