"""Residents: shoppers in memory, their actors, and what a poison event does to them."""

import gc
from hashlib import sha256

import msgspec
import pytest

from actors.messages import Item, Loaded, Results
from actors.residents import Residents
from domain.ids import Position, ShopperKey
from domain.ports.tree_store import StoredTree
from domain.records import Decided, Failed, Record
from domain.shopper import encode
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree
from tests.story import RETAILER, record

PASTA = {"kind": "product", "action": "added", "category_ids": ["pasta"]}
SAUCE = {"products": [{"product_id": "p-77"}]}


def tree(node_id: str = "sauce", generation: int = 1) -> StoredTree:
    """A tree in which pasta leads to a recommendation."""
    _, read = read_tree(
        {
            "schema_version": 1,
            "shopper": "default",
            "root": "start",
            "nodes": {
                "start": {"edges": [{"to": node_id, "when": PASTA}]},
                node_id: {"experiences": [{"slot": "main", "kind": "recommendation", "content": SAUCE}]},
            },
        }
    )
    return StoredTree(generation, encode_tree(read))


def key(name: str) -> ShopperKey:
    """A shopper like any other."""
    return ShopperKey(RETAILER, sha256(name.encode()).hexdigest())


def pasta(shopper: ShopperKey, number: int) -> Item:
    """An addition of pasta by a shopper."""
    told = record("AddedToBasket", number, number, product={"product_id": "p-1", "category_id": "pasta"})
    event = msgspec.structs.replace(told.event, shopper_id=shopper.shopper)
    return Item(msgspec.structs.replace(told, event=event), Position(1, number))


def tell(residents: Residents, items: list[Item], loaded: dict[ShopperKey, Loaded], version: int = 1) -> Results:
    """Processes events, at the time of the first offset."""
    return residents.process(0, items, loaded, version, now_s=float(items[0].position.offset) if items else 0.0)


def nobody(*keys: ShopperKey, planted: StoredTree | None = None) -> dict[ShopperKey, Loaded]:
    """What is loaded for shoppers never seen."""
    return dict.fromkeys(keys, Loaded(None, planted))


def test_records_come_in_the_order_of_their_events() -> None:
    """Shoppers of all stripes are told in one call, and the log gets their decisions in order."""
    residents = Residents(1)
    keys = [key(str(number)) for number in range(3 * 16)]
    items = [pasta(shopper, number) for number, shopper in enumerate(keys)]
    results = tell(residents, items, nobody(*keys, planted=tree()))
    assert [one.position.offset for one in results.records] == list(range(len(keys)))
    assert len(residents) == len(keys)


def test_who_is_not_resident_or_has_an_old_tree_is_missing() -> None:
    """The worker prefetches exactly those."""
    residents = Residents(1)
    a, b = key("a"), key("b")
    tell(residents, [pasta(a, 0)], nobody(a, planted=tree()), version=1)
    assert residents.missing([a, b], tree_version=1) == ([b], [])
    assert residents.missing([a, b], tree_version=2) == ([b], [a])


def test_a_new_tree_takes_effect_at_the_next_event_and_keeps_the_state() -> None:
    """A resident's state is not replaced by what was loaded for a stale tree."""
    residents = Residents(1)
    a = key("a")
    tell(residents, [pasta(a, 0)], nobody(a, planted=tree()))
    results = tell(residents, [pasta(a, 1)], nobody(a, planted=tree("other", 2)), version=2)
    assert [one.node_id for one in results.records if isinstance(one, Decided)] == ["other"]
    assert residents.snapshots([a])[0].basket.lines[0].quantity == 2


def test_an_erased_shopper_does_not_meet_the_old_tree_again() -> None:
    """Whoever comes back while still in memory has the tree that is stored then, though no tree was pushed."""
    residents = Residents(1)
    a, b = key("a"), key("b")
    tell(residents, [pasta(a, 0), pasta(b, 1)], nobody(a, b, planted=tree("own")))
    told = record("ShopperErased", 2, 2)
    event = msgspec.structs.replace(told.event, shopper_id=a.shopper)
    end = Item(msgspec.structs.replace(told, event=event), Position(1, 2))
    tell(residents, [end], {})
    assert ([], [a]) == residents.missing((a, b), 1)
    results = tell(residents, [pasta(a, 3)], nobody(a, planted=tree("default")))
    assert ["default"] == [one.node_id for one in results.records if isinstance(one, Decided)]
    assert ([], []) == residents.missing((a, b), 1)


