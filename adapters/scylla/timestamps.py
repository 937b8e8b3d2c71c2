"""CQL timestamps made from places in the log: of two writes, the one further along in the log wins, on any machine.

A clock would let a worker that was paused overwrite its successor. `docs/adr/0008-cql-timestamps-come-from-the-log.md`
says which tables follow which rule.
"""

from __future__ import annotations

from domain.ids import Position

EPOCH_MAX = 90
"""ScyllaDB refuses timestamps more than three days in the future; epoch 90 stays below the microseconds of 2026."""
_OFFSETS = 1 << 43


def write_timestamp(position: Position) -> int:
    """Gives the timestamp of what was written as of a position: even, and growing with the position."""
    assert 0 <= position.epoch <= EPOCH_MAX, f"epoch {position.epoch} is beyond {EPOCH_MAX}"
    assert -1 <= position.offset < _OFFSETS - 1, f"offset {position.offset} is beyond {_OFFSETS}"
    return position.epoch * 2 * _OFFSETS + 2 * (position.offset + 1)


def delete_timestamp(position: Position) -> int:
    """Gives the timestamp that removes what was written as of a position, and nothing that is newer."""
    return write_timestamp(position) + 1
