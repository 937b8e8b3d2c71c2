"""The purse that an owner of a partition finds: read once, when a worker takes it."""

from __future__ import annotations

import msgspec

from actors.tail import Tail
from domain.errors import PortError
from domain.ports.snapshot_store import SnapshotStore
from domain.purse import Purse, decode, purse_key
from domain.records import Decided


async def inherited_purse(number: int, tail: Tail, snapshots: SnapshotStore) -> Purse:
    """Gives a partition's purse as its owner before left it: the saved one, and what the tail says since.

    Raises:
        PortError: the store can't be read now; not retriable: the purse is of a newer version.
    """
    key = purse_key(number)
    payload = (await snapshots.load([key])).get(key)
    try:
        purse = decode(payload) if payload is not None else Purse()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PortError(
            f"the purse of partition {number} can't be read ({error}): run the newer hotbasket", retriable=False
        ) from error
    for position, said in tail.said.items():
        if isinstance(said, Decided) and position > purse.position:
            purse.take(said)
    purse.lease(tail.leases)
    return purse
