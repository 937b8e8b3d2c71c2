"""`hotbasket privacy check`: says what is older than its retailer allows, and changes nothing."""

from __future__ import annotations

import typer

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports
from deploy.options import Json, Where, document, say
from deploy.retention_check import Checked, check, stores_of
from deploy.stores import in_stores, meant
from deploy.warehouse_place import warehouse_data
from domain.timestamps import rfc3339


def privacy_check(data: Where = None, as_json: Json = False) -> None:
    """Look for data that is older than its retailer allows, in every store; exits with 1 where there is some.

    The privacy worker does the same once a day. What may be how old: hotbasket retailer list.

    Example: hotbasket privacy check --data ./data
    """

    async def work(ports: Ports) -> Checked:
        settings = load_settings()
        stores = stores_of(ports, warehouse_data(meant(data, settings), settings))
        retailers = list(ports.retailers.current().retailers.values())
        return await check(stores, retailers, settings, SystemClock().now_ms())

    checked = in_stores(data, work, role="privacy")
    if as_json:
        found = [{**one._asdict(), "oldest_at": rfc3339(one.oldest_ms)} for one in checked.found]
        document({"too_old": found, "checked": list(checked.stores), "unread": checked.unread})
    else:
        for one in checked.found:
            say(
                f"{one.store} of {one.retailer}: the oldest is of {rfc3339(one.oldest_ms)},"
                f" {one.allowed_days} days are allowed"
            )
        for store, why in checked.unread.items():
            say(f"{store}: can't be read: {why}")
        if not checked.found and not checked.unread:
            say(f"nothing is too old in {', '.join(checked.stores)}")
    if checked.found or checked.unread:
        raise typer.Exit(1)
