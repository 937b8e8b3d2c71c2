"""The till's route in the OpenAPI document, and a promise as lookups tell it."""

from __future__ import annotations

from gateway.openapi_parts import REF, WITH_BODY, Json, body_of, keys_for, object_of, operation
from gateway.quotes import LINES_MAX


def quote_paths() -> Json:
    """Gives the path `/v1/quotes`."""
    described = operation(
        "quote",
        "Ask what the till may deduct now",
        "What a verified `OrderPaid` of these lines would be granted at this moment. It changes nothing and may be "
        "asked again. A shopper who was never seen gets no discounts.",
        keys_for("quote"),
        {200: ("The discounts, in the order in which they are deducted.", "Quote")},
        WITH_BODY,
        requestBody=body_of({"$ref": REF.format(name="ToQuote")}, "application/json", "text/plain"),
    )
    return {"/v1/quotes": {"post": described}}


def quote_schemas() -> Json:
    """Gives the schemas of what this route takes and answers."""
    text, minor = {"type": "string"}, {"type": "integer", "minimum": 0}
    discount: Json = {"experience_id": text, "campaign_id": text, "amount_minor": minor}
    reward = {"type": "object", "description": "What is handed out where the promise is no money off."}
    of_shopper: Json = {
        "shopper_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "lines": {"type": "array", "maxItems": LINES_MAX, "items": {"$ref": REF.format(name="OrderLine")}},
    }
    answer: Json = {
        "discounts": {"type": "array", "items": object_of(discount | {"reward": reward}, *discount, closed=True)},
        "total_minor": minor,
        "as_of": {"type": "string", "format": "date-time"},
    }
    return {
        "ToQuote": object_of(of_shopper, *of_shopper, closed=True),
        "Quote": object_of(answer, *answer, closed=True),
    }


def promise() -> Json:
    """Gives the schema of a promise that a lookup tells."""
    text = {"type": "string"}
    fields: Json = {
        "experience_id": text,
        "campaign_id": text,
        "cost_minor": {"type": "integer", "minimum": 0},
        "until": {"type": "string", "format": "date-time"},
        "state": {"type": "string", "enum": ["open", "redeemed"]},
    }
    return object_of(fields, *fields, closed=True)
