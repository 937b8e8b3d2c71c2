"""The processes of a run: gateways and workers, who starts them again, and the blows that fall on them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from actors.campaigns_now import MarketPorts
from actors.partition import Stores
from actors.worker import Worker
from adapters.settings import Settings
from adapters.zones import zone_of
from domain.ids import ShopperKey
from domain.ports.tree_store import StoredTree
from gateway.app import Gateway
from gateway.stores import Keys
from gateway.stores import Stores as GatewayStores
from monitoring.metrics import Metrics
from tests.simulation.broker import Broker
from tests.simulation.budgets import OLD_MAX_S, Books, SimulatedCampaigns, SimulatedLedger
from tests.simulation.clock import SimulatedClock, World
from tests.simulation.control import SIGNING_KEY, SimulatedRetailers
from tests.simulation.event_log import SimulatedEventLog
from tests.simulation.experience_log import SimulatedExperienceLog
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.network import Network, Running
from tests.simulation.oracle import Push
from tests.simulation.shop import shopper_key
from tests.simulation.stores import Shelf, SimulatedFailedEvents, SimulatedSnapshots, SimulatedTrees
from tests.simulation.wire import Sky, Wire

_RESTART_S = 0.3
SILENT_S = 1.5
"""A worker that is silent for so long is put out of the group."""


class System:
    """Everything on the servers' side.

    Attributes:
        processes: every process that ever was.
        gateways: those that take requests now.
        pushes: every tree that was ever pushed.
        workers: the worker in each running process, by the process's name.
    """

    def __init__(self, sky: Sky, world: World, draw: random.Random, *, partitions: int, workers: int) -> None:
        self.sky = sky
        self.loop: VirtualLoop = sky.loop
        self.world = world
        self.broker = Broker(sky, partitions)
        self.shelf = Shelf(partitions, sky.draw, self.broker.stamp)
        self.books = Books(self.broker.stamp, world.now_ms)
        self._gateway_settings = Settings.model_construct(stream_queue_max=draw.choice((1, 3, 64)))
        self.processes: list[Process] = []
        self.gateways: list[Running] = []
        self.on_worker: Callable[[Process], None] = lambda _: None
        self.network = Network(sky, self._ready_gateways)
        self.workers: dict[str, tuple[Process, Worker]] = {}
        self.clocks: dict[str, SimulatedClock] = {}
        self.failures: list[str] = []
        self.pushes: list[Push] = []
        self._refuses = partitions == 1 and draw.random() < 0.5
        self._numbers: dict[str, int] = {}
        self._is_over = False
        self._gateway_metrics = Metrics()
        for _ in range(draw.choice((1, 2, 2))):
            self.start_gateway()
        for _ in range(workers):
            self.start_worker()

    def process(self, kind: str) -> Process:
        """Makes a process with a name of its own."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        process = Process(f"{kind}-{number}", self.loop)
        self.clocks[process.name] = SimulatedClock(self.world, process, self.loop)
        self.processes.append(process)
        return process

    def start_gateway(self) -> None:
        """Starts a gateway; when it dies, its supervisor starts another."""
        if self._is_over:
            return
        process = self.process("gateway")
        wire = Wire(self.sky, process)
        stores = GatewayStores(
            events=SimulatedEventLog(self.broker, wire),
            experiences=SimulatedExperienceLog(self.broker, wire, refuses=self._refuses),
            snapshots=SimulatedSnapshots(self.shelf, wire),
            trees=SimulatedTrees(self.shelf, wire),
            retailers=SimulatedRetailers(),
            clock=self.clocks[process.name],
            metrics=self._gateway_metrics,
        )
        gateway = Running(process, Gateway(stores, Keys(SIGNING_KEY, shopper_key), self._gateway_settings))
        _ = process.start(gateway.gateway.start())
        self.gateways.append(gateway)

        def died() -> None:
            self.gateways.remove(gateway)
            self.loop.outside(_RESTART_S, self.start_gateway)

        process.on_death.append(died)

    def start_worker(self) -> None:
        """Starts a worker; when it dies, the group learns of it after a while and its supervisor starts another."""
        if self._is_over:
            return
        process = self.process("worker")
        wire = Wire(self.sky, process)
        stores = Stores(
            events=SimulatedEventLog(self.broker, wire, process.name),
            experiences=SimulatedExperienceLog(self.broker, wire, refuses=self._refuses),
            snapshots=SimulatedSnapshots(self.shelf, wire),
            trees=SimulatedTrees(self.shelf, wire),
            failures=SimulatedFailedEvents(self.shelf, wire),
            clock=self.clocks[process.name],
            metrics=Metrics(),
            market=self._market(wire),
        )
        draw = self.sky.draw
        settings = Settings.model_construct(
            checkpoint_s=draw.choice((0.1, 0.3, 1.0)),
            residents_max=draw.choice((1, 2, 5, 1_000)),
            resident_idle_s=draw.choice((0.5, 2.0, 3_600.0)),
            poll_records_max=draw.choice((1, 4, 20, 200)),
        )

        async def work() -> None:
            worker = Worker(stores, settings, process.name)
            self.workers[process.name] = (process, worker)
            try:
                await worker.run()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  (a worker that ends by itself is a finding)
                self.failures.append(f"{process.name} ended: {error!r}")
                process.kill()

        def died() -> None:
            self.workers.pop(process.name, None)
            silent_s = self.sky.draw.choice((0.0, SILENT_S))
            self.loop.outside(silent_s, self.broker.group.leave, process.name)
            self.loop.outside(_RESTART_S, self.start_worker)

        process.on_death.append(died)
        _ = process.start(work())

    def _market(self, wire: Wire) -> MarketPorts:
        """Gives a worker's view of campaigns and budgets."""
        old_s = self.sky.draw.choice((0.0, 0.3, OLD_MAX_S))
        campaigns = SimulatedCampaigns(self.books, self.loop.time, old_s)
        return MarketPorts(campaigns, SimulatedLedger(self.books, wire), SimulatedRetailers(), zone_of)

    def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Makes trees visible, and notes which events came before."""
        generation = self.shelf.push(retailer_id, trees)
        ends = tuple(topic.end for topic in self.broker.events)
        for whose, blob in trees:
            self.pushes.append(Push(ShopperKey(retailer_id, whose), StoredTree(generation, blob), ends))
        return generation

    @property
    def resumed_blindly(self) -> bool:
        """Whether a stream began without the shopper's snapshot: what the snapshot alone knew is not told later."""
        samples = (sample for metric in self._gateway_metrics.registry.collect() for sample in metric.samples)
        return any(
            sample.name == "hotbasket_gateway_errors_total" and sample.labels["what"] == "snapshot" and sample.value
            for sample in samples
        )

    def _ready_gateways(self) -> list[Running]:
        """Gives the gateways that a load balancer sends requests to: those that say that they are ready."""
        return [running for running in self.gateways if running.gateway._why_not_ready() is None]

    async def stop_workers(self) -> None:
        """Stops the workers as an operator does, and waits for their last checkpoints."""
        self._is_over = True
        running = list(self.workers.values())
        for _, worker in running:
            worker.stop()
        while any(not task.done() for process, _ in running for task in process.tasks[:1]):
            await asyncio.sleep(0.1)
