"""Benchmarks: side by side in one run, as ratios and percentiles; `make bench` prints them and writes the page."""
