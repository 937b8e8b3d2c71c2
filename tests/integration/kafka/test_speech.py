"""What an owner can tell from the offsets of its own appends, and what it must read back."""

from __future__ import annotations

from adapters.kafka.speech import Speech


def test_consecutive_words_leave_nothing_to_read() -> None:
    """Where each append follows the last, nobody else can have spoken."""
    speech = Speech(4)
    assert [4, None] == [speech.progress, speech.hole]
    speech.said(5, 7, is_progress=True)
    speech.said(8, 8, is_progress=True)
    assert [8, None] == [speech.progress, speech.hole]


def test_a_hole_is_to_be_read() -> None:
    """Offsets that this owner did not get hold somebody else's words, or its own of which it was never told."""
    speech = Speech(4)
    speech.said(7, 9, is_progress=True)
    assert (5, 6) == speech.hole


def test_two_holes_are_read_as_one() -> None:
    """What lies between is the owner's own: reading it too harms nobody."""
    speech = Speech(4)
    speech.said(6, 6, is_progress=True)
    speech.said(9, 9, is_progress=True)
    assert (5, 8) == speech.hole


def test_what_was_read_is_forgotten_and_the_rest_is_not() -> None:
    """A hole that grew while it was read is read on from there."""
    speech = Speech(4)
    speech.said(6, 6, is_progress=True)
    read = speech.hole
    assert read is not None
    speech.said(9, 9, is_progress=True)
    speech.read_back(read)
    assert (6, 8) == speech.hole
    speech.read_back((6, 8))
    assert speech.hole is None


def test_words_without_a_progress_do_not_count() -> None:
    """The last `Progress` stays where it was until another closes what was said."""
    speech = Speech(4)
    speech.said(5, 6, is_progress=False)
    assert 4 == speech.progress
