"""The secret seeds of a campaign's draws, one an epoch: made before it starts, published when nobody can use them.

The seeds form a hash chain, made from its end backwards: each seed is the SHA-256 of the next epoch's. The anchor, one
step before the first, is published when the campaign is scheduled and pins every seed, while a seed that is revealed
tells only of the epochs before it.

Source: L. Lamport, "Password authentication with insecure communication", 1981; FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct

from domain.errors import Refused

EPOCH_MS = 86_400_000
"""An epoch is 24 hours from the campaign's start: no calendar day, so that a change of the clocks can't stretch it."""
EPOCHS_MAX = 400
"""A campaign's longest life, and thereby the most hashes that checking one seed costs."""
SEED_BYTES = 32
REVEAL_MARGIN_MS = 3_600_000
"""An hour: no gateway's clock is further behind, so none stamps a play with an epoch whose seed is out already."""


class SeedChain:
    """Every seed of one campaign, for as long as the draws need them.

    It is no Struct on purpose: what can be neither printed nor encoded by accident can't leak. A chain serves one
    campaign; a second one under the same chain would be played with revealed seeds.

    Attributes:
        anchor: what is published before the first play, 32 bytes.
        epochs: how many seeds there are, 1..400.
    """

    __slots__ = ("_links",)

    def __init__(self, end: bytes, *, epochs: int) -> None:
        """Makes the chain; costs one hash an epoch, and 32 bytes of memory.

        Args:
            end: the last epoch's seed, 32 bytes that nobody can guess; with it the whole chain can be made again.
            epochs: days of the campaign, 1..400, a begun day counting as a whole one.

        Raises:
            Refused: the end has another length, or there are too few or too many epochs.
        """
        if len(end) != SEED_BYTES:
            raise Refused(f"the end of a chain has {len(end)} bytes: make {SEED_BYTES} random ones")
        if not 1 <= epochs <= EPOCHS_MAX:
            raise Refused(f"a chain of {epochs} epochs: a campaign with draws lasts 1 to {EPOCHS_MAX} days")
        links = [end]
        for _ in range(epochs):
            links.append(sha256(links[-1]).digest())
        self._links = tuple(reversed(links))

    @property
    def anchor(self) -> bytes:
        """What is published before the first play."""
        return self._links[0]

    @property
    def epochs(self) -> int:
        """How many seeds there are."""
        return len(self._links) - 1

    def seed(self, epoch: int) -> bytes:
        """Gives an epoch's seed, a secret until `EpochSchedule.is_revealable`.

        Raises:
            Refused: the chain has no such epoch.
        """
        _refuse_epoch(epoch, of=self.epochs)
        return self._links[epoch]


class EpochSchedule(Struct, frozen=True, kw_only=True):
    """When the epochs of a campaign's draws begin and end; all times by the gateway's stamp of receipt.

    Attributes:
        starts_at_ms: the campaign's start, Unix milliseconds.
        epochs: days of the campaign, 1..400; the last one ends with its 24 hours even if the campaign ends earlier.
    """

    starts_at_ms: int
    epochs: int

    def takes_plays(self, received_at_ms: int) -> bool:
        """Tells whether a play may be drawn: received in one of the epochs, the end excluded.

        A play after the end must be refused: the last seed is about to be public, and with it anybody can find an
        event id that wins.
        """
        return 0 <= received_at_ms - self.starts_at_ms < self.epochs * EPOCH_MS

    def epoch_at(self, received_at_ms: int) -> int:
        """Gives the epoch whose seed decides a play received then: the first one before the start, the last after."""
        return min(max(1, 1 + (received_at_ms - self.starts_at_ms) // EPOCH_MS), self.epochs)

    def is_revealable(self, epoch: int, now_ms: int, *, margin_ms: int = REVEAL_MARGIN_MS) -> bool:
        """Tells whether an epoch's seed may be published: the epoch is wholly over, for at least the margin.

        Args:
            epoch: 1..epochs.
            now_ms: by the clock of whoever publishes.
            margin_ms: how far any gateway's clock may be behind that clock, 0 or more.

        Raises:
            Refused: there is no such epoch, or the margin is negative.
        """
        _refuse_epoch(epoch, of=self.epochs)
        if margin_ms < 0:
            raise Refused(f"a margin of {margin_ms} ms would reveal a seed that still decides plays: give 0 or more")
        return now_ms - self.starts_at_ms >= epoch * EPOCH_MS + margin_ms


def leads_to_anchor(seed: bytes, epoch: int, anchor: bytes) -> bool:
    """Tells whether a revealed seed is the one that the anchor stands for; costs at most 400 hashes.

    Args:
        seed: as revealed.
        epoch: whose seed it is said to be; outside 1..400 nothing leads to the anchor.
        anchor: as published before the campaign.
    """
    return epoch in proven_seeds({epoch: seed}, anchor)[0]


def proven_seeds(revealed: Mapping[int, bytes], anchor: bytes) -> tuple[dict[int, bytes], list[str]]:
    """Checks revealed seeds; costs one hash an epoch if all are right, at most 400 a seed if not.

    Args:
        revealed: epoch → seed, gaps allowed.
        anchor: as published before the campaign.

    Returns:
        Every seed that the revealed ones prove, by epoch: those that lead to the anchor and all of the epochs before
        them. And a sentence for each that does not, in order of the epochs.
    """
    proven, faults, top = {0: anchor}, [], 0
    for epoch, seed in sorted(revealed.items()):
        if not 1 <= epoch <= EPOCHS_MAX:
            faults.append(f"epoch {epoch}: its seed leads nowhere, epochs are 1 to {EPOCHS_MAX}")
            continue
        if len(seed) != SEED_BYTES:
            faults.append(f"epoch {epoch}: its seed has {len(seed)} bytes, seeds have {SEED_BYTES}")
            continue
        links = [seed]
        for _ in range(epoch - top):
            links.append(sha256(links[-1]).digest())
        if links[-1] != proven[top]:
            faults.append(f"epoch {epoch}: its seed does not lead to the anchor")
            continue
        proven.update(zip(range(epoch, top, -1), links, strict=False))
        top = epoch
    del proven[0]
    return proven, faults


def _refuse_epoch(epoch: int, *, of: int) -> None:
    """Checks that a campaign has an epoch.

    Raises:
        Refused: it has not; the epochs count from 1.
    """
    if not 1 <= epoch <= of:
        raise Refused(f"epoch {epoch}: the campaign has the epochs 1 to {of}")
