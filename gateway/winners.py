"""Winners: an experience that says that a basket was won goes to its page with the token that claims it.

Between what was decided and the page: the token is in no log and in no snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.claims import Claims
from gateway.wire import Delivery


class Winners:
    """Adds claims to what pages are told.

    Args:
        claims: issues tokens; None = there is no vault: pages are told that they won, and not how to claim.
    """

    def __init__(self, claims: Claims | None) -> None:
        self._claims = claims

    def attach(self, deliveries: Iterable[Delivery]) -> None:
        """Adds the token to each delivery of a basket that was won, before it is written."""
        if self._claims is None:
            return
        for delivery in deliveries:
            shown = delivery.experience
            if shown is None or shown.kind != "gamified_promotion" or shown.campaign_id is None or delivery.claim:
                continue
            outcome = shown.content.get("outcome") or {}
            if "value_minor" in outcome:
                delivery.claim = self._claims.token_for(
                    shown.experience_id,
                    delivery.key.retailer_id,
                    shown.campaign_id,
                    outcome["value_minor"],
                    outcome["currency"],
                )
