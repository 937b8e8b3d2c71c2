"""Games: what a campaign's draws need beyond its definition. Control data, from the control plane to decisions.

A campaign either gives prizes, which the shopper plays for on the page, or a reward: a draw for the price of the whole
basket, when a verified order is paid.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from domain.campaigns import Campaign, Definition, Prize, RewardRules
from domain.draw_chain import EpochSchedule, SeedChain
from domain.draws import Outcome, draw
from domain.draws import Prize as Drawn

BASKET = "basket"
"""Prize id of the price of the whole basket."""
_BASKET_LABEL = "The price of your basket"
_NONE_OUT: AbstractSet[str] = frozenset()


class Game:
    """One campaign that draws, with its secret seeds.

    It is no Struct on purpose, like the chain in it: what can be neither printed nor encoded by accident can't leak.

    Attributes:
        campaign_id: whose.
        table: the prizes as they are drawn and published.
        prizes: what they give, by id; none where the basket is drawn for.
        reward: the rules where the basket is drawn for.
        schedule: which seed decides when.
    """

    __slots__ = ("_chain", "campaign_id", "prizes", "reward", "schedule", "table")

    def __init__(self, campaign: Campaign, end: bytes, *, epochs: int) -> None:
        """Takes the campaign, and what its seeds are made from.

        Raises:
            Refused: see `SeedChain`.
        """
        definition = campaign.definition
        self._chain = SeedChain(end, epochs=epochs)
        self.campaign_id = campaign.campaign_id
        self.table = prize_table(definition)
        self.prizes: Mapping[str, Prize] = {prize.prize_id: prize for prize in definition.prizes}
        self.reward: RewardRules | None = None if definition.prizes else definition.reward
        self.schedule = EpochSchedule(starts_at_ms=definition.starts_at_ms, epochs=epochs)

    @property
    def anchor(self) -> bytes:
        """What is published before the first play."""
        return self._chain.anchor

    def draw(self, right_id: str, epoch: int, out_of_stock: AbstractSet[str] = _NONE_OUT) -> Outcome:
        """Draws a right: see `domain.draws.draw`."""
        return draw(self.table, self._chain.seed(epoch), self.campaign_id, right_id, out_of_stock)

    def revealed(self, now_ms: int) -> dict[int, bytes]:
        """Gives the seeds that may be published by now, by epoch."""
        epochs = range(1, self.schedule.epochs + 1)
        return {epoch: self._chain.seed(epoch) for epoch in epochs if self.schedule.is_revealable(epoch, now_ms)}


def prize_table(definition: Definition) -> tuple[Drawn, ...]:
    """Gives the prizes of a campaign as they are drawn and published, in this order."""
    if not definition.prizes and definition.reward is not None:
        reward = definition.reward
        return (
            Drawn(
                prize_id=BASKET,
                label=_BASKET_LABEL,
                chance_ppm=reward.chance_ppm,
                stock=None,
                cost_minor=reward.at_most_minor,
            ),
        )
    return tuple(
        Drawn(
            prize_id=prize.prize_id,
            label=label_of(prize),
            chance_ppm=prize.chance_ppm,
            stock=prize.stock,
            cost_minor=prize.cost_minor,
        )
        for prize in definition.prizes
    )


def label_of(prize: Prize) -> str:
    """Gives what the shopper reads of a prize."""
    return prize.reward.label or prize.prize_id
