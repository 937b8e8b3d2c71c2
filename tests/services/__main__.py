"""`python -m tests.services`: start, stop, status, env, or run a command with servers that stop after it."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from types import FrameType

from tests.services import state
from tests.services.server import ServerError

_ENDED_WITHIN_S = 30
_SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""


def main(arguments: list[str]) -> int:
    """Does what it was asked and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="start what does not run yet, wait until ready, print addresses and pids")
    commands.add_parser("stop", help="stop what `start` started")
    commands.add_parser("status", help="print what runs; exit 1 if something is missing")
    commands.add_parser("env", help="print the variables that point at the servers, to source")
    run = commands.add_parser("run", help="run a command with servers; stop those that were started for it")
    run.add_argument("rest", nargs=argparse.REMAINDER, metavar="COMMAND")
    asked = parser.parse_args(arguments)
    command = asked.rest[asked.rest[:1] == ["--"] :] if asked.command == "run" else []
    if asked.command == "run" and (not command or shutil.which(command[0]) is None):
        run.error(f"name a command to run, not {' '.join(command) or 'nothing'}")
    given = state.elsewhere(os.environ)
    wanted = tuple(name for name in state.NAMES if name not in given)
    try:
        match asked.command:
            case "start":
                state.start(wanted)
                _print(given)
            case "stop":
                for name, one in state.stop(state.NAMES).items():
                    print(f"{name:<9} {one.address} stopped, pid {one.pid}")
            case "status":
                _print(given)
                return int(not set(wanted) <= set(state.running()))
            case "env":
                found = {name: one.address for name, one in state.running().items()} | given
                print("\n".join(f"{name}={value}" for name, value in state.variables(found).items()))
            case "run":
                return _run(command, given, wanted)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _print(given: dict[str, str]) -> None:
    found = state.running()
    for name in state.NAMES:
        if name in given:
            print(f"{name:<9} {given[name]} as HOTBASKET_{name.upper()} says")
        elif name in found:
            print(f"{name:<9} {found[name].address} pid {found[name].pid}")
        else:
            print(f"{name:<9} does not run")


def _run(command: list[str], given: dict[str, str], wanted: tuple[str, ...]) -> int:
    """Runs a command, whatever signal comes meanwhile, to its end, and stops what was started for it."""
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _: FrameType | None) -> None:
        if child is None:
            raise SystemExit(_SIGNALLED + number)
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    started: dict[str, state.Running] = {}
    try:
        started = state.start(wanted)
        _print(given)
        sys.stdout.flush()
        addresses = {name: one.address for name, one in state.running().items()} | given
        child = subprocess.Popen(command, env={**os.environ, **state.variables(addresses)})
        while True:
            try:
                code = child.wait()
                return code if code >= 0 else _SIGNALLED - code
            except KeyboardInterrupt:
                # The terminal has told the command as well: it ends in its own way.
                continue
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait(_ENDED_WITHIN_S)
        state.stop(tuple(started))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
