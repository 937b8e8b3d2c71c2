"""What a shopper's state remembers of decisions, for those who ask why: encoded, since only lookups read it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.experiences import Kind
from domain.records import Against, Decided, Decision, Why
from domain.shopper import DECISIONS_KEPT


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A decision as a lookup tells it.

    Attributes:
        campaign_id: that won the slot, None where none was needed.
        against: the campaigns that lost it.
        held_out: the shopper is held out of the campaign, so that nothing was shown.
    """

    experience_id: str
    kind: Kind
    trigger_event_id: UUID
    path: tuple[str, ...]
    why: tuple[Why, ...]
    campaign_id: str | None = None
    against: tuple[Against, ...] = ()
    held_out: bool = False


class Losers(Struct, frozen=True, gc=False):
    """The campaigns that lost at one event.

    Attributes:
        trigger_event_id: of the event.
        against: in the order in which they were asked.
    """

    trigger_event_id: UUID
    against: tuple[Against, ...]


_encoder = msgspec.msgpack.Encoder()
_told_decoder = msgspec.msgpack.Decoder(Told)
_losers_decoder = msgspec.msgpack.Decoder(Losers)


def decisions_after(told: tuple[bytes, ...], decided: Decided) -> tuple[bytes, ...]:
    """Gives `Shopper.decisions` after an event, the newest first; of one event what nobody saw comes last."""
    if decided.decisions or decided.held_out:
        return (*_newest_first(decided), *told)[:DECISIONS_KEPT]
    return told


def losers_after(losers: bytes, decided: Decided) -> bytes:
    """Gives `Shopper.losers` after an event."""
    return _encoder.encode(Losers(decided.trigger_event_id, decided.against)) if decided.against else losers


def read_told(payload: bytes) -> Told:
    """Reads one of `Shopper.decisions`."""
    return _told_decoder.decode(payload)


def read_losers(payload: bytes) -> Losers | None:
    """Reads `Shopper.losers`; None where no campaign ever lost."""
    return _losers_decoder.decode(payload) if payload else None


def _newest_first(decided: Decided) -> Iterator[bytes]:
    for decision in reversed(decided.decisions):
        yield _tell(decision, decided, held_out=False)
    for decision in reversed(decided.held_out):
        yield _tell(decision, decided, held_out=True)


def _tell(decision: Decision, decided: Decided, *, held_out: bool) -> bytes:
    shown = decision.experience
    return _encoder.encode(
        Told(
            experience_id=shown.experience_id,
            kind=shown.kind,
            trigger_event_id=shown.trigger_event_id,
            path=decision.path,
            why=decision.why,
            campaign_id=shown.campaign_id,
            against=tuple(lost for lost in decided.against if lost.slot == shown.slot),
            held_out=held_out,
        )
    )
