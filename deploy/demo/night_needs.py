"""What a night needs beyond the live half: the batch extra and a JDK. Looks for both without loading either."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, NamedTuple

from deploy.batch_job import INSTALL, LIBRARIES

JAVA_VERSIONS: Final = (17, 21)
_JAVA_WITHIN_S: Final = 10.0
_VERSION: Final = re.compile(r'version "(?:1\.)?(\d+)')
_versions: dict[str, int] = {}


class Need(NamedTuple):
    """Something that is missing.

    Attributes:
        name: which, for pages that say it in their own language.
        cure: one sentence that says what to install.
    """

    name: Literal["batch", "java", "java_version"]
    cure: str


async def missing() -> Need | None:
    """Gives what is missing first; None if nothing is."""
    absent = [name for name in LIBRARIES if find_spec(name) is None]
    if absent:
        return Need("batch", f"Install the cold half: {INSTALL}, and Java 17 or 21. Missing: {', '.join(absent)}.")
    java = find_java()
    if java is None:
        return Need("java", "Install a JDK 17 or 21, and set JAVA_HOME to it or put its java on the PATH.")
    version = await java_version(java)
    if version not in JAVA_VERSIONS:
        said = f"is version {version}" if version else "does not say its version"
        return Need("java_version", f"Install a JDK 17 or 21 and set JAVA_HOME to it: {java} {said}.")
    return None


def find_java() -> str | None:
    """Gives the `java` that Spark would start: of JAVA_HOME where that is set, else of the PATH."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(Path(home) / "bin" / "java") if home else shutil.which("java")


async def java_version(java: str) -> int:
    """Asks a `java` for its major version, once; 0 where it does not say."""
    if java not in _versions:
        _versions[java] = await _ask(java)
    return _versions[java]


async def _ask(java: str) -> int:
    try:
        process = await asyncio.create_subprocess_exec(java, "-version", stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    except OSError:
        return 0
    try:
        _, said = await asyncio.wait_for(process.communicate(), _JAVA_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 0
    found = _VERSION.search(said.decode(errors="replace"))
    return int(found[1]) if found else 0
