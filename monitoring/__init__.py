"""Metrics, logs, dashboards and alerts as code."""
