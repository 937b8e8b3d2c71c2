"""Games and rewards in few words: campaigns that draw, and a shopper who is shown one, plays and pays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from hashlib import sha256
from typing import Any

from domain.arbitration import Market
from domain.campaigns import Budget, Campaign, Prize, RewardRules
from domain.campaigns_in_force import InForce
from domain.contents import Reward
from domain.fold import Applied
from domain.games import Game
from domain.ids import draw_retried_id, stock_id
from domain.purse import Balance, CampaignKey, Purse
from domain.records import Lease
from domain.reservations import Reservation
from tests.market import PLENTY, campaign, lend
from tests.story import RETAILER, TreeStory

ALWAYS = 1_000_000
END = sha256(b"the end of the chain of the stories' games").digest()
VIEWED = {"kind": "page", "page_kinds": ["home"]}
BUDGET = Budget(money_minor=10**9)


def voucher(chance_ppm: int = ALWAYS, *, stock: int | None = None, cost_minor: int = 500) -> Prize:
    """5.00 off."""
    reward = Reward(type="amount", value_minor=500, label="5.00 off")
    return Prize(prize_id="voucher", reward=reward, chance_ppm=chance_ppm, stock=stock, cost_minor=cost_minor)


def coffee(chance_ppm: int = ALWAYS, *, stock: int | None = None, cost_minor: int = 300) -> Prize:
    """A pack of coffee, handed over by itself."""
    reward = Reward(type="product", product_id="p-coffee")
    return Prize(prize_id="coffee", reward=reward, chance_ppm=chance_ppm, stock=stock, cost_minor=cost_minor)


def game(campaign_id: str, *prizes: Prize, **fields: Any) -> Campaign:
    """A wheel."""
    usual: dict[str, Any] = {"kind": "gamified_promotion", "game": "wheel", "prizes": prizes, "budget": BUDGET}
    return campaign(campaign_id, **(usual | fields))


def basket(campaign_id: str, *, chance_ppm: int = ALWAYS, at_most_minor: int = 20_000, **fields: Any) -> Campaign:
    """A draw for the price of the whole basket."""
    rules = RewardRules(chance_ppm=chance_ppm, at_most_minor=at_most_minor)
    usual: dict[str, Any] = {"kind": "gamified_promotion", "game": "scratch", "reward": rules, "budget": BUDGET}
    return campaign(campaign_id, **(usual | fields))


def game_of(one: Campaign) -> Game:
    """What a campaign draws."""
    return Game(one, END, epochs=one.definition.days)


def playing(*campaigns: Campaign, purse: Purse | None = None) -> Market:
    """A market with these campaigns and their games; each has plenty leased but for stocks."""
    purse = purse or Purse()
    for one in campaigns:
        lend(purse, one.campaign_id, PLENTY)
    games = {one.campaign_id: game_of(one) for one in campaigns if one.definition.has_draws}
    return Market({RETAILER: InForce(campaigns, {}, lambda _: UTC, "UTC", games)}, purse)


def proposes(campaign_id: str, *, slot: str = "main", ttl_s: int = 1_800, products: Sequence[str] = ("p-1",)) -> Any:
    """A game as a tree proposes it."""
    content = {"game": "wheel", "products": list(products), "prize": {"type": "own"}}
    return {
        "slot": slot,
        "kind": "gamified_promotion",
        "campaign_id": campaign_id,
        "ttl_s": ttl_s,
        "content": content,
    }


def stock_key(campaign_id: str, prize_id: str) -> CampaignKey:
    """Under which key a purse has a prize's stock."""
    return CampaignKey(RETAILER, stock_id(campaign_id, prize_id))


def stock_lease(campaign_id: str, prize_id: str, leased: int, *, is_spent: bool = False) -> Lease:
    """A lease of a prize's stock."""
    return Lease(
        retailer_id=RETAILER,
        campaign_id=stock_id(campaign_id, prize_id),
        leased_count=leased,
        is_spent=is_spent,
    )


