#!/bin/sh
# Runs one job of the cold half on a Spark cluster: submit.sh nightly --retailer NAME
#
# Needs spark-submit (Spark 4.2) on the PATH, and on driver and executors a Python environment that holds
# `pip install 'hotbasket[batch,scylla,postgres]'`: an image, or --archives with a packed environment.
# MASTER is Spark's master (default: what spark-defaults.conf says), SUBMIT_OPTIONS anything else for spark-submit.
# HOTBASKET_* settings are read from the environment here; the driver hands them on to the executors.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

PYTHONPATH="$here/../.." "${PYSPARK_PYTHON:-python3}" -m deploy.spark.package "$work/hotbasket.zip"

# shellcheck disable=SC2086 # options are words
spark-submit ${MASTER:+--master "$MASTER"} \
    --packages io.delta:delta-spark_4.2_2.13:4.4.0 \
    --py-files "$work/hotbasket.zip" \
    ${SUBMIT_OPTIONS:-} \
    "$here/job.py" "$@"
