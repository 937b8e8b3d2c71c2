"""`make bench`: runs every benchmark, keeps the figures in docs/benchmarks.json and renders docs/benchmarks.md."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from tests.bench import embedded, page, results
from tests.bench.campaigns import campaigns
from tests.bench.catching_up import archive, worker
from tests.bench.checkpoints import checkpoints
from tests.bench.erasure import SHOPPERS, erasure
from tests.bench.gateway_on_kafka import gateway_on_kafka
from tests.bench.live_on_kafka import live_on_kafka, matrix
from tests.bench.metrics_cost import metrics_cost
from tests.bench.night import night
from tests.bench.production import Place, servers
from tests.bench.servers import load
from tests.bench.takeover import takeover

console = Console(stderr=True)
Options = argparse.Namespace
Embedded = Callable[[Options], Any]  # Any: each section has figures of its own shape
OnServers = Callable[[Place, Options], Any]

EMBEDDED: Mapping[str, tuple[str, Embedded]] = {
    "throughput": (
        "POST /v1/events, 64 connections, one core",
        lambda asked: embedded.throughput(console, asked.rounds, asked.seconds),
    ),
    "live_path": (
        "Event to experience, open loop",
        lambda asked: embedded.live_path((200.0, 1_000.0), asked.seconds * 3),
    ),
    "starting": ("Start to ready", lambda asked: embedded.starting(asked.rounds)),
    "actors": ("Fold and decide in actors", lambda _: embedded.actors()),
    "campaigns": ("What campaigns cost", lambda asked: campaigns(asked.rounds)),
    "metrics": ("What metrics cost", lambda _: metrics_cost()),
    "residents": ("Residents", lambda asked: embedded.residents(asked.residents)),
    "profile": ("Where the embedded gateway's time goes", lambda _: embedded.profile()),
    "night": ("The night", lambda _: night()),
    "erasure": ("Thousands of erasures", lambda asked: erasure(asked.erased)),
}
ON_SERVERS: Mapping[str, tuple[str, OnServers]] = {
    "kafka_gateway": (
        "POST /v1/events on Kafka, one core",
        lambda place, asked: gateway_on_kafka(place, asked.rounds, asked.seconds),
    ),
    "kafka_profile": ("Where the gateway's time goes on Kafka", lambda place, _: _kafka_profile(place)),
    "archive": ("An archiver catches up", lambda place, asked: archive(place, asked.events)),
    "worker": ("A worker catches up", lambda place, asked: worker(place, asked.events)),
    "kafka_live_path": (
        "Event to experience on Kafka, open loop",
        lambda place, asked: live_on_kafka(place, asked.seconds * 2),
    ),
    "checkpoints": ("What checkpoints cost", lambda place, _: checkpoints(place, 15.0)),
    "takeover": ("A worker is killed", lambda place, asked: takeover(place, asked.kills)),
    "matrix": ("Partitions by workers", lambda place, asked: matrix(place, asked.seconds)),
}


def main() -> None:
    """Runs what was asked for."""
    asked = _asked()
    started_s = time.monotonic()
    sections = results.kept()
    chosen = asked.only or [*EMBEDDED, *ON_SERVERS]
    failed: list[str] = []

    def run(name: str, title: str, measure: Callable[[], Any]) -> None:
        if name in chosen:
            console.print(f"[bold]{title}[/bold] ({name})")
            begun_s = time.monotonic()
            try:
                sections[name] = results.section(measure())
            except (Exception, SystemExit):  # noqa: BLE001 - the loop's edge: the other sections are worth having
                console.print_exception()
                failed.append(name)
                return
            console.print(f"  {time.monotonic() - begun_s:.0f} s")
            if not asked.no_page:
                # Section by section: who interrupts a long run keeps what it has measured.
                results.keep(sections)

    for name, (title, one) in EMBEDDED.items():
        run(name, title, lambda one=one: one(asked))  # type: ignore[misc]
    if any(name in chosen for name in ON_SERVERS):
        with contextlib.ExitStack() as stack:
            found = stack.enter_context(servers(console))
            if found is not None:
                place = stack.enter_context(Place(found, console))
                for name, (title, other) in ON_SERVERS.items():
                    run(name, title, lambda other=other: other(place, asked))  # type: ignore[misc]
    text = page.render(sections)
    sys.stdout.write(text)
    if not asked.no_page:
        results.PAGE.write_text(text, encoding="utf-8")
    console.print(f"done in {time.monotonic() - started_s:.0f} s")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; their figures are those of before")


def _asked() -> Options:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[*EMBEDDED, *ON_SERVERS], help="sections to run")
    parser.add_argument("--rounds", type=int, default=3, help="of what is measured in turns; the median counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round")
    parser.add_argument("--residents", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=60_000, help="that wait for an archiver and for a worker")
    parser.add_argument("--erased", type=int, default=SHOPPERS, help="shoppers, by two requests of at most 5,000")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--no-page", action="store_true", help="print only, and keep nothing")
    return parser.parse_args()


def _kafka_profile(place: Place) -> list[tuple[str, float]]:
    production = place.production(64)
    variables = production.variables(production.more_topics(64))
    return list(load("tests.bench.hot_path", production.trees["write_key"], variables=variables).items())


if __name__ == "__main__":
    main()
