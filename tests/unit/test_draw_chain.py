"""The seeds of a campaign's draws: how they hang together, when each is used, and when it may be seen."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest

from domain.draw_chain import EPOCH_MS, EpochSchedule, SeedChain, leads_to_anchor, proven_seeds
from domain.errors import Refused

START_MS = 1_772_427_600_000
END = sha256(b"the end of the tests' chain").digest()
CHAIN = SeedChain(END, epochs=3)
SEEDS = {epoch: CHAIN.seed(epoch) for epoch in (1, 2, 3)}


def test_a_chain_is_what_sha256_makes_of_its_end() -> None:
    """The seeds are those that coreutils' sha256sum gives."""
    chain = SeedChain(bytes(31) + b"\x01", epochs=2)
    assert "ec4916dd28fc4c10d78e287ca5d9cc51ee1ae73cbfde08c6b37324cbfaac8bc5" == chain.seed(1).hex()
    assert "32ba476771d01e37807990ead8719f08af494723de1d228f2c2c07cc0aa40bac" == chain.anchor.hex()
    assert bytes(31) + b"\x01" == chain.seed(2)


def test_a_chain_of_one_epoch() -> None:
    """A campaign of a day has the end as its only seed, one step from the anchor."""
    chain = SeedChain(END, epochs=1)
    assert (1, END, sha256(END).digest()) == (chain.epochs, chain.seed(1), chain.anchor)
    assert leads_to_anchor(END, 1, chain.anchor)


@pytest.mark.parametrize(("end", "epochs"), [(END, 0), (END, 401), (END, -1), (b"", 3), (END[:31], 3), (END + b"x", 3)])
def test_a_chain_is_refused(end: bytes, epochs: int) -> None:
    """An end of another length, no epoch, or more than 400 make no chain."""
    with pytest.raises(Refused):
        SeedChain(end, epochs=epochs)


@pytest.mark.parametrize("epoch", [0, -1, 4])
def test_a_chain_gives_no_seed_of_an_epoch_that_is_not(epoch: int) -> None:
    """Neither 0 nor a number from behind gives a seed: -1 would be the last, most secret one."""
    with pytest.raises(Refused, match=r"the epochs 1 to 3"):
        CHAIN.seed(epoch)


def test_a_chain_is_neither_printed_nor_encoded() -> None:
    """A log line or an answer that got hold of a chain shows no seed."""
    assert END.hex() not in repr(CHAIN)
    assert repr(END) not in repr(CHAIN)
    with pytest.raises(TypeError):
        msgspec.json.encode(CHAIN)


@pytest.mark.parametrize(
    ("after_start_ms", "epoch", "drawn"),
    [
        (-1, 1, False),
        (-10 * EPOCH_MS, 1, False),
        (0, 1, True),
        (EPOCH_MS - 1, 1, True),
        (EPOCH_MS, 2, True),
        (2 * EPOCH_MS - 1, 2, True),
        (2 * EPOCH_MS, 3, True),
        (3 * EPOCH_MS - 1, 3, True),
        (3 * EPOCH_MS, 3, False),
        (99 * EPOCH_MS, 3, False),
    ],
)
def test_a_play_belongs_to_an_epoch(after_start_ms: int, epoch: int, drawn: bool) -> None:
    """An epoch begins with its first millisecond; outside the campaign the nearest one counts, but no play is drawn."""
    schedule = EpochSchedule(starts_at_ms=START_MS, epochs=3)
    assert epoch == schedule.epoch_at(START_MS + after_start_ms)
    assert drawn == schedule.takes_plays(START_MS + after_start_ms)


def test_a_seed_is_revealed_once_its_epoch_is_over() -> None:
    """A seed stays secret through its epoch and the margin after it, to the millisecond."""
    schedule = EpochSchedule(starts_at_ms=START_MS, epochs=3)
    for epoch in (1, 2, 3):
        over_ms = START_MS + epoch * EPOCH_MS
        assert not schedule.is_revealable(epoch, over_ms - 1, margin_ms=0)
        assert schedule.is_revealable(epoch, over_ms, margin_ms=0)
        assert not schedule.is_revealable(epoch, over_ms + 3_599_999)
        assert schedule.is_revealable(epoch, over_ms + 3_600_000)


@pytest.mark.parametrize(("epoch", "margin_ms"), [(0, 0), (4, 0), (1, -1)])
def test_what_can_not_be_revealed_is_refused(epoch: int, margin_ms: int) -> None:
    """An epoch that is not, or a margin that would reveal early, is an error and no answer."""
    with pytest.raises(Refused):
        EpochSchedule(starts_at_ms=START_MS, epochs=3).is_revealable(epoch, START_MS * 2, margin_ms=margin_ms)


def test_a_revealed_seed_leads_to_the_anchor() -> None:
    """A seed is right for its own epoch and no other, whatever number it is given."""
    for epoch in (1, 2, 3):
        right = [
            at for at in (-1, 0, 1, 2, 3, 4, 400, 401, 10**9) if leads_to_anchor(CHAIN.seed(epoch), at, CHAIN.anchor)
        ]
        assert [epoch] == right
    assert not leads_to_anchor(END[:31], 3, CHAIN.anchor)
    assert not leads_to_anchor(CHAIN.seed(1), 1, END)


def test_a_seed_proves_those_before_it() -> None:
    """The newest seed alone gives all; a false one is named and hides nothing behind it."""
    assert (SEEDS, []) == proven_seeds({3: END}, CHAIN.anchor)
    assert ({}, []) == proven_seeds({}, CHAIN.anchor)
    seeds = {2: END, 3: END, 1: b"short", 401: END}
    assert (
        SEEDS,
        [
            "epoch 1: its seed has 5 bytes, seeds have 32",
            "epoch 2: its seed does not lead to the anchor",
            "epoch 401: its seed leads nowhere, epochs are 1 to 400",
        ],
    ) == proven_seeds(seeds, CHAIN.anchor)
