"""How privacy requests and the list of suppressed shoppers lie in the tables of a control plane.

SQLite and Postgres are asked in the same words; only a parameter is written `?` here and `%s` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

import msgspec

from domain.errors import PortError
from domain.ports.privacy_requests import Request
from domain.repeated_requests import Stored

SUBJECT: Final = "suppressed"
"""In the table of versions. Each new request raises it by one, and has what it was raised to."""

ADD_REQUEST: LiteralString = (
    "INSERT INTO privacy_requests (request_id, retailer_id, kind, opened_at_ms, due_at_ms, shoppers, list_version,"
    " stage, stage_at_ms, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_REQUESTS: LiteralString = (
    "SELECT request_id, retailer_id, kind, opened_at_ms, due_at_ms, shoppers, list_version, stage, stage_at_ms,"
    " fingerprint FROM privacy_requests AS found"
)
REQUEST: LiteralString = _REQUESTS + " WHERE request_id = ?"
# No later one of the other kind is about one of its shoppers, whether or not another changed the list back since. An
# export changes none (its list version is 0), so nobody takes it back.
# The requests are looked for first: mostly there are none, and each has thousands of shoppers.
_STILL_STANDS: LiteralString = (
    " AND NOT (found.kind <> 'export' AND EXISTS (SELECT 1 FROM privacy_requests AS later"
    " WHERE later.list_version > found.list_version AND later.retailer_id = found.retailer_id"
    " AND later.kind <> found.kind AND EXISTS (SELECT 1 FROM privacy_subjects AS ours"
    " JOIN privacy_subjects AS theirs ON theirs.digest = ours.digest AND theirs.request_id = later.request_id"
    " WHERE ours.request_id = found.request_id)))"
)
ALIKE: LiteralString = (
    _REQUESTS
    + " WHERE retailer_id = ? AND kind = ? AND fingerprint = ? AND stage <> 'done'"
    + _STILL_STANDS
    + " ORDER BY list_version DESC LIMIT 1"
)
PENDING: LiteralString = _REQUESTS + " WHERE stage <> 'done' ORDER BY list_version, opened_at_ms, request_id"
_OF_A_SHOPPER: LiteralString = (
    " WHERE retailer_id = ? AND request_id IN (SELECT request_id FROM privacy_subjects WHERE digest = ?)"
)
ABOUT: LiteralString = _REQUESTS + _OF_A_SHOPPER + " ORDER BY opened_at_ms, request_id"
SUBJECTS: LiteralString = "SELECT digest, sealed FROM privacy_subjects WHERE request_id = ? ORDER BY digest"
ADVANCE: LiteralString = "UPDATE privacy_requests SET stage = ?, stage_at_ms = ? WHERE request_id = ? AND stage = ?"
FORGET_SEALS: LiteralString = "UPDATE privacy_subjects SET sealed = ? WHERE request_id = ?"
SUPPRESS: LiteralString = (
    "INSERT INTO suppressed (retailer_id, digest)"
    " SELECT retailer_id, digest FROM privacy_requests JOIN privacy_subjects USING (request_id) WHERE request_id = ?"
    " ON CONFLICT DO NOTHING"
)
# Who is being erased stays on it until that is done.
_IS_BEING_ERASED: LiteralString = (
    "EXISTS (SELECT 1 FROM privacy_subjects JOIN privacy_requests USING (request_id)"
    " WHERE privacy_subjects.digest = suppressed.digest AND privacy_requests.retailer_id = suppressed.retailer_id"
    " AND kind IN ('erase', 'erase_and_suppress') AND stage <> 'done')"
)
_LAST_SAID: LiteralString = (
    "COALESCE((SELECT kind FROM privacy_subjects JOIN privacy_requests USING (request_id)"
    " WHERE privacy_subjects.digest = suppressed.digest AND privacy_requests.retailer_id = suppressed.retailer_id"
    " AND kind NOT IN ('erase', 'export') ORDER BY list_version DESC LIMIT 1), 'unsuppress')"
)
_OFF_THE_LIST: LiteralString = (
    "DELETE FROM suppressed WHERE (retailer_id, digest) IN"
    " (SELECT retailer_id, digest FROM privacy_requests JOIN privacy_subjects USING (request_id) WHERE request_id = ?)"
)
UNSUPPRESS: LiteralString = _OFF_THE_LIST + " AND NOT " + _IS_BEING_ERASED
# After an erasure is done: whoever nobody wants on the list leaves it.
LET_GO: LiteralString = UNSUPPRESS + " AND " + _LAST_SAID + " = 'unsuppress'"
LIST: LiteralString = "SELECT retailer_id, digest FROM suppressed"
LIST_CHANGES: LiteralString = (
    "SELECT list_version, retailer_id, digest, suppressed.digest IS NOT NULL"
    " FROM privacy_requests JOIN privacy_subjects USING (request_id) LEFT JOIN suppressed USING (retailer_id, digest)"
    " WHERE list_version > ? AND list_version <= ? ORDER BY list_version"
)
CONFIRM: LiteralString = (
    "INSERT INTO gateway_words (gateway_id, version, at_ms) VALUES (?, ?, ?)"
    " ON CONFLICT (gateway_id) DO UPDATE SET version = excluded.version, at_ms = excluded.at_ms"
)
LEAVE: LiteralString = "DELETE FROM gateway_words WHERE gateway_id = ?"
CONFIRMATIONS: LiteralString = "SELECT gateway_id, version, at_ms FROM gateway_words ORDER BY gateway_id"


class AlreadyThere(Exception):
    """What is asked for need not be opened; no error, it undoes a transaction that would change nothing.

    Attributes:
        request: that stands in for it.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request.request_id)
        self.request = request


def row_of(stored: Stored) -> tuple[str, str, str, int, int, int, int, str, int, str]:
    """Gives a row of the table `privacy_requests`."""
    request = stored.request
    return (
        request.request_id,
        request.retailer_id,
        request.kind,
        request.opened_at_ms,
        request.due_at_ms,
        request.shoppers,
        request.list_version,
        request.stage,
        request.stage_at_ms,
        stored.fingerprint,
    )


def stored_of(row: Sequence[Any]) -> Stored:  # Any: a row has the types of its columns
    """Reads a row in the order of `row_of`.

    Raises:
        PortError: not retriable: a newer hotbasket wrote it.
    """
    *fields, fingerprint = row
    try:
        request = msgspec.convert(dict(zip(Request.__struct_fields__, fields, strict=True)), Request)
    except msgspec.MsgspecError as error:
        which = f"privacy request {row[0]} of {row[1]}"
        raise PortError(f"{which} can't be read ({error}): run the newer hotbasket", retriable=False) from error
    return Stored(request, str(fingerprint))
