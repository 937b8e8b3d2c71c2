"""Grafana's dashboards as code; `python -m monitoring.dashboards DIR` writes their JSON.

Building needs grafana-foundation-sdk, which the `dev` extra installs. Only `build.py` imports it, and nothing that runs
in production imports this package.
"""
