"""Prometheus' alerts as code; `python -m monitoring.alerts DIR` writes its rule file.

Plain data and the standard library; nothing that runs in production imports this package.
"""
