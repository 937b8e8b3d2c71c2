"""The tail: what of an earlier owner's records counts for the next one."""

from uuid import UUID

from actors.tail import Tail
from domain.ids import Position
from domain.ports.event_log import Committed
from domain.ports.experience_log import Entry
from domain.records import Decided, ExperienceRecord, Owner, Progress


def decided(offset: int, token: int, node_id: str = "n") -> Decided:
    """A decision about the event at an offset."""
    return Decided(
        schema_version=1,
        token=token,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset),
        retailer_id="r-1",
        shopper="0a",
        received_at_ms=0,
        generation=1,
        node_id=node_id,
        walked_from="n",
    )


def progress(through: int, token: int) -> Progress:
    """The close of a batch."""
    return Progress(schema_version=1, token=token, through=Position(1, through))


OWNER = Owner(schema_version=1, worker_id="w")


def tail_of(*records: ExperienceRecord, committed: Committed | None = None) -> Tail:
    """A tail that has read these records."""
    tail = Tail(committed)
    tail.take([Entry(0, offset, record) for offset, record in enumerate(records)])
    return tail


def test_closed_records_count() -> None:
    """What stands before its owner's `Progress` was decided."""
    tail = tail_of(OWNER, decided(4, 0), progress(5, 0))
    assert tail.through == Position(1, 5)
    assert tail.said == {Position(1, 4): decided(4, 0)}


def test_records_without_progress_do_not_count() -> None:
    """A crash between decision and `Progress` leaves the decision to the next owner."""
    tail = tail_of(OWNER, decided(4, 0), progress(5, 0), decided(6, 0))
    assert tail.through == Position(1, 5)
    assert Position(1, 6) not in tail.said


def test_a_newer_owner_ends_what_is_open() -> None:
    """An old owner's records behind a newer `Owner` never count, closed or not."""
    tail = tail_of(OWNER, decided(4, 0), OWNER, progress(9, 0), decided(4, 2, "new"), progress(4, 2), decided(5, 0))
    assert tail.through == Position(1, 4)
    assert tail.said == {Position(1, 4): decided(4, 2, "new")}


def test_a_repeated_append_counts_once() -> None:
    """An append whose answer was lost is repeated: each event's decision is taken the first time."""
    tail = tail_of(OWNER, decided(4, 0), progress(5, 0), decided(4, 0, "again"), progress(5, 0))
    assert tail.said == {Position(1, 4): decided(4, 0)}


def test_what_is_saved_is_not_taken_again() -> None:
    """The tail starts behind the commit; the token of who committed is remembered."""
    committed = Committed(Position(1, 5), token=3, tail=9)
    tail = tail_of(decided(5, 3), decided(6, 2), progress(6, 2), decided(6, 3), progress(6, 3), committed=committed)
    assert tail.said == {Position(1, 6): decided(6, 3)}
