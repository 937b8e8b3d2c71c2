"""`/v1/campaigns`: how a retailer's people write, look at and run campaigns, with an operator key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from starlette.types import Receive, Scope, Send

from adapters.zones import is_zone, zone_of
from domain.campaign_faults import read_written, unknown_products
from domain.campaign_ids import made_id
from domain.campaign_versions import Standing, refuse_bad
from domain.campaign_view import in_list, seen, told, week_of
from domain.campaigns import Action, Budget, Campaign, Change, changed, created, moved
from domain.draw_record import public_record
from domain.errors import PortError, Refused
from domain.ports.budget_ledger import BudgetLedger, Total
from domain.ports.campaigns import Campaigns
from domain.ports.clock import Clock
from gateway import faulty
from gateway.access import Access, Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.audited import Auditor
from gateway.body import Bodies, RequestHeaders
from gateway.campaign_asked import PATH, Asked, parts_of, read_query
from gateway.fields import read_fields
from gateway.handler import Handler

_ACTIONS: Final[Mapping[str, Action]] = {"schedule": "schedule", "pause": "pause", "resume": "resume", "end": "end"}
_EXAMPLE: Final = '{"name": ..., "kind": ..., "starts_at": ..., "ends_at": ...}'
_RETRY_AFTER_S: Final = 1
_REACH: Final = "how many shoppers it would have reached is counted in the warehouse: hotbasket campaign dry-run"
_encode = msgspec.json.Encoder().encode

Make = Callable[[int], Change]
"""Makes a version, as of a moment in Unix milliseconds; raises a Refusal."""


class _Request(NamedTuple):
    """One request, and what its key opens."""

    scope: Scope
    receive: Receive
    send: Send
    headers: RequestHeaders
    cors: Headers
    access: Access

    @property
    def retailer_id(self) -> str:
        """Whose campaigns it may see."""
        return self.access.door.retailer_id

    @property
    def by(self) -> str:
        """Who asks, as the history names them."""
        return self.access.who

    async def answer(self, status: int, body: Any, *headers: tuple[bytes, bytes]) -> None:
        """Answers with JSON."""
        await answer_json(self.send, status, _encode(body), (*headers, *self.cors))


class _Made(NamedTuple):
    """A version that could be kept, what the ledger knows of its budget, and what the catalogue does not know of it."""

    change: Change
    total: Total | None
    warnings: list[str]

    def body(self, asked: Asked) -> dict[str, Any]:
        """Gives the campaign as it is told."""
        return seen(self.change.campaign, asked.now_ms, self.total)


Work = Callable[[str, _Request], Awaitable[None]]
"""Answers a request about one campaign."""


class CampaignDesk:
    """Takes what marketing people want of their campaigns.

    Args:
        campaigns, ledger: the ports.
        doorkeeper: asks for a key that may do this.
        auditor: takes down who changed what, and who looked at a draw.
        bodies: reads bodies, of `domain.campaign_faults.DOCUMENT_BYTES_MAX` at most.
        clock: says what now is.
        suffix: draws the end of an id that is made from a name.
        chain_end: draws what the seeds of a campaign's draws are made from.
    """

    def __init__(
        self,
        campaigns: Campaigns,
        ledger: BudgetLedger,
        doorkeeper: Doorkeeper,
        auditor: Auditor,
        bodies: Bodies,
        clock: Clock,
        suffix: Callable[[], str],
        chain_end: Callable[[], bytes],
    ) -> None:
        self._campaigns = campaigns
        self._ledger = ledger
        self._doorkeeper = doorkeeper
        self._auditor = auditor
        self._bodies = bodies
        self._clock = clock
        self._suffix = suffix
        self._chain_end = chain_end
        self.methods: Mapping[str, Handler] = {"GET": self._handler(self._list), "POST": self._handler(self._create)}
        """What `/v1/campaigns` takes."""
        self._below: Mapping[str, Mapping[str, Work]] = {
            "": {"GET": self._show, "PUT": self._change},
            "/history": {"GET": self._history},
            "/draw": {"GET": self._draw},
            **{f"/{verb}": {"POST": partial(self._move, action)} for verb, action in _ACTIONS.items()},
        }

    def at(self, scope: Scope) -> Mapping[str, Handler] | None:
        """Gives what a path below `/v1/campaigns/` takes, None where there is nothing."""
        campaign_id, *rest = parts_of(scope) or [""]
        works = self._below.get("".join(f"/{part}" for part in rest))
        if not campaign_id or works is None:
            return None
        return {method: self._handler(partial(work, campaign_id)) for method, work in works.items()}

    def below(self) -> Mapping[str, Sequence[str]]:
        """Gives the methods of each path below `/v1/campaigns/`, with `{campaign_id}` for any id."""
        return {f"{PATH}/{{campaign_id}}{rest}": list(works) for rest, works in self._below.items()}

    async def _list(self, request: _Request) -> None:
        """`GET /v1/campaigns`: each in few words, by id."""
        now_ms = self._asked(request, writes=False).now_ms
        totals = await self._totals(request)
        listed = await self._campaigns.listed(request.retailer_id)
        await request.answer(200, {"campaigns": [in_list(one, now_ms, totals.get(one.campaign_id)) for one in listed]})

    async def _show(self, campaign_id: str, request: _Request) -> None:
        """`GET /v1/campaigns/{id}`: the newest version, and what is left of its budget."""
        now_ms = self._asked(request, writes=False).now_ms
        campaign = await self._found(request, campaign_id)
        await request.answer(200, seen(campaign, now_ms, (await self._totals(request)).get(campaign_id)))

    async def _history(self, campaign_id: str, request: _Request) -> None:
        """`GET /v1/campaigns/{id}/history`: every version, oldest first."""
        self._asked(request, writes=False)
        changes = await self._campaigns.history(request.retailer_id, campaign_id)
        if not changes:
            raise _unknown()
        await request.answer(200, {"campaign_id": campaign_id, "history": told(changes)})

    async def _draw(self, campaign_id: str, request: _Request) -> None:
        """`GET /v1/campaigns/{id}/draw`: what is public of its draws by now; never as of another moment."""
        if request.scope["query_string"]:
            raise Refusal("invalid_parameter", "this address takes no parameters", "?")
        await self._found(request, campaign_id)
        async with self._auditor.noting(request.access, "campaigns.draw", campaign_id):
            game = self._campaigns.current().games.get(request.retailer_id, {}).get(campaign_id)
            if game is None:
                raise Refusal("no_draw", "nothing is drawn: the campaign is no game, or was never scheduled")
            record = public_record(game, self._clock.now_ms())
        await request.answer(200, record)

    async def _create(self, request: _Request) -> None:
        """`POST /v1/campaigns`: keeps a draft."""
        fields = await self._fields(request)

        def make(now_ms: int) -> Change:
            try:
                written = read_written(fields, is_zone, "campaign_id")
            except Refused as refused:
                raise faulty.refusal("invalid_campaign", refused) from None
            campaign_id = written.campaign_id or made_id(written.definition.name, self._suffix())
            campaign = created(request.retailer_id, campaign_id, written.definition, now_ms)
            return Change(campaign=campaign, action="create", by=request.by)

        await self._write(request, "create", None, make)

    async def _change(self, campaign_id: str, request: _Request) -> None:
        """`PUT /v1/campaigns/{id}`: keeps another definition, unless somebody else was faster."""
        fields = await self._fields(request)
        before = await self._found(request, campaign_id)

        def make(now_ms: int) -> Change:
            try:
                written = read_written(fields, is_zone, "campaign_id", "version", "status", of=campaign_id)
            except Refused as refused:
                raise faulty.refusal("invalid_campaign", refused) from None
            if written.version != before.version:
                raise _changed_meanwhile(before)
            try:
                campaign = changed(before, written.definition, now_ms)
            except Refused as refused:
                raise faulty.refusal("wrong_stage", refused) from None
            return Change(campaign=campaign, action="change", by=request.by)

        await self._write(request, "change", campaign_id, make)

    async def _move(self, action: Action, campaign_id: str, request: _Request) -> None:
        """`POST /v1/campaigns/{id}/schedule`, `pause`, `resume` or `end`, without a body."""
        if (await self._bodies.read(request.receive, request.headers)).strip() not in (b"", b"{}"):
            raise Refusal("unknown_field", f"{action} takes no fields: send no body", "$")
        before = await self._found(request, campaign_id)

        def make(now_ms: int) -> Change:
            try:
                campaign = moved(before, action, now_ms)
            except Refused as refused:
                raise faulty.refusal("wrong_stage", refused) from None
            return Change(campaign=campaign, action=action, by=request.by)

        await self._write(request, action, campaign_id, make)

    async def _write(self, request: _Request, action: Action, campaign_id: str | None, make: Make) -> None:
        """Keeps a version and answers with it; a dry run says what would be, and writes nothing."""
        asked = self._asked(request, writes=True)
        if asked.is_dry:
            await request.answer(200, await self._tried(request, make, asked))
            return
        async with self._auditor.noting(request.access, f"campaigns.{action}", campaign_id) as noted:
            made = await self._made(request, make, asked)
            noted.target = made.change.campaign.campaign_id
            await self._put(request, made.change)
        body = made.body(asked)
        body["status"]["warnings"] = faulty.told(made.warnings)
        location = (b"location", f"{PATH}/{quote(noted.target, safe='')}".encode())
        if action == "create":
            await request.answer(201, body, location)
        else:
            await request.answer(200, body)

    async def _tried(self, request: _Request, make: Make, asked: Asked) -> dict[str, Any]:
        """Gives the answer to a dry run: what would be, and that nothing was written."""
        nothing: dict[str, Any] = {"faults": [], "warnings": [], "campaign": None, "open_next_7_days": []}
        found: dict[str, Any] = {}
        try:
            made = await self._made(request, make, asked)
        except Refusal as refusal:
            if refusal.faults is None:
                raise
            found["faults"] = refusal.faults
        else:
            found["warnings"] = faulty.told(made.warnings)
            found["campaign"] = made.body(asked)
            found["open_next_7_days"] = await self._week(request, made.change.campaign, asked)
        return {"dry_run": True, **nothing, **found, "would_reach": None, "would_reach_note": _REACH}

    async def _made(self, request: _Request, make: Make, asked: Asked) -> _Made:
        """Makes a version that could be kept.

        Raises:
            Refusal: it could not.
        """
        # A document of thousands of products takes milliseconds, which events would have to wait.
        change = await asyncio.to_thread(make, asked.now_ms)
        total = await self._check(request, change)
        definition, catalogue = change.campaign.definition, request.access.door.catalogue
        return _Made(change, total, await asyncio.to_thread(unknown_products, definition, catalogue))

    async def _check(self, request: _Request, change: Change) -> Total | None:
        """Looks whether a version could be kept, and gives what the ledger knows of the campaign.

        Raises:
            Refusal: it could not.
        """
        await self._check_version(request, change)
        campaign = change.campaign
        total = (await self._totals(request)).get(campaign.campaign_id)
        if total is not None:
            budget = Budget(money_minor=total.budget_minor, count=total.budget_count)
            try:
                refuse_bad(change, Standing(campaign.version - 1, budget, total.leased))
            except Refused as refused:
                raise faulty.refusal("budget_leased", refused) from None
        return total

    async def _check_version(self, request: _Request, change: Change) -> None:
        newest = await self._campaigns.get(request.retailer_id, change.campaign.campaign_id)
        if change.action == "create":
            if newest is not None:
                refused = Refused("$.campaign_id: there is a campaign of this id already, choose another")
                raise faulty.refusal("campaign_exists", refused)
        elif newest is None:
            raise _unknown()
        elif newest.version + 1 != change.campaign.version:
            raise _changed_meanwhile(newest)

    async def _put(self, request: _Request, change: Change) -> None:
        try:
            await self._campaigns.put(change, self._chain_end())
        except Refused as refused:
            # Somebody came in between: a version, or a lease of what the budget no longer has.
            await self._check_version(request, change)
            raise faulty.refusal("budget_leased", refused) from None

    async def _week(self, request: _Request, campaign: Campaign, asked: Asked) -> list[dict[str, Any]]:
        others = self._campaigns.current().campaigns.get(request.retailer_id, ())
        zone = request.access.grant.retailer.time_zone
        return await asyncio.to_thread(week_of, campaign, others, asked.now_ms, zone_of, zone)

    async def _fields(self, request: _Request) -> dict[str, Any]:
        self._bodies.check_type(request.headers)
        return read_fields(await self._bodies.read(request.receive, request.headers), _EXAMPLE)

    async def _found(self, request: _Request, campaign_id: str) -> Campaign:
        campaign = await self._campaigns.get(request.retailer_id, campaign_id)
        if campaign is None:
            raise _unknown()
        return campaign

    async def _totals(self, request: _Request) -> dict[str, Total]:
        return {total.campaign_id: total for total in await self._ledger.totals(request.retailer_id)}

    def _asked(self, request: _Request, *, writes: bool) -> Asked:
        return read_query(request.scope, self._clock.now_ms(), writes=writes)

    def _handler(self, work: Callable[[_Request], Awaitable[None]]) -> Handler:
        """Gives what answers a request of whoever has a key for campaigns."""

        async def handle(scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
            access = self._doorkeeper.for_action(headers, "campaigns")
            try:
                await work(_Request(scope, receive, send, headers, cors, access))
            except PortError:
                detail = "the campaigns can't be reached now: read what was kept before you write again"
                raise Refusal("store_unavailable", detail, retry_after_s=_RETRY_AFTER_S) from None

        return handle


def _unknown() -> Refusal:
    return Refusal("unknown_campaign", "the retailer has no campaign of this id")


def _changed_meanwhile(newest: Campaign) -> Refusal:
    return Refusal(
        "changed_meanwhile",
        f"somebody changed it meanwhile, it is at version {newest.version}: read it, and send that version back",
        "$.version",
    )
