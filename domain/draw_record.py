"""The public record of a campaign's draws: one JSON document from which anybody draws every play again.

docs/rewards.md explains it, and checks it in a few lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from domain.draws import SEPARATOR, Play, Prize, verify
from domain.errors import Refused
from domain.games import Game
from domain.records import Decided
from domain.timestamps import rfc3339


class PublishedPrize(Struct, frozen=True, kw_only=True):
    """One prize, in the order in which tickets are dealt out."""

    prize_id: str
    label: str
    chance_ppm: int
    stock: int | None


class DrawRecord(Struct, frozen=True, kw_only=True):
    """What is published of a campaign that draws.

    Attributes:
        campaign_id, starts_at, epochs, anchor, prizes: from when it is scheduled on.
        seeds: by epoch, hex, an hour after the epoch's end.
        plays: of those epochs.
    """

    campaign_id: str
    starts_at: str
    epochs: int
    anchor: str
    prizes: tuple[PublishedPrize, ...]
    seeds: dict[int, str]
    plays: tuple[Play, ...] = ()


class Drawn(Struct, frozen=True, kw_only=True):
    """The plays of a campaign, as decisions tell them.

    Attributes:
        plays: by right.
        waiting: rights whose prize is not known yet.
    """

    plays: Mapping[str, Play]
    waiting: frozenset[str]


_decoder = msgspec.json.Decoder(DrawRecord)


def public_record(game: Game, now_ms: int, plays: Iterable[Play] = ()) -> DrawRecord:
    """Gives what may be published by now, in an order that tells nothing of who played.

    Args:
        game: of the campaign.
        now_ms: by the clock of whoever publishes.
        plays: any; those of epochs that are not over yet are left out.
    """
    seeds = game.revealed(now_ms)
    return DrawRecord(
        campaign_id=game.campaign_id,
        starts_at=rfc3339(game.schedule.starts_at_ms),
        epochs=game.schedule.epochs,
        anchor=game.anchor.hex(),
        prizes=tuple(
            PublishedPrize(prize_id=one.prize_id, label=one.label, chance_ppm=one.chance_ppm, stock=one.stock)
            for one in game.table
        ),
        seeds={epoch: seed.hex() for epoch, seed in seeds.items()},
        plays=tuple(sorted((play for play in plays if play.epoch in seeds), key=_by_epoch)),
    )


def plays_in(decided: Iterable[Decided], campaign_id: str) -> Drawn:
    """Gives the plays of a campaign that decisions hold, whatever their order; the same decision may come twice."""
    plays: dict[str, Play] = {}
    waiting: set[str] = set()
    for said in decided:
        for play in said.plays:
            if play.campaign_id != campaign_id:
                continue
            if play.state == "drawing":
                waiting.add(play.experience_id)
            else:
                plays[play.experience_id] = Play(
                    right_id=play.experience_id, epoch=play.epoch, prize_id=play.prize_id, wanted=play.wanted
                )
    return Drawn(plays=plays, waiting=frozenset(waiting - plays.keys()))


def with_earlier(record: DrawRecord, earlier: DrawRecord) -> DrawRecord:
    """Gives a record with the plays of one that was published before: stores forget what the public record keeps.

    Raises:
        Refused: it is another campaign's, or one of its plays is another one now.
    """
    for name in ("campaign_id", "starts_at", "epochs", "anchor", "prizes"):
        if getattr(record, name) != getattr(earlier, name):
            raise Refused(f"$.{name}: the earlier record is of another campaign: {getattr(earlier, name)}")
    plays = {play.right_id: play for play in earlier.plays}
    faults = [
        f"right {play.right_id}: the earlier record says that it was drawn otherwise"
        for play in record.plays
        if plays.setdefault(play.right_id, play) != play
    ]
    if faults:
        raise Refused(*faults)
    return msgspec.structs.replace(record, plays=tuple(sorted(plays.values(), key=_by_epoch)))


def read_record(document: bytes) -> DrawRecord:
    """Reads a public record.

    Raises:
        Refused: it is none.
    """
    try:
        return _decoder.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"no public record of draws: {error}") from None


def record_faults(record: DrawRecord) -> list[str]:
    """Draws every play of a record again, and gives each fault as a sentence; none = it is as it was drawn."""
    if SEPARATOR in record.campaign_id:
        return ["$.campaign_id: no campaign has such an id"]
    try:
        anchor = bytes.fromhex(record.anchor)
        seeds = {epoch: bytes.fromhex(seed) for epoch, seed in record.seeds.items()}
    except ValueError:
        return ["$: anchor and seeds are 64 hex digits each"]
    prizes = [
        Prize(prize_id=one.prize_id, label=one.label, chance_ppm=one.chance_ppm, stock=one.stock, cost_minor=0)
        for one in record.prizes
    ]
    faults = [
        f"epoch {epoch}: the campaign has the epochs 1 to {record.epochs}" for epoch in seeds if epoch > record.epochs
    ]
    return faults + verify(record.plays, seeds=seeds, anchor=anchor, prizes=prizes, campaign_id=record.campaign_id)


def _by_epoch(play: Play) -> tuple[int, str]:
    return play.epoch, play.right_id
