"""One partition's business with the budget ledger: what to ask for, what to tell, and what to give back.

The purse is the partition's; it changes with the records in the experience log alone. So whatever the ledger grants,
and whatever goes back to it, is first said in the log (`due`), and only what stands there is told to the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from domain.campaigns_in_force import InForce, Offer
from domain.ids import is_stock_id
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, CampaignKey, Purse
from domain.records import Lease

ASKS_MAX = 500
"""Campaigns of one call to the ledger."""
SPENT_S = 5.0
"""After the ledger had nothing: so long until it is asked again, since others may have given back."""
TELL_S = 5.0
"""So often the ledger hears what is reserved and redeemed."""
IDLE_S = 60.0
"""A lease that nobody has touched for so long goes back but for two promises."""
_AHEAD_MS = 60_000
"""So long before a campaign starts its first leases are taken."""
_NOTHING = Amounts()
_EMPTY = Balance()


class LeaseDesk:
    """What a partition's owner remembers of its dealings with the ledger.

    Args:
        purse: of the partition.
        now_s: monotonic.
    """

    def __init__(self, purse: Purse, now_s: float) -> None:
        self._purse = purse
        self._told: dict[CampaignKey, Balance] = {}
        self._touched_s: dict[CampaignKey, float] = {}
        self._spent_until_s: dict[CampaignKey, float] = {}
        self._tell_at_s = now_s
        self._due: dict[CampaignKey, Lease] = {}

    @property
    def due(self) -> tuple[Lease, ...]:
        """What has to be said in the log, and counts from then on."""
        return tuple(self._due.values())

    def said(self, leases: Sequence[Lease]) -> None:
        """Takes down that these stand in the log."""
        for lease in leases:
            key = CampaignKey(lease.retailer_id, lease.campaign_id)
            if self._due.get(key) == lease:
                del self._due[key]

    def asks(self, in_force: Mapping[str, InForce], now_s: float, now_ms: int) -> list[Ask]:
        """Gives what to say to the ledger now; to be called when all that the purse holds stands in the log."""
        offers = _offers(in_force, now_ms)
        asks = {ask.key: ask for ask in self._stock_asks(now_s)}
        for key, offer in offers.items():
            need = self._need(key, offer, now_s)
            if need != _NOTHING:
                asks[key] = Ask(key, self._purse.balances.get(key, _EMPTY), need)
        if now_s >= self._tell_at_s:
            self._tell_at_s = now_s + TELL_S
            for key, balance in self._purse.balances.items():
                if key not in asks and self._told.get(key) != balance:
                    asks[key] = Ask(key, balance)
                    self._touched_s[key] = now_s
                elif balance.left != _NOTHING and not is_stock_id(key.campaign_id):
                    self._give_back(key, balance, offers.get(key), now_s)
        now = list(asks.values())[:ASKS_MAX]
        for ask in now:
            # Until the answer is here nobody knows what the ledger has heard, and leased: it is told again.
            self._told.pop(ask.key, None)
        return now

    def take(self, asks: Sequence[Ask], answers: Sequence[Answer], now_s: float) -> None:
        """Takes the ledger's answers."""
        for ask, answer in zip(asks, answers, strict=True):
            self._told[ask.key] = ask.balance
            lease = answer.lease
            if answer.is_spent:
                self._spent_until_s[ask.key] = now_s + SPENT_S
            known = self._purse.balances.get(ask.key, _EMPTY)
            leased = Amounts(lease.leased_minor, lease.leased_count)
            returned = Amounts(lease.returned_minor, lease.returned_count)
            is_news = (
                known.leased.at_least(leased) != known.leased or known.returned.at_least(returned) != known.returned
            )
            if ask.is_exact and answer.is_spent:
                # Said together with the last of it, so that nobody is refused what has just been leased.
                self._due[ask.key] = structs.replace(lease, is_spent=True)
            elif is_news:
                self._due[ask.key] = lease
                self._touched_s[ask.key] = now_s
            elif ask.is_exact:
                # The ledger does not know the stock, or a newer owner: asking on and on would not help.
                self._spent_until_s[ask.key] = now_s + SPENT_S

    def _stock_asks(self, now_s: float) -> Iterator[Ask]:
        """Gives what to ask for plays that wait for a prize: as many as there are, so that none of it lies idle here.

        A stock never goes back, so that what the ledger says is spent has been given, or will be.
        """
        for key, missing in self._purse.short():
            if key not in self._due and now_s >= self._spent_until_s.get(key, 0.0):
                yield Ask(key, self._purse.balances[key], Amounts(0, missing), is_exact=True)

    def _need(self, key: CampaignKey, offer: Offer, now_s: float) -> Amounts:
        """Gives what a campaign must be leased more: where less is left than two promises, enough for one."""
        if key in self._due or now_s < self._spent_until_s.get(key, 0.0):
            return _NOTHING
        left, promise = self._purse.left(key), offer.promise
        return Amounts(_short_by(left.minor, promise.minor), _short_by(left.promises, promise.promises))

    def _give_back(self, key: CampaignKey, balance: Balance, offer: Offer | None, now_s: float) -> None:
        """Makes due what is not needed here: all of a campaign that is over, and what nobody has touched for long."""
        if key in self._due:
            return
        kept = _NOTHING
        if offer is not None:
            if now_s - self._touched_s.setdefault(key, now_s) < IDLE_S:
                return
            kept = Amounts(2 * offer.promise.minor, 2 * offer.promise.promises)
        surplus = balance.left.minus(kept).at_least(_NOTHING)
        if surplus == _NOTHING:
            return
        returned = balance.returned.plus(surplus)
        self._due[key] = Lease(
            retailer_id=key.retailer_id,
            campaign_id=key.campaign_id,
            leased_minor=balance.leased.minor,
            leased_count=balance.leased.promises,
            returned_minor=returned.minor,
            returned_count=returned.promises,
        )


def _offers(in_force: Mapping[str, InForce], now_ms: int) -> dict[CampaignKey, Offer]:
    """Gives the campaigns that may promise something: those open or about to be, by their dates."""
    return {
        offer.key: offer
        for one in in_force.values()
        for offer in one.offers
        if offer.promise != _NOTHING and offer.starts_at_ms - _AHEAD_MS <= now_ms < offer.ends_at_ms
    }


def _short_by(left: int, promise: int) -> int:
    """Gives what is needed of what one promise takes; nothing where it takes none, whatever is left."""
    return promise - min(left, 0) if left < 2 * promise and promise else 0
