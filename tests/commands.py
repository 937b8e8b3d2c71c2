"""Commands in processes of their own that need not import everything anew: a server of forks has done so once.

A command's start takes a second of imports, and the suites run hundreds. Each still has its own process, environment,
standard streams and exit code; only the interpreter's start and the imports are shared.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

_context: ForkServerContext | None = None


def run_command(
    arguments: Sequence[str | Path], environment: Mapping[str, str], *, within_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs `hotbasket` with arguments and nothing but this environment, to its end, in the current directory.

    Raises:
        TimeoutExpired: it did not end in time, and was killed.
    """
    texts = [str(argument) for argument in arguments]
    with TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        for path in said:
            path.touch()
        process = _forks().Process(target=_command, args=(texts, dict(environment), str(Path.cwd()), *map(str, said)))
        process.start()
        process.join(within_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(texts, within_s)
        stdout, stderr = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess(texts, process.exitcode, stdout, stderr)


def _forks() -> ForkServerContext:
    global _context  # noqa: PLW0603 - one server for all tests of this process
    if _context is None:
        _context = multiprocessing.get_context("forkserver")
        _context.set_forkserver_preload(["tests.commands_loaded"])
    return _context


def _command(arguments: list[str], environment: dict[str, str], folder: str, stdout: str, stderr: str) -> None:
    """Becomes the command, in a process that was just forked."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (stdout, os.O_WRONLY | os.O_CREAT), (stderr, os.O_WRONLY | os.O_CREAT))
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["hotbasket", *arguments]
    from deploy.cli import main

    main()