class GameStory(TreeStory):
    """A shopper who is shown games as soon as a page is viewed.

    Args:
        campaigns: in force.
        experiences: what the node after the page view proposes; without any, each campaign that draws, in slots of
            their own.
        edges: of that node.
        more: other nodes.
    """

    def __init__(
        self,
        *campaigns: Campaign,
        experiences: Sequence[Any] = (),
        edges: Sequence[Any] = (),
        more: Any = None,
        purse: Purse | None = None,
    ) -> None:
        drawing = [one.campaign_id for one in campaigns if one.definition.has_draws]
        slots = ["main", *(f"slot-{number}" for number in range(1, 9))]
        proposed = experiences or [proposes(name, slot=slot) for name, slot in zip(drawing, slots, strict=False)]
        tree = {
            "start": {"edges": [{"to": "game", "when": VIEWED}]},
            "game": {"experiences": list(proposed), "edges": list(edges)},
        }
        super().__init__({**tree, **(more or {})}, market=playing(*campaigns, purse=purse))

    @property
    def purse(self) -> Purse:
        """What the partition may promise."""
        assert self.market is not None
        return self.market.purse

    def view(self, at_s: float = 0) -> str:
        """Views the page, is shown what there is, and gives the id of what stands in the main slot."""
        self.tell("PageViewed", at_s, page={"kind": "home"})
        return self.shown()["main"].experience_id

    def click(self, experience_id: str, at_s: float = 1, **more: Any) -> Applied:
        """Clicks an experience."""
        return self.tell("ExperienceClicked", at_s, experience_id=experience_id, **more)

    def retry(self, right_id: str, tries: int, at_s: float) -> Applied:
        """The worker's timer asks for a prize again."""
        event_id = str(draw_retried_id(right_id, tries))
        return self.tell("DrawRetried", at_s, event_id=event_id, experience_id=right_id, tries=tries)

    def order(self, order_id: str = "o-1", at_s: float = 2, *, total_minor: int = 5_000, **more: Any) -> Applied:
        """A verified order of the promoted product and another one."""
        lines = more.pop("lines", {"p-1": 2_000, "p-2": 3_000})
        sold = [{"product_id": name, "quantity": 1, "price_minor": price} for name, price in lines.items()]
        more = {"verified": True, "currency": "EUR"} | more
        return self.tell("OrderPaid", at_s, order_id=order_id, lines=sold, total_minor=total_minor, **more)

    def moved(self, status: str, order_id: str = "o-1", at_s: float = 3, **lines: int) -> Applied:
        """The retailer's server says what became of an order."""
        back = [{"product_id": name.replace("_", "-"), "quantity": number} for name, number in lines.items()]
        more = {"lines": back} if back else {}
        return self.tell("OrderStatusChanged", at_s, order_id=order_id, status=status, verified=True, **more)

    def right(self) -> Reservation:
        """The only promise."""
        (one,) = self.state.reservations
        return one

    def content(self) -> dict[str, Any]:
        """What stands in the main slot by now."""
        (slot,) = (slot for slot in self.state.slots if slot.experience.slot == "main")
        return slot.experience.content

    def balance(self, campaign_id: str) -> Balance:
        """What the partition has promised for a campaign."""
        assert self.market is not None
        return self.market.purse.balances.get(CampaignKey(RETAILER, campaign_id), Balance())

    def stock(self, campaign_id: str, prize_id: str) -> tuple[int, int, int]:
        """Leased, waiting and given of a prize's stock."""
        found = self.purse.balances.get(stock_key(campaign_id, prize_id), Balance())
        assert 0 == found.leased.minor == found.reserved.minor == found.committed.minor
        return found.leased.promises, found.reserved.promises, found.committed.promises

    def lend(self, campaign_id: str, prize_id: str, leased: int, *, is_spent: bool = False) -> None:
        """The ledger leases a prize's stock."""
        self.purse.lease([stock_lease(campaign_id, prize_id, leased, is_spent=is_spent)])
