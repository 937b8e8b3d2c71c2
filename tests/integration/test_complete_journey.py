"""The real baskets through a production system and through an embedded one: both come to the same, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from msgspec import structs

from adapters.clock import SystemClock
from adapters.settings import Settings, load_settings
from adapters.wiring import Ports, embedded, production
from domain.ids import BEGINNING, ShopperKey, bucket, shopper_hash
from domain.ports.retailers import Retailer
from domain.records import Decided, Record
from domain.shopper import Shopper, decode
from domain.tree_faults import read_trees
from monitoring.metrics import Metrics
from tests.chaos.servers.logs import Logs
from tests.cli.running import Running, hotbasket_json
from tests.contract.production import Stores
from tests.identity import KEYS, wrapped
from tests.real_data.test_complete_journey import TREE, convert
from tests.services.given import Servers
from tests.services.system import System

pytestmark = [pytest.mark.extended, pytest.mark.needs_real_data, pytest.mark.slow, pytest.mark.timeout(900)]

RETAILER = Retailer(retailer_id="r-journey", name="journey", currency="USD")
WRITE_KEY, SECRET_KEY = "wk_journey", "sk_journey"
GATEWAYS = WORKERS = 2
PARTITIONS = 8
RATE = 6_000
AT_REST_WITHIN_S = 300
_LOOK_S = 0.2


class Outcome(NamedTuple):
    """What a system has come to, without what derives from the time of receipt and from places in its log.

    Attributes:
        states: by shopper.
        decided: by triggering event.
    """

    states: dict[ShopperKey, Shopper]
    decided: dict[UUID, Decided]


def split(file: Path, folder: Path, identity: bytes) -> tuple[list[Path], Counter[int], list[ShopperKey]]:
    """Cuts a file into one part a gateway, each shopper whole; counts events by log partition, names the shoppers."""
    parts = [folder / f"part-{number}.jsonl" for number in range(GATEWAYS)]
    counts: Counter[int] = Counter()
    keys: dict[str, ShopperKey] = {}
    sinks = [part.open("w", encoding="utf-8") for part in parts]
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            shopper_id = json.loads(line)["shopper_id"]
            if shopper_id not in keys:
                keys[shopper_id] = ShopperKey(RETAILER.retailer_id, shopper_hash(identity, shopper_id))
            number = bucket(keys[shopper_id].shopper)
            counts[number % PARTITIONS] += 1
            sinks[number % GATEWAYS].write(line)
    for sink in sinks:
        sink.close()
    return parts, counts, list(keys.values())


async def prepare(ports: Ports) -> None:
    """Makes the retailer under a known id, with known keys, and its default tree."""
    write, secret = (hashlib.sha256(key.encode()).hexdigest() for key in (WRITE_KEY, SECRET_KEY))
    await ports.retailers.add(RETAILER, write, secret, wrapped(ports, RETAILER.retailer_id))
    await ports.trees.push(RETAILER.retailer_id, read_trees(json.dumps(TREE).encode()))


def replay(urls: Iterable[str], parts: Iterable[Path]) -> int:
    """Sends each part to its gateway, all at the same time; gives how many events were stored."""

    def one(url: str, part: Path) -> int:
        rate = str(RATE // GATEWAYS)
        result = hotbasket_json("replay", "--url", url, "--key", WRITE_KEY, "--rate", rate, part)
        return int(result["stored"])

    with ThreadPoolExecutor(max_workers=GATEWAYS) as threads:
        return sum(threads.map(one, urls, parts))


def without_places(state: Shopper) -> Shopper:
    """A state without log positions and times of receipt."""
    last = state.last
    return structs.replace(
        state,
        position=BEGINNING,
        last=None if last is None else structs.replace(last, received_at_ms=0),
        slots=tuple(structs.replace(slot, position=BEGINNING) for slot in state.slots),
    )


async def outcome(ports: Ports, keys: list[ShopperKey], decided: Iterable[Decided]) -> Outcome:
    """Reads what a stopped system keeps."""
    payloads = await ports.snapshots.load(keys)
    states = {key: decode(payload) for key, payload in payloads.items()}
    return Outcome(
        {key: without_places(state) for key, state in states.items()},
        {one.trigger_event_id: structs.replace(one, token=0, position=BEGINNING, received_at_ms=0) for one in decided},
    )


async def embedded_outcome(data: Path, parts: list[Path], keys: list[ShopperKey], events: int) -> Outcome:
    """Lets the baskets through `hotbasket run`."""
    ports = embedded(data, load_settings(), Metrics(), SystemClock())
    await prepare(ports)
    await ports.close()
    with Running(data) as running:
        assert events == await asyncio.to_thread(replay, [running.url] * GATEWAYS, parts)
        await asyncio.to_thread(running.wait_until_processed, events, AT_REST_WITHIN_S)
        assert 0 == await asyncio.to_thread(running.stop)
    ports = embedded(data, load_settings(), Metrics(), SystemClock())
    try:
        decided: list[Decided] = []
        after = -1
        while entries := await ports.experiences.read(0, after=after, records_max=5_000):
            decided += [entry.record for entry in entries if isinstance(entry.record, Decided)]
            after = entries[-1].offset
        return await outcome(ports, keys, decided)
    finally:
        await ports.close()


async def at_rest(settings: Settings, counts: Mapping[int, int]) -> None:
    """Waits until workers and archiver have committed every event."""
    async with asyncio.timeout(AT_REST_WITHIN_S):
        for role in ("worker", "archiver"):
            ports = await production(settings, Metrics(), SystemClock(), role=role)
            try:
                for partition, count in counts.items():
                    while True:
                        committed = await ports.events.committed(partition)
                        if committed is not None and committed.through.offset >= count - 1:
                            break
                        await asyncio.sleep(_LOOK_S)
            finally:
                await ports.close()


async def archived(ports: Ports, first: datetime) -> tuple[set[UUID], dict[UUID, Decided]]:
    """Reads the event store from the day of a moment until today."""
    events: set[UUID] = set()
    decided: dict[UUID, Decided] = {}
    day = first.date()
    while day <= datetime.now(UTC).date():
        for partition in range(PARTITIONS):
            async for page in ports.archive.events(RETAILER.retailer_id, day, partition):
                events.update(one.record.event.event_id for one in page if isinstance(one.record, Record))
            async for said in ports.archive.decided(RETAILER.retailer_id, day, partition):
                decided.update((one.trigger_event_id, one) for one in said)
        day += timedelta(days=1)
    return events, decided


async def test_production_comes_to_the_same_as_embedded(real_data: Path, tmp_path: Path, servers: Servers) -> None:
    """Two gateways, two workers, one archiver: states and experiences as embedded; archive = the log's event ids."""
    began = datetime.now(UTC)
    file, data = tmp_path / "events.jsonl", tmp_path / "data"
    convert(real_data, file)
    data.mkdir(mode=0o700)
    parts, counts, keys = split(file, tmp_path, KEYS.shopper)
    events = counts.total()
    wanted = await embedded_outcome(data, parts, keys, events)

    stores = Stores(servers)
    name = f"journey_{secrets.token_hex(4)}"
    try:
        async with stores.database() as url:
            system = System(
                tmp_path,
                servers._replace(postgres=url),
                name=name,
                partitions=PARTITIONS,
                gateways=GATEWAYS,
                workers=WORKERS,
            )
            seen, archive = await through_servers(system, parts, keys, counts, began)
    finally:
        stores.close()
    assert len(keys) == len(wanted.states) == len(seen.states)
    assert [] == [key for key in keys if wanted.states[key] != seen.states[key]][:5]
    assert wanted.decided.keys() == seen.decided.keys()
    assert [] == [one for one in wanted.decided if wanted.decided[one] != seen.decided[one]][:5]
    assert sum(len(one.decisions) for one in seen.decided.values()) > len(keys)
    logged, stored, stored_decided = archive
    assert logged == stored
    assert seen.decided.keys() == stored_decided.keys()


