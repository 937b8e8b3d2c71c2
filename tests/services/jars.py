"""The jars of a server: fetched once through Maven as its pom.xml pins them, kept in the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.services.server import ServerError

KEPT = Path(__file__).resolve().parents[2] / ".services" / "lib"
_DEBIAN = Path("/usr/lib/jvm")
_FETCHED_WITHIN_S = 600


def java() -> str:
    """Gives the Java that runs the servers: `JAVA_HOME`'s, else Debian's 17, else the first on the path.

    Raises:
        ServerError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    homes = [Path(home)] if home else sorted(_DEBIAN.glob("java-17-openjdk-*"))
    found = next((path for one in homes if (path := shutil.which(one / "bin" / "java"))), None) or shutil.which("java")
    if found is None:
        raise ServerError("the servers need Java 17: apt-get install openjdk-17-jdk-headless, or set JAVA_HOME")
    return str(found)


def jars(name: str) -> Path:
    """Gives the folder with a server's jars; fetches them if they are not those of its pom.xml.

    Raises:
        ServerError: Maven is missing, or failed.
    """
    pom = Path(__file__).parent / name / "pom.xml"
    kept = KEPT / name
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        # Several test processes may want them at once: one fetches, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetched_for = kept / "pom.xml"
        if not fetched_for.is_file() or fetched_for.read_bytes() != pom.read_bytes():
            _fetch(pom, kept)
    return kept


def _fetch(pom: Path, kept: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerError("the servers' jars come through Maven: apt-get install maven")
    with tempfile.TemporaryDirectory(dir=KEPT) as folder:
        fresh = Path(folder) / "lib"
        done = subprocess.run(
            [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fresh}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_FETCHED_WITHIN_S,
        )
        if done.returncode != 0:
            raise ServerError(f"mvn could not fetch what {pom} names:\n{done.stdout.decode(errors='replace')[-4_000:]}")
        shutil.copy(pom, fresh)
        shutil.rmtree(kept, ignore_errors=True)
        fresh.rename(kept)
