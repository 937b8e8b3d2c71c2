"""One Spark session for every test of the batch jobs: it starts once a test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from batch.spark import session

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SETTINGS = {
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""A few rows a query: compiling a query, in Spark or in Java, costs more than running it uncompiled."""


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A session on this machine's cores, with Delta Lake."""
    made = session(app="tests", master="local[2]", java_options=JAVA_OPTIONS, settings=SETTINGS)
    yield made
    made.stop()