def test_passivation_puts_out_the_longest_idle_who_are_saved() -> None:
    """Beyond the bound, and never a shopper with unsaved changes."""
    residents = Residents(1)
    keys = sorted((key(str(number)) for number in range(400)), key=lambda one: one.shopper[3])
    same_stripe = [one for one in keys if one.shopper[3] == keys[0].shopper[3]][:4]
    for number, shopper in enumerate(same_stripe):
        tell(residents, [pasta(shopper, number)], nobody(shopper))
    out = residents.passivate(idle_since_s=-1.0, residents_max=2 * 16, keep={same_stripe[0]})
    assert (out.idle, out.bound) == (0, 2)
    assert residents.missing(same_stripe, 1) == ([same_stripe[1], same_stripe[2]], [])
    out = residents.passivate(idle_since_s=100.0, residents_max=1_000, keep=set())
    assert (out.idle, len(residents)) == (2, 0)


def test_a_passivated_shopper_comes_back_from_the_snapshot() -> None:
    """In a reused actor, nothing of the shopper who had it before is left."""
    residents = Residents(1)
    a, b = key("a"), key("b")
    tell(residents, [pasta(a, 0)], nobody(a))
    snapshot = encode(residents.snapshots([a])[0])
    residents.passivate(idle_since_s=100.0, residents_max=1, keep=set())
    tell(residents, [pasta(b, 1)], nobody(b))
    tell(residents, [pasta(a, 2)], {a: Loaded(snapshot, None)})
    quantities = {one.key: one.basket.lines[0].quantity for one in residents.snapshots([a, b])}
    assert quantities == {a: 2, b: 1}


def test_churn_leaves_nothing_in_the_actor_system() -> None:
    """Actors are reused, so Thespian's own tables stay as they are after ten times the residents have come and gone."""
    residents = Residents(1)
    sizes = []
    for turn in range(10):
        keys = [key(f"{turn}-{number}") for number in range(200)]
        tell(residents, [pasta(one, turn * 200 + number) for number, one in enumerate(keys)], nobody(*keys))
        while residents.passivate(idle_since_s=1e9, residents_max=1, keep=set()).idle:
            pass
        bases = [stripe.system._systemBase for stripe in residents._stripes]
        sizes.append(sum(len(base.actorRegistry) for base in bases))
        assert sum(len(base._pendingSends) for base in bases) == 0
        assert (
            sum(len(base.external_response_list) if hasattr(base, "external_response_list") else 0 for base in bases)
            == 0
        )
    # Which stripe the keys of a turn fall into varies, so the pools grow for a few turns, not with each.
    assert sizes[-1] - sizes[4] < 200
    assert len(residents) == 0


@pytest.mark.parametrize(
    ("loaded", "reason", "path"),
    [
        (Loaded(b"\xc1 not a snapshot", None), "snapshot_unreadable", "$.snapshot"),
        (Loaded(None, StoredTree(1, b"")), "tree_unreadable", "$.tree"),
        (Loaded(None, StoredTree(1, tree().blob[:-9])), "not_processed", "$.event"),
    ],
)
def test_what_cannot_be_read_fails_the_event_and_nobody_else(loaded: Loaded, reason: str, path: str) -> None:
    """A poison event becomes a failed one that changed nothing; the neighbour in the same batch goes on."""
    residents = Residents(1)
    a, b = key("a"), key("b")
    results = tell(residents, [pasta(a, 0), pasta(b, 1)], {a: loaded, b: Loaded(None, tree())})
    failed, decided = results.records
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.path, failed.position) == (reason, path, Position(1, 0))
    assert msgspec.msgpack.decode(failed.payload, type=Record) == pasta(a, 0).record
    assert isinstance(decided, Decided)
    assert decided.shopper == b.shopper
    untouched = [one for one in residents.snapshots([a]) if one.basket.lines]
    assert untouched == []


def test_repeats_and_faults_are_counted() -> None:
    """The worker learns of both without a record in the log."""
    residents = Residents(1)
    a = key("a")
    first = pasta(a, 0)
    results = tell(residents, [first, Item(first.record, Position(1, 1))], nobody(a))
    assert (results.repeats, results.records) == (1, [])
    gone = record("RemovedFromBasket", 2, 2, product={"product_id": "nothing"})
    gone = msgspec.structs.replace(gone, event=msgspec.structs.replace(gone.event, shopper_id=a.shopper))
    assert tell(residents, [Item(gone, Position(1, 2))], {}).faults == ["removed_absent"]


def test_states_are_out_of_the_collectors_sight() -> None:
    """A million residents must not be scanned: nothing of a state is tracked."""
    residents = Residents(1)
    a = key("a")
    tell(residents, [pasta(a, 0)], nobody(a))
    state = residents.snapshots([a])[0]
    assert [part for part in (state, state.basket, state.last, state.session) if gc.is_tracked(part)] == []


def test_an_event_that_no_actor_processed_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """An actor system only logs what fails inside it; the worker must not go on as if nothing were missing."""
    residents = Residents(1)
    with pytest.raises(RuntimeError, match="1 of 1 events were not processed"):
        tell(residents, [pasta(key("not loaded"), 0)], {})
    assert "Failure of Actor" in caplog.text
