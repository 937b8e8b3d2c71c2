"""The routes of campaigns in the OpenAPI document; a campaign is described by the type that reads it."""

from __future__ import annotations

from typing import Final, get_args

from domain.campaigns import PPM, Action, Stage, State
from gateway.openapi_parts import REF, WITH_BODY, Json, body_of, keys_for, object_of, operation, query

_KEYS: Final = keys_for("campaigns")
_WITHOUT_BODY: Final = (400, 401, 403, 405, 503)
_VERBS: Final = {
    "schedule": ("scheduleCampaign", "Put a draft in force from its start on"),
    "pause": ("pauseCampaign", "Promise nothing more for now; what was promised is kept"),
    "resume": ("resumeCampaign", "Go on with a paused campaign"),
    "end": ("endCampaign", "End a campaign for good; what was promised is kept"),
}
_NOW: Final = query("now", "At which moment it is looked at, RFC 3339 with zone; without it, now.")
_DRY_NOW: Final = query("now", "With `dry_run=true`: as if it were this moment, RFC 3339 with zone.")
_DRY: Final = {
    **query("dry_run", "`true`: say what would be, with every fault (DryRun, always 200), and write nothing."),
    "schema": {"type": "string", "enum": ["true", "false"]},
}
_ID: Final[Json] = {
    "name": "campaign_id",
    "in": "path",
    "required": True,
    "description": "Percent-encoded; a slash is `%2F`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}
_AMOUNTS: Final = ("leased_minor", "leased_count", "reserved_minor", "reserved_count", "committed_minor")


def campaign_paths() -> Json:
    """Gives the paths below `/v1/campaigns`."""
    return {
        "/v1/campaigns": {"get": _list(), "post": _create()},
        "/v1/campaigns/{campaign_id}": {"get": _show(), "put": _change()},
        "/v1/campaigns/{campaign_id}/history": {"get": _history()},
        "/v1/campaigns/{campaign_id}/draw": {"get": _draw()},
        **{f"/v1/campaigns/{{campaign_id}}/{verb}": {"post": _move(*told)} for verb, told in _VERBS.items()},
    }


def campaign_schemas(definition: Json) -> Json:
    """Gives the schemas of what these routes take and answer.

    Args:
        definition: the schema of `domain.campaigns.Definition`.
    """
    text, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    campaign_id = {"type": "string", "minLength": 1, "maxLength": 128}
    fields, required = definition["properties"], definition["required"]
    beside = {"campaign_id": campaign_id, "version": whole}
    totals, status = _totals(), _status()
    in_list = {
        **beside,
        "name": text,
        "kind": fields["kind"],
        "stage": {"type": "string", "enum": list(get_args(Stage))},
        "starts_at": {"type": "string", "format": "date-time"},
        "ends_at": {"type": "string", "format": "date-time"},
        **totals,
    }
    listed = {"type": "array", "items": object_of(in_list, *in_list, closed=True)}
    changes = {"type": "array", "items": _line()}
    ignored = {"type": "object", "description": "As it was read; passed over."}
    return {
        "NewCampaign": object_of({"campaign_id": campaign_id, **fields}, *required, closed=True),
        "ChangedCampaign": object_of({**beside, **fields, "status": ignored}, "version", *required, closed=True),
        "Campaign": object_of({**beside, **fields, "status": status}, *beside, *required, "status", closed=True),
        "Campaigns": object_of({"campaigns": listed}, "campaigns", closed=True),
        "CampaignHistory": object_of({"campaign_id": campaign_id, "history": changes}, "campaign_id", "history"),
        "CampaignDraw": _draw_record(),
        "DryRun": _dry_run(),
        "CampaignOrDryRun": {"anyOf": [{"$ref": REF.format(name=name)} for name in ("Campaign", "DryRun")]},
        "Fault": object_of({"path": text, "detail": text}, "detail", closed=True),
    }


def _list() -> Json:
    return operation(
        "listCampaigns",
        "List the retailer's campaigns, with what is left of their budgets",
        "Amounts are in minor units of the retailer's currency; what partitions promised is as old as their last word.",
        _KEYS,
        {200: ("Each in few words, by id.", "Campaigns")},
        _WITHOUT_BODY,
        parameters=[_NOW],
    )


def _create() -> Json:
    return operation(
        "createCampaign",
        "Write a campaign, as a draft",
        "Without `campaign_id` one is made from the name. Every fault is told, each with its path.",
        _KEYS,
        {201: ("The draft; `Location` says where it is.", "Campaign"), 200: ("What would be.", "DryRun")},
        (*WITH_BODY, 409),
        parameters=[_DRY, _DRY_NOW],
        requestBody=body_of({"$ref": REF.format(name="NewCampaign")}, "application/json", "text/plain"),
    )


def _show() -> Json:
    return operation(
        "readCampaign",
        "Read a campaign's newest version",
        "With its `version` it may be sent back by `PUT`, changed.",
        _KEYS,
        {200: ("The campaign.", "Campaign")},
        (*_WITHOUT_BODY, 404),
        parameters=[_ID, _NOW],
    )


def _change() -> Json:
    return operation(
        "changeCampaign",
        "Change a campaign",
        "`version` is the one that was read; `409` if somebody changed it meanwhile. One that was scheduled keeps its "
        "kind, start, holdout and prizes, and a budget is not cut below what partitions hold.",
        _KEYS,
        {200: ("The new version, or what would be.", "CampaignOrDryRun")},
        (*WITH_BODY, 404, 409),
        parameters=[_ID, _DRY, _DRY_NOW],
        requestBody=body_of({"$ref": REF.format(name="ChangedCampaign")}, "application/json", "text/plain"),
    )


def _move(name: str, summary: str) -> Json:
    return operation(
        name,
        summary,
        "Takes no body. `409` where it can't be done from where the campaign stands.",
        _KEYS,
        {200: ("The new version, or what would be.", "CampaignOrDryRun")},
        (*_WITHOUT_BODY, 404, 408, 409, 413),
        parameters=[_ID, _DRY, _DRY_NOW],
    )


def _history() -> Json:
    return operation(
        "readCampaignHistory",
        "Read every version of a campaign, oldest first",
        "Append-only: who did what, and which fields it changed.",
        _KEYS,
        {200: ("The versions.", "CampaignHistory")},
        (*_WITHOUT_BODY, 404),
        parameters=[_ID, _NOW],
    )


def _draw() -> Json:
    return operation(
        "readCampaignDraw",
        "Read what is public of a campaign's draws",
        "From the moment when it is scheduled: the anchor and the prizes; an hour after each of its days: that day's "
        "seed. The plays are in `hotbasket campaign draw-record`. `404` where nothing is drawn.",
        _KEYS,
        {200: ("The public record, as of now and without plays.", "CampaignDraw")},
        (*_WITHOUT_BODY, 404),
        parameters=[_ID],
    )


def _draw_record() -> Json:
    text, digits = {"type": "string"}, {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    prize = {
        "prize_id": text,
        "label": text,
        "chance_ppm": {"type": "integer", "minimum": 0, "maximum": PPM},
        "stock": {"type": ["integer", "null"]},
    }
    fields = {
        "campaign_id": text,
        "starts_at": {"type": "string", "format": "date-time"},
        "epochs": {"type": "integer", "minimum": 1},
        "anchor": digits,
        "prizes": {"type": "array", "items": object_of(prize, *prize, closed=True)},
        "seeds": {"type": "object", "additionalProperties": digits},
        "plays": {"type": "array", "maxItems": 0},
    }
    return object_of(fields, *fields, closed=True)


def _totals() -> Json:
    limit = {"type": ["integer", "null"]}
    amounts = {name: {"type": "integer"} for name in (*_AMOUNTS, "committed_count")}
    return {"budget_minor": limit, "budget_count": limit, **amounts}


def _status() -> Json:
    moment = {"type": "string", "format": "date-time"}
    warnings = {"type": "array", "items": {"$ref": REF.format(name="Fault")}}
    fields = {
        "state": {"type": "string", "enum": list(get_args(State))},
        "stage": {"type": "string", "enum": list(get_args(Stage))},
        "as_of": moment,
        "changed_at": moment,
        **_totals(),
    }
    return object_of({**fields, "warnings": warnings}, *fields, closed=True)


def _line() -> Json:
    fields = {
        "version": {"type": "integer", "minimum": 1},
        "action": {"type": "string", "enum": list(get_args(Action))},
        "by": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "state": {"type": "string", "enum": list(get_args(State))},
        "changed": {"type": "object", "description": "Fields with their new values; null = taken away."},
    }
    return object_of(fields, *fields, closed=True)


def _dry_run() -> Json:
    moment = {"type": "string", "format": "date-time"}
    faults = {"type": "array", "items": {"$ref": REF.format(name="Fault")}}
    span = object_of({"from": moment, "until": moment}, "from", "until", closed=True)
    who = {
        "campaign_id": {"type": "string"},
        "is_this": {"type": "boolean"},
        "priority": {"type": "integer"},
        "open": {"type": "array", "items": span},
    }
    fields = {
        "dry_run": {"const": True},
        "faults": faults,
        "warnings": faults,
        "campaign": {"anyOf": [{"$ref": REF.format(name="Campaign")}, {"type": "null"}]},
        "open_next_7_days": {"type": "array", "items": object_of(who, *who, closed=True)},
        "would_reach": {"type": "null"},
        "would_reach_note": {"type": "string"},
    }
    return object_of(fields, *fields, closed=True)
