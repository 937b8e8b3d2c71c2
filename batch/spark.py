"""The Spark session of every job: a laptop's own, or the one that `spark-submit` prepared; both with Delta Lake.

Entry points call `session` once, before anything else of a job; pure functions get their DataFrames from it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pyspark import SparkConf
from pyspark.sql import SparkSession

from domain.errors import Refused

DELTA: Final = "io.delta:delta-spark_4.2_2.13:4.4.0"
"""The jar that goes with delta-spark and pyspark of setup.cfg."""
CACHE: Final = Path("~/.cache/hotbasket/spark").expanduser()
"""Where a laptop keeps the jars once they are fetched, so that later runs need no network."""
JAVA_VERSIONS: Final = (17, 21)
_VECTOR_MODULE = "jdk.incubator.vector"
_JAVA_WITHIN_S = 60
_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
_IN_SPARK_ALREADY = (
    "com.fasterxml.jackson.core:*",
    "com.fasterxml.jackson.datatype:*",
    "com.github.luben:*",
    "com.google.code.findbugs:*",
    "commons-logging:*",
    "commons-pool:*",
    "io.airlift:*",
    "javax.annotation:*",
    "org.apache.hadoop:*",
    "org.apache.logging.log4j:*",
    "org.apache.parquet:*",
    "org.locationtech.jts:*",
    "org.roaringbitmap:*",
    "org.slf4j:*",
    "org.xerial.snappy:*",
)
"""What Delta depends on and Spark brings along, newer: 13 MB are fetched instead of 87."""
_EVERYWHERE = {
    "spark.sql.extensions": _EXTENSION,
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Sorted by the partition columns alone: a day of millions of rows would go through one task.
    "spark.databricks.delta.merge.repartitionBeforeWrite.enabled": "false",
}
_ON_A_LAPTOP = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
"""
"""Without its last two lines pyspark raises the level to that of an interactive shell."""


def session(
    *,
    app: str = "hotbasket",
    master: str = "local[*]",
    memory: str = "2g",
    java_options: str = "",
    cache: Path = CACHE,
    settings: Mapping[str, str] | None = None,
) -> SparkSession:
    """Gives this process's session, made if there is none.

    Under `spark-submit` its master, memory and jars hold, and what follows is for the rest.

    Args:
        app: name of the application.
        master: where a laptop runs it.
        memory: of a laptop's one Java process.
        java_options: for that process.
        cache: folder for the jars of Delta Lake, fetched on the first run.
        settings: of Spark, over those that are set here.

    Raises:
        Refused: there is no Java that Spark runs on, or no Delta Lake, or the jars can't be fetched.
    """
    # Workers start the Python that they are told to, by default another one than this.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # noqa: TID251 - Spark reads it from there alone
    if _is_submitted():
        return _of_submit(app, {**_EVERYWHERE, **(settings or {})})
    check_java()
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    with _jars(cache) as jars:
        chosen = {
            **_EVERYWHERE,
            **_ON_A_LAPTOP,
            "spark.driver.memory": memory,
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_logging(cache).as_uri()} {java_options}",
            **jars,
            **(settings or {}),
        }
        return _started(app, chosen, master)


def check_java() -> None:
    """Looks for the Java that Spark would start.

    Raises:
        Refused: there is none, or not one of those that Spark runs on.
    """
    cure = "install it (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME to one"
    home = os.environ.get("JAVA_HOME")  # noqa: TID251 - Spark's own start script looks there
    java = shutil.which(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None:
        where = f"JAVA_HOME={home} holds no bin/java" if home else "there is no java on the PATH"
        raise Refused(f"batch jobs run on Spark, which needs Java 17 or 21, and {where}: {cure}")
    try:
        done = subprocess.run(  # noqa: S603 - what was found is what Spark starts
            [java, "--list-modules"], capture_output=True, text=True, timeout=_JAVA_WITHIN_S, check=False
        )
        listed = done.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{java} does not start ({error}): {cure}") from None
    found = re.search(r"^java\.base@(\d+)", listed, flags=re.MULTILINE)
    if found is None or int(found[1]) not in JAVA_VERSIONS:
        # Java 8 knows no modules, so it does not say which it is.
        version = f"Java {found[1]}" if found else "a Java older than 9 or none at all"
        raise Refused(f"batch jobs run on Spark, which needs Java 17 or 21, and {java} is {version}: {cure}")
    if _VECTOR_MODULE not in listed:
        raise Refused(f"{java} lacks the module {_VECTOR_MODULE}, without which Spark does not start: {cure}")


def _is_submitted() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ  # noqa: TID251 - spark-submit says so there


def _of_submit(app: str, chosen: Mapping[str, str]) -> SparkSession:
    """Gives the session of the Java process that `spark-submit` started: what it was told holds."""
    given = SparkConf()
    builder = SparkSession.builder.appName(given.get("spark.app.name", app) or app)
    for name, value in chosen.items():
        builder = builder.config(name, given.get(name, value) or value)
    made = builder.getOrCreate()
    try:
        java = made.sparkContext._jvm.java.lang  # type: ignore[union-attr]
        getattr(java.Class, "forName")(_EXTENSION, False, java.Thread.currentThread().getContextClassLoader())  # noqa: B009
    except Exception:  # noqa: BLE001 - whatever Java says of it
        made.stop()
        raise Refused(f"spark-submit was given no Delta Lake: add --packages {DELTA}") from None
    return made


@contextmanager
def _jars(cache: Path) -> Iterator[dict[str, str]]:
    """Gives the settings that bring Delta's jars, and remembers them once the session stands."""
    listed = cache / f"{DELTA.replace(':', '_')}.txt"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            # Several processes may start for the first time at once: one fetches, the others wait.
            fcntl.flock(lock, fcntl.LOCK_EX)
            jars = listed.read_text(encoding="utf-8").split("\n") if listed.is_file() else []
            if jars and all(Path(jar).is_file() for jar in jars):
                fcntl.flock(lock, fcntl.LOCK_UN)
                yield {"spark.jars": ",".join(jars)}
                return
            yield {
                "spark.jars.packages": DELTA,
                "spark.jars.excludes": ",".join(_IN_SPARK_ALREADY),
                "spark.jars.ivy": str(cache / "ivy"),
            }
            listed.write_text("\n".join(map(str, sorted((cache / "ivy" / "jars").glob("*.jar")))), encoding="utf-8")
    except OSError as error:
        raise Refused(f"can't keep Spark's jars in {cache}: {error.strerror}; name another folder") from None


def _logging(cache: Path) -> Path:
    """Gives the file that keeps Spark's own start-up chatter off the terminal."""
    path = cache / "log4j2.properties"
    if not path.is_file() or path.read_text(encoding="utf-8") != _LOGGING:
        fresh = cache / f"log4j2.{os.getpid()}.properties"
        fresh.write_text(_LOGGING, encoding="utf-8")
        fresh.rename(path)
    return path.absolute()


def _started(app: str, chosen: Mapping[str, str], master: str) -> SparkSession:
    builder = SparkSession.builder.appName(app).master(master)
    for name, value in chosen.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise Refused(
            f"Spark does not start ({str(error).splitlines()[0]}): the lines above say why; on the first run it"
            f" fetches {DELTA}, which needs the network"
        ) from error
