"""Batch jobs on a real Spark session; `spark` is one for the whole test process."""