async def through_servers(
    system: System, parts: list[Path], keys: list[ShopperKey], counts: Mapping[int, int], began: datetime
) -> tuple[Outcome, tuple[set[UUID], set[UUID], dict[UUID, Decided]]]:
    """Lets the baskets through a production system; gives its outcome, and the ids in its log and in its archive."""
    settings = system.settings()
    migrated = await asyncio.to_thread(system.command, "migrate", "--partitions", str(PARTITIONS), "--replication", "1")
    assert migrated.returncode == 0, migrated.stderr
    ports = await production(settings, Metrics(), SystemClock(), role="command")
    await prepare(ports)
    await ports.close()
    with system:
        assert sum(counts.values()) == await asyncio.to_thread(replay, system.urls, parts)
        await at_rest(settings, counts)
        codes = await asyncio.to_thread(system.stop)
        assert set(codes.values()) == {0}, codes
    logs = await Logs(settings, PARTITIONS).read()
    faults = [fault for one in logs for fault in one.heard.faults]
    assert [] == faults[:5]
    decided = [said for one in logs for said in one.heard.records.values() if isinstance(said, Decided)]
    logged = {record.event.event_id for one in logs for record in one.records.values()}
    ports = await production(settings, Metrics(), SystemClock(), role="all")
    try:
        seen = await outcome(ports, keys, decided)
        stored, stored_decided = await archived(ports, began)
    finally:
        await ports.close()
    return seen, (logged, stored, stored_decided)
