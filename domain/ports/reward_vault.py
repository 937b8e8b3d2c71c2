"""The reward vault: where the e-mail addresses of winners wait for their money, apart from everything else.

From the gateway, which takes claims, to the people who pay. Nothing in it names a shopper, an experience or an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NewType, Protocol

from msgspec import Struct

ClaimId = NewType("ClaimId", str)
"""Of one win, 64 hex digits: a keyed hash of its experience's id. It stands in the winner's token and is never kept."""
PayoutId = NewType("PayoutId", str)
"""Of one claim as the vault keeps it, 64 hex digits: a hash of the claim id under another key."""

Put = Literal["stored", "claimed_already", "withdrawn"]
Settled = Literal["paid", "withdrawn"]
PayoutState = Literal["due", "paid", "withdrawn"]


class Claim(Struct, frozen=True, kw_only=True):
    """The right to one reward, as the winner's token says.

    Attributes:
        claim_id: one win, one claim.
        value_minor: what is paid, in minor units of `currency` (ISO 4217).
    """

    claim_id: ClaimId
    retailer_id: str
    campaign_id: str
    value_minor: int
    currency: str


class Payout(Struct, frozen=True, kw_only=True):
    """What one claim comes to.

    Attributes:
        payout_id: names it for whoever pays.
        email: whom to pay; None once it is forgotten.
        value_minor: in minor units of `currency` (ISO 4217).
        claimed_at_ms: Unix milliseconds, when the address came.
        state: `due` until it is settled.
        settled_at_ms: Unix milliseconds of the UTC day's beginning, None while it is due.
    """

    payout_id: PayoutId
    campaign_id: str
    email: str | None
    value_minor: int
    currency: str
    claimed_at_ms: int
    state: PayoutState
    settled_at_ms: int | None

    def __repr__(self) -> str:
        """Shows no address: a payout may end up in a log or a traceback."""
        return f"Payout({self.payout_id}, {self.state})"


class RewardVault(Protocol):
    """The claims of all retailers. Only gateways put, and only people who pay list; what decides never gets here.

    It keeps a claim under its payout id, and e-mail address, value and time of the claim sealed: who has the database
    without the vault's secret can neither read an address nor join a row to an order, by id, amount or time. What is
    not sealed is the retailer, the campaign, the state and the day of settlement.

    Every method is durable when it returns, answers or fails within seconds, and raises PortError when the vault can't
    be used; no error names an address. After a failed call it is unknown whether it was done, and it may be repeated.
    """

    async def put(self, claim: Claim, email: str) -> Put:
        """Keeps an address for a claim, once.

        Args:
            claim: whose token was checked.
            email: checked, at most 254 bytes in UTF-8.

        Returns:
            `stored`; `claimed_already` if the claim has an address or was paid, whichever address it was: the second
            caller may be a stranger and learns nothing of the first; `withdrawn` if the right to it is gone.
        """
        ...

    async def withdraw(self, claim_ids: Sequence[ClaimId]) -> int:
        """Takes rights back, before or after their addresses came: an order was cancelled, a win was none.

        A claim that nobody has put leaves a mark, so that a later `put` finds it withdrawn. What is paid stays paid.

        Returns:
            How many were neither paid nor withdrawn before; 0 when repeated.
        """
        ...

    async def payouts(
        self, retailer_id: str, campaign_id: str | None = None, *, state: PayoutState | None = None
    ) -> Sequence[Payout]:
        """Gives a retailer's payouts, those of one campaign or of all, oldest claim first; marks are none of them.

        Raises:
            PortError: not retriable if a row was sealed under another secret, or altered.
        """
        ...

    async def settle(self, retailer_id: str, payout_ids: Sequence[PayoutId], state: Settled) -> int:
        """Marks a retailer's due payouts as paid, or takes the right to them back; others stay as they are.

        Returns:
            How many were due; 0 when repeated.
        """
        ...

    async def expire(self, before_ms: int) -> int:
        """Forgets the addresses of payouts settled on a UTC day that ended by this time; the payouts stay, as accounts.

        Args:
            before_ms: Unix milliseconds.

        Returns:
            How many addresses were forgotten.
        """
        ...
