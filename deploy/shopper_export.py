"""Everything that the stores hold about one shopper, as one JSON document; each part says how long it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.old_runs import BY_RUN
from deploy.explain import known_of
from deploy.past import Past
from deploy.shopper_history import History, Report, read_history
from domain import shopper as shoppers
from domain.errors import PortError, Refused
from domain.ids import ShopperHash, ShopperKey, shopper_digest
from domain.ports.retailers import Retailer
from domain.ports.tree_store import DEFAULT
from domain.privacy import told
from domain.retention import kept_days
from domain.timestamps import rfc3339
from domain.tree import to_json

Json = dict[str, Any]
ELSEWHERE: Final = (
    "an e-mail address left for a reward, in the vault, under a one-time claim: nothing leads from a shopper to it",
    "copies of these events and decisions in the logs, until their retention is over, and those of the last seconds",
    "what the page was shown in the last minute, in each gateway's memory: a copy of decisions",
    "an older tree, until two newer ones are released: it was made of the same history",
    "budgets: of a promise only its sum is there, beside everybody's; the promise itself is in the state",
    "the record of a draw, which is published: plays by the ids of experiences, which stand in the decisions",
    "earlier exports, sealed: copies of what is in here",
)
"""What is not in a document, and why."""
TOO_MANY_FAILED: Final = "failed events beyond the newest 10,000 of the retailer: hotbasket failed list"
TOO_LARGE: Final = "events, decisions, failed events, history: too many for a kept document; hotbasket privacy export"
_LARGE: Final = ("events", "decisions", "failed_events", "history", "models")
_FAILED_MAX = 10_000
_AUDIT_PAGE = 5_000
_AT_ONCE = 500
_ID_BYTES = 16


class Gathered(NamedTuple):
    """What no store finds by shopper: read once, it serves many documents.

    Attributes:
        failed: failed events by shopper.
        looked_at: who looked at a shopper and when, by the shopper's digest.
        is_whole: whether no failed event is missing.
        at_ms: as of when, Unix milliseconds.
    """

    failed: Mapping[str, Sequence[Json]]
    looked_at: Mapping[str, Sequence[Json]]
    is_whole: bool
    at_ms: int


async def gather(ports: Ports, retailer_id: str, digests: Collection[str], now_ms: int) -> Gathered:
    """Reads what no store finds by shopper.

    Args:
        ports: opened.
        retailer_id: whose shoppers.
        digests: of the shoppers whose documents will be made.
        now_ms: Unix milliseconds.

    Raises:
        PortError: a store can't be read now.
    """
    privacy_key = ports.identity.privacy_key(retailer_id)
    failed: dict[str, list[Json]] = {}
    found = await ports.failed.list(retailer_id, events_max=_FAILED_MAX)
    for one in found:
        if one.shopper and shopper_digest(privacy_key, ShopperHash(one.shopper)) in digests:
            failed.setdefault(one.shopper, []).append(msgspec.to_builtins(one))
    return Gathered(failed, await _audited(ports, retailer_id, digests), len(found) < _FAILED_MAX, now_ms)


async def export(
    ports: Ports,
    retailer: Retailer,
    key: ShopperKey,
    settings: Settings,
    now_ms: int,
    report: Report,
    past: Past,
    gathered: Gathered | None = None,
) -> Json:
    """Reads every store.

    Args:
        ports: opened.
        retailer: whose shopper.
        key: who.
        settings: for how long things are kept.
        now_ms: Unix milliseconds.
        report: told of progress.
        past: what the warehouse holds of the shopper.
        gathered: where many documents are made: what was read for all of them, this shopper included.

    Raises:
        PortError: a store can't be read now; there is no part of an export.
    """
    digest = shopper_digest(ports.identity.privacy_key(key.retailer_id), key.shopper)
    beside = gathered or await gather(ports, retailer.retailer_id, [digest], now_ms)
    history = await _history(ports, key, now_ms, settings.hot_days, report)
    about = await ports.about.about(key.retailer_id, digest)
    hot_days, failed_days = f"{settings.hot_days} days", f"{settings.failed_days} days"
    return {
        "shopper": key.shopper,
        "retailer": retailer.name,
        "made_at": rfc3339(now_ms),
        "state": _part(f"{kept_days(retailer, 'state'):,} days after the last event", await _state(ports, key)),
        "tree": _part("until two newer ones are released", await _tree(ports, key)),
        "events": _part(hot_days, [] if history is None else await _plain(history.records)),
        "decisions": _part(hot_days, [] if history is None else await _decisions(history)),
        "failed_events": _part(failed_days, list(beside.failed.get(key.shopper, ()))),
        **await _past(past, retailer, key),
        "suppressed": _part("until it is taken back", digest in _listed(ports, key)),
        "requests": _part(f"{kept_days(retailer, 'requests'):,} days after it is done", [told(one) for one in about]),
        "looked_at": _part(f"{kept_days(retailer, 'audit'):,} days", list(beside.looked_at.get(digest, ()))),
        "not_in_here": [
            *((past.absent,) if past.absent else ()),
            *ELSEWHERE,
            *(() if beside.is_whole else (TOO_MANY_FAILED,)),
        ],
    }


def slim(document: Json) -> Json:
    """Gives a document without what may be too many, which is then named among what is not in it."""
    less: Json = {name: _part(document[name]["kept"], None) for name in _LARGE if name in document}
    return {**document, **less, "not_in_here": [*document["not_in_here"], TOO_LARGE]}


def _part(kept: str, held: object) -> Json:
    return {"kept": kept, "held": held}


async def _past(past: Past, retailer: Retailer, key: ShopperKey) -> Mapping[str, Json]:
    """Gives the parts that the warehouse holds; none where it could not be read."""
    if past.absent:
        return {}
    told = await asyncio.to_thread(_told_rows, past.tables, key.shopper)
    by_run = {name: rows for name, rows in told.items() if name in BY_RUN}
    by_day = {name: rows for name, rows in told.items() if name not in BY_RUN}
    return {
        "history": _part(f"{kept_days(retailer, 'history'):,} days", by_day),
        "models": _part(f"{kept_days(retailer, 'models'):,} days, the newest nights for longer", by_run),
    }


def _told_rows(tables: Mapping[str, Sequence[Json]], shopper: str) -> Mapping[str, Sequence[Json]]:
    """Gives a shopper's rows as JSON, which takes a thread's time: there may be hundreds of thousands."""
    for row in tables.get("grown_trees", ()):
        row["tree"] = to_json(row["tree"], shopper)
    plain: Mapping[str, Sequence[Json]] = msgspec.to_builtins(tables)
    return plain


async def _state(ports: Ports, key: ShopperKey) -> Json | None:
    """Gives the state as a lookup tells it, and whatever else it remembers, as it stands."""
    payload = (await ports.snapshots.load([key])).get(key)
    if payload is None:
        return None
    try:
        state = shoppers.decode(payload)
    except msgspec.MsgspecError:
        raise PortError("the shopper's state is of another version: upgrade this process", retriable=True) from None
    remembered = msgspec.to_builtins(state)
    # Both are told with their reasons, as a lookup tells them.
    for name in ("decisions", "losers"):
        remembered.pop(name, None)
    ids = (state.seen[first : first + _ID_BYTES] for first in range(0, len(state.seen), _ID_BYTES))
    remembered["seen"] = [str(UUID(bytes=some)) for some in ids]
    return {**await known_of(ports, key, payload), "remembered": remembered}


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


async def _decisions(history: History) -> list[Json]:
    """Gives what was decided, and why, in the order of the events."""
    decided = history.decided
    return await _plain([decided[one.event.event_id] for one in history.records if one.event.event_id in decided])


async def _plain(values: Sequence[object]) -> list[Json]:
    """Gives values as JSON; thousands are not turned at once, since others want their turn on this event loop."""
    plain: list[Json] = []
    for first in range(0, len(values), _AT_ONCE):
        plain += msgspec.to_builtins(values[first : first + _AT_ONCE])
        await asyncio.sleep(0)
    return plain


def _listed(ports: Ports, key: ShopperKey) -> frozenset[str]:
    return ports.privacy.suppressed().digests.get(key.retailer_id, frozenset())


async def _audited(ports: Ports, retailer_id: str, digests: Collection[str]) -> dict[str, list[Json]]:
    """Gives who looked at the shoppers, and when."""
    found: dict[str, list[Json]] = {}
    since_ms, seen = 0, 0
    while True:
        entries = await ports.audit.read(retailer_id, since_ms, _AUDIT_PAGE)
        fresh = entries[seen:]
        for one in fresh:
            if one.target is not None and one.target in digests:
                entry = {"at": rfc3339(one.at_ms), "who": one.who, "action": one.action, "outcome": one.outcome}
                found.setdefault(one.target, []).append(entry)
        if len(entries) < _AUDIT_PAGE or not fresh:
            return found
        since_ms = entries[-1].at_ms
        # The next page begins with those of the last millisecond once more.
        seen = sum(one.at_ms == since_ms for one in entries)
