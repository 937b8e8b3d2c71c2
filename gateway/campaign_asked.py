"""What the address of a request about campaigns says: which campaign, what to do with it, and for when."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from starlette.types import Scope

from domain.campaign_view import read_now
from gateway.answers import Refusal
from gateway.fields import read_parameters

PATH: Final = "/v1/campaigns"
_PARTS_BEFORE: Final = PATH.count("/")


class Asked(NamedTuple):
    """What a query asks for.

    Attributes:
        now_ms: at which moment it is answered, Unix milliseconds.
        is_dry: whether nothing is to be written.
    """

    now_ms: int
    is_dry: bool


def parts_of(scope: Scope) -> list[str] | None:
    """Gives what stands behind `/v1/campaigns/`, decoded part by part: an id may contain a slash, as `%2F`.

    Returns:
        None where the path leads elsewhere, or is no UTF-8.
    """
    if not scope["path"].startswith(PATH + "/"):
        return None
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    try:
        return [unquote_to_bytes(part).decode() for part in raw.partition(b"?")[0].split(b"/")[_PARTS_BEFORE + 1 :]]
    except UnicodeDecodeError:
        return None


def read_query(scope: Scope, now_ms: int, *, writes: bool) -> Asked:
    """Gives what the query asks for; a misspelt parameter is refused, since `dryrun` would write.

    Args:
        scope: of the request.
        now_ms: by the gateway's clock.
        writes: whether the route writes, unless the run is dry.

    Raises:
        Refusal: 400.
    """
    given = read_parameters(scope, ("now", "dry_run") if writes else ("now",))
    dry_run = given.get("dry_run", "false")
    if dry_run not in ("true", "false"):
        raise Refusal("invalid_parameter", "expected true or false", "?dry_run")
    is_dry = dry_run == "true"
    if "now" not in given:
        return Asked(now_ms, is_dry)
    if writes and not is_dry:
        raise Refusal("invalid_parameter", "what is written is written now: this goes with dry_run=true", "?now")
    asked_ms = read_now(given["now"].replace(" ", "+"))
    if asked_ms is None:
        detail = "expected a moment from 2000 to 2099 with its zone, like 2026-11-27T08:00:00Z"
        raise Refusal("invalid_parameter", detail, "?now")
    return Asked(asked_ms, is_dry)
