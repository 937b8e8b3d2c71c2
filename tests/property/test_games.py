"""Whatever answers are lost and whichever owners die: prizes are given up to their stock, and refused only beyond it.

Several partitions with their purses and desks, one ledger, and shoppers who play once each; everything is drawn by the
worker's own decisions, and the campaign's public record is checked as anybody would check it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.lease_desk import LeaseDesk
from domain.arbitration import Market
from domain.campaigns import Budget, Campaign
from domain.decide import decide
from domain.draws import Play, verify
from domain.fold import apply
from domain.ids import Position
from domain.leasing import Account, answers, settled_all
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, CampaignKey, Purse, decode
from domain.records import Decided, Lease, Played
from tests.gaming import GameStory, coffee, game, game_of, playing, stock_key, voucher
from tests.market import PLENTY, lease
from tests.story import NOON_MS, record

PARTITIONS = 3
STEP_S = 0.5
Kind: TypeAlias = Literal["play", "ask", "lose", "say", "retry", "save", "crash", "haunt"]
OFTEN: list[Kind] = ["play", "play", "play", "ask", "say", "retry"]
SELDOM: list[Kind] = ["ask", "say", "retry", "lose", "save", "crash", "haunt"]
STEPS = st.lists(
    st.tuples(st.integers(0, PARTITIONS - 1), st.sampled_from(OFTEN) | st.sampled_from(SELDOM)),
    min_size=10,
    max_size=60,
)


class Ledger:
    """A ledger in memory that knows every stock."""

    def __init__(self, stocks: dict[CampaignKey, int]) -> None:
        self.stocks = stocks
        self.held = dict.fromkeys(stocks, Amounts())
        self.parts: dict[tuple[CampaignKey, int], Balance] = {}
        self.tokens: dict[int, int] = {}

    def settle(self, partition: int, token: int, asks: Sequence[Ask]) -> list[Answer]:
        """Settles asks, as adapters do."""
        newest = self.tokens[partition] = max(token, self.tokens.get(partition, 0))
        accounts = {
            key: Account(True, Budget(count=count), self.held[key], self.parts.get((key, partition), Balance()))
            for key, count in self.stocks.items()
        }
        after = settled_all(accounts, asks, PARTITIONS, is_newest=token == newest)
        for key, found in after.items():
            self.held[key], self.parts[key, partition] = found.held, found.part
        return answers(after, asks)


class Owner(NamedTuple):
    """Whoever owns a partition."""

    token: int
    purse: Purse
    desk: LeaseDesk


class Partition:
    """A partition of the log: what stands in it survives its owners.

    Attributes:
        said: everything that was ever decided, in order.
    """

    def __init__(self, number: int, campaign: Campaign, ledger: Ledger) -> None:
        self.number = number
        self.campaign = campaign
        self.ledger = ledger
        self.now_s = 0.0
        self.told = 0
        self.said: list[Decided] = []
        self.stories: dict[str, GameStory] = {}
        self.saved = Purse()
        self.since: list[Decided | tuple[Lease, ...]] = []
        self.owner = self.before = self._owned(1, Purse())

    def step(self, kind: Kind) -> None:
        """Does one thing."""
        self.now_s += STEP_S
        match kind:
            case "play":
                self.play()
            case "ask":
                self.ask()
            case "lose":
                self.ledger.settle(self.number, self.owner.token, self._asks(self.owner))
            case "say":
                self.say()
            case "retry":
                self.retry()
            case "save":
                self.saved, self.since = decode(self.owner.purse.encode(self.owner.purse.position)), []
            case "crash":
                self.crash()
            case "haunt":
                # Who was owner before is still awake, and asks with what it knew.
                self.ledger.settle(self.number, self.before.token, self._asks(self.before))

    def play(self) -> None:
        """Another shopper is shown the game and plays it."""
        story = GameStory(self.campaign)
        self._prepare(story)
        right = story.view(self.now_s)
        self._take_down(story)
        self._prepare(story)
        story.click(right, self.now_s)
        self._take_down(story)
        self.stories[right] = story

    def ask(self) -> None:
        """Asks the ledger, and hears its answer."""
        asks = self._asks(self.owner)
        self.owner.desk.take(asks, self.ledger.settle(self.number, self.owner.token, asks), self.now_s)

    def say(self) -> None:
        """Puts into the log what is due of leases, and folds it."""
        due = self.owner.desk.due
        self.since.append(due)
        self.owner.purse.lease(due)
        self.owner.desk.said(due)

    def retry(self) -> None:
        """The timer asks for every prize that a play waits for and that is due."""
        for right, story in self.stories.items():
            for one in story.state.reservations:
                if one.drawing is not None:
                    self._prepare(story)
                    story.retry(right, one.drawing.tries, self.now_s)
                    self._take_down(story)

    def crash(self) -> None:
        """Somebody else becomes the owner: its purse is what was saved, and what the log says since."""
        purse = decode(self.saved.encode(self.saved.position))
        for said in self.since:
            if isinstance(said, Decided):
                purse.take(said)
            else:
                purse.lease(said)
        self.before, self.owner = self.owner, self._owned(self.owner.token + 1, purse)

    def waits(self) -> bool:
        """Whether any play waits for its prize."""
        return any(map(self._is_waiting, self.stories.values()))

    def given(self, key: CampaignKey) -> int:
        """How many of a prize were given here, as the purse has it."""
        return self.owner.purse.balances.get(key, Balance()).committed.promises

    def _owned(self, token: int, purse: Purse) -> Owner:
        return Owner(token, purse, LeaseDesk(purse, self.now_s))

    def _asks(self, owner: Owner) -> list[Ask]:
        return owner.desk.asks(playing(self.campaign).in_force, self.now_s, NOON_MS)

    def _prepare(self, story: GameStory) -> None:
        self.told += 1
        story.offset = self.number * 1_000_000 + self.told
        self.owner.purse.lease([lease(self.campaign.campaign_id, PLENTY)])
        story.market = Market(playing(self.campaign).in_force, self.owner.purse)

    def _take_down(self, story: GameStory) -> None:
        if story.decided is not None:
            self.said.append(story.decided)
            self.since.append(story.decided)

    def _is_waiting(self, story: GameStory) -> bool:
        return any(one.drawing is not None for one in story.state.reservations)


def outcomes(partitions: Sequence[Partition]) -> list[Played]:
    """What each right came to by now."""
    found: dict[str, Played] = {}
    for partition in partitions:
        for said in partition.said:
            found |= {play.experience_id: play for play in said.plays}
    return list(found.values())


def published(plays: Sequence[Played]) -> list[Play]:
    """Plays as anybody sees them."""
    return [
        Play(right_id=play.experience_id, epoch=play.epoch, prize_id=play.prize_id, wanted=play.wanted)
        for play in plays
    ]


TOO_MANY: list[tuple[int, Kind]] = [(0, "play")] * 6
HEARD_LATE: list[tuple[int, Kind]] = [*TOO_MANY, (0, "ask"), (0, "retry"), (0, "say"), (0, "retry")]
NEVER_SAID: list[tuple[int, Kind]] = [*TOO_MANY, (0, "ask"), (0, "crash"), (0, "retry"), (1, "play"), (1, "ask")]
NEVER_HEARD: list[tuple[int, Kind]] = [*TOO_MANY, (0, "lose"), (0, "play"), (0, "save"), (0, "crash"), (0, "haunt")]


@settings(max_examples=60)
@example(2, 1, HEARD_LATE)
@example(2, 1, NEVER_SAID)
@example(2, 1, NEVER_HEARD)
@given(st.integers(1, 12), st.integers(1, 4), STEPS)
def test_stocks_are_exact(coffees: int, vouchers: int, steps: list[tuple[int, Kind]]) -> None:
    """Never more than the stock at any moment; at last every play is drawn, none refused while there was one."""
    campaign = game("wheel", coffee(600_000, stock=coffees), voucher(200_000, stock=vouchers))
    stocks = {stock_key("wheel", "coffee"): coffees, stock_key("wheel", "voucher"): vouchers}
    ledger = Ledger(stocks)
    partitions = [Partition(number, campaign, ledger) for number in range(PARTITIONS)]
    for number, kind in steps:
        partitions[number].step(kind)
        for key, stock in stocks.items():
            assert sum(one.given(key) for one in partitions) <= ledger.held[key].promises <= stock
    for _ in range(8):
        for partition in partitions:
            partition.now_s += 60
            partition.ask()
            partition.say()
            partition.retry()
    assert not any(one.waits() for one in partitions)
    plays = outcomes(partitions)
    assert sum(len(one.stories) for one in partitions) == len(plays)
    given_out, wanted = Counter(play.prize_id for play in plays), Counter(play.wanted for play in plays)
    for key, stock in stocks.items():
        prize_id = key.campaign_id.partition("\x1f")[2]
        assert min(wanted[prize_id], stock) == given_out[prize_id] == sum(one.given(key) for one in partitions)
    drawn = game_of(campaign)
    seeds = drawn.revealed(NOON_MS + 10**12)
    assert [] == verify(published(plays), seeds=seeds, anchor=drawn.anchor, prizes=drawn.table, campaign_id="wheel")


CHI_SQUARE_2 = 13.816
"""What the statistic exceeds once in a thousand times with 2 degrees of freedom.

Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, upper critical values at 0.001.
"""


def test_decisions_draw_at_the_chances_of_the_table() -> None:
    """10,000 rights played one after the other give prizes as often as chance would have it, and cost what they say."""
    campaign = game("wheel", coffee(200_000), voucher(50_000))
    story = GameStory(campaign)
    clicked = record("ExperienceClicked", 1, 1, experience_id=story.view())
    (right,), before = story.state.reservations, story.balance("wheel")
    assert story.market is not None
    seen = Counter[str | None]()
    for number in range(10_000):
        name = f"right-{number}"
        state = replace(story.state, reservations=(replace(right, experience_id=name),))
        click = replace(clicked, event=replace(clicked.event, experience_id=name))
        _, decided = decide(apply(state, click, Position(1, 1)), click, story.tree, 0, story.market)
        assert decided is not None
        story.purse.take(decided)
        seen[decided.plays[0].prize_id] += 1
    expected = {"coffee": 2_000, "voucher": 500, None: 7_500}
    assert sum((seen[name] - count) ** 2 / count for name, count in expected.items()) < CHI_SQUARE_2
    after = story.balance("wheel")
    assert Amounts(300 * seen["coffee"], seen["coffee"]) == after.committed
    kept = Amounts(500 * seen["voucher"], seen["voucher"])
    assert before.reserved.plus(kept).minus(Amounts(10_000 * 500, 10_000)) == after.reserved
