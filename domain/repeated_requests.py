"""Privacy requests that come again, stages that never go back, and the list that follows; every adapter asks here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, get_args

from msgspec.structs import replace

from domain.errors import Refused
from domain.ports.privacy_requests import Request, Stage, Subject, Suppressed

SUBJECTS_MAX: Final = 5_000
"""Shoppers of one request."""
_STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


class Stored(NamedTuple):
    """A request as it stands, and the fingerprint of its shoppers."""

    request: Request
    fingerprint: str


class ListChange(NamedTuple):
    """One shopper of a request, as the list follows it.

    Attributes:
        version: of the list that came with the request.
        retailer_id: whose shopper.
        digest: how the shopper is named.
        is_listed: whether the shopper is on the list now, which may be later than that version.
    """

    version: int
    retailer_id: str
    digest: str
    is_listed: bool


def fingerprint(subjects: Sequence[Subject]) -> str:
    """Gives the same text for the same shoppers in any order: SHA-256 (hex) of their sorted digests.

    Raises:
        Refused: there are none, too many, or one stands there twice.
    """
    if not 1 <= len(subjects) <= SUBJECTS_MAX:
        raise Refused(f"a request is about 1 to {SUBJECTS_MAX} shoppers, this one about {len(subjects)}: split it")
    digests = sorted({subject.digest for subject in subjects})
    if len(digests) < len(subjects):
        raise Refused("a shopper stands in the request twice: name each once")
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def repeated(request: Request, shoppers: str, same_id: Stored | None, alike: Request | None) -> Request | None:
    """Gives the request that stands in for one that came again, None where it is new.

    Args:
        request: that is asked for.
        shoppers: the fingerprint of its shoppers.
        same_id: the one that has its id.
        alike: one that is not done, of its retailer and kind and about the same shoppers, and whose change of the list
            nobody took back.

    Raises:
        Refused: the id is another request's.
    """
    if same_id is None:
        return alike
    found = same_id.request
    if (found.retailer_id, found.kind, same_id.fingerprint) != (request.retailer_id, request.kind, shoppers):
        raise Refused(f"another request has the id {request.request_id}: choose a new one")
    return found


def as_opened(request: Request, shoppers: int, list_version: int) -> Request:
    """Gives a new request as it stands once it is durable; an export changes no list, and begins at the stores."""
    first: Stage = "log"
    if request.kind == "export":
        first, list_version = "stores", 0
    return replace(request, shoppers=shoppers, list_version=list_version, stage=first, stage_at_ms=request.opened_at_ms)


def before(stage: Stage) -> tuple[Stage, ...]:
    """Gives the stages from which a request may come to this one."""
    return _STAGES[: _STAGES.index(stage)]


def followed(held: Suppressed, version: int, changes: Iterable[ListChange]) -> Suppressed | None:
    """Gives a later list, made from one that is held, since 100,000 digests need not be read for each new one.

    Args:
        held: the list of before.
        version: of the list that is asked for.
        changes: of the requests after the one and up to the other, by version.

    Returns:
        None where something but a request changed it, or it is not a later one: then it has to be read whole.
    """
    versions: set[int] = set()
    last: dict[str, dict[str, bool]] = {}
    for change in changes:
        versions.add(change.version)
        last.setdefault(change.retailer_id, {})[change.digest] = change.is_listed
    if len(versions) != version - held.version:
        return None
    digests = dict(held.digests)
    for retailer_id, changed in last.items():
        added = {digest for digest, is_listed in changed.items() if is_listed}
        digests[retailer_id] = _changed(digests.get(retailer_id, frozenset()), added, changed.keys() - added)
    return Suppressed(version, {retailer_id: some for retailer_id, some in digests.items() if some})


def _changed(digests: frozenset[str], added: AbstractSet[str], removed: AbstractSet[str]) -> frozenset[str]:
    """Copies no more often than it must: each copy of 100,000 takes milliseconds of an event loop."""
    if removed:
        digests -= removed
    return digests | added if added else digests
