"""Arbitration: a node proposes, campaigns dispose, and the best proposal of a slot wins.

A proposal names a campaign, any campaign (`*`), or none: without one it needs none, and stands behind the node's
others. Of several nodes that one event enters, the last one's proposals come first. Whoever is asked and loses says
why. What would be over before its event came, as of a phone that was offline, is no campaign's to promise. Nothing
here waits or reads a clock: what a lease has left is in the purse, and time is in the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush, merge
from itertools import chain, repeat
from typing import NamedTuple

from domain.campaigns import ANY_CAMPAIGN, Cap, Definition
from domain.campaigns_in_force import InForce, Offer, Open
from domain.conditions import Facts
from domain.contents import NodeExperience
from domain.holdout import is_held_out
from domain.purse import Purse
from domain.records import Against, Reason
from domain.reservations import OPEN_MAX
from domain.terms import Terms, terms

AGAINST_MAX = 12
"""Losers told of one event."""
_DAY_MS = 86_400_000
_NO_RANK = 1 << 30


class Market(NamedTuple):
    """What decisions of one partition ask.

    Attributes:
        in_force: campaigns by retailer id.
        purse: what the partition may promise. A decision reads it; whoever takes the decision down folds it in.
    """

    in_force: Mapping[str, InForce]
    purse: Purse


class Bid(NamedTuple):
    """One proposal of a node that the event entered.

    Attributes:
        moves: of the event until there; the more, the later.
        node_id: that proposes.
        proposed: what it would show.
    """

    moves: int
    node_id: str
    proposed: NodeExperience


class Won(NamedTuple):
    """A slot's winner.

    Attributes:
        bid: the proposal.
        offer, terms: the campaign that takes it and what it promises; None where none is needed.
        is_held_out: the shopper is not to be shown it.
    """

    bid: Bid
    offer: Offer | None = None
    terms: Terms | None = None
    is_held_out: bool = False


Candidate = tuple[Bid, Offer | None]
"""A bid and a campaign that may take it; without one, the bid itself."""


class Arbiter:
    """Fills the slots that one event opens, each at most once.

    Args:
        market: of the partition.
        facts: the state after the event, and the event.
    """

    def __init__(self, market: Market, facts: Facts) -> None:
        state, record = facts.state, facts.record
        self._facts = facts
        self._at_ms = record.received_at_ms
        self._in_force = in_force = market.in_force.get(state.retailer_id)
        self._open = in_force.open_at(self._at_ms) if in_force is not None else Open({}, {})
        self._purse = market.purse
        still_open = [one for one in state.reservations if one.is_open]
        self._promised = {one.campaign_id for one in still_open}
        self._groups = {one.group for one in still_open if one.group is not None}
        self._open_promises = len(still_open)
        self.against: list[Against] = []

    def fill(self, bids: Mapping[str, Sequence[Bid]]) -> dict[str, Won]:
        """Gives the winner of each slot that has one.

        Of the candidates whose turn it is in their slots the one that ranks highest is asked first, so that of two
        campaigns that exclude each other the better one wins, whatever stands before it in its slot.

        Args:
            bids: by slot, in the order of the nodes entered.
        """
        turns: list[tuple[int, str, Candidate, Iterator[Candidate]]] = []
        for slot, of_slot in bids.items():
            _line_up(turns, slot, self._candidates(slot, of_slot))
        won: dict[str, Won] = {}
        outranked: list[tuple[str, Iterator[Candidate]]] = []
        facts, against = self._facts, self.against
        while turns:
            _, slot, first, line = heappop(turns)
            # In here, and not in methods: hundreds of campaigns may have to be asked for one that wins.
            for candidate in chain((first,), line):
                if turns and (_rank_of(candidate), slot) > turns[0][:2]:
                    heappush(turns, (_rank_of(candidate), slot, candidate, line))
                    break
                bid, offer = candidate
                judged: Won | Reason | None
                if offer is None:
                    judged = self._plain(bid)
                elif offer.audience is None or offer.audience.holds(facts):
                    judged = self._judge(bid, offer)
                else:
                    judged = "audience"
                if isinstance(judged, Won):
                    won[slot] = judged
                    outranked.append((slot, line))
                    break
                if len(against) < AGAINST_MAX and judged is not None and offer is not None:
                    self._lost(slot, bid, offer.key.campaign_id, judged)
        for slot, line in outranked:
            self._outranked(slot, won[slot], line)
        return won

    def _candidates(self, slot: str, bids: Sequence[Bid]) -> Iterator[Candidate]:
        """Gives who may fill a slot, the first one first."""
        by_node: dict[int, list[Bid]] = {}
        for bid in bids:
            by_node.setdefault(bid.moves, []).append(bid)
        for moves in sorted(by_node, reverse=True):
            by_bid: list[Iterator[Candidate]] = []
            plain: list[Candidate] = []
            for bid in by_node[moves]:
                campaign_id = bid.proposed.campaign_id
                if campaign_id is None:
                    plain.append((bid, None))
                elif self._is_over(bid):
                    self._lost(slot, bid, campaign_id, "late")
                elif campaign_id == ANY_CAMPAIGN:
                    offers = self._open.by_kind.get(bid.proposed.kind, ())
                    # The offers stand in their order already, and mostly the first few decide: none is touched early.
                    by_bid.append(zip(repeat(bid), offers, strict=False))
                else:
                    offer = self._open.by_id.get(campaign_id)
                    if offer is None:
                        self._lost(slot, bid, campaign_id, self._why_absent(campaign_id))
                    elif offer.definition.kind != bid.proposed.kind:
                        self._lost(slot, bid, campaign_id, "other_kind")
                    else:
                        by_bid.append(iter(((bid, offer),)))
            yield from by_bid[0] if len(by_bid) == 1 else merge(*by_bid, key=_rank_of)
            yield from reversed(plain)

    def _is_over(self, bid: Bid) -> bool:
        """Tells whether nobody could see what is proposed: it would have ended before its event came."""
        return self._facts.state.clock_ms + bid.proposed.ttl_s * 1_000 <= self._at_ms

    def _why_absent(self, campaign_id: str) -> Reason:
        """Tells a campaign that was scheduled, if not for now, from a name that nobody knows."""
        return "not_open" if self._in_force is not None and self._in_force.knows(campaign_id) else "unknown"

    def _outranked(self, slot: str, winner: Won, rest: Iterator[Candidate]) -> None:
        """Takes down who was not asked any more."""
        for bid, offer in rest:
            if len(self.against) >= AGAINST_MAX:
                return
            if offer is not None and offer is not winner.offer:
                self._lost(slot, bid, offer.key.campaign_id, "outranked")

    def _plain(self, bid: Bid) -> Won | None:
        """Gives a proposal that needs no campaign, unless it is a tension whose threshold is passed already."""
        proposed = bid.proposed
        if proposed.kind == "basket_tension" and self._is_passed(proposed.content["threshold_minor"]):
            return None
        return Won(bid)

    def _judge(self, bid: Bid, offer: Offer) -> Won | Reason:
        """Gives what a campaign makes of a bid, or the first reason against it."""
        definition = offer.definition
        objection = self._objection(offer, definition)
        if objection is not None:
            return objection
        promised = terms(definition, offer.products, bid.proposed.kind, bid.proposed.content)
        if promised is None:
            return "no_product"
        if definition.kind == "basket_tension" and self._is_passed(promised.content["threshold_minor"]):
            return "threshold_passed"
        if offer.is_kept(promised.cost_minor):
            if self._open_promises >= OPEN_MAX:
                return "too_many_promised"
            if not self._has_left(offer, promised.cost_minor):
                return "budget"
        held_out = is_held_out(offer.key.campaign_id, self._facts.state.shopper, definition.holdout_ppm)
        won = Won(bid, offer, promised, held_out)
        self._take(won, offer)
        return won

    def _objection(self, offer: Offer, definition: Definition) -> Reason | None:
        """Gives what speaks against a campaign before anybody asks what it would promise."""
        campaign_id = offer.key.campaign_id
        reason: Reason | None = None
        if definition.cap is not None and not self._is_below(definition.cap, campaign_id):
            reason = "cap"
        elif campaign_id in self._promised:
            reason = "already_promised"
        elif definition.exclusivity_group is not None and definition.exclusivity_group in self._groups:
            reason = "exclusive"
        elif offer.least_minor and not self._has_left(offer, offer.least_minor):
            reason = "budget"
        return reason

    def _take(self, won: Won, offer: Offer) -> None:
        """Takes down what the slots that choose later have to know."""
        if offer.definition.exclusivity_group is not None:
            self._groups.add(offer.definition.exclusivity_group)
        self._promised.add(offer.key.campaign_id)
        assert won.terms is not None, "a campaign wins with terms"
        if not won.is_held_out and offer.is_kept(won.terms.cost_minor):
            self._open_promises += 1

    def _has_left(self, offer: Offer, cost_minor: int) -> bool:
        return self._purse.has(offer.key, cost_minor, 1 if offer.is_counted else 0)

    def _is_below(self, cap: Cap, campaign_id: str) -> bool:
        since_ms = self._at_ms - cap.days * _DAY_MS
        for exposure in self._facts.state.exposures:
            if exposure.campaign_id == campaign_id:
                return sum(at_ms > since_ms for at_ms in exposure.at_ms) < cap.times
        return True

    def _is_passed(self, threshold_minor: int) -> bool:
        return self._facts.state.basket.total_minor >= threshold_minor

    def _lost(self, slot: str, bid: Bid, campaign_id: str, reason: Reason) -> None:
        """Takes down why a campaign lost a slot, once: the first reason counts."""
        against = self.against
        if len(against) < AGAINST_MAX and not any(
            one.slot == slot and one.campaign_id == campaign_id for one in against
        ):
            against.append(Against(slot=slot, node_id=bid.node_id, campaign_id=campaign_id, reason=reason))


def _line_up(
    turns: list[tuple[int, str, Candidate, Iterator[Candidate]]], slot: str, line: Iterator[Candidate]
) -> None:
    """Gives a slot's next candidate its turn, if there is one."""
    candidate = next(line, None)
    if candidate is not None:
        heappush(turns, (_rank_of(candidate), slot, candidate, line))


def _rank_of(candidate: Candidate) -> int:
    offer = candidate[1]
    return _NO_RANK if offer is None else offer.rank
