"""How every long-running process lives: its parts are started, a signal or the death of one ends all, in order.

The gateway is stopped first and whole, so that nothing acknowledged is left behind; then what works behind it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import structlog

from deploy.http_server import HttpServer
from domain.errors import HotbasketError
from gateway.app import Gateway

log = structlog.get_logger("hotbasket.process")
BACK_STOP_S = 5.0
"""Seconds that a worker or archiver has for its batch and its last commit; what it does not save, the log repeats."""

_SAME_SIGNAL_S = 0.5


class Front(NamedTuple):
    """The gateway, its server and the socket that it listens on."""

    gateway: Gateway
    server: HttpServer
    listener: socket.socket


class Back(NamedTuple):
    """Something that works until it is asked to stop.

    Attributes:
        name: as the log names it.
        run: works.
        stop: asks `run` to return.
    """

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    stop: Callable[[], None]


async def live(front: Front | None, backs: Sequence[Back], started: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Runs all parts until a signal or the death of one, stops them, and gives the process's exit code.

    Args:
        front: the gateway, in a process that has one.
        backs: what works behind it, stopped in this order.
        started: begun when requests are taken; cancelled when the process stops.

    Raises:
        HotbasketError: the expected failure that ended a part.
    """
    stopping = _on_signal()
    if front is not None:
        await front.gateway.start()
    parts = [asyncio.create_task(back.run(), name=back.name) for back in backs]
    begin: list[asyncio.Task[None]] = []
    if front is not None:
        parts.append(asyncio.create_task(front.server.serve_on(front.listener), name="server"))
        begin.append(asyncio.create_task(front.server.wait_until_started()))
    # What was made so far lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    waiting = asyncio.create_task(stopping.wait())
    if begin:
        await asyncio.wait((*begin, waiting, *parts), return_when=asyncio.FIRST_COMPLETED)
    if not begin or begin[0].done():
        begin.append(asyncio.create_task(_told(started), name="started"))
    await asyncio.wait((waiting, *parts), return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, *begin):
        task.cancel()
    await asyncio.gather(waiting, *begin, return_exceptions=True)
    return await _stop(front, backs, parts, failed=not stopping.is_set())


async def _told(started: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(started())
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
    tell_of_failure(task)


def _on_signal() -> asyncio.Event:
    """Gives an event that SIGTERM and SIGINT set; a second signal, when somebody lost patience, ends it at once.

    Whoever signals a whole process group (a terminal, honcho, systemd) reaches a worker twice, since its supervisor
    passes the signal on: what comes right behind the first is the same signal.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    patient_until_s = 0.0

    def stop() -> None:
        nonlocal patient_until_s
        if not stopping.is_set():
            patient_until_s = loop.time() + _SAME_SIGNAL_S
            stopping.set()
        elif loop.time() > patient_until_s:
            log.warning("stopped at once", reason="second signal")
            os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopping


async def _stop(
    front: Front | None, backs: Sequence[Back], parts: Sequence[asyncio.Task[None]], *, failed: bool
) -> int:
    """Stops in the order of the events' way, and gives the exit code.

    Raises:
        HotbasketError: the expected failure that ended a part.
    """
    log.info("stopping", reason="a part ended" if failed else "signal")
    if front is not None:
        await front.gateway.drain()
        front.server.stop()
        await asyncio.wait((parts[-1],))
    for back, task in zip(backs, parts, strict=False):
        back.stop()
        await asyncio.wait((task,), timeout=BACK_STOP_S)
        if not task.done():
            task.cancel()
            log.warning("stopped before its last commit", part=back.name, after_s=BACK_STOP_S)
    await asyncio.gather(*parts, return_exceptions=True)
    if front is not None:
        await front.gateway.stop()
    errors = [error for task in parts if (error := tell_of_failure(task)) is not None]
    log.info("stopped", failed=failed or bool(errors))
    for error in errors:
        if isinstance(error, HotbasketError):
            raise error
    return 1 if failed or errors else 0


def tell_of_failure(task: asyncio.Task[None]) -> BaseException | None:
    """Logs what ended a part, unless it was stopped, and gives it."""
    if not task.done() or task.cancelled():
        return None
    error = task.exception()
    if error is not None:
        # What was expected is told by its message; a bug needs its traceback.
        trace = None if isinstance(error, HotbasketError) else error
        log.error("part failed", part=task.get_name(), detail=str(error), exc_info=trace)
    return error
