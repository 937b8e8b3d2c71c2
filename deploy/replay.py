"""`hotbasket replay`: sends a file of events to a running gateway, as trackers would, and says how that went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
import uvloop

from deploy.options import Json, document, progress, say, tell
from deploy.replay_connection import Address, Connection
from deploy.replay_lanes import Lanes, Tally
from deploy.replay_source import Pace, Source
from domain.errors import HotbasketError, Refused

log = structlog.get_logger()


def replay(  # noqa: PLR0913, PLR0917 - one parameter an option
    file: Annotated[Path, typer.Argument(help="JSONL, plain or gzip: one event a line, in the order of time.")],
    key: Annotated[
        str, typer.Option("--key", envvar="HOTBASKET_KEY", help="Write key, or secret key for verified orders.")
    ],
    url: Annotated[str, typer.Option("--url", help="Where the gateway listens.")] = "http://127.0.0.1:8080",
    rate: Annotated[float | None, typer.Option("--rate", min=0.001, help="Events a second, evenly spaced.")] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", min=1e-6, help="Seconds of the file's time that pass in one second.")
    ] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Move all times so that the first event is now.")
    ] = False,
    lanes: Annotated[int, typer.Option("--lanes", min=1, max=1_000, help="Connections; a shopper stays on one.")] = 16,
    give_up_after: Annotated[
        float, typer.Option("--give-up-after", min=0, help="Seconds to try for one event before the replay fails.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Send a file of events to a running gateway.

    Without --rate and --speed events leave as fast as the gateway acknowledges them. With either, each event has a
    moment when it should leave, whatever the gateway does, and its latency counts from that moment. Events of one
    shopper stay in order. What is not acknowledged is sent again under the same id, so a replay can be repeated.

    Example: hotbasket replay --key wk_... --rate 500 --shift-to-now events.jsonl
    """
    if rate is not None and speed is not None:
        raise typer.BadParameter("give --rate or --speed, not both")
    address = Address.of(url)
    tally = Tally()
    began_s = time.monotonic()
    failure: HotbasketError | None = None
    with Source(file, Pace(rate, speed, shift_to_now), lanes) as source:
        try:
            uvloop.run(_send(source, tally, lambda: Connection(address, "/v1/events", key), lanes, give_up_after))
        except HotbasketError as error:
            failure = error
    result = summary(tally, time.monotonic() - began_s)
    for fault in tally.faults.values():
        tell(f"{file} line {fault.line} was rejected: {fault.reason} {fault.path}".rstrip())
    log.info("replayed", **{name: value for name, value in result.items() if name != "ack_ms"}, **result["ack_ms"])
    if as_json:
        document(result)
    else:
        say(_sentence(result))
    if failure is not None:
        raise failure


def summary(tally: Tally, seconds: float) -> dict[str, Any]:
    """Gives what `--json` prints."""
    return {
        "sent": tally.sent,
        **tally.outcomes,
        "retried": tally.retried,
        "seconds": round(seconds, 3),
        "ack_ms": tally.latencies.summary_ms(),
    }


async def _send(
    source: Source, tally: Tally, connect: Callable[[], Connection], lanes: int, give_up_after_s: float
) -> None:
    with progress("bytes") as bar:
        task = bar.add_task("replay", total=source.bytes_total)
        try:
            await Lanes(connect, tally, lanes, give_up_after_s).send(
                source, lambda: bar.update(task, completed=source.bytes_read)
            )
        except asyncio.CancelledError:
            raise Refused(f"interrupted after {tally.sent} events; run it again to send the rest") from None


def _sentence(result: dict[str, Any]) -> str:
    ack = result["ack_ms"]
    rate = result["sent"] / result["seconds"] if result["seconds"] else 0.0
    return (
        f"{result['sent']} events sent in {result['seconds']:.1f} s ({rate:,.0f}/s): {result['stored']} stored, "
        f"{result['rejected']} rejected, {result['dropped']} dropped, {result['retried']} sent again; "
        f"acknowledged in {ack['p50']:.1f} ms (p50), {ack['p95']:.1f} (p95), {ack['p99']:.1f} (p99), "
        f"{ack['max']:.1f} (max)"
    )
